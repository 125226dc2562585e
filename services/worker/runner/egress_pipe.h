/* egress_pipe - bytes on their way from one socket to another, one direction.
 * Memory: embedded; the sockets are the owner's. */
#ifndef RUNNER_EGRESS_PIPE_H
#define RUNNER_EGRESS_PIPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PIPE_BYTES 16384

struct pipe {
    size_t from, to; /* what is in it */
    int64_t left;    /* to be read yet; < 0: whatever comes */
    uint64_t passed;
    bool ended; /* nothing will come any more */
    bool shut;  /* and the other side knows */
    char bytes[PIPE_BYTES];
};

/* Moves what it can. False: a socket is broken. */
bool pipe_move(struct pipe *p, int source, int sink);
bool pipe_wants_in(const struct pipe *p);  /* it would read */
bool pipe_wants_out(const struct pipe *p); /* it would write */
bool pipe_over(const struct pipe *p);

#endif
