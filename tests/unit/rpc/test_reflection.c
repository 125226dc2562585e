#include "rig.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "descriptors.h"
#include "grpc/reflection/v1/reflection.pb-c.h"
#include "proto/descriptors.h"

#include <string.h>

static struct descriptors *set;

static int open_set(void **state)
{
    (void)state;
    set = descriptors_open(proto_descriptor_set, proto_descriptor_set_len());
    return set ? 0 : 1;
}

static int close_set(void **state)
{
    (void)state;
    descriptors_close(set);
    return 0;
}

static void test_files(void **state)
{
    (void)state;
    assert_true(descriptors_find_file(set, "pilotlight/v1/model.proto") >= 0);
    assert_true(descriptors_find_file(set, "google/protobuf/any.proto") >= 0);
    assert_int_equal(descriptors_find_file(set, "pilotlight/v1/model.prot"), -1);
    assert_int_equal(descriptors_find_file(set, ""), -1);
}

static void test_symbols(void **state)
{
    (void)state;
    static const struct {
        const char *symbol, *file;
    } known[] = {
        { "pilotlight.v1.ModelService", "pilotlight/v1/model.proto" },
        { "pilotlight.v1.ModelService.CreateModel", "pilotlight/v1/model.proto" },
        { "pilotlight.v1.InferenceService.Invoke", "pilotlight/v1/inference.proto" },
        { "grpc.health.v1.HealthCheckResponse.ServingStatus", "grpc/health/v1/health.proto" },
        { "grpc.health.v1.HealthCheckResponse.SERVING", "grpc/health/v1/health.proto" },
        { "grpc.reflection.v1.ServerReflection", "grpc/reflection/v1/reflection.proto" },
        { "grpc.reflection.v1alpha.ServerReflection", "grpc/reflection/v1alpha/reflection.proto" },
        { "google.rpc.BadRequest.FieldViolation", "google/rpc/error_details.proto" },
        { "google.rpc.BadRequest.FieldViolation.field", "google/rpc/error_details.proto" },
        { "google.protobuf.Any", "google/protobuf/any.proto" },
    };
    static const char *const unknown[] = { "",
                                           ".",
                                           "pilotlight",
                                           "pilotlight.v1",
                                           "pilotlight.v1.",
                                           "pilotlight.v1.ModelServic",
                                           "pilotlight.v1.ModelServices",
                                           "pilotlight.v1.ModelService.",
                                           "pilotlight.v1.ModelService.Nothing",
                                           "ModelService" };
    for (size_t i = 0; i < PL_COUNT(known); i++) {
        int file = descriptors_find_symbol(set, known[i].symbol);
        assert_true(file >= 0);
        assert_int_equal(file, descriptors_find_file(set, known[i].file));
    }
    for (size_t i = 0; i < PL_COUNT(unknown); i++)
        assert_int_equal(descriptors_find_symbol(set, unknown[i]), -1);
}

static void test_imports_come_along_once(void **state)
{
    (void)state;
    pl_cleanup(pl_free_p) ProtobufCBinaryData *files = NULL;
    size_t n = descriptors_with_imports(set, descriptors_find_file(set, "google/rpc/status.proto"), &files);
    assert_int_equal(n, 2); /* itself and any.proto */
    assert_non_null(memmem(files[0].data, files[0].len, "google/rpc/status.proto", 23));
    assert_ptr_not_equal(files[0].data, files[1].data);
}

static void test_damaged_set(void **state)
{
    (void)state;
    assert_null(descriptors_open("\x0a\x7f", 2));
    assert_null(descriptors_open("\x0a\x02\x0a\x7f", 4));
    assert_null(descriptors_open("\x0a\x00", 2)); /* a file without a name */
}

/* ---- over the wire: one question on a bidi stream, then half-close ---- */

typedef Grpc__Reflection__V1__ServerReflectionRequest Request;
typedef Grpc__Reflection__V1__ServerReflectionResponse Response;

struct heard {
    struct result result;
    char services[1024];
    int error_code;
    size_t files;
};

static void on_answer(void *arg, const void *message)
{
    struct heard *h = arg;
    const Response *a = message;
    h->result.messages++;
    if (a->message_response_case ==
        GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_LIST_SERVICES_RESPONSE)
        for (size_t i = 0; i < a->list_services_response->n_service; i++) {
            strcat(h->services, a->list_services_response->service[i]->name);
            strcat(h->services, " ");
        }
    if (a->message_response_case == GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_ERROR_RESPONSE)
        h->error_code = a->error_response->error_code;
    if (a->message_response_case ==
        GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_FILE_DESCRIPTOR_RESPONSE)
        h->files = a->file_descriptor_response->n_file_descriptor_proto;
}

static void on_over(void *arg, const struct pl_err *status, const void *message, struct rpc_bytes *bytes)
{
    struct heard *h = arg;
    assert_null(message);
    assert_null(bytes);
    h->result.status = *status;
    h->result.done_count++;
    sem_post(&h->result.over);
}

static void ask(struct rig *g, const char *version, const Request *q, struct heard *h)
{
    struct rpc_open o = { .path = version,
                          .message = &q->base,
                          .arg = h,
                          .on_message = on_answer,
                          .done = on_over,
                          .reply = &grpc__reflection__v1__server_reflection_response__descriptor };
    memset(h, 0, sizeof(*h));
    result_init(&h->result);
    rig_enter(g);
    rpc_open(g->channel, &o);
    rig_leave(g);
    wait_event(&h->result.over);
    result_done(&h->result);
}

static void test_questions(void **state)
{
    static const char *const versions[] = { "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
                                            "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo" };
    struct rig g;
    struct heard h;
    (void)state;
    rig_up(&g);
    rig_serve(&g, NULL);
    rig_connect(&g, NULL);
    for (int v = 0; v < 2; v++) {
        Request q = GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__INIT;
        char any[] = "*", symbol[] = "test.Unknown", file[] = "google/rpc/status.proto", bad[] = "\xff";
        q.message_request_case = GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_LIST_SERVICES;
        q.list_services = any;
        ask(&g, versions[v], &q, &h);
        assert_int_equal(h.result.status.code, PL_OK);
        assert_int_equal(h.result.messages, 1);
        assert_string_equal(h.services, "test.Rig grpc.health.v1.Health grpc.reflection.v1.ServerReflection "
                                        "grpc.reflection.v1alpha.ServerReflection ");
        q.message_request_case =
            GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_SYMBOL;
        q.file_containing_symbol = symbol;
        ask(&g, versions[v], &q, &h);
        assert_int_equal(h.error_code, 5);
        q.message_request_case = GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_BY_FILENAME;
        q.file_by_filename = file;
        ask(&g, versions[v], &q, &h);
        assert_int_equal(h.files, 2);
        q.file_by_filename = bad; /* a message that cannot be read ends the stream with its reason */
        ask(&g, versions[v], &q, &h);
        assert_int_equal(h.result.status.code, PL_INVALID);
        assert_non_null(strstr(h.result.status.message, "file_by_filename"));
    }
    rig_down(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_symbols),
        cmocka_unit_test(test_imports_come_along_once),
        cmocka_unit_test(test_damaged_set),
        cmocka_unit_test(test_questions),
    };
    return cmocka_run_group_tests(tests, open_set, close_set);
}
