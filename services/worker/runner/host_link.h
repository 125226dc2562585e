/* host_link - the instance's ends of its sockets: whole frames in, whole frames out.
 *
 * One socket is the worker's, the other, where there is one, that of a router which has borrowed this instance
 * (frame/frame.h). Whichever has a frame is heard, an answer goes where its question came from. The router may go at
 * any time: what it leaves unfinished is dropped.
 *
 * A small request costs one recv() and a small answer one send(): header and payload come and go together.
 * Memory: both buffers are kept between requests and given back when a request was large.
 * Errors: end of file from the worker is how it says stop; anything else that is not a frame is a broken host, and the
 * end. */
#ifndef RUNNER_HOST_LINK_H
#define RUNNER_HOST_LINK_H

#include "base/buf.h"
#include "frame/frame.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum link_event {
    LINK_FRAME,   /* LOAD or INVOKE */
    LINK_HANDLED, /* something else, which is done: receive again */
    LINK_END,
    LINK_BROKEN
};

struct host_link {
    int fd;        /* the worker's */
    int direct;    /* a router's; -1: none */
    int from;      /* the one of the two that what is in 'in' came from */
    bool own_code; /* a model's owner's code runs here: answers say whether it has printed something (FRAME's 'printed')
                    */
    uint8_t *in;
    size_t in_cap, in_len;
    size_t taken; /* bytes of 'in' that belong to the frame handed out last */
    struct pl_buf out;
};

/* Room in front of an answer for the frame's header and the tag and length of its body. */
#define LINK_HEADROOM (FRAME_HEADER_SIZE + 16)

void host_link_init(struct host_link *l, int fd);
void host_link_done(struct host_link *l);

/* What can be waited on for the next frame; returns how many. */
unsigned host_link_fds(const struct host_link *l, int out_fds[2]);
/* Part of the next frame has come already: waiting for more may be in vain. */
bool host_link_has_more(const struct host_link *l);

/* The buffer for what comes is there before it comes. False: no memory. */
bool host_link_warm(struct host_link *l);

/* Waits for the next frame; the payload lives until the next call. */
enum link_event host_link_receive(struct host_link *l, struct frame_header *out, const uint8_t **out_payload);

/* An empty answer: what is appended to l->out from here on is its payload. 'limit' = most bytes of it. */
void host_link_begin(struct host_link *l, size_t limit);
/* Sends what was appended as one frame, with 'n' bytes of 'prefix' (at most 16) in front of it. False: the worker is
 * gone. For a router that is gone there is nothing to do. */
bool host_link_send(struct host_link *l, enum frame_kind kind, uint64_t id, const uint8_t *prefix, size_t n);

#endif
