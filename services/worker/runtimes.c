#include "runtimes.h"

#include "base/mem.h"
#include "log/log.h"
#include "settings.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAME_BYTES       63
#define PYTHON_PROCESSES 64
#define HTTP_PROCESSES   128
#define EXIT_GRACE_MS    2000
/* Beyond what it gives its program after SIGTERM. */
#define HTTP_EXIT_GRACE_MS 2000
#define SANDBOX_LIBRARY    "libpilotlight-sandbox.so"
#define PYTHON_FOLDER      "lib/pilotlight/python" /* beside bin/, in which the runner lies */

struct row {
    struct runtime r;
    char *name;
    char **argv;
    char *folders[SANDBOX_MAX_FOLDERS];
    size_t folder_count;
};

struct runtimes {
    char *runner;
    struct row *rows;
    size_t count;
    char **names;
};

/* ---- rows ---- */

static void row_done(struct row *row)
{
    for (char **a = row->argv; a && *a; a++)
        free(*a);
    free(row->argv);
    for (size_t i = 0; i < row->folder_count; i++)
        free(row->folders[i]);
    free(row->name);
}

/* Takes over 'argv' and all in it. */
static struct row *add_row(struct runtimes *t, const char *name, char **argv, const struct runtime *like)
{
    struct row *row;

    t->rows = pl_grow(t->rows, t->count + 1, sizeof(*t->rows));
    row = &t->rows[t->count++];
    *row = (struct row){ .r = *like, .name = pl_strdup(name), .argv = argv };
    return row;
}

/* Rows have stopped moving: names and pointers may be given out. */
static void settle(struct runtimes *t)
{
    t->names = pl_grow(t->names, t->count + 1, sizeof(*t->names));
    for (size_t i = 0; i < t->count; i++) {
        struct row *row = &t->rows[i];

        row->r.name = t->names[i] = row->name;
        row->r.argv = row->argv;
        for (size_t k = 0; k < row->folder_count; k++)
            row->r.folders[k] = row->folders[k];
    }
    t->names[t->count] = NULL;
}

/* ---- folders ---- */

/* Whatever instances see anyway. */
static bool in_sight(const char *path)
{
    return strcmp(path, "/usr") == 0 || strncmp(path, "/usr/", 5) == 0 || strcmp(path, "/") == 0;
}

/* Where the folder really is; one that others contain already is not added again. False: there are too many. */
static bool see(struct row *row, const char *path)
{
    pl_cleanup(pl_free_p) char *real = realpath(path, NULL);

    if (!real || in_sight(real))
        return true;
    for (size_t i = 0; i < row->folder_count; i++)
        if (strcmp(row->folders[i], real) == 0)
            return true;
    if (row->folder_count == SANDBOX_MAX_FOLDERS)
        return false;
    row->folders[row->folder_count++] = pl_take(real);
    return true;
}

static bool see_folders(struct row *row, const struct config_strings *folders)
{
    for (size_t i = 0; i < folders->count; i++)
        if (!see(row, folders->items[i]))
            return false;
    return true;
}

/* ---- our own programs ---- */

static char **runner_argv(const struct runtimes *t, const char *mode)
{
    char **argv = pl_new0(5, sizeof(*argv)); /* room for one more, and the end */

    argv[0] = pl_strdup(t->runner);
    argv[1] = pl_strdup("zygote");
    argv[2] = pl_strdup(mode);
    return argv;
}

static void add_xgboost(struct runtimes *t)
{
    static const struct runtime like = {
        .profile = SANDBOX_TREES, .processes = 1, .exit_grace_ms = EXIT_GRACE_MS, .eager = true
    };

    (void)add_row(t, RUNTIME_XGBOOST, runner_argv(t, "serve"), &like);
}

static enum pl_code add_http(struct runtimes *t, const struct worker_config *c, struct pl_err *err)
{
    const struct runtime like = { .profile = SANDBOX_HTTP,
                                  .processes = HTTP_PROCESSES,
                                  .own_code = true,
                                  .exec_model = true,
                                  .exit_grace_ms = c->http_stop_grace_ms + HTTP_EXIT_GRACE_MS };
    char **argv = runner_argv(t, "http");

