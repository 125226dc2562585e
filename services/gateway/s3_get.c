/* GetObject and HeadObject. HEAD answers from the index. GET opens the file on a job thread; a small object is read
 * there and then, a large one is read piece by piece as the client takes it, always on job threads. */
#include "aws_error.h"
#include "base/mem.h"
#include "base/text.h"
#include "bucket.h"
#include "bucket_file.h"
#include "loop/loop.h"
#include "s3.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PIECE ((size_t)256 << 10)

struct range {
    int64_t from, len;
    bool partial;
};

struct get {
    struct http_source source;
    struct loop_job job;
    struct aws_call *call; /* NULL: the request has ended */
    struct bucket_store *store;
    char *path;
    struct range range;
    int64_t size;
    bool busy, answered;

    /* The job's while it runs. */
    int fd;
    char *piece;
    int64_t at; /* of the next piece, in the object */
    size_t want, len, used;
    bool failed;
};

/* ---- what is asked for ---- */

/* "bytes=0-99", "bytes=100-", "bytes=-100"; anything else is not a range, and ignored. False: cannot be satisfied. */
static bool read_range(const char *text, int64_t size, struct range *out)
{
    char first[24] = "", last[24] = "";
    *out = (struct range){ .from = 0, .len = size };
    if (!text || strncmp(text, "bytes=", 6) != 0 || strchr(text, ','))
        return true;
    const char *dash = strchr(text + 6, '-');
    size_t n = dash ? (size_t)(dash - text - 6) : sizeof(first);
    if (n >= sizeof(first) || strlen(dash + 1) >= sizeof(last))
        return true;
    memcpy(first, text + 6, n);
    strcpy(last, dash + 1);
    int64_t from = 0, to = size - 1;
    if ((*first && !pl_parse_i64(first, 0, INT64_MAX, &from)) || (*last && !pl_parse_i64(last, 0, INT64_MAX, &to)) ||
        (!*first && !*last))
        return true;
    if (!*first) {
        from = to < size ? size - to : 0;
        if (to == 0)
            return false;
        to = size - 1;
    }
    if (*first && *last && to < from)
        return true;
    if (from >= size)
        return false;
    to = to < size ? to : size - 1;
    *out = (struct range){ .from = from, .len = to - from + 1, .partial = true };
    return true;
}

/* One of a list of entity tags, or "*". */
static bool names_etag(const char *list, const char *etag)
{
    return strcmp(list, "*") == 0 || strstr(list, etag) != NULL;
}

static bool read_date(const char *text, int64_t *out_s)
{
    struct tm tm = { 0 };
    const char *rest = text ? strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &tm) : NULL;
    if (!rest)
        return false;
    *out_s = timegm(&tm);
    return true;
}

