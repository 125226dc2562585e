/* A worker host and its instance: all of the sample's rows in each format, and what is no request. */
#include "serve_rig.h"

#include "booster.h"

static void assert_result(struct reply r, int status, const char *content_type, const char *body)
{
    result_t *message = as_result(r);

    assert_int_equal(message->model_status, status);
    assert_string_equal(message->content_type, content_type);
    assert_int_equal(message->body.len, strlen(body));
    assert_memory_equal(message->body.data, body, message->body.len);
    pilotlight__internal__v1__worker_invoke_response__free_unpacked(message, NULL);
}

static void assert_error(struct reply r, int status, const char *text)
{
    result_t *message;

    assert_int_equal(r.header.kind, FRAME_ERROR);
    message = pilotlight__internal__v1__worker_invoke_response__unpack(NULL, r.header.length, r.payload);
    assert_non_null(message);
    assert_int_equal(message->body.len, strlen(text));
    assert_memory_equal(message->body.data, text, message->body.len);
    assert_int_equal(message->model_status, status);
    pilotlight__internal__v1__worker_invoke_response__free_unpacked(message, NULL);
    free(r.payload);
}

static void assert_failed(struct reply r, int status, const char *text)
{
    failure_t *message;

    assert_int_equal(r.header.kind, FRAME_FAILED);
    message = pilotlight__internal__v1__runner_error__unpack(NULL, r.header.length, r.payload);
    assert_non_null(message);
    assert_string_equal(message->message, text);
    assert_int_equal(message->model_status, status);
    pilotlight__internal__v1__runner_error__free_unpacked(message, NULL);
    free(r.payload);
}

static void parse_rows(void)
{
    char *at = sample.rows;

    for (int i = 0; i < ROWS * COLS; i++) {
        sample.values[i] = strtof(at, &at);
        assert_true(*at == ',' || *at == '\n');
        at++;
    }
}

static int setup(void **state)
{
    size_t n;

    (void)state;
    sample_open();
    sample.rows = read_whole(SAMPLE "rows.csv", &sample.rows_len);
    sample.predictions = read_whole(SAMPLE "predictions.csv", &n);
    parse_rows();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    sample_close();
    free(sample.rows);
    free(sample.predictions);
    return 0;
}

static void load_answers_with_facts(void **state)
{
    struct host h = start();
    struct reply r = load(&h, sample.dir, NULL, NULL);
    Pilotlight__Internal__V1__LoadResponse *message;
    char library[32];

    (void)state;
    assert_int_equal(r.header.kind, FRAME_LOADED);
    message = pilotlight__internal__v1__load_response__unpack(NULL, r.header.length, r.payload);
    assert_non_null(message);
    booster_version(library, sizeof(library));
    assert_string_equal(message->facts->runtime_version, library);
    assert_string_equal(message->facts->objective, "reg:squarederror");
    assert_int_equal(message->facts->features, COLS);
    assert_int_equal(message->facts->outputs, 1);
    assert_int_equal(message->facts->model_files, 1);
    assert_true(message->load_us > 0 && message->warm_us > 0);
    pilotlight__internal__v1__load_response__free_unpacked(message, NULL);
    free(r.payload);
    assert_int_equal(stop(&h), 0);
}

static void csv_rows_predict_as_in_python(void **state)
{
    struct host h = start_loaded(NULL, NULL);
    const char *row = sample.rows, *line = sample.predictions;

    (void)state;
    assert_result(invoke(&h, "text/csv", "", sample.rows, sample.rows_len), 200, "text/csv", sample.predictions);
    for (int i = 0; i < ROWS; i++) {
        const char *row_end = strchr(row, '\n'), *line_end = strchr(line, '\n') + 1;
        char *expected = strndup(line, (size_t)(line_end - line));

        assert_result(invoke(&h, "text/csv", "*/*", row, (size_t)(row_end - row)), 200, "text/csv", expected);
        free(expected);
        row = row_end + 1;
        line = line_end;
    }
    assert_int_equal(stop(&h), 0);
}

