/* borrow_private - what borrow.c (the connection to a worker) and borrowed.c (one instance and its request) share. */
#ifndef ROUTER_BORROW_PRIVATE_H
#define ROUTER_BORROW_PRIVATE_H

#include "borrow.h"

#include "channel/channel.h"
#include "channel/courier.h"

enum borrowed_state {
    BORROWED_IDLE,
    BORROWED_ASKED,    /* it has a request                                                */
    BORROWED_ANSWERED, /* the worker reads first what it printed meanwhile                */
    BORROWED_DYING,    /* it will not answer; the worker's word on why is waited for      */
    BORROWED_OVER,     /* its request is to be ended as soon as nobody is in the way      */
    BORROWED_SPENT,    /* no use any more; kept for what it printed, until it is dead     */
};

struct borrowed {
    struct borrowing *all;
    UT_hash_handle hh;
    struct list link; /* of all */
    bool listed;      /* found by its id */
    uint64_t id;
    enum borrowed_state state;
    struct channel channel;
    struct loop_timer timer;
    struct loop_task over;

    borrowed_done_fn *done; /* NULL: no request */
    void *arg;
    uint64_t request_id; /* also of the last one, when it was killed for it */
    uint64_t questions;
    uint64_t untold; /* answered since the worker was told how many it has */
    int64_t sent_us;
    uint32_t timeout_ms;
    /* How it ended, once that is known. */
    enum core_outcome outcome;
    struct rpc_bytes *answer;
    struct pl_err err;

    char why[128];  /* DYING: as seen from here */
    bool condemned; /* the worker has been asked to kill it */
    bool dead;      /* the worker's word is here: */
    bool overrun;
    char reason[512];
};

struct borrowing {
    struct borrow_options o;
    struct courier courier; /* watch.fd -1: no connection */
    char *path;             /* NULL: not to be opened */
    int64_t host_epoch;
    struct loop_timer again;
    int64_t again_ms;
    struct loop_timer tell; /* set while something is untold */
    struct borrowed *by_id;
    struct list instances;
};

/* ---- borrow.c ---- */
bool borrowing_connected(const struct borrowing *w);
void borrowing_kill(struct borrowing *w, uint64_t instance_id, const char *why);
/* One more is answered: the worker hears of it within a second. */
void borrowing_count(struct borrowed *b);
/* To be confirmed by borrowed_has_been_read(). */
void borrowing_read_first(struct borrowing *w, uint64_t instance_id, uint64_t request_id);

/* ---- borrowed.c ---- */
/* Takes 'fd' over. */
void borrowed_new(struct borrowing *w, uint64_t instance_id, int fd);
void borrowed_free(struct borrowed *b);
/* The worker's word. */
void borrowed_has_been_read(struct borrowed *b);
void borrowed_ended(struct borrowed *b, const char *reason, bool overrun);
/* The connection is gone. 'b' may be, too. */
void borrowed_orphaned(struct borrowed *b);

#endif
