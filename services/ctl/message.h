/* message - protobuf messages handled by their descriptors: made, filled, read and turned into JSON without a line per
 * field.
 *
 * Works for the messages of proto/pilotlight/v1: no recursive types, so depth is bounded by the contract.
 * Memory: what is set is allocated with malloc; message_free() frees it all. */
#ifndef CTL_MESSAGE_H
#define CTL_MESSAGE_H

#include <protobuf-c/protobuf-c.h>

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* All fields unset. */
ProtobufCMessage *message_new(const ProtobufCMessageDescriptor *d);
void message_free(ProtobufCMessage *m); /* NULL is fine */
void message_free_p(ProtobufCMessage **m);
ProtobufCMessage *message_copy(const ProtobufCMessage *m);

/* The field must exist and be of that type and not repeated (a bug otherwise). Oneof cases are set too. */
void message_set_text(ProtobufCMessage *m, const char *field, const char *text);
void message_set_int(ProtobufCMessage *m, const char *field, int64_t value);
void message_set_double(ProtobufCMessage *m, const char *field, double value);
/* The sub-message, made when it is not there yet. */
ProtobufCMessage *message_sub(ProtobufCMessage *m, const char *field);
/* Appends an empty message to a repeated field. */
ProtobufCMessage *message_append(ProtobufCMessage *m, const char *field);

const char *message_text(const ProtobufCMessage *m, const char *field);
/* Takes a sub-message out: it is the caller's, the field is unset. NULL when it was not set. */
ProtobufCMessage *message_take_sub(ProtobufCMessage *m, const char *field);
/* Entries of a repeated message field, in order; 'm' keeps them. */
size_t message_list(const ProtobufCMessage *m, const char *field, ProtobufCMessage *const **out);

/* Field names as in the .proto; enums as their names without the type's prefix ("IN_SERVICE"); maps and lists of tags
 * as objects; bytes as text where they are UTF-8; members of a oneof and sub-messages only when set. A new reference.
 */
json_t *message_json(const ProtobufCMessage *m);

#endif
