/* Requests over the local transport.
 *
 *   send     A slot and its turn name the call; the request leaves at once when it is the only one in flight, else
 *            together with others at the end of the callback. When there is no connection it fails, or waits for one.
 *   end      REPLY and FAILED find the request by its slot; one that has been cancelled is not there any more. The
 *            deadline runs here as well as at the server. When the connection is lost, so are its calls: UNAVAILABLE.
 *
 * local_conn.c has the connection. */
#include "local_client_private.h"

#include "base/mem.h"
#include "base/text.h"
#include "base/time.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS_MAX 65536u
/* Requests that wait for the server to read: beyond it new ones are refused. */
#define OUT_MOST_BYTES ((size_t)512 << 20)

/* ---- slots ---- */

static bool slots_grow(struct local_channel *l)
{
    uint32_t room = l->room ? l->room * 2 : 64;
    if (room > SLOTS_MAX)
        return false;
    l->slots = pl_grow(l->slots, room, sizeof(*l->slots));
    memset(l->slots + l->room, 0, (room - l->room) * sizeof(*l->slots));
    for (uint32_t i = room; i-- > l->room;) {
        l->slots[i].next_free = l->first_free;
        l->first_free = i + 1;
    }
    l->room = room;
    return true;
}

static bool slot_take(struct local_channel *l, struct local_request *r)
{
    if (l->first_free == 0 && !slots_grow(l))
        return false;
    r->slot = l->first_free - 1;
    struct slot *s = &l->slots[r->slot];
    l->first_free = s->next_free;
    s->request = r;
    s->turn++;
    return true;
}

static void slot_give(struct local_channel *l, uint32_t slot)
{
    l->slots[slot].request = NULL;
    l->slots[slot].next_free = l->first_free;
    l->first_free = slot + 1;
}

/* ---- requests: their end ---- */

static void request_done(struct local_request *r)
{
    struct rpc_channel *c = r->q.channel;
    list_remove(&r->q.link);
    rpc_bytes_unref(r->request);
    free(r->trace);
    free(r->q.failed);
    free(r);
    channel_unref(c);
}

static void request_told(struct rpc_completion *done, bool ok)
{
    struct local_request *r = PL_CONTAINER(done, struct local_request, q.ended);
    (void)ok;
    r->q.done(r->q.arg, r->q.failed, NULL, NULL);
    request_done(r);
}

/* Off the connection and its clocks: nothing that comes finds it any more. */
static void request_over(struct local_request *r)
{
    struct local_channel *l = r->q.channel->local;
    struct local_conn *k = pl_take(r->conn);
    r->over = true;
    list_remove(&r->waiting);
    loop_timer_clear(loop_of(r->q.channel), &r->deadline);
    rpc_bytes_unref(pl_take(r->request));
    if (!k)
        return;
    slot_give(l, r->slot);
    if (--k->in_flight == 0 && k->leaving)
        local_conn_close(k);
}

/* 'done' gets 'err' soon. */
static void request_fail(struct local_request *r, const struct pl_err *err)
{
    if (r->over)
        return;
    request_over(r);
    r->q.failed = PL_NEW(struct pl_err);
    *r->q.failed = *err;
    rpc_completion_over(&r->q.ended);
}

/* The server need not answer. */
static void request_recall(struct local_request *r)
{
    if (!r->conn)
        return;
    struct local_frame f = { .kind = LOCAL_CANCEL, .slot = r->slot, .turn = r->q.channel->local->slots[r->slot].turn };
    local_link_send(&r->conn->link, &f, NULL, true);
}

static void request_late(struct loop_timer *t)
{
    struct local_request *r = PL_CONTAINER(t, struct local_request, deadline);
    struct pl_err err;
    (void)pl_fail(&err, PL_DEADLINE, NULL, "Deadline Exceeded");
    request_recall(r);
    request_fail(r, &err);
}

void local_cancel(struct rpc_request *q)
{
    struct local_request *r = (struct local_request *)q;
    struct pl_err err;
    if (r->over)
        return;
    (void)pl_fail(&err, PL_CANCELLED, NULL, "Cancelled");
    request_recall(r);
    request_fail(r, &err);
}

/* ---- answers ---- */

static struct local_request *find_request(struct local_conn *k, const struct local_frame *f)
{
    struct local_channel *l = k->channel->local;
    if (f->slot >= l->room || l->slots[f->slot].turn != f->turn)
        return NULL;
    struct local_request *r = l->slots[f->slot].request;
    return r && r->conn == k ? r : NULL;
}

/* Cancelled meanwhile: nobody waits for it. */
void local_answered(struct local_conn *k, struct local_frame *f)
{
    struct local_request *r = find_request(k, f);
    struct pl_err status = { .code = PL_OK };
    if (!r)
        return;
    request_over(r);
    if (f->kind == LOCAL_REPLY) {
        request_deliver(&r->q, f->message, f->message_len, &status);
    } else {
        rpc_status_read(f->message, &status);
        r->q.done(r->q.arg, &status, NULL, NULL);
    }
    request_done(r);
}

