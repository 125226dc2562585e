/* Server reflection, v1 and v1alpha. The two protocols have the same messages under different names, hence the same
 * bytes: one handler serves both. Questions are answered from the embedded descriptor set by descriptors.c. */
#include "server_private.h"

#include "descriptors.h"

#include "base/mem.h"
#include "grpc/reflection/v1/reflection.pb-c.h"

#include <stdlib.h>

#define MAX_REQUEST_BYTES 4096

typedef Grpc__Reflection__V1__ServerReflectionRequest Request;
typedef Grpc__Reflection__V1__ServerReflectionResponse Response;
#define CASE(name)  GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_##name
#define REPLY(name) GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_##name

struct reflection {
    struct rpc_service services[REFLECTION_SERVICES];
    struct descriptors *files;
    size_t name_count;
    char *names[];
};

static void reflect(struct rpc_call *call, const void *message, void *context);

#define METHOD(path)                                                                                                   \
    {                                                                                                                  \
        path, RPC_BIDI_STREAM, &grpc__reflection__v1__server_reflection_request__descriptor, reflect,                  \
            MAX_REQUEST_BYTES                                                                                          \
    }
static const struct rpc_method v1[] = { METHOD("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"), { 0 } };
static const struct rpc_method v1alpha[] = { METHOD("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"),
                                             { 0 } };

static const struct {
    const char *name;
    const struct rpc_method *methods;
} versions[REFLECTION_SERVICES] = {
    { "grpc.reflection.v1.ServerReflection", v1 },
    { "grpc.reflection.v1alpha.ServerReflection", v1alpha },
};

enum pl_code reflection_new(struct reflection **out, const struct rpc_server_options *o, struct pl_err *err)
{
    size_t most = o->service_count + 1 + REFLECTION_SERVICES;
    struct reflection *r = pl_new0(1, sizeof(*r) + most * sizeof(r->names[0]));
    for (size_t i = 0; i < o->service_count; i++)
        r->names[r->name_count++] = pl_strdup(o->services[i].name);
    r->names[r->name_count++] = pl_strdup("grpc.health.v1.Health");
    for (unsigned i = 0; i < REFLECTION_SERVICES; i++) {
        r->services[i] = (struct rpc_service){ versions[i].name, versions[i].methods, r };
        r->names[r->name_count++] = pl_strdup(versions[i].name);
    }
    r->files = descriptors_open(o->descriptor_set, o->descriptor_set_len);
    if (!r->files) {
        reflection_free(r);
        return pl_fail(err, PL_INTERNAL, NULL, "the embedded descriptor set is damaged");
    }
    *out = r;
    return PL_OK;
}

void reflection_free(struct reflection *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->name_count; i++)
        free(r->names[i]);
    descriptors_close(r->files);
    free(r);
}

const struct rpc_service *reflection_service(struct reflection *r, unsigned i)
{
    return &r->services[i];
}

/* ---- answers ---- */

static bool send_error(struct rpc_call *call, Response *reply, const char *what, const char *name)
{
    Grpc__Reflection__V1__ErrorResponse error = GRPC__REFLECTION__V1__ERROR_RESPONSE__INIT;
    pl_cleanup(pl_free_p) char *text = pl_format("%s '%.200s' is not known here", what, name);
    error.error_code = (int32_t)GRPC_STATUS_NOT_FOUND;
    error.error_message = text;
    reply->message_response_case = REPLY(ERROR_RESPONSE);
    reply->error_response = &error;
    return rpc_stream_send(call, &reply->base);
}

static bool send_files(struct rpc_call *call, Response *reply, const struct reflection *r, int file)
{
    Grpc__Reflection__V1__FileDescriptorResponse files = GRPC__REFLECTION__V1__FILE_DESCRIPTOR_RESPONSE__INIT;
    pl_cleanup(pl_free_p) ProtobufCBinaryData *list = NULL;
    files.n_file_descriptor_proto = descriptors_with_imports(r->files, file, &list);
    files.file_descriptor_proto = list;
    reply->message_response_case = REPLY(FILE_DESCRIPTOR_RESPONSE);
    reply->file_descriptor_response = &files;
    return rpc_stream_send(call, &reply->base);
}

static bool send_services(struct rpc_call *call, Response *reply, const struct reflection *r)
{
    Grpc__Reflection__V1__ListServiceResponse all = GRPC__REFLECTION__V1__LIST_SERVICE_RESPONSE__INIT;
    pl_cleanup(pl_free_p) Grpc__Reflection__V1__ServiceResponse *rows = pl_new0(r->name_count, sizeof(*rows));
    pl_cleanup(pl_free_p) Grpc__Reflection__V1__ServiceResponse **list = pl_new0(r->name_count, sizeof(*list));
    for (size_t i = 0; i < r->name_count; i++) {
        grpc__reflection__v1__service_response__init(&rows[i]);
        rows[i].name = r->names[i];
        list[i] = &rows[i];
    }
    all.n_service = r->name_count;
    all.service = list;
    reply->message_response_case = REPLY(LIST_SERVICES_RESPONSE);
    reply->list_services_response = &all;
    return rpc_stream_send(call, &reply->base);
}

static bool answer(struct rpc_call *call, const Request *q, const struct reflection *r)
{
    Response reply = GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__INIT;
    int file;
    reply.valid_host = q->host;
    reply.original_request = (Request *)(uintptr_t)q;
    switch (q->message_request_case) {
    case CASE(LIST_SERVICES):
        return send_services(call, &reply, r);
    case CASE(FILE_BY_FILENAME):
        file = descriptors_find_file(r->files, q->file_by_filename);
        return file >= 0 ? send_files(call, &reply, r, file) : send_error(call, &reply, "file", q->file_by_filename);
    case CASE(FILE_CONTAINING_SYMBOL):
        file = descriptors_find_symbol(r->files, q->file_containing_symbol);
        return file >= 0 ? send_files(call, &reply, r, file)
                         : send_error(call, &reply, "symbol", q->file_containing_symbol);
    case CASE(FILE_CONTAINING_EXTENSION): /* proto3 has no extensions */
        return send_error(call, &reply, "an extension of", q->file_containing_extension->containing_type);
    case CASE(ALL_EXTENSION_NUMBERS_OF_TYPE):
        return send_error(call, &reply, "an extension of", q->all_extension_numbers_of_type);
    default:
        return send_error(call, &reply, "question", "");
    }
}

static void reflect(struct rpc_call *call, const void *message, void *context)
{
    struct pl_err err;
    if (!message) {
        rpc_stream_end(call);
        return;
    }
    if (answer(call, message, context))
        return;
    (void)pl_fail(&err, PL_EXHAUSTED, NULL, "the answers are not read");
    rpc_fail(call, &err);
}
