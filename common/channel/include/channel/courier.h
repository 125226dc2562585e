/* courier - small messages, with a descriptor where one is due, between two services of one machine: a unix socket of
 * whole messages (SOCK_SEQPACKET).
 *
 * Both are programs of ours that run as the same user (courier_same_user()); still a message that is too long breaks
 * the connection, and so does a peer that lets COURIER_WAITING_MAX of them wait.
 *
 * Threads: with the turn.  Memory: embedded in its owner; owns the messages that wait. */
#ifndef CHANNEL_COURIER_H
#define CHANNEL_COURIER_H

#include "base/err.h"
#include "base/list.h"
#include "loop/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COURIER_MESSAGE_MAX 2048
#define COURIER_WAITING_MAX 10000

struct courier;

struct courier_events {
    /* 'fd' (-1: none) is the receiver's, who may close the courier, but not free its owner. */
    void (*received)(struct courier *c, const uint8_t *bytes, size_t n, int fd);
    /* Once; it is closed already. 'why': "closed its end", "lets too many messages wait". Never from inside
     * courier_send(). */
    void (*broken)(struct courier *c, const char *why);
};

struct courier {
    struct loop *loop;
    struct loop_fd watch; /* -1: closed */
    const struct courier_events *events;
    struct list waiting; /* to be sent, in order */
    unsigned waiting_count;
    bool full;    /* too many waited: it breaks soon */
    bool pulling; /* courier_pull() is running */
};

/* Takes 'fd' over (non-blocking), also on failure. */
PL_MUST_CHECK enum pl_code courier_open(struct courier *c, struct loop *l, int fd, const struct courier_events *events,
                                        struct pl_err *err);
/* No callback follows. Harmless when closed, or when never opened with watch.fd -1. */
void courier_close(struct courier *c);

/* In order; 'fd' (-1: none) is passed and closed here. Nothing happens when it is closed. */
void courier_send(struct courier *c, const void *bytes, size_t n, int fd);
/* Receives what is there, now; nothing when it is called from 'received'. */
void courier_pull(struct courier *c);

/* The peer of a unix socket runs as the user that we are. */
bool courier_same_user(int fd);

#endif
