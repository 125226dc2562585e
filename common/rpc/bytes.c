/* Payload bytes are the core's slices in an array of our own, counted once for all of them: passing a message on is one
 * atomic increment, cutting and joining copy slice headers only. */
#include "core.h"

#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>

struct rpc_bytes {
    _Atomic unsigned refs;
    unsigned count;
    size_t len;
    grpc_slice slices[]; /* each holds its own reference; none is empty */
};

static struct rpc_bytes *bytes_new(size_t capacity)
{
    struct rpc_bytes *b = pl_new0(1, sizeof(*b) + capacity * sizeof(grpc_slice));
    atomic_init(&b->refs, 1);
    return b;
}

/* Takes the reference over. */
static void bytes_append(struct rpc_bytes *b, grpc_slice s)
{
    if (GRPC_SLICE_IS_EMPTY(s)) {
        grpc_slice_unref(s);
        return;
    }
    b->slices[b->count++] = s;
    b->len += GRPC_SLICE_LENGTH(s);
}

struct rpc_bytes *rpc_bytes_copy(const void *bytes, size_t n)
{
    struct rpc_bytes *b = bytes_new(1);
    if (n > 0)
        bytes_append(b, grpc_slice_from_copied_buffer(bytes, n));
    return b;
}

struct rpc_bytes *rpc_bytes_room(size_t n, uint8_t **out)
{
    struct rpc_bytes *b = bytes_new(1);
    *out = NULL;
    if (n == 0)
        return b;
    bytes_append(b, grpc_slice_malloc(n));
    *out = GRPC_SLICE_START_PTR(b->slices[0]); /* of the slice in its place: a short one holds its bytes itself */
    return b;
}

struct rpc_bytes *rpc_bytes_wrap(void *bytes, size_t n, void (*release)(void *arg), void *arg)
{
    struct rpc_bytes *b = bytes_new(1);
    bytes_append(b, grpc_slice_new_with_user_data(bytes, n, release, arg));
    return b;
}

struct rpc_bytes *rpc_bytes_ref(struct rpc_bytes *b)
{
    atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
    return b;
}

void rpc_bytes_unref(struct rpc_bytes *b)
{
    if (!b || atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (unsigned i = 0; i < b->count; i++)
        grpc_slice_unref(b->slices[i]);
    free(b);
}

void rpc_bytes_unref_p(struct rpc_bytes **b)
{
    rpc_bytes_unref(*b);
}

size_t rpc_bytes_len(const struct rpc_bytes *b)
{
    return b ? b->len : 0;
}

unsigned rpc_bytes_spans(const struct rpc_bytes *b, struct iovec *out, unsigned max)
{
    if (!b)
        return 0;
    /* A short slice holds its bytes inside itself: point into the array, not into a copy of it. */
    for (unsigned i = 0; i < b->count && i < max; i++) {
        const grpc_slice *s = &b->slices[i];
        out[i].iov_base = (void *)(uintptr_t)GRPC_SLICE_START_PTR(*s);
        out[i].iov_len = GRPC_SLICE_LENGTH(*s);
    }
    return b->count;
}

struct rpc_bytes *rpc_bytes_sub(const struct rpc_bytes *b, size_t offset, size_t len)
{
    assert(offset <= rpc_bytes_len(b) && len <= rpc_bytes_len(b) - offset);
    struct rpc_bytes *sub = bytes_new(b ? b->count : 0);
    for (unsigned i = 0; b && i < b->count && len > 0; i++) {
        size_t n = GRPC_SLICE_LENGTH(b->slices[i]);
        if (offset >= n) {
            offset -= n;
            continue;
        }
        size_t take = n - offset < len ? n - offset : len;
        bytes_append(sub, grpc_slice_sub(b->slices[i], offset, offset + take));
        len -= take;
        offset = 0;
    }
    return sub;
}

static void bytes_append_all(struct rpc_bytes *to, const struct rpc_bytes *from)
{
    for (unsigned i = 0; from && i < from->count; i++)
        bytes_append(to, grpc_slice_ref(from->slices[i]));
}

struct rpc_bytes *rpc_bytes_join(const struct rpc_bytes *a, const struct rpc_bytes *b)
{
    struct rpc_bytes *joined = bytes_new((a ? a->count : 0) + (b ? b->count : 0));
    bytes_append_all(joined, a);
    bytes_append_all(joined, b);
    return joined;
}

struct rpc_bytes *rpc_bytes_from_core(grpc_byte_buffer *buffer)
{
    if (!buffer)
        return NULL;
    const grpc_slice_buffer *s = &buffer->data.raw.slice_buffer;
    struct rpc_bytes *b = bytes_new(s->count);
    for (size_t i = 0; i < s->count; i++)
        bytes_append(b, grpc_slice_ref(s->slices[i]));
    grpc_byte_buffer_destroy(buffer);
    return b;
}

grpc_byte_buffer *rpc_bytes_to_core(const struct rpc_bytes *b)
{
    /* The core only reads the array; its parameter lacks the const. */
    return grpc_raw_byte_buffer_create(b ? (grpc_slice *)(uintptr_t)b->slices : NULL, b ? b->count : 0);
}