    argv[3] = pl_format("%" PRId64, c->http_stop_grace_ms);
    if (!see_folders(add_row(t, RUNTIME_HTTP, argv, &like), &c->http_folders))
        return pl_fail(err, PL_INVALID, "http.folders", "http.folders: there are more than %d", SANDBOX_MAX_FOLDERS);
    return PL_OK;
}

/* ---- python ---- */

/* PREFIX of PREFIX/bin/python3. */
static bool see_prefix(struct row *row, const char *interpreter)
{
    char path[PATH_MAX];
    char *slash;

    (void)snprintf(path, sizeof(path), "%s", interpreter);
    for (int i = 0; i < 2; i++) {
        slash = strrchr(path, '/');
        if (!slash || slash == path)
            return true;
        *slash = '\0';
    }
    return see(row, path);
}

static bool see_all(struct row *row, const struct worker_config *c, const char *folder, const char *interpreter)
{
    pl_cleanup(pl_free_p) char *real = realpath(interpreter, NULL);

    return see(row, folder) && see_prefix(row, interpreter) && (!real || see_prefix(row, real)) &&
           see_folders(row, &c->python_folders);
}

static char *beside_runner(const struct runtimes *t, const char *up, const char *name)
{
    const char *slash = strrchr(t->runner, '/');

    return pl_format("%.*s/%s%s", (int)(slash - t->runner), t->runner, up, name);
}

static char **python_argv(const struct runtimes *t, const struct worker_config *c, const char *interpreter,
                          const char *folder)
{
    size_t n = 0;
    char **argv = pl_new0(7 + c->python_preload.count, sizeof(*argv));

    argv[n++] = pl_strdup(interpreter);
    argv[n++] = pl_strdup("-I");
    argv[n++] = pl_strdup("-B");
    argv[n++] = pl_strdup(folder);
    argv[n++] = pl_strdup("zygote");
    argv[n++] = beside_runner(t, "", SANDBOX_LIBRARY);
    for (size_t i = 0; i < c->python_preload.count; i++)
        argv[n++] = pl_strdup(c->python_preload.items[i]);
    return argv;
}

static void left_out(const char *name, const char *what, const char *path)
{
    log_warn("runtime_left_out", LOG_STR("runtime", name), LOG_STR("missing", what), LOG_STR("path", path),
             LOG_STR("why", strerror(errno)));
}

static enum pl_code add_python(struct runtimes *t, const struct worker_config *c, const char *item, struct pl_err *err)
{
    static const struct runtime like = { .profile = SANDBOX_PYTHON,
                                         .processes = PYTHON_PROCESSES,
                                         .own_code = true,
                                         .exec_model = true,
                                         .exit_grace_ms = EXIT_GRACE_MS };
    const char *interpreter = strchr(item, '=') + 1;
    pl_cleanup(pl_free_p) char *name = pl_strndup(item, (size_t)(interpreter - 1 - item));
    pl_cleanup(pl_free_p) char *asked =
        c->python_folder[0] ? pl_strdup(c->python_folder) : beside_runner(t, "../", PYTHON_FOLDER);
    pl_cleanup(pl_free_p) char *folder = realpath(asked, NULL);
    struct row *row;

    if (!folder) {
        left_out(name, "python.folder", asked);
        return PL_OK;
    }
    if (access(interpreter, X_OK) != 0) {
        left_out(name, "the interpreter", interpreter);
        return PL_OK;
    }
    row = add_row(t, name, python_argv(t, c, interpreter, folder), &like);
    row->r.eager = c->python_eager;
    if (!see_all(row, c, folder, interpreter))
        return pl_fail(err, PL_INVALID, "python.folders",
                       "python.folders: with the runtime's own and the interpreter's folders there are more than %d",
                       SANDBOX_MAX_FOLDERS);
    return PL_OK;
}

/* ---- settings ---- */

/* "NAME=PATH"; the name is 'n' bytes long. */
static bool good_name(const char *s, size_t n)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
    char text[NAME_BYTES + 1];

    if (n == 0 || n > NAME_BYTES || *s == '-' || s[n - 1] == '-')
        return false;
    (void)snprintf(text, sizeof(text), "%.*s", (int)n, s);
    return strspn(text, allowed) == n && strcmp(text, RUNTIME_XGBOOST) != 0 && strcmp(text, RUNTIME_HTTP) != 0;
}

