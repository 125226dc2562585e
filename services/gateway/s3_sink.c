#include "s3_sink.h"

#include "base/mem.h"
#include "base/text.h"
#include "base/time.h"
#include "bucket_file.h"
#include "digest.h"
#include "gateway_config.h"
#include "loop/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define BUFFER_BYTES ((size_t)256 << 10)

struct s3_sink {
    struct bucket_store *store;
    struct s3_sink_hooks hooks;
    struct loop_job job;
    char *path;
    int64_t limit, charged;
    bool busy;    /* a job runs                                                */
    bool waiting; /* the body is paused                                        */
    bool ended;   /* no more comes                                             */
    bool told;    /* 'finished' was called                                     */
    bool dropped; /* freed when the job is done                                */
    bool kept;
    char *filling;
    size_t filled;

    /* The job's while it runs. */
    int fd;
    char *writing;
    size_t to_write;
    bool last;
    int64_t size;
    EVP_MD_CTX *md5, *sha256;
    struct s3_checksum checksum;
    char expected_sha256[SHA256_HEX], expected_md5[32], expected_checksum[64];
    bool is_object;
    struct bucket_object object;
    char md5_hex[2 * MD5_BYTES + 1];
    struct pl_err err; /* code PL_OK until something fails */

    struct pl_err refused; /* the turn's: what was over a limit */
};

/* ---- on the job's thread ---- */

static void update(EVP_MD_CTX *hash, const void *bytes, size_t n)
{
    if (hash && EVP_DigestUpdate(hash, bytes, n) != 1)
        pl_die("a digest failed");
}

/* Space that others need stays free. */
static enum pl_code check_space(struct s3_sink *k)
{
    struct statvfs fs;
    int64_t keep = bucket_store_config(k->store)->bucket_free_bytes;
    if (fstatvfs(k->fd, &fs) == 0 && (int64_t)(fs.f_bavail * fs.f_frsize) < keep + (int64_t)k->to_write)
        return pl_fail_reason(&k->err, PL_EXHAUSTED, "STORAGE", NULL,
                              "The disk has less than s3.keep_free_bytes (%lld) left.", (long long)keep);
    return PL_OK;
}

static enum pl_code write_buffer(struct s3_sink *k)
{
    if (k->fd < 0 && (k->fd = open(k->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600)) < 0)
        return pl_fail_reason(&k->err, PL_INTERNAL, "STORAGE", NULL, "cannot make the object's file: %s",
                              strerror(errno));
    if (k->to_write == 0)
        return PL_OK;
    if (check_space(k) != PL_OK || bucket_file_write(k->fd, k->writing, k->to_write, k->size, &k->err) != PL_OK)
        return k->err.code;
    update(k->md5, k->writing, k->to_write);
    update(k->sha256, k->writing, k->to_write);
    s3_checksum_add(&k->checksum, k->writing, k->to_write);
    k->size += (int64_t)k->to_write;
    return PL_OK;
}

static enum pl_code check_digests(struct s3_sink *k)
{
    unsigned char raw[EVP_MAX_MD_SIZE];
    char text[128];
    if (EVP_DigestFinal_ex(k->md5, raw, NULL) != 1)
        pl_die("MD5 failed");
    pl_hex(raw, MD5_BYTES, k->md5_hex);
    s3_base64(raw, MD5_BYTES, text);
    if (*k->expected_md5 && strcmp(k->expected_md5, text) != 0)
        return pl_fail_reason(&k->err, PL_INVALID, "BAD_DIGEST", NULL,
                              "The Content-MD5 you specified did not match what we received.");
    if (k->sha256) {
        if (EVP_DigestFinal_ex(k->sha256, raw, NULL) != 1)
            pl_die("SHA-256 failed");
        pl_hex(raw, SHA256_BYTES, text);
        if (*k->expected_sha256 && strcasecmp(k->expected_sha256, text) != 0)
            return pl_fail_reason(&k->err, PL_INVALID, "BAD_SHA256", NULL,
                                  "The provided 'x-amz-content-sha256' header does not match what was computed.");
    }
    s3_checksum_finish(&k->checksum, text);
    if (*k->expected_checksum && strcmp(k->expected_checksum, text) != 0)
        return pl_fail_reason(&k->err, PL_INVALID, "BAD_DIGEST", NULL,
                              "Value for %s header is invalid: the checksum of what we received is %s.",
                              s3_checksum_header(k->checksum.kind), text);
    return PL_OK;
}

static void work(struct loop_job *j)
{
    struct s3_sink *k = PL_CONTAINER(j, struct s3_sink, job);
    if (write_buffer(k) != PL_OK || !k->last || check_digests(k) != PL_OK || !k->is_object)
        return;
    free(k->object.etag);
    k->object.etag = pl_strdup(k->md5_hex);
    k->object.size = k->size;
    k->object.modified_ms = pl_wall_ms();
    bucket_file_finish(k->fd, &k->object, &k->err);
}

/* ---- with the turn ---- */

static void release(struct s3_sink *k)
{
    if (k->fd >= 0)
        close(k->fd);
    if (!k->kept) {
        (void)unlink(k->path);
        bucket_refund(k->store, k->charged);
    }
    EVP_MD_CTX_free(k->md5);
    EVP_MD_CTX_free(k->sha256);
    s3_checksum_done(&k->checksum);
    bucket_object_done(&k->object);
    free(k->filling);
    free(k->writing);
    free(k->path);
    free(k);
}

