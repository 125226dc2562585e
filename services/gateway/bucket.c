#include "bucket.h"

#include "base/mem.h"
#include "base/text.h"
#include "base/time.h"
#include "bucket_file.h"
#include "digest.h"
#include "gateway_config.h"
#include "log/log.h"
#include "s3_uploads.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct bucket {
    char *name;
    int64_t created_ms;
    struct bucket_object *objects; /* by key */
    size_t count, cap;
};

struct bucket_store {
    const struct gateway_config *config;
    struct loop *loop;
    char *dir;
    struct bucket **buckets; /* by name */
    size_t count, objects;
    int64_t used; /* bytes charged */
    struct s3_uploads *uploads;
};

void bucket_object_done(struct bucket_object *o)
{
    free(o->key);
    free(o->etag);
    free(o->content_type);
    json_decref(o->headers);
    *o = (struct bucket_object){ 0 };
}

/* ---- the store ---- */

const char *bucket_store_dir(const struct bucket_store *s)
{
    return s->dir;
}

const struct gateway_config *bucket_store_config(const struct bucket_store *s)
{
    return s->config;
}

struct loop *bucket_store_loop(const struct bucket_store *s)
{
    return s->loop;
}

struct s3_uploads *bucket_store_uploads(const struct bucket_store *s)
{
    return s->uploads;
}

bool bucket_charge(struct bucket_store *s, int64_t bytes)
{
    if (bytes > s->config->bucket_bytes - s->used)
        return false;
    s->used += bytes;
    return true;
}

void bucket_refund(struct bucket_store *s, int64_t bytes)
{
    s->used -= bytes;
}

size_t bucket_store_count(const struct bucket_store *s)
{
    return s->count;
}

struct bucket *bucket_store_at(const struct bucket_store *s, size_t i)
{
    return s->buckets[i];
}

/* ---- buckets ---- */

const char *bucket_name(const struct bucket *b)
{
    return b->name;
}

int64_t bucket_created_ms(const struct bucket *b)
{
    return b->created_ms;
}

bool bucket_name_valid(const char *name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    size_t n = strlen(name);
    if (n < 3 || n > 63 || !strchr(letters, name[0]) || !strchr(letters, name[n - 1]))
        return false;
    for (const char *p = name; *p; p++)
        if (!strchr(letters, *p) && *p != '-' && (*p != '.' || p[1] == '.'))
            return false;
    return true;
}

static bool begins(const char *name, const char *prefix)
{
    return strncmp(name, prefix, strlen(prefix)) == 0;
}

static bool ends(const char *name, const char *suffix)
{
    size_t n = strlen(name), k = strlen(suffix);
    return n >= k && strcmp(name + n - k, suffix) == 0;
}

/* "1.2.3.4" */
static bool is_address(const char *name)
{
    unsigned dots = 0;
    for (const char *p = name; *p; p++) {
        if (*p != '.' && (*p < '0' || *p > '9'))
            return false;
        dots += *p == '.';
    }
    return dots == 3;
}

bool bucket_name_allowed(const char *name)
{
    static const char *const prefixes[] = { "xn--", "sthree-", "amzn-s3-demo-" };
    static const char *const suffixes[] = { "-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3" };
    for (size_t i = 0; i < PL_COUNT(prefixes); i++)
        if (begins(name, prefixes[i]))
            return false;
    for (size_t i = 0; i < PL_COUNT(suffixes); i++)
        if (ends(name, suffixes[i]))
            return false;
    return bucket_name_valid(name) && !is_address(name) && !strstr(name, ".-") && !strstr(name, "-.");
}

