#include "s3_uploads.h"

#include "base/list.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/time.h"
#include "bucket_file.h"
#include "digest.h"
#include "gateway_config.h"
#include "loop/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct part {
    int number;
    char *path;
    int64_t size;
    char md5[2 * MD5_BYTES + 1];
};

struct s3_upload {
    struct list link;
    char id[40];
    char *bucket;
    struct bucket_object object; /* key, type and headers */
    struct part *parts;          /* by number */
    size_t count;
    int64_t created_ms; /* monotonic */
};

struct s3_uploads {
    struct list open;    /* struct s3_upload, oldest first */
    struct list joining; /* struct joining                 */
    int64_t count;
};

/* An upload that is being made one object. It has left 'open'. */
struct joining {
    struct list link;
    struct loop_job job;
    struct bucket_store *store;
    struct s3_upload *upload;
    size_t *chosen; /* indexes of upload->parts */
    size_t count;
    char *path;
    struct bucket_object object;
    struct pl_err err;
    void (*done)(void *arg, const struct pl_err *status, const char *etag);
    void *arg;
};

struct s3_uploads *s3_uploads_new(void)
{
    struct s3_uploads *u = PL_NEW(struct s3_uploads);
    list_init(&u->open);
    list_init(&u->joining);
    return u;
}

/* ---- one upload ---- */

static void drop_part(struct bucket_store *s, struct part *p)
{
    (void)unlink(p->path);
    bucket_refund(s, p->size);
    free(p->path);
}

static void free_upload(struct bucket_store *s, struct s3_upload *u)
{
    for (size_t i = 0; i < u->count; i++)
        drop_part(s, &u->parts[i]);
    free(u->parts);
    free(u->bucket);
    bucket_object_done(&u->object);
    free(u);
}

void s3_uploads_abort(struct bucket_store *s, struct s3_upload *u)
{
    list_remove(&u->link);
    bucket_store_uploads(s)->count--;
    free_upload(s, u);
}

void s3_uploads_free(struct bucket_store *s, struct s3_uploads *u)
{
    if (!u)
        return;
    list_each_safe(it, &u->open) free_upload(s, list_entry(it, struct s3_upload, link));
    free(u);
}

static void drop_old(struct bucket_store *s)
{
    struct s3_uploads *all = bucket_store_uploads(s);
    struct s3_upload *u;
    while ((u = list_first(&all->open, struct s3_upload, link)) &&
           u->created_ms + bucket_store_config(s)->upload_age_ms < pl_now_ms())
        s3_uploads_abort(s, u);
}

enum pl_code s3_uploads_create(struct bucket_store *s, const char *bucket, struct bucket_object *o, const char **out_id,
                               struct pl_err *err)
{
    struct s3_uploads *all = bucket_store_uploads(s);
    unsigned char id[16];
    drop_old(s);
    if (all->count >= bucket_store_config(s)->uploads)
        return pl_fail(err, PL_EXHAUSTED, NULL, "%lld multipart uploads are open, which is the limit (s3.uploads).",
                       (long long)all->count);
    struct s3_upload *u = PL_NEW(struct s3_upload);
    pl_random(id, sizeof(id));
    pl_hex(id, sizeof(id), u->id);
    u->bucket = pl_strdup(bucket);
    u->created_ms = pl_now_ms();
    u->object = *o;
    *o = (struct bucket_object){ 0 };
    list_push_back(&all->open, &u->link);
    all->count++;
    *out_id = u->id;
    return PL_OK;
}

static struct s3_upload *find(struct bucket_store *s, const char *id)
{
    list_each(it, &bucket_store_uploads(s)->open)
    {
        struct s3_upload *u = list_entry(it, struct s3_upload, link);
        if (strcmp(u->id, id) == 0)
            return u;
    }
    return NULL;
}

struct s3_upload *s3_uploads_find(struct bucket_store *s, const char *id, const char *bucket, const char *key)
{
    struct s3_upload *u = id ? find(s, id) : NULL;
    return u && strcmp(u->bucket, bucket) == 0 && strcmp(u->object.key, key) == 0 ? u : NULL;
}

/* Where a part of that number is, or would be. */
static size_t place_of(const struct s3_upload *u, int number)
{
    size_t i = 0;
    while (i < u->count && u->parts[i].number < number)
        i++;
    return i;
}

enum pl_code s3_uploads_add_part(struct bucket_store *s, const char *id, int number, const char *path, int64_t size,
                                 const char *md5_hex, struct pl_err *err)
{
    struct s3_upload *u = find(s, id);
    if (!u)
        return pl_fail(err, PL_NOT_FOUND, NULL, "The specified multipart upload does not exist.");
    size_t i = place_of(u, number);
    if (i < u->count && u->parts[i].number == number) {
        drop_part(s, &u->parts[i]);
    } else {
        u->parts = pl_grow(u->parts, u->count + 1, sizeof(*u->parts));
        memmove(&u->parts[i + 1], &u->parts[i], (u->count - i) * sizeof(*u->parts));
        u->count++;
    }
    u->parts[i] = (struct part){ .number = number, .path = pl_strdup(path), .size = size };
    (void)snprintf(u->parts[i].md5, sizeof(u->parts[i].md5), "%s", md5_hex);
    return PL_OK;
}

/* ---- joining ---- */