/* The sample's rows printed value by value. */
static char *print_rows(const char *open, const char *row_open, bool indexed, const char *separator,
                        const char *row_close, const char *row_separator, const char *close_)
{
    size_t cap = 1 << 18, n = 0;
    char *text = malloc(cap);

    assert_non_null(text);
    n += (size_t)snprintf(text + n, cap - n, "%s", open);
    for (int i = 0; i < ROWS; i++) {
        n += (size_t)snprintf(text + n, cap - n, "%s%s", i ? row_separator : "", row_open);
        for (int j = 0; j < COLS; j++) {
            n += (size_t)snprintf(text + n, cap - n, "%s", j ? separator : "");
            if (indexed)
                n += (size_t)snprintf(text + n, cap - n, "%d:", j);
            n += (size_t)snprintf(text + n, cap - n, "%.9g", (double)sample.values[i * COLS + j]);
        }
        n += (size_t)snprintf(text + n, cap - n, "%s", row_close);
    }
    n += (size_t)snprintf(text + n, cap - n, "%s", close_);
    assert_true(n < cap);
    return text;
}

static void libsvm_and_json_predict_the_same(void **state)
{
    struct host h = start_loaded(NULL, NULL);
    char *svm = print_rows("", "0 ", true, " ", "", "\n", "\n");
    char *json = print_rows("{\"instances\": [", "[", false, ", ", "]", ", ", "]}");

    (void)state;
    assert_result(invoke(&h, "text/libsvm", "", svm, strlen(svm)), 200, "text/csv", sample.predictions);
    assert_result(invoke(&h, "", "", svm, strlen(svm)), 200, "text/csv", sample.predictions);
    assert_result(invoke(&h, "", "", sample.rows, sample.rows_len), 200, "text/csv", sample.predictions);
    assert_result(invoke(&h, "application/json", "text/csv", json, strlen(json)), 200, "text/csv", sample.predictions);
    free(svm);
    free(json);
    assert_int_equal(stop(&h), 0);
}

static void a_tensor_predicts_the_same(void **state)
{
    Inference__ModelInferRequest message = INFERENCE__MODEL_INFER_REQUEST__INIT;
    Inference__ModelInferRequest__InferInputTensor input = INFERENCE__MODEL_INFER_REQUEST__INFER_INPUT_TENSOR__INIT,
                                                   *inputs[] = { &input };
    int64_t shape[] = { ROWS, COLS };
    ProtobufCBinaryData raw = { .data = (uint8_t *)sample.values, .len = sizeof(sample.values) };
    static const char type[] = "application/vnd.open-inference.v2";
    struct host h = start_loaded(NULL, NULL);
    Inference__ModelInferResponse *answer;
    char *at = sample.predictions;
    result_t *result;
    uint8_t *bytes;
    size_t n;

    (void)state;
    input.datatype = (char *)"FP32";
    input.n_shape = 2;
    input.shape = shape;
    message.model_name = (char *)"diabetes";
    message.id = (char *)"7";
    message.n_inputs = 1;
    message.inputs = inputs;
    message.n_raw_input_contents = 1;
    message.raw_input_contents = &raw;
    n = inference__model_infer_request__get_packed_size(&message);
    bytes = malloc(n);
    assert_non_null(bytes);
    inference__model_infer_request__pack(&message, bytes);
    result = as_result(invoke(&h, type, type, bytes, n));
    assert_string_equal(result->content_type, type);
    answer = inference__model_infer_response__unpack(NULL, result->body.len, result->body.data);
    assert_non_null(answer);
    assert_string_equal(answer->id, "7");
    assert_int_equal(answer->outputs[0]->shape[0], ROWS);
    assert_int_equal(answer->raw_output_contents[0].len, ROWS * sizeof(float));
    for (int i = 0; i < ROWS; i++) {
        float value;

        memcpy(&value, answer->raw_output_contents[0].data + (size_t)i * sizeof(float), sizeof(float));
        assert_true((double)value == strtod(at, &at));
    }
    inference__model_infer_response__free_unpacked(answer, NULL);
    pilotlight__internal__v1__worker_invoke_response__free_unpacked(result, NULL);
    free(bytes);
    assert_int_equal(stop(&h), 0);
}

