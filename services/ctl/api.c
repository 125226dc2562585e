#include "api.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "message.h"

#include "pilotlight/v1/endpoint.pb-c.h"
#include "pilotlight/v1/endpoint_config.pb-c.h"
#include "pilotlight/v1/model.pb-c.h"

#include <string.h>

#define PAGE_SIZE 500 /* of lists; the server allows 1000 */

static enum pl_code call_control(struct client *c, const char *path, const ProtobufCMessage *request,
                                 const ProtobufCMessageDescriptor *reply_type, struct pl_err *err)
{
    ProtobufCMessage *reply;
    if (client_call(c, CLIENT_CONTROL, path, request, reply_type, CLIENT_CALL_MS, &reply, err) != PL_OK)
        return err->code;
    message_free(reply);
    return PL_OK;
}

enum pl_code api_get(struct client *c, const struct kind *k, const char *name, ProtobufCMessage **out,
                     struct pl_err *err)
{
    pl_cleanup(message_free_p) ProtobufCMessage *request = message_new(k->get_request);
    pl_cleanup(message_free_p) ProtobufCMessage *reply = NULL;
    message_set_text(request, "name", name);
    if (client_call(c, CLIENT_CONTROL, k->get_path, request, k->get_response, CLIENT_CALL_MS, &reply, err) != PL_OK)
        return err->code;
    *out = message_take_sub(reply, k->get_response->fields[0].name);
    if (!*out)
        return pl_fail(err, PL_UNKNOWN, NULL, "control answered without the %s '%s'", k->word, name);
    return PL_OK;
}

enum pl_code api_list(struct client *c, const struct kind *k, const char *name_contains,
                      void (*each)(void *arg, const ProtobufCMessage *m), void *arg, struct pl_err *err)
{
    pl_cleanup(message_free_p) ProtobufCMessage *request = message_new(k->list_request);
    ProtobufCMessage *options = message_sub(request, "options");
    message_set_int(options, "page_size", PAGE_SIZE);
    if (name_contains)
        message_set_text(options, "name_contains", name_contains);
    for (;;) {
        pl_cleanup(message_free_p) ProtobufCMessage *reply = NULL;
        if (client_call(c, CLIENT_CONTROL, k->list_path, request, k->list_response, CLIENT_CALL_MS, &reply, err) !=
            PL_OK)
            return err->code;
        ProtobufCMessage *const *entries;
        size_t count = message_list(reply, k->list_response->fields[0].name, &entries);
        for (size_t i = 0; i < count; i++)
            each(arg, entries[i]);
        const char *next = message_text(reply, "next_page_token");
        if (!*next)
            return PL_OK;
        message_set_text(options, "page_token", next);
    }
}

static enum pl_code create_endpoint(struct client *c, const Pilotlight__V1__Endpoint *e, bool validate_only,
                                    struct pl_err *err)
{
    Pilotlight__V1__CreateEndpointRequest request = PILOTLIGHT__V1__CREATE_ENDPOINT_REQUEST__INIT;
    request.name = e->name;
    request.endpoint_config_name = e->endpoint_config_name;
    request.tags = e->tags;
    request.n_tags = e->n_tags;
    request.validate_only = validate_only;
    /* Entries of a map have one layout, but each map its own type: copied over. */
    pl_cleanup(message_free_p) ProtobufCMessage *copy = message_copy(&request.base);
    for (size_t i = 0; i < e->n_annotations; i++) {
        ProtobufCMessage *pair = message_append(copy, "annotations");
        message_set_text(pair, "key", e->annotations[i]->key);
        message_set_text(pair, "value", e->annotations[i]->value);
    }
    return call_control(c, "/pilotlight.v1.EndpointService/CreateEndpoint", copy,
                        &pilotlight__v1__create_endpoint_response__descriptor, err);
}

static enum pl_code create(struct client *c, const struct kind *k, const ProtobufCMessage *resource, bool validate_only,
                           struct pl_err *err)
{
    ProtobufCMessage *borrowed = (ProtobufCMessage *)(uintptr_t)resource;
    switch (k->id) {
    case KIND_MODEL: {
        Pilotlight__V1__CreateModelRequest request = PILOTLIGHT__V1__CREATE_MODEL_REQUEST__INIT;
        request.model = (Pilotlight__V1__Model *)borrowed;
        request.validate_only = validate_only;
        return call_control(c, "/pilotlight.v1.ModelService/CreateModel", &request.base,
                            &pilotlight__v1__create_model_response__descriptor, err);
    }
    case KIND_ENDPOINT_CONFIG: {
        Pilotlight__V1__CreateEndpointConfigRequest request = PILOTLIGHT__V1__CREATE_ENDPOINT_CONFIG_REQUEST__INIT;
        request.endpoint_config = (Pilotlight__V1__EndpointConfig *)borrowed;
        request.validate_only = validate_only;
        return call_control(c, "/pilotlight.v1.EndpointConfigService/CreateEndpointConfig", &request.base,
                            &pilotlight__v1__create_endpoint_config_response__descriptor, err);
    }
    case KIND_ENDPOINT:
    case KIND_COUNT:
        break;
    }
    return create_endpoint(c, (const Pilotlight__V1__Endpoint *)resource, validate_only, err);
}

