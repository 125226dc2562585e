/* The server's side of the local transport: listeners, connections, calls.
 *
 *   accept   local_listen.c looks who it is. The client says HELLO first, within GREET_MS.
 *   call     A CALL frame becomes a rpc_call like one that gRPC brought, with the same checks (server_call.c), and its
 *            handler runs at once: on the loop's thread, inside the reading of the frame.
 *   answer   REPLY or FAILED leaves with the callback's end, or at once when no other call is in flight here.
 *   lost     CANCEL, the deadline, or the end of the connection: the handler hears it by its cancel callback and
 *            still has to answer, to nobody.
 *   drain    Listeners go, GOAWAY is sent, calls in flight go on; clients close their connections. What has not ended
 *            with the grace is closed.
 *
 * A client that does not read its answers is not read from either, until it does; after 'unsent_timeout_ms' of that its
 * connection is closed. */
#include "local_link.h"
#include "local_listen.h"
#include "server_private.h"

#include "base/mem.h"
#include "base/time.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LISTENERS_MAX 16
#define LINKS_MAX     64     /* one per process that calls; beyond it connections are closed at once */
#define SLOTS_MAX     65536u /* calls of one connection at once */
#define GREET_MS      10000
/* Answers that wait for the client to read: from here on it is not read from, until there are half as many. */
#define OUT_HIGH_BYTES ((size_t)32 << 20)

struct local_server {
    struct local_listener *listeners[LISTENERS_MAX];
    size_t listener_count;
    struct list links;
    unsigned link_count;
};

struct server_link {
    struct local_link link;
    struct list in_server;
    struct rpc_server *server;
    struct local_call **calls; /* by slot; NULL: free */
    uint32_t room;
    unsigned call_count;
    struct loop_timer greet;    /* until the client has said HELLO */
    struct server_method *last; /* called last: mostly the next one, too */
};

struct local_call {
    struct rpc_call call;     /* first: server_call.c frees it */
    struct server_link *link; /* NULL: answered or lost */
    uint32_t slot, turn;
    struct loop_timer deadline;
    char *path; /* of a method that is not served */
    char trace[128];
};

/* ---- calls ---- */

static void local_call_detach(struct local_call *l)
{
    struct server_link *k = l->link;
    l->link = NULL;
    k->calls[l->slot] = NULL;
    k->call_count--;
    loop_timer_clear(k->link.loop, &l->deadline);
}

static void local_call_lost(struct local_call *l)
{
    l->call.refs++;
    local_call_detach(l);
    call_lost(&l->call);
    call_unref(&l->call);
}

static void local_call_late(struct loop_timer *t)
{
    struct local_call *l = PL_CONTAINER(t, struct local_call, deadline);
    struct local_frame f = { .kind = LOCAL_FAILED, .slot = l->slot, .turn = l->turn };
    struct pl_err err;
    (void)pl_fail(&err, PL_DEADLINE, NULL, "Deadline Exceeded");
    local_link_send(&l->link->link, &f, rpc_status_write(&err), false);
    local_call_lost(l);
}

static void link_hold_back(struct server_link *k)
{
    if (k->link.out_bytes > OUT_HIGH_BYTES)
        local_link_pause(&k->link, true);
}

void local_call_answer(struct rpc_call *c, struct rpc_bytes *reply, const struct pl_err *err)
{
    struct local_call *l = c->local;
    struct server_link *k = l->link;
    if (k) {
        struct local_frame f = { .kind = err ? LOCAL_FAILED : LOCAL_REPLY, .slot = l->slot, .turn = l->turn };
        local_call_detach(l);
        local_link_send(&k->link, &f, err ? rpc_status_write(err) : reply, k->call_count > 0);
        link_hold_back(k);
    } else {
        rpc_bytes_unref(reply);
    }
    call_unref(c);
}

void local_call_abandon(struct rpc_call *c)
{
    if (c->local->link)
        local_call_detach(c->local);
}

void local_call_done(struct rpc_call *c)
{
    local_call_abandon(c);
    free(c->local->path);
}

const char *local_call_header(const struct rpc_call *c, const char *key)
{
    return strcmp(key, "traceparent") == 0 && c->local->trace[0] ? c->local->trace : NULL;
}

