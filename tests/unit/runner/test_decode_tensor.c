#include "decode_cases.h"

#include "base/buf.h"
#include "model.h"
#include "tensor.h"

#include "inference/open_inference.pb-c.h"

struct tensor {
    Inference__ModelInferRequest request;
    Inference__ModelInferRequest__InferInputTensor input, *inputs[2];
    Inference__InferTensorContents contents;
    int64_t shape[3];
    ProtobufCBinaryData raw[1];
};

/* An empty tensor of the given type and shape. */
static void tensor_init(struct tensor *t, const char *datatype, int64_t rows, int64_t cols)
{
    inference__model_infer_request__init(&t->request);
    inference__model_infer_request__infer_input_tensor__init(&t->input);
    inference__infer_tensor_contents__init(&t->contents);
    t->shape[0] = rows;
    t->shape[1] = cols;
    t->input.name = (char *)"x";
    t->input.datatype = (char *)datatype;
    t->input.n_shape = 2;
    t->input.shape = t->shape;
    t->inputs[0] = t->inputs[1] = &t->input;
    t->request.n_inputs = 1;
    t->request.inputs = t->inputs;
    t->request.model_name = (char *)"diabetes";
    t->request.model_version = (char *)"main";
    t->request.id = (char *)"42";
}

static enum pl_code decode(const struct tensor *t, struct matrix *m, struct tensor_request *out, char **out_body,
                           struct pl_err *err)
{
    size_t n = inference__model_infer_request__get_packed_size(&t->request);

    *out_body = malloc(n);
    assert_non_null(*out_body);
    inference__model_infer_request__pack(&t->request, (uint8_t *)*out_body);
    matrix_clear(m, false);
    return decode_tensor(m, out, *out_body, n, err);
}

static void assert_tensor(const struct tensor *t, const float *expected, bool raw)
{
    struct matrix m = { 0 };
    struct tensor_request r;
    struct pl_err err = { 0 };
    char *body;

    if (decode(t, &m, &r, &body, &err) != PL_OK)
        fail_msg("%s", err.message);
    assert_int_equal(m.rows, 2);
    assert_int_equal(m.cols, 2);
    assert_values(m.values, expected, 4);
    assert_int_equal(r.raw, raw);
    assert_int_equal(r.model_name.n, strlen("diabetes"));
    assert_memory_equal(r.model_name.s, "diabetes", r.model_name.n);
    assert_memory_equal(r.id.s, "42", 2);
    matrix_done(&m);
    free(body);
}

static void reads_typed_contents(void **state)
{
    static float fp32[] = { 1, -2.5f, NAN, 4 };
    static double fp64[] = { 1, -2.5, NAN, 4 };
    static int32_t int32[] = { 1, -2, 3, 4 };
    static int64_t int64[] = { 1, -2, 3, 4 };
    static const float floats[] = { 1, -2.5f, NA, 4 }, ints[] = { 1, -2, 3, 4 };
    struct tensor t;

    (void)state;
    tensor_init(&t, "FP32", 2, 2);
    t.input.contents = &t.contents;
    t.contents.n_fp32_contents = 4;
    t.contents.fp32_contents = fp32;
    assert_tensor(&t, floats, false);
    tensor_init(&t, "FP64", 2, 2);
    t.input.contents = &t.contents;
    t.contents.n_fp64_contents = 4;
    t.contents.fp64_contents = fp64;
    assert_tensor(&t, floats, false);
    tensor_init(&t, "INT32", 2, 2);
    t.input.contents = &t.contents;
    t.contents.n_int_contents = 4;
    t.contents.int_contents = int32;
    assert_tensor(&t, ints, false);
    tensor_init(&t, "INT64", 2, 2);
    t.input.contents = &t.contents;
    t.contents.n_int64_contents = 4;
    t.contents.int64_contents = int64;
    assert_tensor(&t, ints, false);
}

static void set_raw(struct tensor *t, void *bytes, size_t n)
{
    t->raw[0] = (ProtobufCBinaryData){ .data = bytes, .len = n };
    t->request.n_raw_input_contents = 1;
    t->request.raw_input_contents = t->raw;
}