static void answers_have_the_container_s_status(void **state)
{
    static const struct {
        const char *type, *accept, *body;
        int status;
        const char *message;
    } cases[] = {
        { "text/csv", "", "a,b\n1,2", 415, "row 1, column 1: 'a' is not a number (a header row is not accepted)" },
        { "image/png", "", "x", 415,
          "content type 'image/png' is not supported: use text/csv, text/libsvm, application/json or "
          "application/x-recordio-protobuf" },
        { "text/csv", "", "1,2,3,4,5,6,7,8,9,10,11", 400,
          "Unable to evaluate payload provided: the rows have 11 columns, but the model has 10 features" },
        { "", "", "10:1", 400,
          "Unable to evaluate payload provided: the rows have 11 columns, but the model has 10 features" },
        { "text/csv", "image/png", "1", 406,
          "accept 'image/png' is not supported: use text/csv, application/json or application/jsonlines" },
        { "text/csv", "application/jsonlines", "1", 500,
          "Unable to encode predictions: application/jsonlines needs SAGEMAKER_INFERENCE_OUTPUT to be set" },
        { "text/csv", "application/vnd.open-inference.v2", "1", 406,
          "accept 'application/vnd.open-inference.v2' does not go with this content type" },
        { "text/csv", "",
          "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456"
          "789012345678901234567890",
          413, "the body has 121 bytes, but the limit is 120 (MAX_CONTENT_LENGTH)" },
    };
    struct host h = start_loaded("MAX_CONTENT_LENGTH", "120");

    (void)state;
    for (size_t i = 0; i < PL_COUNT(cases); i++)
        assert_error(invoke(&h, cases[i].type, cases[i].accept, cases[i].body, strlen(cases[i].body)), cases[i].status,
                     cases[i].message);
    assert_result(invoke(&h, "text/csv", "", "", 0), 204, "text/csv", "");
    /* None of these did it any harm. */
    assert_result(invoke(&h, "text/csv", "", "59.0,2.0,32.1,101.0,157.0,93.2,38.0,4.0,4.8598,87.0", 51), 200,
                  "text/csv", "184.40890502929688\n");
    assert_int_equal(stop(&h), 0);
}

static void garbage_is_a_bad_request(void **state)
{
    struct host h = start_loaded(NULL, NULL);

    (void)state;
    send_frame(&h, FRAME_INVOKE, (const uint8_t *)"\xff\xff\xff", 3);
    assert_error(receive(&h), 400, "the request is not a valid protobuf message");
    assert_int_equal(stop(&h), 0);
}

static void json_answers_and_selected_outputs(void **state)
{
    static const char row[] = "59.0,2.0,32.1,101.0,157.0,93.2,38.0,4.0,4.8598,87.0";
    struct host h = start_loaded(NULL, NULL);

    (void)state;
    assert_result(invoke(&h, "text/csv", "application/json", row, strlen(row)), 200, "application/json",
                  "{\"predictions\": [{\"score\": 184.40890502929688}]}");
    assert_int_equal(stop(&h), 0);
    h = start_loaded("SAGEMAKER_INFERENCE_OUTPUT", "predicted_score,probability");
    assert_result(invoke(&h, "text/csv", "application/jsonlines", row, strlen(row)), 200, "application/jsonlines",
                  "{\"predicted_score\": 184.40890502929688, \"probability\": NaN}\n");
    assert_int_equal(stop(&h), 0);
}

static void an_answer_beyond_the_limit_is_refused(void **state)
{
    struct host h = start_loaded(NULL, NULL);
    size_t rows = 500000, n = 2 * rows;
    char *body = malloc(n);

    (void)state;
    assert_non_null(body);
    for (size_t i = 0; i < n; i += 2)
        memcpy(body + i, "1\n", 2);
    assert_error(invoke(&h, "text/csv", "", body, n), 500,
                 "the answer for 500000 rows is larger than 6291456 bytes: send fewer rows at once");
    /* 100,000 rows of 18 characters are fine. */
    n = 200000;
    pilotlight__internal__v1__worker_invoke_response__free_unpacked(as_result(invoke(&h, "text/csv", "", body, n)),
                                                                    NULL);
    free(body);
    assert_int_equal(stop(&h), 0);
}