static void start_job(struct s3_sink *k)
{
    char *other = k->writing;
    k->writing = k->filling;
    k->to_write = k->filled;
    k->filling = other;
    k->filled = 0;
    k->last = k->ended;
    k->busy = true;
    loop_job(bucket_store_loop(k->store), &k->job);
}

static void tell(struct s3_sink *k)
{
    k->told = true;
    k->hooks.finished(k->hooks.arg, k->refused.code != PL_OK ? &k->refused : &k->err);
}

static void done(struct loop_job *j)
{
    struct s3_sink *k = PL_CONTAINER(j, struct s3_sink, job);
    k->busy = false;
    if (k->dropped) {
        release(k);
        return;
    }
    if (k->refused.code != PL_OK || k->err.code != PL_OK || k->last) {
        if (!k->told)
            tell(k);
        return;
    }
    if (k->ended || k->filled == BUFFER_BYTES)
        start_job(k);
    if (k->waiting) {
        k->waiting = false;
        k->hooks.writable(k->hooks.arg);
    }
}

struct s3_sink *s3_sink_new(struct bucket_store *s, char *path, int64_t limit, enum s3_checksum_kind kind, bool sha256,
                            const struct s3_sink_hooks *hooks)
{
    struct s3_sink *k = PL_NEW(struct s3_sink);
    *k = (struct s3_sink){ .store = s, .hooks = *hooks, .path = path, .limit = limit, .fd = -1 };
    k->job.work = work;
    k->job.done = done;
    k->filling = pl_new0(1, BUFFER_BYTES);
    k->writing = pl_new0(1, BUFFER_BYTES);
    k->md5 = EVP_MD_CTX_new();
    k->sha256 = sha256 ? EVP_MD_CTX_new() : NULL;
    if (!k->md5 || EVP_DigestInit_ex(k->md5, EVP_md5(), NULL) != 1 ||
        (sha256 && (!k->sha256 || EVP_DigestInit_ex(k->sha256, EVP_sha256(), NULL) != 1)))
        pl_die("no MD5 or SHA-256");
    s3_checksum_start(&k->checksum, kind);
    return k;
}

/* Fails without a job, or leaves the telling to the one that runs. */
static ssize_t fail_now(struct s3_sink *k)
{
    if (!k->busy && !k->told)
        tell(k);
    return -1;
}

ssize_t s3_sink_write(struct s3_sink *k, const char *bytes, size_t n)
{
    size_t room = BUFFER_BYTES - k->filled, take = n < room ? n : room;
    if (k->refused.code != PL_OK || k->told)
        return -1;
    if (k->charged + (int64_t)take > k->limit) {
        (void)pl_fail_reason(&k->refused, PL_EXHAUSTED, "OBJECT_TOO_LARGE", NULL,
                             "Your proposed upload exceeds the maximum allowed object size of %lld bytes.",
                             (long long)k->limit);
        return fail_now(k);
    }
    if (!bucket_charge(k->store, (int64_t)take)) {
        (void)pl_fail_reason(&k->refused, PL_EXHAUSTED, "STORAGE", NULL,
                             "All objects together may have %lld bytes (s3.total_bytes).",
                             (long long)bucket_store_config(k->store)->bucket_bytes);
        return fail_now(k);
    }
    k->charged += (int64_t)take;
    memcpy(k->filling + k->filled, bytes, take);
    k->filled += take;
    if (k->filled == BUFFER_BYTES && !k->busy)
        start_job(k);
    k->waiting = take < n;
    return (ssize_t)take;
}

bool s3_sink_has_room(struct s3_sink *k, size_t n)
{
    if (BUFFER_BYTES - k->filled >= n || k->told || k->refused.code != PL_OK)
        return true;
    if (k->busy) {
        k->waiting = true;
        return false;
    }
    start_job(k);
    return true;
}

/* What is longer than any such value can be is cut, and so never matches. */
static void copy_text(char *out, size_t size, const char *text)
{
    (void)snprintf(out, size, "%s", text ? text : "");
}

void s3_sink_end(struct s3_sink *k, const struct s3_expected *expected, struct bucket_object *o)
{
    if (k->told)
        return;
    k->ended = true;
    copy_text(k->expected_sha256, sizeof(k->expected_sha256), expected->sha256);
    copy_text(k->expected_md5, sizeof(k->expected_md5), expected->md5);
    copy_text(k->expected_checksum, sizeof(k->expected_checksum), expected->checksum);
    if (o) {
        k->is_object = true;
        k->object = *o;
        *o = (struct bucket_object){ 0 };
    }
    if (!k->busy)
        start_job(k);
}

struct bucket_object *s3_sink_object(struct s3_sink *k)
{
    return &k->object;
}

int64_t s3_sink_size(const struct s3_sink *k)
{
    return k->size;
}

const char *s3_sink_md5(const struct s3_sink *k)
{
    return k->md5_hex;
}

const char *s3_sink_path(const struct s3_sink *k)
{
    return k->path;
}

void s3_sink_keep(struct s3_sink *k)
{
    k->kept = true;
}

void s3_sink_drop(struct s3_sink *k)
{
    if (!k)
        return;
    k->dropped = true;
    if (!k->busy)
        release(k);
}
