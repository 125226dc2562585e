/* The list as a file. */
#include "base/mem.h"
#include "base/time.h"
#include "private.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FILE_MAX ((size_t)2 << 20) /* CREDENTIALS_MAX keys at their limits, and white space */

static void decref_p(json_t **v)
{
    json_decref(*v);
}

/* "2026-02-11T08:15:30.123Z"; 0 for anything else. */
static int64_t parse_time(const char *text)
{
    struct tm tm = { 0 };
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
    if (!rest)
        return 0;
    int64_t ms = 0;
    if (*rest == '.')
        ms = strtol(rest + 1, NULL, 10);
    return (int64_t)timegm(&tm) * 1000 + ms;
}

static enum pl_code add_entry(struct credentials *c, json_t *entry, size_t i, struct pl_err *err)
{
    const char *id = "", *secret = "", *use = "all", *created = "", *note = "";
    int disabled = 0;
    struct credential key = { 0 };
    json_error_t why;
    if (json_unpack_ex(entry, &why, 0, "{s:s, s:s, s?s, s?b, s?s, s?s}", "access_key_id", &id, "secret_access_key",
                       &secret, "use", &use, "disabled", &disabled, "created_at", &created, "note", &note) != 0)
        return pl_fail(err, PL_INVALID, NULL, "keys[%zu]: %s", i, why.text);
    if (!credential_use_parse(use, &key.use))
        return pl_fail(err, PL_INVALID, NULL, "keys[%zu]: use \"%.40s\": it is \"all\" or \"artifacts\"", i, use);
    /* What is too long is cut one character late, so that credentials_add() says so. */
    if (strlen(id) >= sizeof(key.id) || strlen(secret) >= sizeof(key.secret) || strlen(note) >= sizeof(key.note))
        return pl_fail(err, PL_INVALID, NULL, "keys[%zu]: id, secret or note has more than %d characters", i,
                       CREDENTIAL_ID_MAX);
    (void)snprintf(key.id, sizeof(key.id), "%s", id);
    (void)snprintf(key.secret, sizeof(key.secret), "%s", secret);
    (void)snprintf(key.note, sizeof(key.note), "%s", note);
    key.disabled = disabled != 0;
    key.created_ms = parse_time(created);
    enum pl_code code = credentials_add(c, &key, err);
    explicit_bzero(&key, sizeof(key));
    if (code == PL_OK)
        return PL_OK;
    err->code = PL_INVALID; /* a name that is taken is the file's fault here */
    return pl_err_prefix(err, "keys[%zu]", i);
}

static enum pl_code read_all(const char *path, char **out, size_t *out_len, struct pl_err *err)
{
    pl_cleanup(pl_close_p) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return PL_OK;
    if (fd < 0)
        return pl_fail(err, PL_DENIED, NULL, "cannot read %s: %s", path, strerror(errno));
    char *text = pl_new0(1, FILE_MAX + 1);
    size_t len = 0;
    ssize_t n;
    while ((n = read(fd, text + len, FILE_MAX + 1 - len)) > 0)
        len += (size_t)n;
    if (n == 0 && len <= FILE_MAX) {
        *out = text;
        *out_len = len;
        return PL_OK;
    }
    (void)pl_fail(err, n < 0 ? PL_DENIED : PL_INVALID, NULL, "cannot read %s: %s", path,
                  n < 0 ? strerror(errno) : "it is larger than 2 MiB");
    explicit_bzero(text, len);
    free(text);
    return err->code;
}

enum pl_code credentials_load(struct credentials **out, const char *path, struct pl_err *err)
{
    pl_cleanup(credentials_free_p) struct credentials *c = credentials_new();
    char *text = NULL;
    size_t len = 0, i;
    if (read_all(path, &text, &len, err) != PL_OK)
        return err->code;
    if (!text) {
        *out = pl_take(c);
        return PL_OK;
    }
    json_error_t why;
    pl_cleanup(decref_p) json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &why);
    explicit_bzero(text, len);
    free(text);
    json_t *keys = json_object_get(root, "keys"), *entry;
    if (!root)
        return pl_fail(err, PL_INVALID, NULL, "%s:%d:%d: %s", path, why.line, why.column, why.text);
    if (json_integer_value(json_object_get(root, "version")) != 1 || !json_is_array(keys))
        return pl_fail(err, PL_INVALID, NULL, "%s is not a credentials file of version 1", path);
    json_array_foreach(keys, i, entry)
    {
        if (add_entry(c, entry, i, err) != PL_OK)
            return pl_err_prefix(err, "%s", path);
    }
    *out = pl_take(c);
    return PL_OK;
}

static json_t *to_json(const struct credentials *c)
{
    json_t *keys = json_array();
    for (size_t i = 0; i < c->count; i++) {
        const struct credential *k = &c->keys[i];
        char created[25];
        json_array_append_new(keys,
                              json_pack("{s:s, s:s, s:s, s:b, s:s, s:s}", "access_key_id", k->id, "secret_access_key",
                                        k->secret, "use", credential_use_name(k->use), "disabled", (int)k->disabled,
                                        "created_at", pl_wall_text(k->created_ms, created), "note", k->note));
    }
    return json_pack("{s:i, s:o}", "version", 1, "keys", keys);
}

enum pl_code credentials_lock(const char *path, int *out_lock, struct pl_err *err)
{
    pl_cleanup(pl_free_p) char *lock = pl_format("%s.lock", path);
    int fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || flock(fd, LOCK_EX) != 0) {
        (void)pl_fail(err, PL_DENIED, NULL, "cannot lock %s: %s", lock, strerror(errno));
        if (fd >= 0)
            close(fd);
        return err->code;
    }
    *out_lock = fd;
    return PL_OK;
}

/* Who runs the gateway must be able to read what root writes: the file belongs to whom it did, or its folder does. */
static bool give_to_owner(int fd, const char *path)
{
    struct stat st;
    pl_cleanup(pl_free_p) char *folder = pl_strdup(path);
    char *slash = strrchr(folder, '/');
    if (geteuid() != 0)
        return true;
    if (slash)
        slash[slash == folder] = '\0';
    bool known = stat(path, &st) == 0 || stat(slash ? folder : ".", &st) == 0;
    return !known || fchown(fd, st.st_uid, st.st_gid) == 0;
}

enum pl_code credentials_save(const struct credentials *c, const char *path, struct pl_err *err)
{
    pl_cleanup(decref_p) json_t *root = to_json(c);
    pl_cleanup(pl_free_p) char *temporary = pl_format("%s.new", path);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return pl_fail(err, PL_DENIED, NULL, "cannot write %s: %s", temporary, strerror(errno));
    bool good = fchmod(fd, 0600) == 0 && give_to_owner(fd, path) && json_dumpfd(root, fd, JSON_INDENT(2)) == 0 &&
                write(fd, "\n", 1) == 1 && fsync(fd) == 0;
    good = close(fd) == 0 && good && rename(temporary, path) == 0;
    if (good)
        return PL_OK;
    (void)pl_fail(err, PL_DENIED, NULL, "cannot write %s: %s", path, strerror(errno));
    (void)unlink(temporary);
    return err->code;
}
