/* pilotlight.v1.LogService. A page is one gathering (log_gather.h); whoever follows gets one gathering after the other,
 * a quarter of a second apart when there was nothing new. */
#include "router_methods.h"

#include "base/mem.h"
#include "base/time.h"
#include "log_gather.h"
#include "router.h"
#include "rpc/server.h"

#include "pilotlight/v1/log.pb-c.h"

#include <stdlib.h>
#include <string.h>

#define DEFAULT_LIMIT 1000
#define MAX_LIMIT     10000
#define FOLLOW_LIMIT  1000
#define FOLLOW_MS     250
#define SKEW_US       60000000

static const Pilotlight__V1__LogFilter everything = PILOTLIGHT__V1__LOG_FILTER__INIT;

static enum pl_code check_filter(const Pilotlight__V1__LogFilter *f, struct pl_err *err)
{
    if (!f || !*f->endpoint_name)
        return pl_fail(err, PL_INVALID, "filter.endpoint_name", "filter.endpoint_name: is missing");
    if (f->start_unix_us < 0 || f->end_unix_us < 0)
        return pl_fail(err, PL_INVALID, "filter.start_unix_us",
                       "filter.start_unix_us, filter.end_unix_us: must not be "
                       "negative");
    if (*f->instance_id && !strchr(f->instance_id, '/'))
        return pl_fail(err, PL_INVALID, "filter.instance_id",
                       "filter.instance_id: '%.100s' is not HOST/NUMBER as InstanceService has it", f->instance_id);
    return PL_OK;
}

static enum pl_code check_limit(const char *field, int32_t value, int32_t min, struct pl_err *err)
{
    if (value < min || value > MAX_LIMIT)
        return pl_fail(err, PL_INVALID, field, "%s: %d; %d to %d are allowed", field, value, min, MAX_LIMIT);
    return PL_OK;
}

static struct log_want want_of(const Pilotlight__V1__LogFilter *f, struct log_cursor *cursor)
{
    return (struct log_want){ .endpoint = f->endpoint_name,
                              .variant = f->variant_name,
                              .host = f->host,
                              .instance = f->instance_id,
                              .start_us = f->start_unix_us,
                              .end_us = f->end_unix_us,
                              .cursor = cursor };
}

static void fail_cancelled(struct rpc_call *call)
{
    struct pl_err err;

    (void)pl_fail(&err, PL_CANCELLED, NULL, "the caller went away");
    rpc_fail(call, &err);
}

/* ---- ReadLogs, ListLogStreams ---- */

struct page_call {
    struct rpc_call *call;
    struct log_gather *gather;
    struct log_cursor cursor;
};

static void page_call_free(struct page_call *c)
{
    log_cursor_done(&c->cursor);
    free(c);
}

static void page_cancelled(void *arg)
{
    struct page_call *c = arg;

    log_gather_cancel(c->gather);
    fail_cancelled(c->call);
    page_call_free(c);
}

static void page_gathered(void *arg, const struct log_page *page)
{
    Pilotlight__V1__ReadLogsResponse m = PILOTLIGHT__V1__READ_LOGS_RESPONSE__INIT;
    struct page_call *c = arg;
    pl_cleanup(pl_free_p) char *token = log_cursor_text(&c->cursor);

    m.lines = page->lines;
    m.n_lines = page->count;
    m.next_page_token = token;
    m.more = page->more;
    m.hosts_missing = page->missing;
    m.n_hosts_missing = page->missing_count;
    rpc_reply(c->call, &m.base);
    page_call_free(c);
}

ROUTER_HANDLER(read_logs)
{
    const Pilotlight__V1__ReadLogsRequest *request = message;
    const Pilotlight__V1__LogFilter *filter = request->filter ? request->filter : &everything;
    struct router *r = service;
    struct log_cursor cursor;
    struct page_call *c;
    struct log_want want;
    struct pl_err err;

    if (check_filter(filter, &err) != PL_OK ||
        (request->limit != 0 && check_limit("limit", request->limit, 1, &err) != PL_OK) ||
        log_cursor_parse(&cursor, request->page_token, &err) != PL_OK) {
        rpc_fail(call, &err);
        return;
    }
    c = PL_NEW(struct page_call);
    c->call = call;
    c->cursor = cursor;
    want = want_of(filter, &c->cursor);
    want.limit = request->limit ? request->limit : DEFAULT_LIMIT;
    want.newest = request->newest_first;
    c->gather = log_gather_start(r->hosts, &want, page_gathered, c);
    rpc_call_on_cancel(call, page_cancelled, c);
}

static void streams_gathered(void *arg, const struct log_streams_page *page)
{
    Pilotlight__V1__ListLogStreamsResponse m = PILOTLIGHT__V1__LIST_LOG_STREAMS_RESPONSE__INIT;
    struct page_call *c = arg;

    m.streams = page->streams;
    m.n_streams = page->count;
    m.hosts_missing = page->missing;
    m.n_hosts_missing = page->missing_count;
    rpc_reply(c->call, &m.base);
    page_call_free(c);
}

