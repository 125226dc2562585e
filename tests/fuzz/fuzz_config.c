/* A service's YAML config. What is refused leaves nothing behind and says why; what is accepted prints as YAML that is
 * accepted again and prints the same. */
#include "config/config.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct sample {
    char *name, *secret, *cert;
    int64_t count, wait_ms, size_bytes;
    bool on;
    double share;
    int color;
    struct config_strings hosts, labels;
};

static const char *const colors[] = { "red", "green", "blue", NULL };

static const struct config_row rows[] = {
    CONFIG_STRING(struct sample, name, "name", "somebody", "who it is"),
    CONFIG_STRING(struct sample, cert, "tls.cert_file", NULL, "PEM file"),
    CONFIG_SECRET(struct sample, secret, "tls.password", "keep it"),
    CONFIG_INT(struct sample, count, "count", "3", -5, 200, "how many"),
    CONFIG_DURATION(struct sample, wait_ms, "wait", "10m", 100, CONFIG_DAY_MS, "how long"),
    CONFIG_BYTES(struct sample, size_bytes, "size", "6MiB", 1, 1073741824.0, "how large"),
    CONFIG_BOOL(struct sample, on, "on", "false", "whether"),
    CONFIG_DOUBLE(struct sample, share, "share", "0.1", 0, 1, "which part"),
    CONFIG_ENUM(struct sample, color, "color", "green", colors, "which color"),
    CONFIG_STRINGS(struct sample, hosts, "a.b.hosts", "x, y", "where"),
    CONFIG_MAP(struct sample, labels, "labels", "names and values"),
    { 0 },
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sample s, again;
    struct pl_err err = { 0 };
    struct pl_buf first = { 0 }, second = { 0 };
    if (config_load(rows, &s, "fuzz", (const char *)data, size, NULL, &err) != PL_OK) {
        assert(err.code == PL_INVALID && err.message[0] && err.field[0]);
        assert(!s.name && !s.hosts.items && !s.labels.items);
        return 0;
    }
    config_print(rows, &s, &first);
    assert(!first.failed);
    assert(config_load(rows, &again, "print", first.data, first.len, NULL, &err) == PL_OK);
    /* The mask of a secret is read as none. */
    free(again.secret);
    again.secret = strdup(s.secret);
    config_print(rows, &again, &second);
    assert(first.len == second.len && memcmp(first.data, second.data, first.len) == 0);
    pl_buf_done(&first);
    pl_buf_done(&second);
    config_done(rows, &s);
    config_done(rows, &again);
    return 0;
}
