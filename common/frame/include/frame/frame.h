/* frame - what a host and an instance exchange on a socketpair (SOCK_STREAM).
 *
 *     header, 16 bytes, little endian                    payload, 'length' bytes
 *     +--------+------+---------+---------+------+----+
 *     | length | kind | version | printed | zero | id |
 *     |  u32   |  u8  |   u8    |   u8    |  u8  | u64|
 *     +--------+------+---------+---------+------+----+
 *
 *     worker -> instance, on its first socket            instance -> worker
 *     LOAD    LoadRequest                                LOADED LoadResponse | FAILED RunnerError
 *     INVOKE  WorkerInvokeRequest                        RESULT WorkerInvokeResponse | ERROR the same, of a failure
 *     ATTACH  nothing, with a descriptor                 (no answer)
 *     DETACH  nothing                                    DETACHED nothing
 *
 * A descriptor that comes with a LOAD or an ATTACH is the instance's end of a second socket, whose other end a router
 * on this machine has: there it takes INVOKE, and answers there. The last one that came is the one that counts; DETACH
 * lets go of it. Its end of file is none of the instance, which goes on with the first.
 *
 * One question is open at a time; the answer carries the question's id. End of file on the first socket = stop (host
 * side) or death (instance side). The INVOKE payload is the caller's protobuf message as it came in plus the router's
 * fields: no host looks into it, the instance parses it with wire/wire.h. 'printed', of RESULT and ERROR: the instance
 * has printed something that nobody has read yet.
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
/* The body of an ERROR: what a model says instead of an answer. A rule of our own, beyond which it is cut. */
#define FRAME_MAX_ERROR ((size_t)64 << 10)

enum frame_kind {
    FRAME_LOAD = 1,
    FRAME_LOADED = 2,
    FRAME_FAILED = 3,
    FRAME_INVOKE = 4,
    FRAME_RESULT = 5,
    FRAME_ERROR = 6,
    FRAME_ATTACH = 7,
    FRAME_DETACH = 8,
    FRAME_DETACHED = 9,
};

struct frame_header {
    uint32_t length;
    enum frame_kind kind;
    uint64_t id;
    bool printed;
};

void frame_encode(const struct frame_header *h, uint8_t out[FRAME_HEADER_SIZE]);
/* False: other version, unknown kind, non-zero reserved bytes, a mark where it has no place, or a length
 * above FRAME_MAX_PAYLOAD. */
bool frame_decode(const uint8_t in[FRAME_HEADER_SIZE], struct frame_header *out);

#endif
