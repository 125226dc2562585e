#include "http_load.h"

#include "base/mem.h"
#include "base/text.h"
#include "refuse.h"
#include "wire/wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* pilotlight.internal.v1.LoadRequest and its map entries */
enum { REQUEST_MODEL_DIR = 1, REQUEST_ENVIRONMENT = 3, REQUEST_CODE_DIR = 5, REQUEST_START_TIMEOUT = 6 };
enum { ENTRY_KEY = 1, ENTRY_VALUE = 2 };

#define DEFAULT_PORT   "8080"
#define DEFAULT_SOCKET "/tmp/pilotlight.sock"
#define SOCKET_MAX     100 /* sun_path has 108 */

static enum pl_code malformed(struct pl_err *err)
{
    return refuse(err, STATUS_FAILED, "the load request is malformed");
}

/* NULL: not a string without zero bytes. */
static char *copy_string(const struct wire_field *f)
{
    if (f->type != WIRE_BYTES || (f->len > 0 && memchr(f->bytes, '\0', f->len)))
        return NULL;
    return pl_strndup(f->len ? f->bytes : "", f->len);
}

/* ---- environment ---- */

static void add_variable(struct http_load *l, char *variable)
{
    l->env = pl_grow(l->env, l->env_count + 2, sizeof(*l->env));
    l->env[l->env_count++] = variable;
    l->env[l->env_count] = NULL;
}

static const char *get_variable(const struct http_load *l, const char *name)
{
    size_t n = strlen(name);

    for (size_t i = 0; i < l->env_count; i++)
        if (strncmp(l->env[i], name, n) == 0 && l->env[i][n] == '=')
            return l->env[i] + n + 1;
    return NULL;
}

static enum pl_code take_variable(struct http_load *l, const struct wire_field *entry, struct pl_err *err)
{
    pl_cleanup(pl_free_p) char *name = NULL;
    pl_cleanup(pl_free_p) char *value = NULL;
    struct wire_reader reader;
    struct wire_field f;
    struct iovec span;

    if (entry->type != WIRE_BYTES)
        return malformed(err);
    wire_read_flat(&reader, &span, entry->bytes, entry->len);
    while (wire_next(&reader, &f)) {
        char **text = f.number == ENTRY_KEY ? &name : f.number == ENTRY_VALUE ? &value : NULL;

        if (!text)
            continue;
        free(*text);
        *text = copy_string(&f);
        if (!*text)
            return malformed(err);
    }
    if (reader.malformed || !name || !name[0] || strchr(name, '='))
        return malformed(err);
    add_variable(l, pl_format("%s=%s", name, value ? value : ""));
    return PL_OK;
}

/* What its container would have, and the model's own environment does not say. */
static void add_defaults(struct http_load *l)
{
    const struct {
        const char *name, *value;
    } defaults[] = {
        { "PATH", "/usr/local/bin:/usr/bin:/bin" },
        { "LANG", "C.UTF-8" },
        { "HOME", "/tmp" },
        { "TMPDIR", "/tmp" },
        { "SM_MODEL_DIR", l->model_dir },
        { "SAGEMAKER_BIND_TO_PORT", DEFAULT_PORT },
        { "PILOTLIGHT_SOCKET", DEFAULT_SOCKET },
    };

    for (size_t i = 0; i < PL_COUNT(defaults); i++)
        if (!get_variable(l, defaults[i].name))
            add_variable(l, pl_format("%s=%s", defaults[i].name, defaults[i].value));
}

/* ---- the request ---- */

static enum pl_code take_field(struct http_load *l, const struct wire_field *f, struct pl_err *err)
{
    char **text = f->number == REQUEST_MODEL_DIR ? &l->model_dir : f->number == REQUEST_CODE_DIR ? &l->code_dir : NULL;

    if (text) {
        free(*text);
        *text = copy_string(f);
        return *text ? PL_OK : malformed(err);
    }
    if (f->number == REQUEST_ENVIRONMENT)
        return take_variable(l, f, err);
    if (f->number == REQUEST_START_TIMEOUT) {
        if (f->type != WIRE_VARINT || f->value > INT32_MAX)
            return malformed(err);
        l->spec.start_timeout_ms = (int)f->value;
    }
    return PL_OK;
}

static enum pl_code read_contract(struct http_load *l, struct pl_err *err)
{
    const char *program = get_variable(l, "SAGEMAKER_PROGRAM");
    const char *port = get_variable(l, "SAGEMAKER_BIND_TO_PORT");
    const char *path = get_variable(l, "PILOTLIGHT_SOCKET");
    struct refuse_quote shown = refuse_quote(port, strlen(port));
    uint64_t number;

    if (!pl_parse_u64(port, 65535, &number) || number == 0)
        return refuse(err, STATUS_FAILED, "SAGEMAKER_BIND_TO_PORT is '%s': 1 to 65535 are allowed", shown.text);
    if (path[0] != '/' || strlen(path) > SOCKET_MAX)
        return refuse(err, STATUS_FAILED, "PILOTLIGHT_SOCKET must be an absolute path of at most %d bytes", SOCKET_MAX);
    l->spec.model_dir = l->model_dir;
    l->spec.code_dir = l->code_dir ? l->code_dir : "";
    l->spec.program = program ? program : "";
    l->spec.port = (int)number;
    l->spec.socket_path = path;
    l->spec.env = l->env;
    return PL_OK;
}

enum pl_code http_load_read(struct http_load *out, const uint8_t *payload, size_t n, struct pl_err *err)
{
    struct wire_reader reader;
    struct wire_field f;
    struct iovec span;

    *out = (struct http_load){ 0 };
    wire_read_flat(&reader, &span, payload, n);
    while (wire_next(&reader, &f))
        if (take_field(out, &f, err) != PL_OK)
            return err->code;
    if (reader.malformed)
        return malformed(err);
    if (!out->model_dir || !out->model_dir[0])
        return refuse(err, STATUS_FAILED, "the load request names no model directory");
    add_defaults(out);
    return read_contract(out, err);
}

void http_load_done(struct http_load *l)
{
    for (size_t i = 0; i < l->env_count; i++)
        free(l->env[i]);
    free(l->env);
    free(l->model_dir);
    free(l->code_dir);
    *l = (struct http_load){ 0 };
}
