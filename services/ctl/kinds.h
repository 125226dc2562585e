/* kinds - the three resources that people write down, and how each is called in manifests, commands and methods.
 * One row per kind; everything that works on all of them alike (get, delete, apply, list) goes by the row. */
#ifndef CTL_KINDS_H
#define CTL_KINDS_H

#include <protobuf-c/protobuf-c.h>

/* In the order in which they are applied; deleted in the opposite one. */
enum kind_id { KIND_MODEL, KIND_ENDPOINT_CONFIG, KIND_ENDPOINT, KIND_COUNT };

struct kind {
    enum kind_id id;
    const char *title;                /* "EndpointConfig": in manifests and messages */
    const char *word;                 /* "endpoint-config": in commands             */
    const char *plural;               /* "endpoint-configs"                         */
    const char *alias, *plural_alias; /* "config", "configs"; the same as word and plural when there is none */
    int tag_kind;                     /* ResourceKind of the tag service */
    const ProtobufCMessageDescriptor *resource;
    const char *get_path, *list_path, *delete_path;
    const ProtobufCMessageDescriptor *get_request, *get_response, *list_request, *list_response, *delete_request,
        *delete_response;
};

extern const struct kind kinds[KIND_COUNT];

/* By manifest title ("Model"); NULL when there is none. */
const struct kind *kind_by_title(const char *title);
/* By a word of a command, singular, plural or alias; NULL when there is none. */
const struct kind *kind_by_word(const char *word);

#endif
