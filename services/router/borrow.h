/* borrow - instances on this machine, to which requests go without a hop through their worker host.
 *
 * The host's stream names a unix socket; over it (common/channel/courier.h, lending.proto) the worker passes a socket
 * to each of our instances. A request goes out there and its answer comes back there (channel.h). What the worker would
 * do on the way is done here: the time limit, the check of the answer, the word that the instance must die. Why one has
 * died only the worker knows: its word is waited for. And whose a line is that an instance prints only we know: it
 * asks.
 *
 * What goes wrong with the connection costs no request: whatever is not borrowed is reached through the worker.
 *
 * Threads: with the turn.  Memory: a borrowing belongs to its host and owns its instances. */
#ifndef ROUTER_BORROW_H
#define ROUTER_BORROW_H

#include "core/core.h"

#include <stdbool.h>
#include <stdint.h>

struct borrowed;
struct borrowing;
struct loop;
struct metrics_counter;
struct rpc_bytes;

struct borrow_options {
    struct loop *loop;
    const char *router_id, *host_id; /* live as long */
    int64_t router_epoch;
    struct metrics_counter *requests; /* counts those that go this way */
};

struct borrowing *borrowing_new(const struct borrow_options *o);
/* No request is under way. NULL is fine. */
void borrowing_free(struct borrowing *w);

/* The host, in its life 'host_epoch', lends at 'path'. What was borrowed before is forgotten. */
void borrowing_open(struct borrowing *w, const char *path, int64_t host_epoch);
/* The host cannot be reached: no more requests this way; those under way go on. */
void borrowing_close(struct borrowing *w);

/* One that can take a request; NULL: it has to be reached through its host. */
struct borrowed *borrowing_find(struct borrowing *w, uint64_t instance_id);

/* As dispatch->done. */
typedef void borrowed_done_fn(void *arg, enum core_outcome o, const struct pl_err *err, struct rpc_bytes *answer);
/* One reference to 'message' is consumed. 'done' comes once, never from inside. */
void borrowed_ask(struct borrowed *b, struct rpc_bytes *message, uint64_t request_id, uint32_t timeout_ms,
                  borrowed_done_fn *done, void *arg);
/* The instance is killed; 'done' still comes. */
void borrowed_cancel(struct borrowed *b);

#endif
