#include "query.h"

#include "base/mem.h"
#include "disk.h"
#include "logs/store.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

/* Calls 'visit' for each whole line of 'text' until it returns false. */
static void each_line(const struct pl_buf *text,
                      bool (*visit)(void *arg, const struct log_line *l, const char *s, size_t n), void *arg)
{
    const char *s = text->data, *end = text->data + text->len, *newline;
    struct log_line l;

    while (s < end && (newline = memchr(s, '\n', (size_t)(end - s)))) {
        if (log_line_read(&l, s, (size_t)(newline - s)) && !visit(arg, &l, s, (size_t)(newline + 1 - s)))
            return;
        s = newline + 1;
    }
}

static bool wanted(const struct log_query *q, const struct log_line *l)
{
    return l->at_us > q->after_us && l->at_us < q->before_us && (q->instance == 0 || l->instance == q->instance) &&
           (q->variant[0] == '\0' ||
            (strlen(q->variant) == l->variant_len && memcmp(q->variant, l->variant, l->variant_len) == 0));
}

/* Segment i holds lines from its own first to the next one's. */
static bool may_hold(const struct log_read *r, unsigned i)
{
    bool ends_early = i + 1 < r->segment_count && r->segments[i + 1] <= r->query.after_us;

    return !ends_early && r->segments[i] < r->query.before_us;
}

/* ---- lines ---- */

struct gathering {
    const struct log_query *query;
    struct pl_buf *out;
    unsigned count;
    bool full; /* there was one more */
};

static bool fits(const struct gathering *g, size_t n)
{
    return g->count < g->query->limit && g->out->len + n <= LOG_READ_MAX_BYTES;
}

static bool gather(void *arg, const struct log_line *l, const char *s, size_t n)
{
    struct gathering *g = arg;

    if (!wanted(g->query, l))
        return l->at_us < g->query->before_us;
    if (!fits(g, n)) {
        g->full = true;
        return false;
    }
    g->count++;
    return pl_buf_add(g->out, s, n);
}

static void oldest_lines(const char *dir, struct log_read *r)
{
    struct gathering g = { .query = &r->query, .out = &r->lines };
    pl_cleanup(pl_buf_done) struct pl_buf text = PL_BUF_INIT(2 * DISK_SEGMENT_MAX);

    for (unsigned i = 0; i < r->segment_count && !g.full; i++) {
        if (!may_hold(r, i))
            continue;
        pl_buf_clear(&text);
        if (disk_load(dir, r->query.endpoint, r->segments[i], &text))
            each_line(&text, gather, &g);
    }
    r->more = g.full;
}

/* Where the wanted lines of one segment begin and end; the array grows as it is filled. */
struct places {
    const struct log_query *query;
    struct place {
        const char *s;
        size_t n;
    } * all;
    size_t count, room;
};

static bool note_place(void *arg, const struct log_line *l, const char *s, size_t n)
{
    struct places *p = arg;

    if (!wanted(p->query, l))
        return true;
    if (p->count == p->room) {
        p->room = p->room ? 2 * p->room : 1024;
        p->all = pl_grow(p->all, p->room, sizeof(*p->all));
    }
    p->all[p->count++] = (struct place){ .s = s, .n = n };
    return true;
}

/* Puts what fits of one segment in front of what newer ones gave: lines are taken from its end. */
static void take_newest(struct gathering *g, const struct places *p)
{
    struct pl_buf joined = PL_BUF_INIT(2 * LOG_READ_MAX_BYTES);
    size_t first = p->count, bytes = 0;

    while (first > 0 && g->count < g->query->limit && g->out->len + bytes + p->all[first - 1].n <= LOG_READ_MAX_BYTES) {
        bytes += p->all[--first].n;
        g->count++;
    }
    g->full = first > 0;
    if (first == p->count)
        return;
    for (size_t i = first; i < p->count; i++)
        (void)pl_buf_add(&joined, p->all[i].s, p->all[i].n);
    (void)pl_buf_add(&joined, g->out->data, g->out->len);
    pl_buf_done(g->out);
    *g->out = joined;
}

static void newest_lines(const char *dir, struct log_read *r)
{
    struct gathering g = { .query = &r->query, .out = &r->lines };
    pl_cleanup(pl_buf_done) struct pl_buf text = PL_BUF_INIT(2 * DISK_SEGMENT_MAX);
    struct places p = { .query = &r->query };

    for (unsigned i = r->segment_count; i-- > 0 && !g.full;) {
        if (!may_hold(r, i))
            continue;
        pl_buf_clear(&text);
        p.count = 0;
        if (!disk_load(dir, r->query.endpoint, r->segments[i], &text))
            continue;
        each_line(&text, note_place, &p);
        take_newest(&g, &p);
    }
    free(p.all);
    r->more = g.full;
}

void query_lines(const char *dir, struct log_read *r)
{
    r->lines = PL_BUF_INIT(2 * LOG_READ_MAX_BYTES);
    if (r->query.newest)
        newest_lines(dir, r);
    else
        oldest_lines(dir, r);
}

/* ---- streams ---- */

/* Of an endpoint, as a sum over its segments. */
#define MAX_STREAMS_SEEN 20000u

struct stream_entry {
    struct log_stream stream;
    UT_hash_handle hh;
};

static bool note_stream(void *arg, const struct log_line *l, const char *s, size_t n)
{
    struct stream_entry **all = arg, *e = NULL;

    (void)s;
    HASH_FIND(hh, *all, &l->instance, sizeof(l->instance), e);
    if (!e && HASH_COUNT(*all) == MAX_STREAMS_SEEN)
        return true;
    if (!e) {
        e = PL_NEW(struct stream_entry);
        e->stream.instance = l->instance;
        memcpy(e->stream.variant, l->variant, l->variant_len);
        e->stream.first_us = l->at_us;
        HASH_ADD(hh, *all, stream.instance, sizeof(e->stream.instance), e);
    }
    e->stream.last_us = l->at_us;
    e->stream.bytes += (int64_t)n;
    return true;
}

static int newer_first(struct stream_entry *a, struct stream_entry *b)
{
    return (a->stream.last_us < b->stream.last_us) - (a->stream.last_us > b->stream.last_us);
}

void query_streams(const char *dir, struct log_read *r)
{
    struct stream_entry *all = NULL, *e, *next;
    pl_cleanup(pl_buf_done) struct pl_buf text = PL_BUF_INIT(2 * DISK_SEGMENT_MAX);

    for (unsigned i = 0; i < r->segment_count; i++) {
        pl_buf_clear(&text);
        if (disk_load(dir, r->query.endpoint, r->segments[i], &text))
            each_line(&text, note_stream, &all);
    }
    r->more = HASH_COUNT(all) == MAX_STREAMS_SEEN;
    HASH_SORT(all, newer_first);
    r->streams = pl_new0(LOG_STREAMS_MAX, sizeof(*r->streams));
    HASH_ITER(hh, all, e, next)
    {
        if (r->stream_count < LOG_STREAMS_MAX)
            r->streams[r->stream_count++] = e->stream;
        else
            r->more = true;
        HASH_DELETE(hh, all, e);
        free(e);
    }
}