static bool is_method(const struct server_method *m, const struct local_call_head *h)
{
    return strlen(m->row->path) == h->path_len && memcmp(m->row->path, h->path, h->path_len) == 0;
}

static struct server_method *find_method(struct server_link *k, const struct local_call_head *h)
{
    struct rpc_server *s = k->server;
    if (k->last && is_method(k->last, h))
        return k->last;
    for (size_t i = 0; i < s->method_count; i++)
        if (is_method(&s->methods[i], h))
            return k->last = &s->methods[i];
    return &s->methods[s->method_count]; /* the one that answers UNIMPLEMENTED */
}

static bool slot_is_free(struct server_link *k, uint32_t slot)
{
    if (slot >= SLOTS_MAX)
        return false;
    if (slot >= k->room) {
        uint32_t room = k->room ? k->room : 64;
        while (room <= slot)
            room *= 2;
        k->calls = pl_grow(k->calls, room, sizeof(*k->calls));
        memset(k->calls + k->room, 0, (room - k->room) * sizeof(*k->calls));
        k->room = room;
    }
    return !k->calls[slot];
}

/* Printable ASCII, as gRPC lets through. */
static void copy_trace(char *out, size_t size, const struct local_call_head *h)
{
    bool good = h->trace_len < size;
    for (size_t i = 0; good && i < h->trace_len; i++)
        good = h->trace[i] >= ' ' && h->trace[i] <= '~';
    if (good)
        memcpy(out, h->trace, h->trace_len);
}

static void call_name(struct local_call *l, struct server_link *k, const struct local_call_head *h)
{
    struct rpc_call *c = &l->call;
    c->method = find_method(k, h);
    if (!c->method->row)
        l->path = pl_strndup(h->path, h->path_len);
    c->path = c->method->row ? c->method->row->path : l->path;
    copy_trace(l->trace, sizeof(l->trace), h);
}

static void call_set_deadline(struct local_call *l, uint32_t timeout_ms)
{
    bool never = timeout_ms == LOCAL_NO_DEADLINE;
    l->call.deadline = rpc_deadline_after_ms(never ? INT64_MAX : timeout_ms);
    l->deadline.fire = local_call_late;
    if (!never)
        loop_timer_set(l->link->link.loop, &l->deadline, pl_now_ms() + timeout_ms);
}

static bool on_call(struct server_link *k, struct local_frame *f)
{
    struct local_call_head h;
    if (!local_call_head_read(f, &h) || !slot_is_free(k, f->slot))
        return false;
    struct local_call *l = PL_NEW(struct local_call);
    l->link = k;
    l->slot = f->slot;
    l->turn = f->turn;
    k->calls[f->slot] = l;
    k->call_count++;
    call_name(l, k, &h);
    call_set_deadline(l, h.timeout_ms);
    call_init_local(&l->call, l, k->server);
    l->call.request = pl_take(f->message);
    l->call.request_len = f->message_len;
    call_begin(&l->call);
    return true;
}

static bool on_cancel(struct server_link *k, const struct local_frame *f)
{
    struct local_call *l = f->slot < k->room ? k->calls[f->slot] : NULL;
    if (l && l->turn == f->turn) /* else it crossed the answer */
        local_call_lost(l);
    return true;
}

/* ---- connections ---- */

static void send_plain(struct server_link *k, enum local_kind kind)
{
    struct local_frame f = { .kind = kind };
    if (kind == LOCAL_HELLO)
        local_hello_write(&f, LOCAL_VERSION);
    local_link_send(&k->link, &f, NULL, false);
}

/* One of another version hears ours, and the connection ends. */
static bool on_hello(struct server_link *k, const struct local_frame *f)
{
    uint32_t version;
    if (k->greet.slot == 0 || !local_hello_read(f, &version))
        return false;
    loop_timer_clear(k->link.loop, &k->greet);
    send_plain(k, LOCAL_HELLO);
    if (k->server->state != SERVER_SERVING)
        send_plain(k, LOCAL_GOAWAY);
    return version == LOCAL_VERSION;
}

static bool link_frame(struct local_link *link, struct local_frame *f)
{
    struct server_link *k = PL_CONTAINER(link, struct server_link, link);
    if (k->greet.slot != 0)
        return on_hello(k, f);
    switch (f->kind) {
    case LOCAL_CALL:
        return on_call(k, f);
    case LOCAL_CANCEL:
        return on_cancel(k, f);
    case LOCAL_PING:
        send_plain(k, LOCAL_PONG);
        return true;
    default:
        return false;
    }
}