static enum pl_code append(int to, int64_t at, const struct part *p, struct pl_err *err)
{
    pl_cleanup(pl_close_p) int from = open(p->path, O_RDONLY | O_CLOEXEC);
    pl_cleanup(pl_free_p) char *bytes = pl_new0(1, 256 << 10);
    ssize_t n = 0;
    for (int64_t done = 0; from >= 0 && done < p->size; done += n) {
        n = pread(from, bytes, 256 << 10, (off_t)done);
        if (n <= 0)
            break;
        if (bucket_file_write(to, bytes, (size_t)n, at + done, err) != PL_OK)
            return err->code;
    }
    if (from < 0 || (p->size > 0 && n <= 0))
        return pl_fail_reason(err, PL_INTERNAL, "STORAGE", NULL, "cannot read part %d: %s", p->number, strerror(errno));
    return PL_OK;
}

/* S3's ETag of a multipart object: the MD5 of the parts' MD5s, and how many. */
static char *joint_etag(const struct joining *j)
{
    pl_cleanup(pl_free_p) unsigned char *all = pl_new0(j->count + 1, MD5_BYTES);
    unsigned char raw[EVP_MAX_MD_SIZE];
    char hex[2 * MD5_BYTES + 1];
    for (size_t i = 0; i < j->count; i++)
        for (size_t b = 0; b < MD5_BYTES; b++)
            (void)sscanf(j->upload->parts[j->chosen[i]].md5 + 2 * b, "%2hhx", &all[i * MD5_BYTES + b]);
    if (EVP_Digest(all, j->count * MD5_BYTES, raw, NULL, EVP_md5(), NULL) != 1)
        pl_die("MD5 failed");
    pl_hex(raw, MD5_BYTES, hex);
    return pl_format("%s-%zu", hex, j->count);
}

static void join_work(struct loop_job *job)
{
    struct joining *j = PL_CONTAINER(job, struct joining, job);
    pl_cleanup(pl_close_p) int fd = open(j->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        (void)pl_fail_reason(&j->err, PL_INTERNAL, "STORAGE", NULL, "cannot make the object's file: %s",
                             strerror(errno));
        return;
    }
    for (size_t i = 0; i < j->count; i++) {
        const struct part *p = &j->upload->parts[j->chosen[i]];
        if (append(fd, j->object.size, p, &j->err) != PL_OK)
            return;
        j->object.size += p->size;
    }
    j->object.etag = joint_etag(j);
    j->object.modified_ms = pl_wall_ms();
    bucket_file_finish(fd, &j->object, &j->err);
}

static void join_done(struct loop_job *job)
{
    struct joining *j = PL_CONTAINER(job, struct joining, job);
    struct s3_uploads *all = bucket_store_uploads(j->store);
    pl_cleanup(pl_free_p) char *etag = pl_strdup(j->object.etag);
    list_remove(&j->link);
    /* The object's bytes are charged anew, because those of the parts are given back with them. */
    int64_t size = j->object.size;
    if (j->err.code == PL_OK) {
        bucket_refund(j->store, -size);
        if (bucket_commit(j->store, j->upload->bucket, j->path, &j->object, &j->err) != PL_OK)
            bucket_refund(j->store, size);
    }
    if (j->err.code == PL_OK) {
        free_upload(j->store, j->upload);
        all->count--;
    } else {
        (void)unlink(j->path);
        list_push_back(&all->open, &j->upload->link); /* the client may try again */
    }
    if (j->done)
        j->done(j->arg, &j->err, etag);
    bucket_object_done(&j->object);
    free(j->chosen);
    free(j->path);
    free(j);
}

void s3_uploads_forget(struct bucket_store *s, void *arg)
{
    list_each(it, &bucket_store_uploads(s)->joining)
    {
        struct joining *j = list_entry(it, struct joining, link);
        if (j->arg == arg)
            j->done = NULL;
    }
}

/* Which parts are meant; NULL with an error. */
static size_t *choose(const struct s3_upload *u, const struct s3_part *parts, size_t count, struct pl_err *err)
{
    size_t *chosen = pl_new0(count + 1, sizeof(*chosen));
    for (size_t i = 0; i < count; i++) {
        size_t at = place_of(u, parts[i].number);
        chosen[i] = at;
        if (i > 0 && parts[i].number <= parts[i - 1].number)
            (void)pl_fail_reason(err, PL_INVALID, "INVALID_PART_ORDER", NULL,
                                 "The list of parts was not in ascending order.");
        else if (at == u->count || u->parts[at].number != parts[i].number ||
                 strcmp(u->parts[at].md5, parts[i].etag) != 0)
            (void)pl_fail_reason(err, PL_INVALID, "INVALID_PART", NULL,
                                 "Part %d could not be found, or its entity tag is another.", parts[i].number);
        else
            continue;
        free(chosen);
        return NULL;
    }
    return chosen;
}

enum pl_code s3_uploads_complete(struct bucket_store *s, struct s3_upload *u, const struct s3_part *parts, size_t count,
                                 void (*done)(void *arg, const struct pl_err *status, const char *etag), void *arg,
                                 struct pl_err *err)
{
    size_t *chosen = choose(u, parts, count, err);
    if (!chosen)
        return err->code;
    struct joining *j = PL_NEW(struct joining);
    *j = (struct joining){ .store = s, .upload = u, .chosen = chosen, .count = count, .done = done, .arg = arg };
    j->path = bucket_new_path(s);
    j->object = (struct bucket_object){ .key = pl_strdup(u->object.key),
                                        .content_type = pl_strdup(u->object.content_type),
                                        .headers = json_incref(u->object.headers) };
    j->job.work = join_work;
    j->job.done = join_done;
    list_remove(&u->link);
    list_push_back(&bucket_store_uploads(s)->joining, &j->link);
    loop_job(bucket_store_loop(s), &j->job);
    return PL_OK;
}
