/* asks - a socket by which some process is asked for copies of itself, and who waits for them: the worker's end of
 * sandbox/zygote.h and sandbox/template.h.
 *
 * Asks are sent in order, a few at a time, and answered in any. Whoever owns the process hears when the socket is of no
 * use any more, also because nothing has come from it for too long while asks lay there; it then answers those who wait
 * (asks_fail()) or moves them elsewhere.
 *
 * Threads: with the turn.  Memory: embedded in its owner; an ask is embedded in its own until it has been answered. */
#ifndef WORKER_ASKS_H
#define WORKER_ASKS_H

#include "base/err.h"
#include "base/list.h"
#include "loop/loop.h"
#include "sandbox/zygote.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct zygote_ask {
    struct list link;
    bool sent;
    struct zygote_request request; /* magic and id are filled in */
    int fds[ZYGOTE_MAX_FDS];       /* zygote.h says in which order; closed as soon as they are sent */
    unsigned fd_count;
    char refused[160]; /* "" = not */
    /* Once, never from inside asks_add(). 'err' NULL: the process and its pidfd are the receiver's. */
    void (*answered)(struct zygote_ask *a, pid_t pid, int pidfd, const struct pl_err *err);
};

enum asks_end {
    ASKS_CLOSED, /* the other end is gone             */
    ASKS_LIED,   /* it has said what makes no sense   */
    ASKS_SILENT, /* no answer within the patience     */
};

struct asks {
    struct loop *loop;
    int64_t patience_ms; /* for the next answer, while one is due */
    int64_t settled_ms;  /* the same, once it has answered; 0: no different */
    bool heard;          /* since the socket was opened */
    struct loop_timer silence;
    struct loop_fd control; /* -1: closed */
    struct list list;       /* struct zygote_ask: those sent first, in order */
    unsigned sent;
    struct loop_timer again; /* sends what could not be sent while no answer is due */
    uint64_t next_id;
    uint64_t made; /* processes, since the socket was opened */
    /* The socket is closed already. */
    void (*broken)(struct asks *a, enum asks_end why);
};

void asks_init(struct asks *a, struct loop *l, int64_t patience_ms, void (*broken)(struct asks *a, enum asks_end why));
/* Takes 'fd' over (a SOCK_SEQPACKET), also on failure. What waits is sent. */
PL_MUST_CHECK enum pl_code asks_open(struct asks *a, int fd, struct pl_err *err);
void asks_shut(struct asks *a); /* those who wait go on waiting; harmless when closed */

void asks_add(struct asks *a, struct zygote_ask *ask);
/* One that is, or is not, among those who wait. */
void asks_answer(struct asks *a, struct zygote_ask *ask, pid_t pid, int pidfd, const struct pl_err *err);
/* All that wait now; those who ask again from their callback are not among them. */
void asks_fail(struct asks *a, const struct pl_err *err);
/* No callbacks: their descriptors are closed. */
void asks_forget(struct list *asks);

#endif