/* Off the server, its calls lost; the server may stop now, which is for the caller to see. */
static void link_leave(struct server_link *k)
{
    local_link_close(&k->link);
    loop_timer_clear(k->link.loop, &k->greet);
    list_remove(&k->in_server);
    k->server->local->link_count--;
    for (uint32_t i = 0; i < k->room && k->call_count > 0; i++)
        if (k->calls[i])
            local_call_lost(k->calls[i]);
    local_link_unref(&k->link);
}

static void link_closed(struct local_link *link, const char *why)
{
    struct server_link *k = PL_CONTAINER(link, struct server_link, link);
    struct rpc_server *s = k->server;
    (void)why;
    link_leave(k);
    server_check_stopped(s);
}

static void link_sent(struct local_link *link)
{
    if (link->out_bytes < OUT_HIGH_BYTES / 2)
        local_link_pause(link, false);
}

static void link_free(struct local_link *link)
{
    struct server_link *k = PL_CONTAINER(link, struct server_link, link);
    free(k->calls);
    free(k);
}

static void link_greet_late(struct loop_timer *t)
{
    struct server_link *k = PL_CONTAINER(t, struct server_link, greet);
    struct rpc_server *s = k->server;
    link_leave(k);
    server_check_stopped(s);
}

static const struct local_link_owner link_owner = { link_frame, link_closed, link_sent, link_free };

static size_t largest_request(const struct rpc_server *s)
{
    size_t largest = 0;
    for (size_t i = 0; i < s->method_count; i++)
        if (s->methods[i].max_request_bytes > largest)
            largest = s->methods[i].max_request_bytes;
    return largest;
}

static void link_new(struct rpc_server *s, int fd)
{
    struct server_link *k = PL_NEW(struct server_link);
    struct pl_err err;
    k->server = s;
    k->greet.fire = link_greet_late;
    if (local_link_open(&k->link, rpc_loop(s->rpc), fd, &link_owner, largest_request(s), &err) != PL_OK) {
        free(k);
        return;
    }
    k->link.stall_ms = s->unsent.timeout_ms;
    list_push_back(&s->local->links, &k->in_server);
    s->local->link_count++;
    loop_timer_set(k->link.loop, &k->greet, pl_now_ms() + GREET_MS);
}

static void accepted(void *arg, int fd)
{
    struct rpc_server *s = arg;
    if (s->local->link_count < LINKS_MAX)
        link_new(s, fd);
    else
        (void)close(fd);
}

enum pl_code local_server_listen(struct rpc_server *s, const char *address, struct pl_err *err)
{
    if (!s->local) {
        s->local = PL_NEW(struct local_server);
        list_init(&s->local->links);
    }
    struct local_server *local = s->local;
    if (local->listener_count == LISTENERS_MAX)
        return pl_fail(err, PL_INVALID, "listen", "listen: more than %d addresses like '%s'", LISTENERS_MAX, address);
    if (local_listen_open(&local->listeners[local->listener_count], rpc_loop(s->rpc), address, accepted, s, err) !=
        PL_OK)
        return err->code;
    local->listener_count++;
    return PL_OK;
}

/* ---- drain, cancel, free ---- */

void local_server_drain(struct rpc_server *s)
{
    struct local_server *local = s->local;
    if (!local)
        return;
    while (local->listener_count > 0)
        local_listen_close(local->listeners[--local->listener_count]);
    list_each(it, &local->links)
    {
        struct server_link *k = list_entry(it, struct server_link, in_server);
        if (k->greet.slot == 0)
            send_plain(k, LOCAL_GOAWAY);
    }
}

void local_server_cancel(struct rpc_server *s)
{
    while (s->local && !list_empty(&s->local->links))
        link_leave(list_first(&s->local->links, struct server_link, in_server));
}

bool local_server_idle(const struct rpc_server *s)
{
    return !s->local || list_empty(&s->local->links);
}

void local_server_free(struct rpc_server *s)
{
    assert(local_server_idle(s));
    while (s->local && s->local->listener_count > 0)
        local_listen_close(s->local->listeners[--s->local->listener_count]);
    free(s->local);
}