static enum pl_code check_absolute(const char *field, const char *path, struct pl_err *err)
{
    if (path[0] != '/' || strchr(path, '\n'))
        return pl_fail(err, PL_INVALID, field, "%s: '%s' is not an absolute path", field, path);
    return PL_OK;
}

static enum pl_code check_folders(const char *field, const struct config_strings *folders, struct pl_err *err)
{
    for (size_t i = 0; i < folders->count; i++)
        if (check_absolute(field, folders->items[i], err) != PL_OK)
            return err->code;
    return PL_OK;
}

static bool twice(const struct config_strings *items, size_t at)
{
    const char *item = items->items[at];
    size_t n = strcspn(item, "=") + 1;

    for (size_t i = 0; i < at; i++)
        if (strncmp(items->items[i], item, n) == 0)
            return true;
    return false;
}

enum pl_code runtimes_check(const struct worker_config *c, struct pl_err *err)
{
    for (size_t i = 0; i < c->python_interpreters.count; i++) {
        const char *item = c->python_interpreters.items[i];
        size_t n = strcspn(item, "=");

        if (item[n] != '=')
            return pl_fail(err, PL_INVALID, "python.interpreters", "python.interpreters: '%s' is not NAME=PATH", item);
        if (!good_name(item, n))
            return pl_fail(err, PL_INVALID, "python.interpreters",
                           "python.interpreters: '%.*s' cannot be the name of a runtime: 1 to %d of a-z, 0-9 and inner "
                           "'-', but not " RUNTIME_XGBOOST " or " RUNTIME_HTTP,
                           (int)n, item, NAME_BYTES);
        if (twice(&c->python_interpreters, i))
            return pl_fail(err, PL_INVALID, "python.interpreters", "python.interpreters: '%.*s' is there twice", (int)n,
                           item);
        if (check_absolute("python.interpreters", item + n + 1, err) != PL_OK)
            return err->code;
    }
    if (check_folders("python.folders", &c->python_folders, err) != PL_OK ||
        check_folders("http.folders", &c->http_folders, err) != PL_OK)
        return err->code;
    return c->python_folder[0] ? check_absolute("python.folder", c->python_folder, err) : PL_OK;
}

/* ---- door ---- */

enum pl_code runtimes_new(struct runtimes **out, const struct worker_config *c, const char *runner, struct pl_err *err)
{
    struct runtimes *t = PL_NEW(struct runtimes);

    t->runner = pl_strdup(runner);
    add_xgboost(t);
    for (size_t i = 0; i < c->python_interpreters.count; i++)
        if (add_python(t, c, c->python_interpreters.items[i], err) != PL_OK) {
            runtimes_free(t);
            return err->code;
        }
    if (c->http_enabled && add_http(t, c, err) != PL_OK) {
        runtimes_free(t);
        return err->code;
    }
    settle(t);
    *out = t;
    return PL_OK;
}

void runtimes_free(struct runtimes *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->count; i++)
        row_done(&t->rows[i]);
    free(t->rows);
    free(t->names);
    free(t->runner);
    free(t);
}

size_t runtimes_count(const struct runtimes *t)
{
    return t->count;
}

const struct runtime *runtimes_at(const struct runtimes *t, size_t i)
{
    return &t->rows[i].r;
}

const struct runtime *runtimes_find(const struct runtimes *t, const char *name)
{
    for (size_t i = 0; i < t->count; i++)
        if (strcmp(t->rows[i].name, name) == 0)
            return &t->rows[i].r;
    return NULL;
}

char **runtimes_names(const struct runtimes *t)
{
    return t->names;
}

void runtimes_drop(struct runtimes *t, const char *name)
{
    for (size_t i = 0; i < t->count; i++)
        if (strcmp(t->rows[i].name, name) == 0) {
            row_done(&t->rows[i]);
            memmove(&t->rows[i], &t->rows[i + 1], (t->count - i - 1) * sizeof(*t->rows));
            t->count--;
            settle(t);
            return;
        }
}
