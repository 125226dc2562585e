#include "private.h"

#include "base/mem.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_FILE_BYTES ((size_t)1 << 20)

/* ---- defaults ---- */

/* Members that own memory are made empty without a look at what stood there; then the table's values are set. */
static void load_defaults(const struct config_row *rows, void *target)
{
    for (const struct config_row *row = rows; row->key; row++) {
        if (config_is_list(row))
            *(struct config_strings *)config_member(row, target) = (struct config_strings){ 0 };
        else if (row->type == CONFIG_TYPE_STRING)
            *(char **)config_member(row, target) = NULL;
    }
    for (const struct config_row *row = rows; row->key; row++) {
        const char *text = row->fallback ? row->fallback : "";
        struct pl_err err;
        if (config_set(row, target, text, strlen(text), &err) != PL_OK)
            pl_die("config: the default of a row is wrong: %s", err.message);
    }
}

/* ---- environment ---- */

static char *variable_name(const char *prefix, const char *key)
{
    char *name = pl_format("%s_%s", prefix, key);
    for (char *c = name; *c; c++)
        *c = *c == '.' ? '_' : (char)toupper((unsigned char)*c);
    return name;
}

/* Only the table's own names are asked for. Others of the same prefix are none of ours to refuse: Kubernetes sets
 * PILOTLIGHT_ROUTER_SERVICE_HOST and the like in every pod beside a Service of that name. */
static enum pl_code load_environment(const struct config_row *rows, void *target, const char *prefix,
                                     struct pl_err *err)
{
    for (const struct config_row *row = rows; row->key; row++) {
        pl_cleanup(pl_free_p) char *name = variable_name(prefix, row->key);
        const char *text = getenv(name);
        if (text && config_set(row, target, text, strlen(text), err) != PL_OK)
            return pl_err_prefix(err, "environment variable %s", name);
    }
    return PL_OK;
}

/* ---- a load ---- */

enum pl_code config_load(const struct config_row *rows, void *target, const char *source, const char *text,
                         size_t text_len, const char *env_prefix, struct pl_err *err)
{
    struct pl_err own;
    err = err ? err : &own;
    load_defaults(rows, target);
    if ((text && config_document(rows, target, source, text, text_len, err) != PL_OK) ||
        (env_prefix && load_environment(rows, target, env_prefix, err) != PL_OK)) {
        config_done(rows, target);
        return err->code;
    }
    return PL_OK;
}

static enum pl_code read_file(const char *path, struct pl_buf *out, struct pl_err *err)
{
    pl_cleanup(pl_close_p) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return pl_fail(err, errno == ENOENT ? PL_NOT_FOUND : PL_INVALID, "config", "cannot open '%s': %s", path,
                       strerror(errno));
    for (;;) {
        char *room = pl_buf_room(out, 16384);
        if (!room)
            return pl_fail(err, PL_INVALID, "config", "'%s' is larger than %zu bytes, the limit of a config file", path,
                           MAX_FILE_BYTES);
        ssize_t n = read(fd, room, 16384);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return pl_fail(err, PL_INVALID, "config", "cannot read '%s': %s", path, strerror(errno));
        if (n == 0)
            return PL_OK;
        out->len += (size_t)n;
    }
}

enum pl_code config_load_file(const struct config_row *rows, void *target, const char *path, const char *env_prefix,
                              struct pl_err *err)
{
    struct pl_err own;
    err = err ? err : &own;
    if (!path)
        return config_load(rows, target, NULL, NULL, 0, env_prefix, err);
    /* Room for one more read than the limit: that the file ends at it is only seen then. */
    pl_cleanup(pl_buf_done) struct pl_buf text = PL_BUF_INIT(MAX_FILE_BYTES + 16384);
    if (read_file(path, &text, err) != PL_OK)
        return err->code;
    return config_load(rows, target, path, text.data ? text.data : "", text.len, env_prefix, err);
}

void config_done(const struct config_row *rows, void *target)
{
    for (const struct config_row *row = rows; row->key; row++)
        config_clear(row, target);
}
