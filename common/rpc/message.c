#include "core.h"

#include <stdlib.h>
#include <string.h>

/* Messages up to this size are put together on the stack when they came in several slices. */
#define FLAT_ON_STACK_BYTES 4096

grpc_byte_buffer *rpc_pack(const ProtobufCMessage *m)
{
    grpc_slice s = grpc_slice_malloc(protobuf_c_message_get_packed_size(m));
    protobuf_c_message_pack(m, GRPC_SLICE_START_PTR(s));
    grpc_byte_buffer *b = grpc_raw_byte_buffer_create(&s, 1);
    grpc_slice_unref(s);
    return b;
}

/* protobuf-c reads one span only; most small messages are one already. */
static ProtobufCMessage *unpack_flat(const ProtobufCMessageDescriptor *d, const struct rpc_bytes *b)
{
    struct iovec one;
    unsigned count = rpc_bytes_spans(b, &one, 1);
    if (count <= 1)
        return protobuf_c_message_unpack(d, NULL, count ? one.iov_len : 0, count ? one.iov_base : NULL);
    size_t len = rpc_bytes_len(b);
    uint8_t on_stack[FLAT_ON_STACK_BYTES];
    pl_cleanup(pl_free_p) uint8_t *on_heap = len > sizeof(on_stack) ? malloc(len) : NULL;
    pl_cleanup(pl_free_p) struct iovec *spans = malloc(count * sizeof(*spans));
    if ((len > sizeof(on_stack) && !on_heap) || !spans)
        return NULL;
    uint8_t *flat = on_heap ? on_heap : on_stack;
    rpc_bytes_spans(b, spans, count);
    for (unsigned i = 0, at = 0; i < count; at += spans[i].iov_len, i++)
        memcpy(flat + at, spans[i].iov_base, spans[i].iov_len);
    return protobuf_c_message_unpack(d, NULL, len, flat);
}

static enum pl_code malformed(const ProtobufCMessageDescriptor *d, size_t len, const char *what, struct pl_err *err)
{
    return pl_fail_reason(err, PL_INVALID, "MALFORMED_PROTOBUF", NULL,
                          "%s: malformed protobuf (expected a %s of %zu bytes)", what, d->name, len);
}

ProtobufCMessage *rpc_unpack(const ProtobufCMessageDescriptor *d, const struct rpc_bytes *b, const char *what,
                             struct pl_err *err)
{
    ProtobufCMessage *m = unpack_flat(d, b);
    if (!m) {
        (void)malformed(d, rpc_bytes_len(b), what, err);
        return NULL;
    }
    char path[96];
    const char *wrong = rpc_message_check(m, path, sizeof(path));
    if (!wrong)
        return m;
    if (strcmp(wrong, "INVALID_UTF8") == 0)
        (void)pl_fail_reason(err, PL_INVALID, wrong, path, "%s: field '%s' is not valid UTF-8", what, path);
    else
        (void)malformed(d, rpc_bytes_len(b), what, err);
    protobuf_c_message_free_unpacked(m, NULL);
    return NULL;
}
