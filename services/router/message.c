#include "message.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/mem.h"

void *message_pack(const ProtobufCMessage *m, size_t *out_len)
{
    size_t len = protobuf_c_message_get_packed_size(m);
    void *bytes = pl_new0(len + 1, 1);

    *out_len = protobuf_c_message_pack(m, bytes);
    return bytes;
}

ProtobufCMessage *message_copy(const ProtobufCMessage *m)
{
    size_t len;
    pl_cleanup(pl_free_p) void *bytes = message_pack(m, &len);
    ProtobufCMessage *copy = protobuf_c_message_unpack(m->descriptor, NULL, len, bytes);

    if (!copy)
        pl_die("cannot copy a %s", m->descriptor->name);
    return copy;
}
