/* Answers that their clients do not take.
 *
 * The core keeps an answer until the client's flow control has let all of it through. Who does not read, for want of a
 * network or in bad faith, leaves it there: up to 6 MiB a call, with no deadline but the client's own. So answers that
 * are on their way stand in a list, in the order in which they were given, and the server gives up
 *
 *   those that are on their way for longer than 'unsent_timeout_ms';
 *   the oldest, while all together are more than 'max_unsent_bytes';
 *   the oldest, when a new call finds 'max_calls_in_flight' reached.
 *
 * An answer to somebody who reads is away within a moment, so the oldest is that of the slowest reader. Its client, if
 * it ever looks, finds the call ended with RESOURCE_EXHAUSTED. */
#include "server_private.h"

#include "base/time.h"

#define UNSENT_TIMEOUT_MS INT64_C(120000)
#define MAX_UNSENT_BYTES  ((size_t)512 << 20)

static void unsent_timeout(struct loop_timer *t);

void unsent_init(struct rpc_server *s, const struct rpc_server_options *o)
{
    struct unsent *u = &s->unsent;
    list_init(&u->calls);
    u->timer.fire = unsent_timeout;
    u->timeout_ms = o->unsent_timeout_ms ? o->unsent_timeout_ms : UNSENT_TIMEOUT_MS;
    u->max_bytes = o->max_unsent_bytes ? o->max_unsent_bytes : MAX_UNSENT_BYTES;
    if (rpc_metrics(s->rpc))
        u->given_up = metrics_counter(rpc_metrics(s->rpc), "rpc_server_answers_given_up_total", NULL,
                                      "Answers that their clients did not take.");
}

void unsent_done(struct rpc_server *s)
{
    loop_timer_clear(rpc_loop(s->rpc), &s->unsent.timer);
}

static struct rpc_call *unsent_oldest(const struct unsent *u)
{
    return list_first(&u->calls, struct rpc_call, unsent.link);
}

/* Both batches of the call end now; call_unref() does the rest. */
static void unsent_give_up(struct rpc_server *s, struct rpc_call *c)
{
    unsent_remove(c);
    if (s->unsent.given_up)
        metrics_add(s->unsent.given_up, 1);
    (void)grpc_call_cancel_with_status(c->core, GRPC_STATUS_RESOURCE_EXHAUSTED, "the client did not take the answer",
                                       NULL);
}

/* One timer for all, set for the oldest and left alone when that is sent: it goes off for nothing at most once a
 * timeout. */
static void unsent_watch(struct rpc_server *s)
{
    struct unsent *u = &s->unsent;
    struct rpc_call *oldest = unsent_oldest(u);
    if (oldest && !u->timer.slot)
        loop_timer_set(rpc_loop(s->rpc), &u->timer, oldest->unsent.since_ms + u->timeout_ms);
}

static void unsent_timeout(struct loop_timer *t)
{
    struct rpc_server *s = PL_CONTAINER(t, struct rpc_server, unsent.timer);
    int64_t too_old_ms = pl_now_ms() - s->unsent.timeout_ms;
    for (struct rpc_call *c; (c = unsent_oldest(&s->unsent)) && c->unsent.since_ms <= too_old_ms;)
        unsent_give_up(s, c);
    unsent_watch(s);
}

void unsent_add(struct rpc_call *c, size_t bytes)
{
    struct rpc_server *s = c->server;
    struct unsent *u = &s->unsent;
    c->unsent.since_ms = pl_now_ms();
    c->unsent.bytes = bytes;
    list_push_back(&u->calls, &c->unsent.link);
    u->bytes += c->unsent.bytes;
    while (u->bytes > u->max_bytes && unsent_oldest(u) != c)
        unsent_give_up(s, unsent_oldest(u));
    unsent_watch(s);
}

void unsent_remove(struct rpc_call *c)
{
    if (list_empty(&c->unsent.link))
        return;
    list_remove(&c->unsent.link);
    c->server->unsent.bytes -= c->unsent.bytes;
}

void unsent_make_room(struct rpc_server *s)
{
    struct rpc_call *oldest = unsent_oldest(&s->unsent);
    if (oldest)
        unsent_give_up(s, oldest);
}