static void a_bad_model_fails_to_load(void **state)
{
    char dir[] = "/tmp/pilotlight-serve-XXXXXX", path[64];
    struct host h = start();
    FILE *file;

    (void)state;
    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof(path), "%s/model", dir);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs("{\"version\": [1, 7, 4]}", file) >= 0);
    fclose(file);
    assert_failed(load(&h, dir, NULL, NULL), 500,
                  "Unable to load model: model: XGBoost cannot read it: Invalid cast, from Null to Object");
    assert_int_equal(stop(&h), 0);
    remove(path);
    rmdir(dir);
}

/* What no host sends ends the instance: its answers could no longer be matched to questions. */
static void a_broken_host_ends_the_instance(void **state)
{
    static const char bad[FRAME_HEADER_SIZE + 1] = "not a frame head";
    int silence = open("/dev/null", O_WRONLY | O_CLOEXEC);
    struct host h = start_loaded(NULL, NULL);
    int pair[2];

    (void)state;
    assert_int_equal(send(h.fd, bad, FRAME_HEADER_SIZE, 0), FRAME_HEADER_SIZE);
    assert_int_equal(wait_exit(h.pid), 2);
    close(h.fd);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    spawn((int[3]){ silence, pair[1], -1 }, "serve", &h.pid);
    close(pair[1]);
    h.fd = pair[0];
    send_frame(&h, FRAME_INVOKE, (const uint8_t *)"", 0); /* before LOAD */
    assert_int_equal(wait_exit(h.pid), 2);
    close(h.fd);
    close(silence);
}

static void an_instance_leaves_when_its_host_does(void **state)
{
    struct host h = start();

    (void)state;
    assert_int_equal(stop(&h), 0); /* before LOAD */
    h = start_loaded(NULL, NULL);
    assert_int_equal(send(h.fd, "half", 4, 0), 4);
    shutdown(h.fd, SHUT_WR);
    assert_int_equal(wait_exit(h.pid), 2);
    close(h.fd);
}

/* The host is killed, and somebody else still holds its end of the socket: the instance must not wait there for ever.
 */
static void an_instance_dies_with_a_killed_host(void **state)
{
    int pair[2], ready[2];
    struct pollfd p;
    pid_t host;
    char byte;

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(pipe(ready), 0);
    host = fork();
    assert_true(host >= 0);
    if (host == 0) {
        struct host h = { .fd = pair[0] };

        spawn((int[3]){ -1, pair[1], -1 }, "serve", &h.pid);
        free(load(&h, sample.dir, NULL, NULL).payload);
        (void)!write(ready[1], "x", 1);
        pause();
    }
    close(pair[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    kill(host, SIGKILL);
    assert_int_equal(waitpid(host, NULL, 0), host);
    p = (struct pollfd){ .fd = pair[0], .events = POLLIN };
    assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
    assert_int_equal(recv(pair[0], &byte, 1, 0), 0); /* its end is closed: it is gone */
    close(pair[0]), close(ready[0]), close(ready[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(load_answers_with_facts),
        cmocka_unit_test(csv_rows_predict_as_in_python),
        cmocka_unit_test(libsvm_and_json_predict_the_same),
        cmocka_unit_test(a_tensor_predicts_the_same),
        cmocka_unit_test(answers_have_the_container_s_status),
        cmocka_unit_test(garbage_is_a_bad_request),
        cmocka_unit_test(json_answers_and_selected_outputs),
        cmocka_unit_test(an_answer_beyond_the_limit_is_refused),
        cmocka_unit_test(a_bad_model_fails_to_load),
        cmocka_unit_test(a_broken_host_ends_the_instance),
        cmocka_unit_test(an_instance_leaves_when_its_host_does),
        cmocka_unit_test(an_instance_dies_with_a_killed_host),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
