/* A line's road: log_store_append() puts it into its endpoint's book; 100 ms after the first that waits, flush_begin()
 * takes what all books have, decides which segments it goes to and which old ones go, and flush_work() does that on the
 * disk. Reads wait for a flush when something waits for it, so that they see every line there was when they came. */
#include "logs/store.h"

#include "base/mem.h"
#include "base/time.h"
#include "book.h"
#include "disk.h"
#include "log/log.h"
#include "query.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FLUSH_MS     100
#define RETENTION_MS 3600000 /* how often old segments are looked for */

/* What one flush writes, and removes: the disk's view of it. */
struct write {
    struct write *next;
    char endpoint[LOG_NAME_MAX + 1];
    int64_t first_us; /* of the segment */
    struct pl_buf lines;
};
struct removal {
    struct removal *next;
    char endpoint[LOG_NAME_MAX + 1];
    int64_t first_us;
};

struct log_store {
    struct loop *loop;
    struct log_store_options options;
    char *dir;
    struct book *books;
    int64_t bytes, last_us;
    bool dirty; /* some book has lines that no flush has taken */
    struct loop_timer flush_timer, retention_timer;

    uint64_t flushes_begun, flushes_over; /* one at a time */
    struct loop_job flush;
    struct write *writes;
    struct removal *removals;
    int write_error; /* errno of the flush, 0 = none */

    struct list waiting; /* reads, until the flush that they wait for is over; in order of coming */
    unsigned reading;
};

/* ---- books ---- */

static struct book *find_book(struct log_store *s, const char *endpoint)
{
    struct book *b = NULL;

    HASH_FIND_STR(s->books, endpoint, b);
    return b;
}

static struct book *need_book(struct log_store *s, const char *endpoint)
{
    struct book *b = find_book(s, endpoint);

    if (!b) {
        b = book_new(endpoint);
        HASH_ADD_STR(s->books, endpoint, b);
    }
    return b;
}

