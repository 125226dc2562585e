#include "spool.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

/* Then records: length and FNV-1a of the bytes (both little endian), bytes. */
#define MAGIC        "PLSPOOL1"
#define MAGIC_BYTES  8
#define HEADER_BYTES 12

struct spool {
    char *path;
    int fd;
    off_t end;
};

static uint64_t checksum(const void *bytes, size_t n)
{
    const unsigned char *p = bytes;
    uint64_t sum = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < n; i++)
        sum = (sum ^ p[i]) * UINT64_C(0x100000001b3);
    return sum;
}

static void put_header(unsigned char out[HEADER_BYTES], uint32_t len, uint64_t sum)
{
    for (int i = 0; i < 4; i++)
        out[i] = (unsigned char)(len >> (8 * i));
    for (int i = 0; i < 8; i++)
        out[4 + i] = (unsigned char)(sum >> (8 * i));
}

static void get_header(const unsigned char in[HEADER_BYTES], uint32_t *out_len, uint64_t *out_sum)
{
    *out_len = 0;
    *out_sum = 0;
    for (int i = 0; i < 4; i++)
        *out_len |= (uint32_t)in[i] << (8 * i);
    for (int i = 0; i < 8; i++)
        *out_sum |= (uint64_t)in[4 + i] << (8 * i);
}

static enum pl_code failed(const struct spool *s, const char *what, struct pl_err *err)
{
    return pl_fail(err, PL_INTERNAL, "spool", "cannot %s '%s': %s", what, s->path, strerror(errno));
}

/* ---- reading back ---- */

static bool read_at(int fd, void *out, size_t n, off_t at)
{
    for (char *p = out; n > 0;) {
        ssize_t got = pread(fd, p, n, at);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        p += got;
        n -= (size_t)got;
        at += got;
    }
    return true;
}

/* The record at 's->end', which moves behind it; false: there is no whole one. */
static bool read_record(struct spool *s, size_t record_max, void (*each)(void *arg, const void *bytes, size_t len),
                        void *arg)
{
    unsigned char header[HEADER_BYTES];
    uint32_t len;
    uint64_t sum;

    if (!read_at(s->fd, header, sizeof(header), s->end))
        return false;
    get_header(header, &len, &sum);
    if (len == 0 || len > record_max)
        return false;
    pl_cleanup(pl_free_p) void *bytes = malloc(len);
    if (!bytes || !read_at(s->fd, bytes, len, s->end + HEADER_BYTES) || checksum(bytes, len) != sum)
        return false;
    s->end += HEADER_BYTES + (off_t)len;
    each(arg, bytes, len);
    return true;
}

enum pl_code spool_clear(struct spool *s, struct pl_err *err)
{
    /* In this order: what is there already needs no room to be written again. */
    if (pwrite(s->fd, MAGIC, MAGIC_BYTES, 0) != MAGIC_BYTES || ftruncate(s->fd, MAGIC_BYTES) != 0)
        return failed(s, "clear", err);
    s->end = MAGIC_BYTES;
    return PL_OK;
}

static void close_p(struct spool **s)
{
    spool_close(*s);
}

enum pl_code spool_open(struct spool **out, const char *path, size_t record_max,
                        void (*each)(void *arg, const void *bytes, size_t len), void *arg, struct pl_err *err)
{
    pl_cleanup(close_p) struct spool *s = PL_NEW(struct spool);
    char magic[MAGIC_BYTES];

    s->path = pl_strdup(path);
    s->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (s->fd < 0)
        return failed(s, "open", err);
    if (!read_at(s->fd, magic, sizeof(magic), 0) || memcmp(magic, MAGIC, MAGIC_BYTES) != 0) {
        if (spool_clear(s, err) != PL_OK)
            return err->code;
    } else {
        s->end = MAGIC_BYTES;
        while (read_record(s, record_max, each, arg)) {
        }
        if (ftruncate(s->fd, s->end) != 0)
            return failed(s, "cut", err);
    }
    *out = pl_take(s);
    return PL_OK;
}

void spool_close(struct spool *s)
{
    if (!s)
        return;
    if (s->fd >= 0)
        (void)close(s->fd);
    free(s->path);
    free(s);
}

/* ---- writing ---- */

enum pl_code spool_append(struct spool *s, const void *bytes, size_t len, struct pl_err *err)
{
    unsigned char header[HEADER_BYTES];
    struct iovec parts[] = { { header, sizeof(header) }, { (void *)(uintptr_t)bytes, len } };

    put_header(header, (uint32_t)len, checksum(bytes, len));
    ssize_t n = pwritev(s->fd, parts, 2, s->end);
    if (n != (ssize_t)(sizeof(header) + len)) {
        enum pl_code code;

        if (n >= 0) /* a part of it */
            errno = ENOSPC;
        code = failed(s, "write", err);
        (void)!ftruncate(s->fd, s->end); /* what is torn would be cut at the next start, too */
        return code;
    }
    s->end += n;
    return PL_OK;
}
