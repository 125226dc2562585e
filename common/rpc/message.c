#include "core.h"

#include <stdlib.h>
#include <string.h>

struct rpc_fault {
    const char *reason;
    char path[96];
};

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

/* NULL with the reason and, where one field is to blame, its path. */
static ProtobufCMessage *unpack_span(const ProtobufCMessageDescriptor *d, const void *data, size_t len,
                                     struct rpc_fault *fault)
{
    ProtobufCMessage *m = protobuf_c_message_unpack(d, NULL, len, data);
    fault->reason = m ? rpc_message_check(m, data, len, fault->path, sizeof(fault->path)) : "MALFORMED_PROTOBUF";
    if (!fault->reason)
        return m;
    if (m)
        protobuf_c_message_free_unpacked(m, NULL);
    return NULL;
}

/* protobuf-c reads one span only; most small messages are one already. */
static ProtobufCMessage *unpack_flat(const ProtobufCMessageDescriptor *d, const struct rpc_bytes *b,
                                     struct rpc_fault *fault)
{
    struct iovec one;
    unsigned count = rpc_bytes_spans(b, &one, 1);
    if (count <= 1)
        return unpack_span(d, count ? one.iov_base : NULL, count ? one.iov_len : 0, fault);
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
    return unpack_span(d, flat, len, fault);
}

ProtobufCMessage *rpc_unpack(const ProtobufCMessageDescriptor *d, const struct rpc_bytes *b, const char *what,
                             struct pl_err *err)
{
    struct rpc_fault fault = { .reason = "MALFORMED_PROTOBUF" };
    ProtobufCMessage *m = unpack_flat(d, b, &fault);
    if (m)
        return m;
    if (strcmp(fault.reason, "INVALID_UTF8") == 0)
        (void)pl_fail_reason(err, PL_INVALID, fault.reason, fault.path, "%s: field '%s' is not valid UTF-8", what,
                             fault.path);
    else if (strcmp(fault.reason, "NUL_IN_STRING") == 0)
        (void)pl_fail_reason(err, PL_INVALID, fault.reason, fault.path,
                             "%s: field '%s' has a NUL byte, which no text here may have", what, fault.path);
    else
        (void)pl_fail_reason(err, PL_INVALID, fault.reason, NULL, "%s: malformed protobuf (expected a %s of %zu bytes)",
                             what, d->name, rpc_bytes_len(b));
    return NULL;
}