enum pl_code api_create(struct client *c, const struct kind *k, const ProtobufCMessage *resource, struct pl_err *err)
{
    return create(c, k, resource, false, err);
}

enum pl_code api_validate(struct client *c, const struct kind *k, const ProtobufCMessage *resource, struct pl_err *err)
{
    return create(c, k, resource, true, err);
}

enum pl_code api_delete(struct client *c, const struct kind *k, const char *name, struct pl_err *err)
{
    pl_cleanup(message_free_p) ProtobufCMessage *request = message_new(k->delete_request);
    message_set_text(request, "name", name);
    return call_control(c, k->delete_path, request, k->delete_response, err);
}

enum pl_code api_update_endpoint(struct client *c, const char *name, const char *config, struct pl_err *err)
{
    pl_cleanup(message_free_p) ProtobufCMessage *request =
        message_new(&pilotlight__v1__update_endpoint_request__descriptor);
    message_set_text(request, "name", name);
    message_set_text(request, "endpoint_config_name", config);
    return call_control(c, "/pilotlight.v1.EndpointService/UpdateEndpoint", request,
                        &pilotlight__v1__update_endpoint_response__descriptor, err);
}

/* The tag of that key, or NULL. */
static const ProtobufCMessage *find_tag(const ProtobufCMessage *m, const char *key)
{
    ProtobufCMessage *const *tags;
    for (size_t i = 0, n = message_list(m, "tags", &tags); i < n; i++) {
        if (!strcmp(message_text(tags[i], "key"), key))
            return tags[i];
    }
    return NULL;
}

static enum pl_code add_tags(struct client *c, const struct kind *k, const ProtobufCMessage *live,
                             const ProtobufCMessage *wanted, struct pl_err *err)
{
    pl_cleanup(message_free_p) ProtobufCMessage *request = message_new(&pilotlight__v1__add_tags_request__descriptor);
    message_set_int(request, "kind", k->tag_kind);
    message_set_text(request, "name", message_text(wanted, "name"));
    ProtobufCMessage *const *tags;
    size_t changed = 0;
    for (size_t i = 0, n = message_list(wanted, "tags", &tags); i < n; i++) {
        const ProtobufCMessage *there = find_tag(live, message_text(tags[i], "key"));
        if (there && !strcmp(message_text(there, "value"), message_text(tags[i], "value")))
            continue;
        ProtobufCMessage *tag = message_append(request, "tags");
        message_set_text(tag, "key", message_text(tags[i], "key"));
        message_set_text(tag, "value", message_text(tags[i], "value"));
        changed++;
    }
    if (!changed)
        return PL_OK;
    return call_control(c, "/pilotlight.v1.TagService/AddTags", request, &pilotlight__v1__add_tags_response__descriptor,
                        err);
}

static enum pl_code remove_tags(struct client *c, const struct kind *k, const ProtobufCMessage *live,
                                const ProtobufCMessage *wanted, struct pl_err *err)
{
    Pilotlight__V1__DeleteTagsRequest request = PILOTLIGHT__V1__DELETE_TAGS_REQUEST__INIT;
    ProtobufCMessage *const *tags;
    size_t n = message_list(live, "tags", &tags);
    pl_cleanup(pl_free_p) char **keys = pl_new0(n + 1, sizeof(*keys));
    request.kind = (Pilotlight__V1__ResourceKind)k->tag_kind;
    request.name = (char *)(uintptr_t)message_text(wanted, "name");
    request.keys = keys;
    for (size_t i = 0; i < n; i++) {
        if (!find_tag(wanted, message_text(tags[i], "key")))
            keys[request.n_keys++] = (char *)(uintptr_t)message_text(tags[i], "key");
    }
    if (!request.n_keys)
        return PL_OK;
    return call_control(c, "/pilotlight.v1.TagService/DeleteTags", &request.base,
                        &pilotlight__v1__delete_tags_response__descriptor, err);
}

enum pl_code api_set_tags(struct client *c, const struct kind *k, const ProtobufCMessage *live,
                          const ProtobufCMessage *wanted, struct pl_err *err)
{
    if (add_tags(c, k, live, wanted, err) != PL_OK)
        return err->code;
    return remove_tags(c, k, live, wanted, err);
}
