/* What control tells a router: a WatchResponse of any bytes. Whatever comes in by common/rpc can be packed, read again
 * and copied to the same: it may be kept on a disk. */
#include "core.h"
#include "message.h"

#include "pilotlight/internal/v1/watch.pb-c.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rpc_bytes *in = rpc_bytes_copy(data, size);
    struct pl_err err = { 0 };
    ProtobufCMessage *m = rpc_unpack(&pilotlight__internal__v1__watch_response__descriptor, in, "message", &err);
    ProtobufCMessage *copy;
    size_t len, copy_len;
    void *bytes, *copy_bytes;

    rpc_bytes_unref(in);
    if (!m) {
        assert(err.code == PL_INVALID && err.reason[0]);
        return 0;
    }
    bytes = message_pack(m, &len);
    copy = message_copy(m);
    copy_bytes = message_pack(copy, &copy_len);
    assert(len == copy_len && memcmp(bytes, copy_bytes, len) == 0);
    free(bytes);
    free(copy_bytes);
    protobuf_c_message_free_unpacked(m, NULL);
    protobuf_c_message_free_unpacked(copy, NULL);
    return 0;
}