ROUTER_HANDLER(list_log_streams)
{
    const Pilotlight__V1__ListLogStreamsRequest *request = message;
    struct router *r = service;
    struct page_call *c;
    struct pl_err err;

    if (!*request->endpoint_name) {
        (void)pl_fail(&err, PL_INVALID, "endpoint_name", "endpoint_name: is missing");
        rpc_fail(call, &err);
        return;
    }
    c = PL_NEW(struct page_call);
    c->call = call;
    c->gather = log_gather_streams(r->hosts, request->endpoint_name, streams_gathered, c);
    rpc_call_on_cancel(call, page_cancelled, c);
}

/* ---- FollowLogs ---- */

struct follower {
    struct list link; /* r->log_followers */
    struct router *router;
    struct rpc_call *call;
    struct log_gather *gather; /* NULL: waits for its timer */
    struct log_want want;
    struct log_cursor cursor;
    struct loop_timer next;
    int tail; /* lines to begin with; -1: it has begun */
};

static void follower_free(struct follower *f)
{
    if (f->gather)
        log_gather_cancel(f->gather);
    loop_timer_clear(f->router->loop, &f->next);
    list_remove(&f->link);
    log_cursor_done(&f->cursor);
    free(f);
}

static void follower_cancelled(void *arg)
{
    struct follower *f = arg;

    fail_cancelled(f->call);
    follower_free(f);
}

static bool send_lines(struct follower *f, Pilotlight__V1__LogLine **lines, size_t count)
{
    Pilotlight__V1__FollowLogsResponse m = PILOTLIGHT__V1__FOLLOW_LOGS_RESPONSE__INIT;
    struct pl_err err;

    m.lines = lines;
    m.n_lines = count;
    if (count == 0 || rpc_stream_send(f->call, &m.base))
        return true;
    (void)pl_fail_reason(&err, PL_EXHAUSTED, "SLOW_READER", NULL,
                         "the lines come faster than they are read: begin again after the last one");
    rpc_fail(f->call, &err);
    follower_free(f);
    return false;
}

static void gather_more(struct follower *f);

static void follower_due(struct loop_timer *t)
{
    gather_more(PL_CONTAINER(t, struct follower, next));
}

/* The first page was of the last lines there were. A host that had none, or did not answer, goes on from about now: its
 * clock may be another. */
static void begin_after(struct follower *f, const struct log_page *page)
{
    int64_t about_now_us = pl_wall_ms() * 1000 - SKEW_US;

    log_cursor_done(&f->cursor);
    for (size_t i = 0; i < page->last->count; i++)
        log_cursor_set(&f->cursor, page->last->places[i].host, page->last->places[i].at_us);
    if (f->want.start_us < about_now_us)
        f->want.start_us = about_now_us;
    f->want.newest = false;
    f->want.limit = FOLLOW_LIMIT;
    f->tail = -1;
}

static bool past_the_end(const struct follower *f)
{
    return f->want.end_us > 0 && pl_wall_ms() * 1000 > f->want.end_us;
}

static void follower_gathered(void *arg, const struct log_page *page)
{
    struct follower *f = arg;
    size_t skip = f->tail >= 0 && (size_t)f->tail < page->count ? page->count - (size_t)f->tail : 0;
    bool more = page->more && f->tail < 0;

    f->gather = NULL;
    if (f->tail >= 0)
        begin_after(f, page);
    if (!send_lines(f, page->lines + skip, page->count - skip))
        return;
    if (!more && past_the_end(f)) {
        rpc_stream_end(f->call);
        follower_free(f);
        return;
    }
    loop_timer_set(f->router->loop, &f->next, pl_now_ms() + (more ? 0 : FOLLOW_MS));
}

static void gather_more(struct follower *f)
{
    f->gather = log_gather_start(f->router->hosts, &f->want, follower_gathered, f);
}

ROUTER_HANDLER(follow_logs)
{
    const Pilotlight__V1__FollowLogsRequest *request = message;
    const Pilotlight__V1__LogFilter *filter = request->filter ? request->filter : &everything;
    struct router *r = service;
    struct follower *f;
    struct pl_err err;

    if (check_filter(filter, &err) != PL_OK || check_limit("tail", request->tail, 0, &err) != PL_OK) {
        rpc_fail(call, &err);
        return;
    }
    f = PL_NEW(struct follower);
    f->router = r;
    f->call = call;
    f->next.fire = follower_due;
    f->want = want_of(filter, &f->cursor);
    f->tail = request->tail;
    f->want.newest = true;
    f->want.limit = request->tail > 0 ? request->tail : 1; /* where the last line of each host is must be known */
    list_push_back(&r->log_followers, &f->link);
    rpc_call_on_cancel(call, follower_cancelled, f);
    gather_more(f);
}

void router_end_log_followers(struct router *r)
{
    struct follower *f;
    struct pl_err err;

    (void)pl_fail_reason(&err, PL_UNAVAILABLE, "DRAINING", NULL, "this router is stopping");
    while ((f = list_first(&r->log_followers, struct follower, link))) {
        rpc_fail(f->call, &err);
        follower_free(f);
    }
}