static void reads_raw_contents(void **state)
{
    static float fp32[] = { 1, -2.5f, NAN, 4 };
    static double fp64[] = { 1, -2.5, NAN, 4 };
    static int32_t int32[] = { 1, -2, 3, 4 };
    static int64_t int64[] = { 1, -2, 3, 4 };
    static const float floats[] = { 1, -2.5f, NA, 4 }, ints[] = { 1, -2, 3, 4 };
    struct tensor t;

    (void)state;
    tensor_init(&t, "FP32", 2, 2);
    set_raw(&t, fp32, sizeof(fp32));
    assert_tensor(&t, floats, true);
    tensor_init(&t, "FP64", 2, 2);
    set_raw(&t, fp64, sizeof(fp64));
    assert_tensor(&t, floats, true);
    tensor_init(&t, "INT32", 2, 2);
    set_raw(&t, int32, sizeof(int32));
    assert_tensor(&t, ints, true);
    tensor_init(&t, "INT64", 2, 2);
    set_raw(&t, int64, sizeof(int64));
    assert_tensor(&t, ints, true);
}

static void assert_bad(const struct tensor *t, const char *message)
{
    struct matrix m = { 0 };
    struct tensor_request r;
    struct pl_err err = { 0 };
    char *body;

    assert_refused(decode(t, &m, &r, &body, &err), &err, 415, message);
    matrix_done(&m);
    free(body);
}

static void refuses_what_is_no_table_of_numbers(void **state)
{
    static float fp32[] = { 1, 2, 3, 4 };
    struct tensor t;

    (void)state;
    tensor_init(&t, "BYTES", 2, 2);
    set_raw(&t, fp32, sizeof(fp32));
    assert_bad(&t, "inputs[0].datatype is 'BYTES': use FP32, FP64, INT32 or INT64");
    tensor_init(&t, "FP32", 2, 3);
    set_raw(&t, fp32, sizeof(fp32));
    assert_bad(&t, "inputs[0].shape is [2, 3], but there are 4 values");
    tensor_init(&t, "FP32", -1, -4);
    set_raw(&t, fp32, sizeof(fp32));
    assert_bad(&t, "inputs[0].shape is [-1, -4], but there are 4 values");
    tensor_init(&t, "FP32", 0, 4);
    assert_bad(&t, "the body has no rows");
    tensor_init(&t, "FP32", INT64_MAX, 4);
    set_raw(&t, fp32, sizeof(fp32));
    assert_bad(&t, "inputs[0].shape is [9223372036854775807, 4], but there are 4 values");
    tensor_init(&t, "FP32", 2, 2);
    set_raw(&t, fp32, 15);
    assert_bad(&t, "15 bytes of contents are no whole number of FP32 values");
    tensor_init(&t, "FP32", 4, 1);
    t.input.n_shape = 1;
    set_raw(&t, fp32, sizeof(fp32));
    assert_bad(&t, "inputs[0].shape has 1 dimensions, but must be [rows, features]");
    tensor_init(&t, "FP32", 2, 2);
    t.request.n_inputs = 2;
    assert_bad(&t, "the request has 2 inputs and 0 raw contents, but the model takes one tensor");
    tensor_init(&t, "FP32", 2, 2);
    t.request.n_inputs = 0;
    assert_bad(&t, "the request has 0 inputs and 0 raw contents, but the model takes one tensor");
    tensor_init(&t, "FP32", 2, 2);
    t.input.contents = &t.contents;
    t.contents.n_fp32_contents = 4;
    t.contents.fp32_contents = fp32;
    set_raw(&t, fp32, sizeof(fp32));
    assert_bad(&t, "inputs[0].contents and raw_input_contents are both set");
}

