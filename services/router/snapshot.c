#include "snapshot.h"

#include "base/mem.h"
#include "base/text.h"
#include "base/time.h"
#include "log/log.h"
#include "loop/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* "PLROUTE1", length and FNV-1a of the content (both little endian), content. */
#define MAGIC        "PLROUTE1"
#define HEADER_BYTES 24
#define CONTENT_MAX  ((size_t)1 << 30)

struct content {
    void *bytes;
    size_t len;
    int64_t version;
};

struct snapshot {
    struct snapshot_options o;
    char *path, *epoch_path;
    struct content waiting; /* newest; bytes NULL: nothing to write */
    struct content now;     /* being written by the job */
    struct loop_job job;
    struct pl_err failed; /* of the job */
    bool writing, told;
};

/* ---- files ---- */

static uint64_t checksum(const void *bytes, size_t n)
{
    const unsigned char *p = bytes;
    uint64_t sum = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < n; i++)
        sum = (sum ^ p[i]) * UINT64_C(0x100000001b3);
    return sum;
}

static void put_u64(unsigned char *out, uint64_t v)
{
    for (int i = 0; i < 8; i++)
        out[i] = (unsigned char)(v >> (8 * i));
}

static uint64_t get_u64(const unsigned char *p)
{
    uint64_t v = 0;

    for (int i = 0; i < 8; i++)
        v |= (uint64_t)p[i] << (8 * i);
    return v;
}

static enum pl_code failed(struct pl_err *err, const char *what, const char *path)
{
    return pl_fail(err, PL_INTERNAL, "snapshot", "cannot %s '%s': %s", what, path, strerror(errno));
}

static bool write_all(int fd, const void *bytes, size_t n)
{
    for (const char *p = bytes; n > 0;) {
        ssize_t done = write(fd, p, n);

        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return false;
        p += done;
        n -= (size_t)done;
    }
    return true;
}

static bool sync_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    pl_cleanup(pl_free_p) char *folder = slash ? pl_strndup(path, (size_t)(slash - path + 1)) : pl_strdup(".");
    pl_cleanup(pl_close_p) int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return fd >= 0 && fsync(fd) == 0;
}

static enum pl_code write_new(const char *path, const char *beside, const struct iovec *parts, int count,
                              struct pl_err *err)
{
    pl_cleanup(pl_close_p) int fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (fd < 0)
        return failed(err, "create", beside);
    for (int i = 0; i < count; i++)
        if (!write_all(fd, parts[i].iov_base, parts[i].iov_len))
            return failed(err, "write", beside);
    if (fsync(fd) != 0)
        return failed(err, "sync", beside);
    if (rename(beside, path) != 0 || !sync_folder(path))
        return failed(err, "replace", path);
    return PL_OK;
}

/* All of it or nothing, whatever happens; what could not be written takes no room on a disk that may be full. */
static enum pl_code replace_file(const char *path, const struct iovec *parts, int count, struct pl_err *err)
{
    pl_cleanup(pl_free_p) char *beside = pl_format("%s.new", path);

    enum pl_code code = write_new(path, beside, parts, count, err);

    if (code != PL_OK)
        (void)unlink(beside);
    return code;
}

/* What is there already, by as much: that needs no room, and so few bytes are never torn. */
static bool overwrite_file(const char *path, const struct iovec *part)
{
    pl_cleanup(pl_close_p) int fd = open(path, O_WRONLY | O_CLOEXEC);

    return fd >= 0 && write_all(fd, part->iov_base, part->iov_len) && ftruncate(fd, (off_t)part->iov_len) == 0 &&
           fsync(fd) == 0;
}

/* PL_NOT_FOUND: no such file. The bytes are NUL-terminated. */
static enum pl_code read_file(const char *path, size_t limit, struct content *out, struct pl_err *err)
{
    pl_cleanup(pl_close_p) int fd = open(path, O_RDONLY | O_CLOEXEC);
    pl_cleanup(pl_free_p) char *bytes = NULL;
    struct stat st;
    size_t n = 0;

    if (fd < 0 && errno == ENOENT)
        return pl_fail(err, PL_NOT_FOUND, "snapshot", "'%s' does not exist", path);
    if (fd < 0 || fstat(fd, &st) != 0)
        return failed(err, "open", path);
    if ((size_t)st.st_size > limit)
        return pl_fail(err, PL_DATA_LOSS, "snapshot", "'%s' has %lld bytes, at most %zu are expected", path,
                       (long long)st.st_size, limit);
    bytes = malloc((size_t)st.st_size + 1);
    if (!bytes)
        return failed(err, "read", path);
    for (ssize_t got = 1; got > 0 && n < (size_t)st.st_size; n += (size_t)got) {
        got = read(fd, bytes + n, (size_t)st.st_size - n);
        if (got < 0)
            return failed(err, "read", path);
    }
    bytes[n] = '\0';
    *out = (struct content){ .bytes = pl_take(bytes), .len = n };
    return PL_OK;
}