/* Where a bucket of that name is, or would be. */
static size_t place_of(const struct bucket_store *s, const char *name)
{
    size_t low = 0, high = s->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (strcmp(s->buckets[middle]->name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct bucket *bucket_find(struct bucket_store *s, const char *name)
{
    size_t i = place_of(s, name);
    return i < s->count && strcmp(s->buckets[i]->name, name) == 0 ? s->buckets[i] : NULL;
}

static struct bucket *add_bucket(struct bucket_store *s, const char *name, int64_t created_ms)
{
    size_t i = place_of(s, name);
    struct bucket *b = PL_NEW(struct bucket);
    b->name = pl_strdup(name);
    b->created_ms = created_ms;
    s->buckets = pl_grow(s->buckets, s->count + 1, sizeof(*s->buckets));
    memmove(&s->buckets[i + 1], &s->buckets[i], (s->count - i) * sizeof(*s->buckets));
    s->buckets[i] = b;
    s->count++;
    return b;
}

static void free_bucket(struct bucket *b)
{
    for (size_t i = 0; i < b->count; i++)
        bucket_object_done(&b->objects[i]);
    free(b->objects);
    free(b->name);
    free(b);
}

enum pl_code bucket_create(struct bucket_store *s, const char *name, struct pl_err *err)
{
    if (s->count >= BUCKETS_MAX)
        return pl_fail(err, PL_EXHAUSTED, NULL, "there are %d buckets: no more are kept", BUCKETS_MAX);
    pl_cleanup(pl_free_p) char *path = pl_format("%s/%s", s->dir, name);
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return pl_fail(err, PL_INTERNAL, NULL, "cannot make the bucket: %s", strerror(errno));
    bucket_file_sync_dir(s->dir);
    (void)add_bucket(s, name, pl_wall_ms());
    return PL_OK;
}

enum pl_code bucket_delete(struct bucket_store *s, const char *name, struct pl_err *err)
{
    struct bucket *b = bucket_find(s, name);
    pl_cleanup(pl_free_p) char *path = pl_format("%s/%s", s->dir, name);
    if (b->count > 0 || (rmdir(path) != 0 && errno != ENOENT))
        return pl_fail(err, PL_PRECONDITION, NULL, "The bucket you tried to delete is not empty");
    size_t i = place_of(s, name);
    memmove(&s->buckets[i], &s->buckets[i + 1], (s->count - i - 1) * sizeof(*s->buckets));
    s->count--;
    free_bucket(b);
    return PL_OK;
}

/* ---- objects ---- */

size_t bucket_count(const struct bucket *b)
{
    return b->count;
}

const struct bucket_object *bucket_at(const struct bucket *b, size_t i)
{
    return &b->objects[i];
}

size_t bucket_seek(const struct bucket *b, const char *key)
{
    size_t low = 0, high = b->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (strcmp(b->objects[middle].key, key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct bucket_object *bucket_get(const struct bucket *b, const char *key)
{
    size_t i = bucket_seek(b, key);
    return i < b->count && strcmp(b->objects[i].key, key) == 0 ? &b->objects[i] : NULL;
}

char *bucket_object_path(const struct bucket_store *s, const char *bucket, const char *key)
{
    char hash[SHA256_HEX];
    digest_sha256_hex(key, strlen(key), hash);
    return pl_format("%s/%s/%s.obj", s->dir, bucket, hash);
}

char *bucket_new_path(const struct bucket_store *s)
{
    char id[32];
    pl_random_id("o", id, sizeof(id));
    return pl_format("%s/.new/%s", s->dir, id);
}

/* Takes 'o' over; gives back what one of the same key was charged. */
static void add_object(struct bucket_store *s, struct bucket *b, struct bucket_object *o)
{
    size_t i = bucket_seek(b, o->key);
    if (i < b->count && strcmp(b->objects[i].key, o->key) == 0) {
        bucket_refund(s, b->objects[i].size);
        bucket_object_done(&b->objects[i]);
    } else {
        if (b->count == b->cap) {
            b->cap = b->cap ? b->cap * 2 : 16;
            b->objects = pl_grow(b->objects, b->cap, sizeof(*b->objects));
        }
        memmove(&b->objects[i + 1], &b->objects[i], (b->count - i) * sizeof(*b->objects));
        b->count++;
        s->objects++;
    }
    b->objects[i] = *o;
    *o = (struct bucket_object){ 0 };
}

enum pl_code bucket_commit(struct bucket_store *s, const char *bucket, const char *path, struct bucket_object *o,
                           struct pl_err *err)
{
    struct bucket *b = bucket_find(s, bucket);
    if (!b)
        return pl_fail(err, PL_NOT_FOUND, NULL, "The specified bucket does not exist");
    if (s->objects >= BUCKET_OBJECTS_MAX && !bucket_get(b, o->key))
        return pl_fail(err, PL_EXHAUSTED, NULL, "there are %d objects: no more are kept", BUCKET_OBJECTS_MAX);
    pl_cleanup(pl_free_p) char *to = bucket_object_path(s, bucket, o->key);
    if (rename(path, to) != 0)
        return pl_fail_reason(err, PL_INTERNAL, "STORAGE", NULL, "cannot put the object in place: %s", strerror(errno));
    add_object(s, b, o);
    return PL_OK;
}

bool bucket_remove(struct bucket_store *s, struct bucket *b, const char *key)
{
    size_t i = bucket_seek(b, key);
    if (i >= b->count || strcmp(b->objects[i].key, key) != 0)
        return false;
    pl_cleanup(pl_free_p) char *path = bucket_object_path(s, b->name, key);
    (void)unlink(path);
    bucket_refund(s, b->objects[i].size);
    bucket_object_done(&b->objects[i]);
    memmove(&b->objects[i], &b->objects[i + 1], (b->count - i - 1) * sizeof(*b->objects));
    b->count--;
    s->objects--;
    return true;
}

/* ---- reading the folder at start ---- */

static void load_object(struct bucket_store *s, struct bucket *b, int dir, const char *file)
{
    struct bucket_object o;
    struct pl_err err;
    pl_cleanup(pl_close_p) int fd = openat(dir, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || bucket_file_read(fd, &o, &err) != PL_OK) {
        log_warn("object_left_out", LOG_STR("bucket", b->name), LOG_STR("file", file));
        return;
    }
    s->used += o.size;
    add_object(s, b, &o);
}

static void load_bucket(struct bucket_store *s, int parent, const char *name)
{
    struct stat st;
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d) {
        if (fd >= 0)
            close(fd);
        return;
    }
    int64_t created_ms = fstat(fd, &st) == 0 ? (int64_t)st.st_ctim.tv_sec * 1000 : 0;
    struct bucket *b = add_bucket(s, name, created_ms);
    for (struct dirent *e; (e = readdir(d));)
        if (strlen(e->d_name) == 68 && strcmp(e->d_name + 64, ".obj") == 0)
            load_object(s, b, fd, e->d_name);
    closedir(d);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    (void)remove(path);
    return 0;
}

/* What was being written when the last run ended is of no use: clients start again. */
static void empty(const char *dir, const char *name)
{
    pl_cleanup(pl_free_p) char *path = pl_format("%s/%s", dir, name);
    (void)nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    (void)mkdir(path, 0700);
}

enum pl_code bucket_store_open(struct bucket_store **out, struct loop *l, const struct gateway_config *config,
                               struct pl_err *err)
{
    struct bucket_store *s = PL_NEW(struct bucket_store);
    s->config = config;
    s->loop = l;
    s->dir = pl_strdup(config->bucket_dir);
    s->uploads = s3_uploads_new();
    (void)mkdir(s->dir, 0700);
    int fd = open(s->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d) {
        (void)pl_fail(err, PL_PRECONDITION, "s3.directory", "s3.directory: cannot read %s: %s", s->dir,
                      strerror(errno));
        if (fd >= 0)
            close(fd);
        bucket_store_close(s);
        return err->code;
    }
    empty(s->dir, ".new");
    for (struct dirent *e; (e = readdir(d));)
        if (bucket_name_valid(e->d_name))
            load_bucket(s, fd, e->d_name);
    closedir(d);
    log_info("buckets", LOG_UINT("buckets", s->count), LOG_UINT("objects", s->objects), LOG_INT("bytes", s->used));
    *out = s;
    return PL_OK;
}

void bucket_store_close(struct bucket_store *s)
{
    if (!s)
        return;
    s3_uploads_free(s, s->uploads);
    for (size_t i = 0; i < s->count; i++)
        free_bucket(s->buckets[i]);
    free(s->buckets);
    free(s->dir);
    free(s);
}