/* Every cut of a good request is refused or at least survived, and so is every changed byte. */
static void survives_damage(void **state)
{
    static float fp32[] = { 1, 2, 3, 4 };
    struct tensor t;
    struct matrix m = { 0 };
    uint8_t whole[512];
    size_t n;

    (void)state;
    tensor_init(&t, "FP32", 2, 2);
    t.input.contents = &t.contents;
    t.contents.n_fp32_contents = 4;
    t.contents.fp32_contents = fp32;
    n = inference__model_infer_request__pack(&t.request, whole);
    for (size_t i = 0; i < n; i++) {
        struct tensor_request r;
        struct pl_err err = { 0 };
        char *cut = exact((char *)whole, i);

        matrix_clear(&m, false);
        assert_int_equal(decode_tensor(&m, &r, cut, i, &err), PL_MODEL);
        free(cut);
        for (unsigned change = 1; change < 256; change += 17) {
            char *changed = exact((char *)whole, n);

            changed[i] = (char)(changed[i] ^ (char)change);
            matrix_clear(&m, false);
            if (decode_tensor(&m, &r, changed, n, &err) == PL_OK)
                assert_int_equal(m.rows * m.cols, m.count);
            free(changed);
        }
    }
    matrix_done(&m);
}

static Inference__ModelInferResponse *answer(const struct tensor_request *r, const struct prediction *p)
{
    struct pl_buf out = PL_BUF_INIT(4096);
    Inference__ModelInferResponse *response;

    encode_tensor(&out, r, p);
    assert_false(out.failed);
    response = inference__model_infer_response__unpack(NULL, out.len, (uint8_t *)out.data);
    assert_non_null(response);
    pl_buf_done(&out);
    return response;
}

static void answers_typed(void **state)
{
    static const float values[] = { 0.5f, 1.5f };
    struct tensor_request r = { .model_name = { "diabetes", 8 }, .model_version = { "main", 4 }, .id = { "42", 2 } };
    struct prediction p = { .values = values, .rows = 2, .outputs = 1 };
    Inference__ModelInferResponse *response = answer(&r, &p);

    (void)state;
    assert_string_equal(response->model_name, "diabetes");
    assert_string_equal(response->model_version, "main");
    assert_string_equal(response->id, "42");
    assert_int_equal(response->n_outputs, 1);
    assert_int_equal(response->n_raw_output_contents, 0);
    assert_string_equal(response->outputs[0]->name, "predict");
    assert_string_equal(response->outputs[0]->datatype, "FP32");
    assert_int_equal(response->outputs[0]->n_shape, 1);
    assert_int_equal(response->outputs[0]->shape[0], 2);
    assert_int_equal(response->outputs[0]->contents->n_fp32_contents, 2);
    assert_memory_equal(response->outputs[0]->contents->fp32_contents, values, sizeof(values));
    inference__model_infer_response__free_unpacked(response, NULL);
}

static void answers_raw_and_by_name(void **state)
{
    static const float values[] = { 0.5f, 1.5f, 2.5f, 3.5f, 4.5f, 5.5f };
    struct tensor_request r = { .output_name = { "scores", 6 }, .raw = true };
    struct prediction p = { .values = values, .rows = 2, .outputs = 3, .list = true };
    Inference__ModelInferResponse *response = answer(&r, &p);

    (void)state;
    assert_string_equal(response->outputs[0]->name, "scores");
    assert_int_equal(response->outputs[0]->n_shape, 2);
    assert_int_equal(response->outputs[0]->shape[0], 2);
    assert_int_equal(response->outputs[0]->shape[1], 3);
    assert_null(response->outputs[0]->contents);
    assert_int_equal(response->n_raw_output_contents, 1);
    assert_int_equal(response->raw_output_contents[0].len, sizeof(values));
    assert_memory_equal(response->raw_output_contents[0].data, values, sizeof(values));
    inference__model_infer_response__free_unpacked(response, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_typed_contents),
        cmocka_unit_test(reads_raw_contents),
        cmocka_unit_test(refuses_what_is_no_table_of_numbers),
        cmocka_unit_test(survives_damage),
        cmocka_unit_test(answers_typed),
        cmocka_unit_test(answers_raw_and_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