static int64_t wall_us(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* Rises, whatever the clock does. */
static int64_t next_at(struct log_store *s)
{
    int64_t now_us = wall_us();

    s->last_us = now_us > s->last_us ? now_us : s->last_us + 1;
    return s->last_us;
}

/* Resource names are file names; anything else is no endpoint of ours. */
static bool is_name(const char *endpoint)
{
    size_t n = strlen(endpoint);

    return n > 0 && n <= LOG_NAME_MAX &&
           strspn(endpoint, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") == n;
}

void log_store_append(struct log_store *s, const char *endpoint, const struct log_line *l)
{
    struct log_line line = *l;

    if (!is_name(endpoint))
        return;
    line.at_us = next_at(s);
    if (!book_append(need_book(s, endpoint), &line) || s->dirty)
        return;
    s->dirty = true;
    loop_timer_set(s->loop, &s->flush_timer, pl_now_ms() + FLUSH_MS);
}

int64_t log_store_bytes(const struct log_store *s)
{
    return s->bytes;
}

/* ---- limits ---- */

static void drop_oldest(struct log_store *s, struct book *b)
{
    struct removal *r = PL_NEW(struct removal);
    int64_t before = b->bytes;

    memcpy(r->endpoint, b->endpoint, sizeof(r->endpoint));
    r->first_us = book_drop_oldest(b);
    r->next = s->removals;
    s->removals = r;
    s->bytes -= before - b->bytes;
}

static struct book *book_of_oldest(struct log_store *s)
{
    struct book *oldest = NULL;

    for (struct book *b = s->books; b; b = b->hh.next)
        if (b->segment_count > 0 && (!oldest || b->segments[0].last_us < oldest->segments[0].last_us))
            oldest = b;
    return oldest;
}

static void forget_empty(struct log_store *s)
{
    struct book *b, *next;

    HASH_ITER(hh, s->books, b, next)
    {
        if (b->segment_count > 0 || b->pending.len > 0)
            continue;
        HASH_DELETE(hh, s->books, b);
        book_free(b);
    }
}

/* Segments go that are too old or too many. The newest of a book stays unless it is too old: it is being written. */
static void keep_limits(struct log_store *s)
{
    int64_t oldest_us = wall_us() - s->options.retention_ms * 1000;
    struct book *b;

    for (b = s->books; b; b = b->hh.next) {
        while (b->segment_count > 0 && b->segments[0].last_us < oldest_us)
            drop_oldest(s, b);
        while (b->segment_count > 1 && b->bytes > s->options.endpoint_limit_bytes)
            drop_oldest(s, b);
    }
    while (s->bytes > s->options.limit_bytes && (b = book_of_oldest(s)))
        drop_oldest(s, b);
    forget_empty(s);
}

/* ---- flush ---- */

static void start_waiting(struct log_store *s);

static void take_pending(struct log_store *s, struct book *b)
{
    struct write *w = PL_NEW(struct write);
    struct segment *segment = book_segment_for(b, b->pending_first_us, b->pending.len);

    memcpy(w->endpoint, b->endpoint, sizeof(w->endpoint));
    w->first_us = segment->first_us;
    w->lines = b->pending;
    b->pending = PL_BUF_INIT(BOOK_PENDING_MAX);
    segment->last_us = b->last_us;
    segment->bytes += (int64_t)w->lines.len;
    b->bytes += (int64_t)w->lines.len;
    s->bytes += (int64_t)w->lines.len;
    w->next = s->writes;
    s->writes = w;
}

/* The disk's part of a flush; of the store it touches only what a flush owns. */
static void write_out(struct log_store *s)
{
    for (struct write *w = s->writes; w; w = w->next)
        if (!disk_append(s->dir, w->endpoint, w->first_us, w->lines.data, w->lines.len))
            s->write_error = errno;
    for (struct removal *r = s->removals; r; r = r->next)
        disk_remove(s->dir, r->endpoint, r->first_us);
}

static void flush_work(struct loop_job *j)
{
    write_out(PL_CONTAINER(j, struct log_store, flush));
}

static void plan_flush(struct log_store *s)
{
    loop_timer_clear(s->loop, &s->flush_timer);
    s->dirty = false;
    for (struct book *b = s->books; b; b = b->hh.next)
        if (b->pending.len > 0)
            take_pending(s, b);
    keep_limits(s);
}

static void free_flush(struct log_store *s)
{
    for (struct write *w; (w = s->writes);) {
        s->writes = w->next;
        pl_buf_done(&w->lines);
        free(w);
    }
    for (struct removal *r; (r = s->removals);) {
        s->removals = r->next;
        free(r);
    }
    if (s->write_error)
        log_warn("instance_logs_lost", LOG_STR("dir", s->dir), LOG_STR("error", strerror(s->write_error)));
    s->write_error = 0;
}

static bool flushing(const struct log_store *s)
{
    return s->flushes_begun > s->flushes_over;
}

static void flush_begin(struct log_store *s)
{
    plan_flush(s);
    s->flushes_begun++;
    loop_job(s->loop, &s->flush);
}

static void flush_done(struct loop_job *j)
{
    struct log_store *s = PL_CONTAINER(j, struct log_store, flush);

    free_flush(s);
    s->flushes_over++;
    start_waiting(s);
    if (!list_empty(&s->waiting))
        flush_begin(s);
    else if (s->dirty)
        loop_timer_set(s->loop, &s->flush_timer, pl_now_ms() + FLUSH_MS);
}

static void flush_time(struct loop_timer *t)
{
    struct log_store *s = PL_CONTAINER(t, struct log_store, flush_timer);

    if (!flushing(s))
        flush_begin(s);
}

static void retention_time(struct loop_timer *t)
{
    struct log_store *s = PL_CONTAINER(t, struct log_store, retention_timer);

    loop_timer_set(s->loop, t, pl_now_ms() + RETENTION_MS);
    if (!flushing(s))
        flush_begin(s);
}

/* ---- reads ---- */

static void read_work(struct loop_job *j)
{
    struct log_read *r = PL_CONTAINER(j, struct log_read, job);

    if (r->streams_wanted)
        query_streams(r->store->dir, r);
    else
        query_lines(r->store->dir, r);
}

static void read_done(struct loop_job *j)
{
    struct log_read *r = PL_CONTAINER(j, struct log_read, job);

    r->store->reading--;
    free(r->segments);
    r->segments = NULL;
    r->done(r);
}

static void read_begin(struct log_store *s, struct log_read *r)
{
    struct book *b = find_book(s, r->query.endpoint);

    /* Who follows asks again and again: mostly there is nothing new, and no file is opened. */
    r->segment_count = b && (r->streams_wanted || b->last_us > r->query.after_us) ? b->segment_count : 0;
    r->segments = pl_new0(r->segment_count + 1, sizeof(*r->segments));
    for (unsigned i = 0; i < r->segment_count; i++)
        r->segments[i] = b->segments[i].first_us;
    loop_job(s->loop, &r->job);
}

static void start_waiting(struct log_store *s)
{
    struct log_read *r;

    while ((r = list_first(&s->waiting, struct log_read, link)) && r->flush <= s->flushes_over) {
        list_remove(&r->link);
        read_begin(s, r);
    }
}

static void add_read(struct log_store *s, struct log_read *r)
{
    r->store = s;
    r->job.work = read_work;
    r->job.done = read_done;
    r->lines = (struct pl_buf){ 0 };
    r->streams = NULL;
    r->stream_count = 0;
    r->more = false;
    r->flush = s->flushes_begun + (s->dirty ? 1 : 0);
    s->reading++;
    list_push_back(&s->waiting, &r->link);
    start_waiting(s);
    if (!list_empty(&s->waiting) && !flushing(s))
        flush_begin(s);
}

void log_store_read(struct log_store *s, struct log_read *r)
{
    assert(r->query.limit >= 1 && r->query.limit <= LOG_READ_MAX_LINES);
    r->streams_wanted = false;
    add_read(s, r);
}

void log_store_streams(struct log_store *s, struct log_read *r)
{
    r->streams_wanted = true;
    add_read(s, r);
}

/* ---- life ---- */

static void found(void *arg, const char *endpoint, int64_t first_us, int64_t bytes, int64_t modified_us)
{
    struct log_store *s = arg;
    struct segment segment = { .first_us = first_us, .bytes = bytes };

    if (!is_name(endpoint))
        return;
    segment.last_us = modified_us > first_us ? modified_us : first_us;
    book_add_segment(need_book(s, endpoint), &segment);
    s->bytes += bytes;
    /* No line of it has a higher number: none was made after the file was last written. */
    if (segment.last_us > s->last_us)
        s->last_us = segment.last_us;
}

enum pl_code log_store_open(struct log_store **out, struct loop *l, const struct log_store_options *o,
                            struct pl_err *err)
{
    struct log_store *s = PL_NEW(struct log_store);

    s->loop = l;
    s->options = *o;
    s->dir = pl_strdup(o->dir);
    s->options.dir = s->dir;
    s->flush_timer.fire = flush_time;
    s->retention_timer.fire = retention_time;
    s->flush.work = flush_work;
    s->flush.done = flush_done;
    list_init(&s->waiting);
    if (disk_scan(s->dir, found, s, err) != PL_OK) {
        log_store_close(s);
        return err->code;
    }
    loop_timer_set(l, &s->retention_timer, pl_now_ms());
    *out = s;
    return PL_OK;
}

bool log_store_idle(const struct log_store *s)
{
    return !flushing(s) && s->reading == 0;
}

void log_store_close(struct log_store *s)
{
    struct book *b, *next;

    if (!s)
        return;
    assert(log_store_idle(s));
    loop_timer_clear(s->loop, &s->retention_timer);
    plan_flush(s);
    write_out(s);
    free_flush(s);
    HASH_ITER(hh, s->books, b, next)
    {
        HASH_DELETE(hh, s->books, b);
        book_free(b);
    }
    free(s->dir);
    free(s);
}
