#include "bucket_file.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC      "PLO1"
#define TAIL_BYTES 12
#define JSON_MAX   (64 << 10)

enum pl_code bucket_file_write(int fd, const void *bytes, size_t n, int64_t at, struct pl_err *err)
{
    for (const char *p = bytes; n > 0;) {
        ssize_t done = pwrite(fd, p, n, (off_t)at);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return pl_fail_reason(err, errno == ENOSPC || errno == EDQUOT ? PL_EXHAUSTED : PL_INTERNAL, "STORAGE", NULL,
                                  "cannot write the object: %s", strerror(done < 0 ? errno : EIO));
        p += done;
        n -= (size_t)done;
        at += done;
    }
    return PL_OK;
}

enum pl_code bucket_file_finish(int fd, const struct bucket_object *o, struct pl_err *err)
{
    json_t *v =
        json_pack("{s:s, s:s, s:s, s:I, s:I, s:O}", "key", o->key, "etag", o->etag, "content_type", o->content_type,
                  "size", (json_int_t)o->size, "modified_ms", (json_int_t)o->modified_ms, "headers", o->headers);
    pl_cleanup(pl_free_p) char *text = v ? json_dumps(v, JSON_COMPACT) : NULL;
    json_decref(v);
    if (!text)
        return pl_fail(err, PL_INVALID, NULL, "the object's description is not UTF-8");
    size_t n = strlen(text);
    if (n > JSON_MAX)
        return pl_fail(err, PL_INVALID, NULL, "the object's headers have more than %d bytes", JSON_MAX);
    pl_cleanup(pl_free_p) char *all = pl_format("%s" MAGIC "%08x", text, (unsigned)n);
    if (bucket_file_write(fd, all, n + TAIL_BYTES, o->size, err) != PL_OK)
        return err->code;
    if (fsync(fd) != 0)
        return pl_fail_reason(err, PL_INTERNAL, "STORAGE", NULL, "cannot sync the object: %s", strerror(errno));
    return PL_OK;
}

static bool read_at(int fd, void *out, size_t n, off_t at)
{
    return pread(fd, out, n, at) == (ssize_t)n;
}

static bool to_object(const char *text, size_t n, int64_t file_size, struct bucket_object *out)
{
    const char *key, *etag, *type;
    json_int_t size, modified;
    json_t *v = json_loadb(text, n, 0, NULL), *headers;
    bool good = v && json_unpack(v, "{s:s, s:s, s:s, s:I, s:I, s:o}", "key", &key, "etag", &etag, "content_type", &type,
                                 "size", &size, "modified_ms", &modified, "headers", &headers) == 0;
    good = good && json_is_object(headers) && size >= 0 && size + (json_int_t)n + TAIL_BYTES == file_size;
    if (good)
        *out = (struct bucket_object){ .key = pl_strdup(key),
                                       .etag = pl_strdup(etag),
                                       .content_type = pl_strdup(type),
                                       .headers = json_incref(headers),
                                       .size = size,
                                       .modified_ms = modified };
    json_decref(v);
    return good;
}

enum pl_code bucket_file_read(int fd, struct bucket_object *out, struct pl_err *err)
{
    char tail[TAIL_BYTES + 1] = "";
    unsigned n = 0;
    struct stat st;
    bool good = fstat(fd, &st) == 0 && st.st_size > TAIL_BYTES &&
                read_at(fd, tail, TAIL_BYTES, st.st_size - TAIL_BYTES) && strncmp(tail, MAGIC, 4) == 0 &&
                sscanf(tail + 4, "%8x", &n) == 1 && n <= JSON_MAX && (off_t)n <= st.st_size - TAIL_BYTES;
    pl_cleanup(pl_free_p) char *text = good ? pl_new0(1, n + 1) : NULL;
    if (good && read_at(fd, text, n, st.st_size - TAIL_BYTES - n) && to_object(text, n, st.st_size, out))
        return PL_OK;
    return pl_fail(err, PL_DATA_LOSS, NULL, "it has no description: not an object, or cut short");
}

void bucket_file_sync_dir(const char *path)
{
    pl_cleanup(pl_close_p) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0)
        (void)fsync(fd);
}
