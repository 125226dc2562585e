/* local_frame - how calls look on a socket between two services of one machine, and the reader of what arrives there.
 *
 * gRPC between two processes of one host spends most of its time on what two hosts need: HTTP/2, header compression,
 * flow control per stream, and threads of its own to read it all. An address "unix-frames:PATH" names the same
 * services, with the same methods and statuses, over a unix stream socket without that: a frame is read by the loop's
 * own thread, and the handler runs where it was read.
 *
 *     offset  0  u8   kind                  all numbers are little-endian
 *             1  u8   0
 *             2  u16  bytes of the head     at most LOCAL_HEAD_MAX
 *             4  u32  bytes of the message
 *             8  u32  slot   }  which call: chosen by the client, which uses a slot again, with another turn,
 *            12  u32  turn   }  when its call is over. Both 0 in frames that are about no call.
 *            16       head, then message
 *
 *     kind     from    head                                    message
 *     HELLO    both    u32 version, LOCAL_VERSION              -          the first frame of each side
 *     CALL     client  u32 milliseconds to the deadline        the request
 *                      (UINT32_MAX: none), u16 bytes of the
 *                      method's path, the path, traceparent
 *     CANCEL   client  -                                       -          no answer is wanted any more
 *     REPLY    server  -                                       the reply
 *     FAILED   server  -                                       google.rpc.Status with code, message and details
 *     GOAWAY   server  -                                       -          calls in flight go on, new ones go elsewhere
 *     PING     client  -                                       -
 *     PONG     server  -                                       -          the answer to PING
 *
 * What is between two messages of one socket goes one after the other: a call waits until the message before it has
 * passed, 6 MiB at most. Streams, TLS and headers of the answer are not for this transport; gRPC serves them, beside
 * it.
 *
 * The reader is pure: bytes in, frames out. It believes nothing. A message larger than it may be is passed over
 * without being kept, and told as such; one message at a time is under way. */
#ifndef RPC_LOCAL_FRAME_H
#define RPC_LOCAL_FRAME_H

#include "rpc/rpc.h"

#define LOCAL_VERSION      1u
#define LOCAL_HEADER_BYTES ((size_t)16)
#define LOCAL_HEAD_MAX     ((size_t)512)
#define LOCAL_NO_DEADLINE  UINT32_MAX
/* Statuses are small; messages of other frames have their own limit. */
#define LOCAL_STATUS_MAX ((size_t)16 << 10)

enum local_kind {
    LOCAL_HELLO = 1,
    LOCAL_CALL,
    LOCAL_CANCEL,
    LOCAL_REPLY,
    LOCAL_FAILED,
    LOCAL_GOAWAY,
    LOCAL_PING,
    LOCAL_PONG,
    LOCAL_KIND_COUNT,
};

struct local_frame {
    enum local_kind kind;
    uint32_t slot, turn;
    uint8_t head[LOCAL_HEAD_MAX];
    size_t head_len;
    size_t message_len;
    struct rpc_bytes *message; /* NULL: none in this kind of frame, or longer than it may be */
};

/* Header and head of a frame, as they are sent; the message follows. Returns their length, at most LOCAL_HEADER_BYTES +
 * LOCAL_HEAD_MAX. */
size_t local_frame_write(const struct local_frame *f, uint8_t *out);

/* ---- heads ---- */

struct local_call_head {
    uint32_t timeout_ms;
    const char *path, *trace; /* not terminated; into the frame's head */
    size_t path_len, trace_len;
};

/* A 'trace' for which there is no room is left out. False: the path is too long. */
PL_MUST_CHECK bool local_call_head_write(struct local_frame *f, const struct local_call_head *h);
PL_MUST_CHECK bool local_call_head_read(const struct local_frame *f, struct local_call_head *out);
void local_hello_write(struct local_frame *f, uint32_t version);
PL_MUST_CHECK bool local_hello_read(const struct local_frame *f, uint32_t *out_version);

/* ---- reading ---- */

#define LOCAL_BUFFER_BYTES ((size_t)64 << 10)

struct local_reader {
    size_t max_message_bytes;
    uint8_t *buffer; /* LOCAL_BUFFER_BYTES; [start, end) has not been looked at */
    size_t start, end;
    bool in_message;  /* 'frame' waits for the rest of its message ...  */
    uint8_t *message; /* ... which is put here; NULL: passed over       */
    size_t have;      /* bytes of it that have come                     */
    struct local_frame frame;
};

enum local_read { LOCAL_MORE, LOCAL_FRAME, LOCAL_BROKEN };

void local_reader_init(struct local_reader *r, size_t max_message_bytes);
void local_reader_done(struct local_reader *r);
/* Where the next bytes go: never empty. */
struct iovec local_reader_room(struct local_reader *r);
/* So many have been put there. */
void local_reader_filled(struct local_reader *r, size_t n);
/* To be called until there is no FRAME. '*out' then has one; its message is the caller's to unref. BROKEN: whoever sent
 * this does not speak our language; nothing after it can be read. */
PL_MUST_CHECK enum local_read local_reader_next(struct local_reader *r, struct local_frame **out);

#endif
