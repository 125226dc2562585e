/* borrow_rig - a borrowing whose worker and whose instance the test plays, and what its caller hears. */
#ifndef TEST_ROUTER_BORROW_RIG_H
#define TEST_ROUTER_BORROW_RIG_H

#include "borrow.h"
#include "reply.h"

#include "base/mem.h"
#include "base/time.h"
#include "frame/frame.h"
#include "loop/loop.h"
#include "metrics/metrics.h"
#include "rpc/rpc.h"
#include "wire/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define HANG_MS 20000
#define ID      77 /* of the instance */

struct borrow_rig {
    struct loop *loop;
    struct metrics *metrics;
    struct metrics_counter *requests;
    struct borrowing *borrowing;
    char dir[32], path[64];
    int listener, worker, instance; /* the worker's end of the connection, the instance's of its socket */
    struct loop_timer hang;
    /* What the caller heard. */
    unsigned ended;
    enum core_outcome outcome;
    struct pl_err err;
    struct reply_facts said;
    char body[64];
};
extern struct borrow_rig one;

/* Of each test: the instance is one. */
int set_up(void **state);
int tear_down(void **state);
/* Until the caller hears something. */
void run(void);
/* Some turns, in which nothing is to be heard. */
void run_a_little(void);
void can_be_read(int fd);

/* ---- the worker ---- */

void hear_kill(const char *part);
void hear_read(uint64_t request_id, bool confirm);
void hear_served(uint64_t requests);
void tell_printed(void);
void tell_has_read(void);
void tell_ended(const char *reason, bool overrun);
void lend(void);
/* A router has come, and said who it is. */
void take_in(void);

/* ---- the instance ---- */

void hear_question(uint64_t *out_id);
void say(enum frame_kind kind, uint64_t id, const void *payload, size_t n, bool printed);
void say_result(uint64_t id, bool printed);

/* ---- the caller ---- */

struct borrowed *instance(void);
struct borrowed *ask(uint32_t timeout_ms);
void done(void *arg, enum core_outcome o, const struct pl_err *err, struct rpc_bytes *answer);
void heard(enum core_outcome o, const char *reason, const char *part);
void serve_one(void);

#endif