/* If-Match, If-None-Match, If-Modified-Since, If-Unmodified-Since. False: answered. */
static bool check_conditions(struct aws_call *c, const struct bucket_object *o)
{
    const char *match = http_header(c->http, "If-Match"), *none = http_header(c->http, "If-None-Match");
    int64_t since, modified = o->modified_ms / 1000;
    bool unmodified = read_date(http_header(c->http, "If-Unmodified-Since"), &since) && modified > since && !match;
    if ((match && !names_etag(match, o->etag)) || unmodified) {
        s3_fail(c, 412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold");
        return false;
    }
    bool same = !none && read_date(http_header(c->http, "If-Modified-Since"), &since) && modified <= since;
    if ((none && names_etag(none, o->etag)) || same) {
        http_set_header(c->http, "ETag", s3_quoted(c->arena, o->etag));
        http_answer(c->http, 304, NULL, "", 0);
        return false;
    }
    return true;
}

/* NULL: answered. */
static const struct bucket_object *object_of(struct aws_call *c, struct range *out_range)
{
    const struct bucket *b = s3_bucket_of(c);
    const struct bucket_object *o = b ? bucket_get(b, s3_call_of(c)->key) : NULL;
    if (!b)
        return NULL;
    if (!o) {
        s3_fail(c, 404, "NoSuchKey", "The specified key does not exist.");
        return NULL;
    }
    if (!check_conditions(c, o))
        return NULL;
    if (!read_range(http_header(c->http, "Range"), o->size, out_range)) {
        http_set_header(c->http, "Content-Range", arena_format(c->arena, "bytes */%lld", (long long)o->size));
        s3_fail(c, 416, "InvalidRange", "The requested range is not satisfiable");
        return NULL;
    }
    return o;
}

static void set_headers(struct aws_call *c, const struct bucket_object *o, const struct range *range)
{
    const char *name;
    json_t *value;
    int room = 12; /* of the answer's headers */
    http_set_header(c->http, "ETag", s3_quoted(c->arena, o->etag));
    http_set_header(c->http, "Last-Modified", s3_http_date(c->arena, o->modified_ms));
    http_set_header(c->http, "Accept-Ranges", "bytes");
    if (range->partial)
        http_set_header(c->http, "Content-Range",
                        arena_format(c->arena, "bytes %lld-%lld/%lld", (long long)range->from,
                                     (long long)(range->from + range->len - 1), (long long)o->size));
    json_object_foreach(o->headers, name, value)
    {
        if (room-- > 0)
            http_set_header(c->http, arena_strdup(c->arena, name), json_string_value(value));
    }
}

void s3_head_object(struct aws_call *c)
{
    struct range range;
    const struct bucket_object *o = object_of(c, &range);
    if (!o)
        return;
    set_headers(c, o, &range);
    http_answer_head(c->http, range.partial ? 206 : 200, o->content_type, range.len);
}

/* ---- reading ---- */

static void work(struct loop_job *j)
{
    struct get *g = PL_CONTAINER(j, struct get, job);
    if (g->fd < 0)
        g->fd = open(g->path, O_RDONLY | O_CLOEXEC);
    g->len = g->used = 0;
    g->failed = g->fd < 0;
    while (!g->failed && g->len < g->want) {
        ssize_t n = pread(g->fd, g->piece + g->len, g->want - g->len, (off_t)(g->at + (int64_t)g->len));
        if (n < 0 && errno == EINTR)
            continue;
        g->failed = n <= 0;
        g->len += n > 0 ? (size_t)n : 0;
    }
    g->at += (int64_t)g->len;
}

static void release(struct get *g)
{
    if (g->fd >= 0)
        close(g->fd);
    free(g->piece);
    free(g->path);
    free(g);
}

static void start_job(struct get *g)
{
    int64_t left = g->range.from + g->range.len - g->at;
    g->want = left < (int64_t)PIECE ? (size_t)left : PIECE;
    g->busy = true;
    loop_job(bucket_store_loop(g->store), &g->job);
}

static ssize_t read_piece(struct http_source *s, uint64_t at, char *out, size_t max)
{
    struct get *g = PL_CONTAINER(s, struct get, source);
    (void)at;
    if (g->busy)
        return 0;
    if (g->failed)
        return HTTP_SOURCE_FAILED;
    if (g->used == g->len) {
        if (g->at == g->range.from + g->range.len)
            return HTTP_SOURCE_END;
        start_job(g);
        return 0;
    }
    size_t n = g->len - g->used < max ? g->len - g->used : max;
    memcpy(out, g->piece + g->used, n);
    g->used += n;
    return (ssize_t)n;
}

static void free_source(struct http_source *s)
{
    struct get *g = PL_CONTAINER(s, struct get, source);
    g->call = NULL;
    if (!g->busy)
        release(g);
}

/* The first piece is there: what it belongs to is still what the index said, because a file never changes. */
static void answer(struct get *g)
{
    struct aws_call *c = g->call;
    int status = g->range.partial ? 206 : 200;
    const struct bucket *b = bucket_find(g->store, s3_call_of(c)->bucket);
    const struct bucket_object *o = b ? bucket_get(b, s3_call_of(c)->key) : NULL;
    if (g->failed || !o || o->size != g->size) { /* deleted or replaced since */
        s3_call_of(c)->state = NULL;
        aws_fail(c, AWS_UNAVAILABLE, "The object was replaced while it was opened: please try again.");
        g->call = NULL;
        release(g);
        return;
    }
    set_headers(c, o, &g->range);
    g->answered = true;
    http_answer_source(c->http, status, o->content_type, g->range.len, &g->source);
}

static void done(struct loop_job *j)
{
    struct get *g = PL_CONTAINER(j, struct get, job);
    g->busy = false;
    if (!g->call)
        release(g);
    else if (!g->answered)
        answer(g);
    else
        http_wake(g->call->http);
}

/* The request ended before there was an answer. */
static void get_ended(struct s3_call *s)
{
    struct get *g = s->state;
    if (g && !g->answered)
        free_source(&g->source);
}

void s3_get_object(struct aws_call *c)
{
    struct range range;
    const struct bucket_object *o = object_of(c, &range);
    if (!o)
        return;
    if (range.len == 0) {
        set_headers(c, o, &range);
        http_answer(c->http, 200, o->content_type, "", 0);
        return;
    }
    struct get *g = PL_NEW(struct get);
    *g = (struct get){ .call = c, .store = s3_store(c), .range = range, .size = o->size, .fd = -1, .at = range.from };
    g->source.read = read_piece;
    g->source.free = free_source;
    g->job.work = work;
    g->job.done = done;
    g->path = bucket_object_path(g->store, s3_call_of(c)->bucket, o->key);
    g->piece = pl_new0(1, PIECE);
    s3_call_of(c)->state = g;
    s3_call_of(c)->ended = get_ended;
    start_job(g);
}
