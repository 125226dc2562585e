/* The messages that runner.proto declares, against protobuf-c's reading of them; and the environment's variables. */
#include "runner_test.h"

#include "base/buf.h"
#include "load.h"
#include "model.h"
#include "request.h"

#include "pilotlight/internal/v1/runner.pb-c.h"
#include "pilotlight/internal/v1/worker.pb-c.h"

typedef Pilotlight__Internal__V1__LoadRequest__EnvironmentEntry entry_t;

static enum pl_code read_load(const char *dir, const char *runtime, const char *key, const char *value,
                              struct load_request *out, struct pl_err *err)
{
    Pilotlight__Internal__V1__LoadRequest message = PILOTLIGHT__INTERNAL__V1__LOAD_REQUEST__INIT;
    entry_t entry = PILOTLIGHT__INTERNAL__V1__LOAD_REQUEST__ENVIRONMENT_ENTRY__INIT, *entries[] = { &entry };
    enum pl_code code;
    uint8_t *bytes;
    size_t n;

    message.model_dir = (char *)dir;
    message.runtime = (char *)runtime;
    entry.key = (char *)key;
    entry.value = (char *)value;
    message.n_environment = key != NULL;
    message.environment = entries;
    message.memory_size_mb = 1024;
    n = pilotlight__internal__v1__load_request__get_packed_size(&message);
    bytes = malloc(n + 1);
    assert_non_null(bytes);
    pilotlight__internal__v1__load_request__pack(&message, bytes);
    code = load_request_read(out, bytes, n, err);
    free(bytes);
    return code;
}

static void reads_a_load_request(void **state)
{
    struct load_request r;
    struct pl_err err = { 0 };

    (void)state;
    assert_int_equal(read_load("/models/a", "xgboost", NULL, NULL, &r, &err), PL_OK);
    assert_string_equal(r.model_dir, "/models/a");
    assert_int_equal(r.settings.max_body_bytes, 6291456);
    assert_true(r.settings.ensemble);
    assert_int_equal(r.settings.answer, ANSWER_CSV);
    assert_int_equal(r.settings.selection.count, 0);
    assert_int_equal(read_load("/m", "xgboost", "MAX_CONTENT_LENGTH", "1000", &r, &err), PL_OK);
    assert_int_equal(r.settings.max_body_bytes, 1000);
    assert_int_equal(read_load("/m", "xgboost", "SAGEMAKER_INFERENCE_ENSEMBLE", "false", &r, &err), PL_OK);
    assert_false(r.settings.ensemble);
    assert_int_equal(read_load("/m", "xgboost", "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT", "application/json", &r, &err),
                     PL_OK);
    assert_int_equal(r.settings.answer, ANSWER_JSON);
    assert_int_equal(read_load("/m", "xgboost", "SAGEMAKER_INFERENCE_OUTPUT", "labels", &r, &err), PL_OK);
    assert_int_equal(r.settings.selection.keys[0], OUTPUT_LABELS);
    assert_int_equal(read_load("/m", "xgboost", "PATH", "/bin", &r, &err), PL_OK);
}

static void refuses_a_wrong_load_request(void **state)
{
    static const struct {
        const char *dir, *runtime, *key, *value, *message;
    } cases[] = {
        { "", "xgboost", NULL, NULL, "the load request names no model directory" },
        { "/m", "python", NULL, NULL, "runtime 'python' is not supported: this runner has xgboost" },
        { "/m", "a-runtime-whose-name-is-far-too-long-for-us", NULL, NULL,
          "the load request is malformed, or one of its strings is too long" },
        { "/m", "xgboost", "MAX_CONTENT_LENGTH", "6MB",
          "MAX_CONTENT_LENGTH is '6MB': it must be a number of bytes above 0" },
        { "/m", "xgboost", "MAX_CONTENT_LENGTH", "0",
          "MAX_CONTENT_LENGTH is '0': it must be a number of bytes above 0" },
        { "/m", "xgboost", "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT", "image/png",
          "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT must be text/csv, application/json or application/jsonlines" },
        { "/m", "xgboost", "SAGEMAKER_INFERENCE_OUTPUT", "x",
          "SAGEMAKER_INFERENCE_OUTPUT: 'x' is not one of predicted_label, labels, probability, probabilities, "
          "raw_score, "
          "raw_scores, predicted_score" },
    };
    struct load_request r;

    (void)state;
    for (size_t i = 0; i < PL_COUNT(cases); i++) {
        struct pl_err err = { 0 };

        assert_refused(read_load(cases[i].dir, cases[i].runtime, cases[i].key, cases[i].value, &r, &err), &err, 500,
                       cases[i].message);
    }
}

