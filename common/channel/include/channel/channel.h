/* channel - the host's end of a socketpair with one instance: a question out, its answer in, one at a time. The host is
 * the worker, or a router on its machine.
 *
 *   out   frame header and the message's spans in one sendmsg, uncopied; what the socket does not take goes on EPOLLOUT
 *   in    a short answer comes with one recv; a long one goes straight into a buffer of the length its header states
 *
 * The instance is not trusted. Whatever does not fit is a lie, and the channel is broken from then on: a bad header,
 * another id, a kind that answers something else, an answer before the whole question was read, bytes after the answer,
 * anything unasked. What is inside an answer is checked by answer.h.
 *
 * Threads: with the turn.  Memory: embedded in its owner; an answer's buffer is handed over. */
#ifndef CHANNEL_CHANNEL_H
#define CHANNEL_CHANNEL_H

#include "base/err.h"
#include "frame/frame.h"
#include "loop/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct rpc_bytes;
struct channel;

/* Room behind an answer's payload, for the fields that the host appends. */
#define CHANNEL_TAIL_ROOM 32

struct channel_events {
    /* The answer to the question, its header in ch->answer; 'payload' is malloc()ed with CHANNEL_TAIL_ROOM spare bytes
     * and the receiver's to free. */
    void (*answered)(struct channel *ch, enum frame_kind kind, uint8_t *payload, size_t len);
    /* Once, instead of any further answer; the channel is closed. 'lie': false at end of file; 'why': "closed its
     * connection", "sent bytes that nobody asked for". The owner makes sure that the process ends. */
    void (*broken)(struct channel *ch, bool lie, const char *why);
};

#define CHANNEL_SPANS    16
#define CHANNEL_FIRST_IN 4096

struct channel {
    struct loop *loop;
    struct loop_fd watch; /* -1: closed */
    const struct channel_events *events;

    bool asked;  /* a question is open */
    bool unread; /* broken, and no lie: the instance was gone before it had all of the question, and has done nothing */
    uint64_t id;
    enum frame_kind kind; /* of the question */

    /* out: what is left of the question; span_count 0 = all sent */
    struct rpc_bytes *question;
    int passed; /* a descriptor that leaves with the first byte; -1: none */
    uint8_t header[FRAME_HEADER_SIZE];
    struct iovec few[CHANNEL_SPANS];
    struct iovec *spans; /* 'few', or malloc()ed when there are more */
    unsigned span, span_count;

    /* in: the first bytes of an answer, then the payload's own buffer */
    uint8_t first[FRAME_HEADER_SIZE + CHANNEL_FIRST_IN];
    size_t first_len;
    struct frame_header answer;
    uint8_t *payload;
    size_t payload_len;
};

/* Takes 'fd' over (non-blocking), also on failure. */
PL_MUST_CHECK enum pl_code channel_open(struct channel *ch, struct loop *l, int fd, const struct channel_events *events,
                                        struct pl_err *err);
/* The instance sees end of file. No callback follows. Harmless when closed. */
void channel_close(struct channel *ch);

/* Sends a question; one reference to 'payload' (NULL: nothing) is consumed. Only when none is open. Its length is at
 * most FRAME_MAX_PAYLOAD. A peer that is gone shows in 'broken', later. */
void channel_ask(struct channel *ch, enum frame_kind kind, uint64_t id, struct rpc_bytes *payload);
/* The same, and passes 'fd' (-1: none), which is closed here. */
void channel_ask_with(struct channel *ch, enum frame_kind kind, uint64_t id, struct rpc_bytes *payload, int fd);
/* A frame without payload that is not answered, with 'fd', which is closed here. Only when no question is open. False:
 * the peer does not take it. */
PL_MUST_CHECK bool channel_tell(struct channel *ch, enum frame_kind kind, int fd);

#endif