/* ---- epoch ---- */

enum pl_code snapshot_next_epoch(struct snapshot *s, int64_t *out_epoch, struct pl_err *err)
{
    struct content old = { 0 };
    int64_t last = 0, epoch = pl_wall_ms();
    char text[32];
    enum pl_code code = s->path[0] ? read_file(s->epoch_path, sizeof(text), &old, err) : PL_NOT_FOUND;

    if (code == PL_OK && !pl_parse_i64(old.bytes, 0, INT64_MAX - 1, &last))
        log_warn("epoch_ignored", LOG_STR("file", s->epoch_path), LOG_STR("why", "it is not a number"));
    free(old.bytes);
    if (code != PL_OK && code != PL_NOT_FOUND && code != PL_DATA_LOSS)
        return code;
    if (epoch <= last)
        epoch = last + 1;
    if (s->path[0]) {
        struct iovec part = { text, (size_t)snprintf(text, sizeof(text), "%lld", (long long)epoch) };

        /* A router that ends while its disk is full comes back all the same. */
        if (replace_file(s->epoch_path, &part, 1, err) != PL_OK && !overwrite_file(s->epoch_path, &part))
            return err->code;
    }
    *out_epoch = epoch;
    return PL_OK;
}

/* ---- in ---- */

enum pl_code snapshot_read(struct snapshot *s, void **out, size_t *out_len, struct pl_err *err)
{
    struct content file = { 0 };
    const unsigned char *head;
    size_t len;

    if (!s->path[0])
        return pl_fail(err, PL_NOT_FOUND, "snapshot", "no file is set");
    if (read_file(s->path, CONTENT_MAX + HEADER_BYTES, &file, err) != PL_OK)
        return err->code;
    pl_cleanup(pl_free_p) unsigned char *bytes = file.bytes;
    head = bytes;
    if (file.len < HEADER_BYTES || memcmp(head, MAGIC, 8) != 0)
        return pl_fail(err, PL_DATA_LOSS, "snapshot", "'%s' is not a router's snapshot", s->path);
    len = file.len - HEADER_BYTES;
    if (get_u64(head + 8) != len)
        return pl_fail(err, PL_DATA_LOSS, "snapshot", "'%s' is torn: it has %zu bytes of %llu", s->path, len,
                       (unsigned long long)get_u64(head + 8));
    if (get_u64(head + 16) != checksum(head + HEADER_BYTES, len))
        return pl_fail(err, PL_DATA_LOSS, "snapshot", "'%s' is damaged: its checksum is wrong", s->path);
    memmove(bytes, bytes + HEADER_BYTES, len);
    *out = pl_take(bytes);
    *out_len = len;
    return PL_OK;
}

/* ---- out ---- */

static void work(struct loop_job *j)
{
    struct snapshot *s = PL_CONTAINER(j, struct snapshot, job);
    unsigned char head[HEADER_BYTES];
    struct iovec parts[] = { { head, sizeof(head) }, { s->now.bytes, s->now.len } };

    memcpy(head, MAGIC, 8);
    put_u64(head + 8, s->now.len);
    put_u64(head + 16, checksum(s->now.bytes, s->now.len));
    s->failed.code = PL_OK;
    (void)replace_file(s->path, parts, 2, &s->failed);
}

static void write_next(struct snapshot *s)
{
    s->now = s->waiting;
    s->waiting = (struct content){ 0 };
    s->writing = true;
    loop_job(s->o.loop, &s->job);
}

static void written(struct loop_job *j)
{
    struct snapshot *s = PL_CONTAINER(j, struct snapshot, job);
    int64_t version = s->now.version;

    free(pl_take(s->now.bytes));
    s->writing = false;
    if (s->failed.code != PL_OK && !s->told)
        log_error("snapshot_not_written", LOG_CODE(&s->failed), LOG_ERR(&s->failed));
    s->told = s->failed.code != PL_OK;
    if (s->waiting.bytes)
        write_next(s);
    s->o.written(s->o.arg, version, !s->told);
}

void snapshot_write(struct snapshot *s, void *bytes, size_t len, int64_t version)
{
    free(s->waiting.bytes);
    s->waiting = (struct content){ bytes, len, version };
    if (!s->path[0]) {
        free(pl_take(s->waiting.bytes));
        s->o.written(s->o.arg, version, true);
    } else if (!s->writing) {
        write_next(s);
    }
}

bool snapshot_writing(const struct snapshot *s)
{
    return s->writing;
}

/* ---- life ---- */

struct snapshot *snapshot_new(const struct snapshot_options *o)
{
    struct snapshot *s = PL_NEW(struct snapshot);

    s->o = *o;
    s->path = pl_strdup(o->path);
    s->epoch_path = pl_format("%s.epoch", o->path);
    s->job.work = work;
    s->job.done = written;
    return s;
}

void snapshot_free(struct snapshot *s)
{
    if (!s)
        return;
    free(s->waiting.bytes);
    free(s->path);
    free(s->epoch_path);
    free(s);
}
