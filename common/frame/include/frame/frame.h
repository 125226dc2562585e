/* frame - what a worker host and an instance exchange on their socketpair (SOCK_STREAM).
 *
 *     header, 16 bytes, little endian        payload, 'length' bytes
 *     +--------+------+---------+------+----+   host -> instance                      instance -> host
 *     | length | kind | version | zero | id |   LOAD    LoadRequest            ->     LOADED  LoadResponse | FAILED
 * RunnerError |  u32   |  u8  |   u8    | u16  | u64|   INVOKE  WorkerInvokeRequest    ->     RESULT
 * WorkerInvokeResponse | ERROR RunnerError
 *     +--------+------+---------+------+----+
 *
 * One question is open at a time; the answer carries the question's id. End of file on the socket = stop (host side) or
 * death (instance side). The INVOKE payload is the caller's protobuf message as it came in plus the router's fields:
 * the host does not look into it, the instance parses it with wire/wire.h.
 *
 * Threads: none of its own.  Errors: a header that does not check out is a broken peer: close, and on the host side
 * kill. */
#ifndef FRAME_FRAME_H
#define FRAME_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_VERSION     1
#define FRAME_HEADER_SIZE 16
/* 6 MiB of payload, its envelope, and room for an answer that is longer than its question. */
#define FRAME_MAX_PAYLOAD ((uint32_t)(7u << 20))

enum frame_kind {
    FRAME_LOAD = 1,
    FRAME_LOADED = 2,
    FRAME_FAILED = 3,
    FRAME_INVOKE = 4,
    FRAME_RESULT = 5,
    FRAME_ERROR = 6,
};

struct frame_header {
    uint32_t length;
    enum frame_kind kind;
    uint64_t id;
};

void frame_encode(const struct frame_header *h, uint8_t out[FRAME_HEADER_SIZE]);
/* False: other version, unknown kind, non-zero reserved bytes, or a length above FRAME_MAX_PAYLOAD. */
bool frame_decode(const uint8_t in[FRAME_HEADER_SIZE], struct frame_header *out);

#endif