void local_lost(struct local_conn *k, const struct pl_err *err)
{
    list_each_safe(it, &k->channel->requests)
    {
        struct local_request *r = (struct local_request *)list_entry(it, struct rpc_request, link);
        if (r->conn == k)
            request_fail(r, err);
    }
}

/* ---- requests: their way out ---- */

static uint32_t time_left_ms(const struct local_request *r)
{
    int64_t left_ms = r->deadline_ms - pl_now_ms();
    if (r->deadline_ms == INT64_MAX)
        return LOCAL_NO_DEADLINE;
    return left_ms <= 0 ? 0 : left_ms >= LOCAL_NO_DEADLINE ? LOCAL_NO_DEADLINE - 1 : (uint32_t)left_ms;
}

/* What forbids it; PL_OK: nothing, and the request has its place. */
static enum pl_code take_place(struct local_request *r, struct local_conn *k, struct pl_err *err)
{
    if (k->link.out_bytes > OUT_MOST_BYTES || !slot_take(k->channel->local, r))
        return pl_fail_reason(err, PL_EXHAUSTED, "TOO_MANY_REQUESTS", NULL,
                              "%s: too many requests wait for it: %u, %zu bytes", k->channel->target, k->in_flight,
                              k->link.out_bytes);
    r->conn = k;
    k->in_flight++;
    return PL_OK;
}

static void request_go(struct local_request *r, const char *trace)
{
    struct local_channel *l = r->q.channel->local;
    struct local_conn *k = l->conn;
    struct local_frame f = { .kind = LOCAL_CALL };
    const struct local_call_head h = { .timeout_ms = time_left_ms(r),
                                       .path = r->path,
                                       .path_len = strlen(r->path),
                                       .trace = trace,
                                       .trace_len = trace ? strlen(trace) : 0 };
    struct pl_err err = { 0 };
    if (!local_call_head_write(&f, &h))
        (void)pl_fail(&err, PL_INVALID, NULL, "method '%.80s...': the path is too long", r->path);
    if (err.code != PL_OK || take_place(r, k, &err) != PL_OK) {
        request_fail(r, &err);
        return;
    }
    f.slot = r->slot;
    f.turn = l->slots[r->slot].turn;
    local_conn_watch(k);
    local_link_send(&k->link, &f, pl_take(r->request), k->in_flight > 1);
}

void local_send_waiting(struct rpc_channel *c)
{
    list_each_safe(it, &c->local->waiting)
    {
        struct local_request *r = list_entry(it, struct local_request, waiting);
        list_remove(it);
        request_go(r, r->trace);
    }
}

static void request_wait(struct local_request *r, const char *trace)
{
    (void)local_connected(r->q.channel);
    r->trace = pl_strdup(trace);
    list_push_back(&r->q.channel->local->waiting, &r->waiting);
}

static struct local_request *request_make(struct rpc_channel *c, const char *path, int64_t timeout_ms,
                                          rpc_done_fn *done, void *arg)
{
    struct local_request *r = PL_NEW(struct local_request);
    r->q.channel = c;
    c->refs++;
    list_push_back(&c->requests, &r->q.link);
    list_init(&r->waiting);
    rpc_completion_init(&r->q.ended, c->rpc, request_told);
    r->q.done = done;
    r->q.arg = arg;
    r->path = path;
    r->deadline.fire = request_late;
    r->deadline_ms = timeout_ms == INT64_MAX ? INT64_MAX : pl_now_ms() + timeout_ms;
    if (timeout_ms != INT64_MAX)
        loop_timer_set(loop_of(c), &r->deadline, r->deadline_ms);
    return r;
}

struct rpc_request *local_send(struct rpc_channel *c, const struct rpc_send *s)
{
    struct local_request *r =
        request_make(c, s->path, s->timeout_ms ? s->timeout_ms : DEFAULT_TIMEOUT_MS, s->done, s->arg);
    struct pl_err err;
    r->q.reply = s->reply;
    r->request = s->message ? rpc_bytes_from_core(rpc_pack(s->message)) : s->bytes;
    if (s->wait_for_ready && !local_channel_ready(c)) {
        request_wait(r, s->traceparent);
    } else if (local_connected(c)) {
        request_go(r, s->traceparent);
    } else {
        (void)pl_fail_reason(&err, PL_UNAVAILABLE, RPC_NOT_SENT, NULL, "%s: cannot connect: %s", c->target,
                             c->local->why);
        request_fail(r, &err);
    }
    return &r->q;
}

struct rpc_request *local_open(struct rpc_channel *c, const struct rpc_open *o)
{
    struct local_request *r = request_make(c, o->path, INT64_MAX, o->done, o->arg);
    struct pl_err err;
    (void)pl_fail(&err, PL_UNIMPLEMENTED, NULL, "method '%s' is a stream: %s has none, gRPC has", o->path, c->target);
    request_fail(r, &err);
    return &r->q;
}