static void writes_a_load_response(void **state)
{
    struct model_facts facts = {
        .version = "xgboost 1.7.4", .objective = "reg:squarederror", .features = 10, .outputs = 3, .files = 2
    };
    Pilotlight__Internal__V1__LoadResponse *message;
    struct pl_buf out = PL_BUF_INIT(1024);

    (void)state;
    load_response_write(&out, &facts, 1234567, 89);
    message = pilotlight__internal__v1__load_response__unpack(NULL, out.len, (uint8_t *)out.data);
    assert_non_null(message);
    assert_string_equal(message->facts->runtime_version, "xgboost 1.7.4");
    assert_string_equal(message->facts->objective, "reg:squarederror");
    assert_int_equal(message->facts->features, 10);
    assert_int_equal(message->facts->outputs, 3);
    assert_int_equal(message->facts->model_files, 2);
    assert_int_equal(message->load_us, 1234567);
    assert_int_equal(message->warm_us, 89);
    pilotlight__internal__v1__load_response__free_unpacked(message, NULL);
    pl_buf_done(&out);
}

static void writes_an_error(void **state)
{
    Pilotlight__Internal__V1__RunnerError *message;
    struct pl_buf out = PL_BUF_INIT(2048);
    struct pl_err err = { .model_status = 415 };

    (void)state;
    memset(err.message, 'x', sizeof(err.message) - 1);
    runner_error_write(&out, &err);
    message = pilotlight__internal__v1__runner_error__unpack(NULL, out.len, (uint8_t *)out.data);
    assert_non_null(message);
    assert_int_equal(message->model_status, 415);
    assert_string_equal(message->message, err.message);
    pilotlight__internal__v1__runner_error__free_unpacked(message, NULL);
    pl_buf_done(&out);
}

static void reads_an_invoke_request(void **state)
{
    Pilotlight__Internal__V1__WorkerInvokeRequest message = PILOTLIGHT__INTERNAL__V1__WORKER_INVOKE_REQUEST__INIT;
    uint8_t bytes[256];
    struct request r;
    struct pl_err err = { 0 };
    size_t n;

    (void)state;
    message.endpoint_name = (char *)"e";
    message.content_type = (char *)"text/csv";
    message.accept = (char *)"application/json";
    message.body = (ProtobufCBinaryData){ .data = (uint8_t *)"1,2", .len = 3 };
    message.instance_id = 5;
    message.request_id = 77;
    n = pilotlight__internal__v1__worker_invoke_request__pack(&message, bytes);
    assert_int_equal(request_read(&r, bytes, n, &err), PL_OK);
    assert_memory_equal(r.content_type, "text/csv", r.content_type_len);
    assert_memory_equal(r.accept, "application/json", r.accept_len);
    assert_int_equal(r.body_len, 3);
    assert_memory_equal(r.body, "1,2", 3);
    assert_int_equal(r.request_id, 77);
    assert_int_equal(request_read(&r, bytes, 0, &err), PL_OK);
    assert_int_equal(r.body_len, 0);
    assert_refused(request_read(&r, bytes, n - 1, &err), &err, 400, "the request is not a valid protobuf message");
    assert_refused(request_read(&r, (const uint8_t *)"\x20\x01", 2, &err), &err, 400,
                   "the request's field 4 has another type than declared");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_a_load_request),    cmocka_unit_test(refuses_a_wrong_load_request),
        cmocka_unit_test(writes_a_load_response),  cmocka_unit_test(writes_an_error),
        cmocka_unit_test(reads_an_invoke_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
