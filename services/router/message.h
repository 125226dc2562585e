/* message - protobuf messages as values. */
#ifndef ROUTER_MESSAGE_H
#define ROUTER_MESSAGE_H

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>

/* The caller's to protobuf_c_message_free_unpacked(). */
ProtobufCMessage *message_copy(const ProtobufCMessage *m);
/* The caller's to free(). */
void *message_pack(const ProtobufCMessage *m, size_t *out_len);

#endif
