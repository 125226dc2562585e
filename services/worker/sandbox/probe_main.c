/* `pilotlight-runner probe`: the probe's findings as JSON lines. */
#include "base/buf.h"
#include "base/text.h"
#include "sandbox/plan.h"
#include "sandbox/probe.h"

#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void add_text(struct pl_buf *b, const char *key, const char *value)
{
    (void)pl_buf_addf(b, ",\"%s\":", key);
    (void)pl_buf_add_json(b, value, strlen(value));
}

static void add_feature(struct pl_buf *b, const struct sandbox_probe *p, unsigned i)
{
    const struct sandbox_feature_text *t = &sandbox_feature_texts[i];
    bool ok = (p->features >> i) & 1u;

    (void)pl_buf_adds(b, "{\"kind\":\"feature\"");
    add_text(b, "key", t->key);
    add_text(b, "name", t->name);
    (void)pl_buf_addf(b, ",\"ok\":%s", ok ? "true" : "false");
    if (!ok) {
        add_text(b, "why", p->why[i]);
        add_text(b, "lost", t->lost);
        add_text(b, "advice", t->advice);
    }
    (void)pl_buf_adds(b, "}\n");
}

static bool own_path(char out[PATH_MAX])
{
    ssize_t n = readlink("/proc/self/exe", out, PATH_MAX - 1);

    if (n > 0)
        out[n] = '\0';
    return n > 0;
}

int sandbox_probe_main(int argc, char **argv)
{
    pl_cleanup(pl_buf_done) struct pl_buf out = PL_BUF_INIT(1 << 20);
    uint64_t uid = SANDBOX_DEFAULT_UID;
    struct sandbox_probe p;
    char program[PATH_MAX];
    struct pl_err err;

    if (argc != 1 && !(argc == 3 && strcmp(argv[1], "--uid") == 0 && pl_parse_u64(argv[2], INT32_MAX, &uid))) {
        (void)fprintf(stderr, "usage: pilotlight-runner probe [--uid N]\n");
        return 2;
    }
    if (!own_path(program) || sandbox_probe(&p, program, (unsigned)uid, &err) != PL_OK) {
        (void)fprintf(stderr, "pilotlight-runner: %s\n", err.message);
        return EXIT_FAILURE;
    }
    for (unsigned i = 0; i < SANDBOX_FEATURE_COUNT; i++)
        add_feature(&out, &p, i);
    (void)pl_buf_addf(&out, "{\"kind\":\"plan\",\"features\":%u,\"uid\":%u,\"privileged\":%s}\n", p.features,
                      (unsigned)uid, p.privileged ? "true" : "false");
    return fwrite(out.data, 1, out.len, stdout) == out.len && fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
