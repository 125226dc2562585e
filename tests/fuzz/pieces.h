/* pieces - bytes as a network may cut them: the same message in one piece and in many must read the same. */
#ifndef FUZZ_PIECES_H
#define FUZZ_PIECES_H

#include "rpc/rpc.h"

/* In pieces of 'piece' bytes, the last one shorter; 0: in one. The caller's. */
static inline struct rpc_bytes *pieces_of(const uint8_t *data, size_t size, size_t piece)
{
    struct rpc_bytes *all = rpc_bytes_copy(data, piece && piece < size ? piece : size);

    for (size_t at = rpc_bytes_len(all); at < size;) {
        size_t n = size - at < piece ? size - at : piece;
        struct rpc_bytes *part = rpc_bytes_copy(data + at, n), *longer = rpc_bytes_join(all, part);

        rpc_bytes_unref(all);
        rpc_bytes_unref(part);
        all = longer;
        at += n;
    }
    return all;
}

#endif
