#include "decode_cases.h"

#include "decode.h"
#include "wire/wire.h"

enum value_type { FLOAT32 = 2, FLOAT64 = 3, INT32 = 7 };

struct body {
    uint8_t bytes[1024];
    size_t n;
};

/* A record whose feature is called 'name', with a tensor of packed values and, unless 'keys' is NULL, packed keys. */
static void add_named(struct body *b, const char *name, enum value_type type, const void *values, size_t n,
                      const char *keys)
{
    uint8_t tensor[128], value[160], entry[192], message[224];
    size_t sizes[4];
    uint32_t header[2];
    uint8_t *end = wire_put_bytes(tensor, 1, values, n);

    if (keys)
        end = wire_put_bytes(end, 2, keys, strlen(keys));
    sizes[0] = (size_t)(end - tensor);
    sizes[1] = (size_t)(wire_put_bytes(value, type, tensor, sizes[0]) - value);
    end = wire_put_bytes(entry, 1, name, strlen(name));
    sizes[2] = (size_t)(wire_put_bytes(end, 2, value, sizes[1]) - entry);
    sizes[3] = (size_t)(wire_put_bytes(message, 1, entry, sizes[2]) - message);
    header[0] = 0xced7230a;
    header[1] = (uint32_t)sizes[3];
    memcpy(b->bytes + b->n, header, sizeof(header));
    memcpy(b->bytes + b->n + sizeof(header), message, sizes[3]);
    b->n += sizeof(header) + (sizes[3] + 3) / 4 * 4;
}

static void add(struct body *b, enum value_type type, const void *values, size_t n, const char *keys)
{
    add_named(b, "values", type, values, n, keys);
}

static enum pl_code decode(const struct body *b, size_t n, struct matrix *m, struct pl_err *err)
{
    char *copy = exact((const char *)b->bytes, n);
    enum pl_code code;

    matrix_clear(m, false);
    code = decode_recordio(m, copy, n, err);
    free(copy);
    return code;
}

static void reads_dense_records(void **state)
{
    static const float fp32[] = { 1, -2.5f, NAN }, expected[] = { 1, -2.5f, NA, 3, 4, 5, 7, -1, 9 };
    static const double fp64[] = { 3, 4, 5 };
    static const char int32[] = "\x07\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x09";
    struct body b = { .n = 0 };
    struct matrix m = { 0 };
    struct pl_err err = { 0 };

    (void)state;
    add(&b, FLOAT32, fp32, sizeof(fp32), NULL);
    add(&b, FLOAT64, fp64, sizeof(fp64), NULL);
    add(&b, INT32, int32, sizeof(int32) - 1, NULL);
    if (decode(&b, b.n, &m, &err) != PL_OK)
        fail_msg("%s", err.message);
    assert_false(m.sparse);
    assert_int_equal(m.rows, 3);
    assert_int_equal(m.cols, 3);
    assert_values(m.values, expected, 9);
    matrix_done(&m);
}

static void reads_sparse_records(void **state)
{
    static const float values[] = { 1, 2, 3 };
    static const uint32_t columns[] = { 4, 1, 200 };
    static const uint64_t starts[] = { 0, 2, 2, 3 };
    struct body b = { .n = 0 };
    struct matrix m = { 0 };
    struct pl_err err = { 0 };

    (void)state;
    add(&b, FLOAT32, values, 8, "\x04\x01");
    add(&b, FLOAT32, values, 0, NULL);
    add(&b, FLOAT32, values + 2, 4, "\xc8\x01");
    if (decode(&b, b.n, &m, &err) != PL_OK)
        fail_msg("%s", err.message);
    assert_true(m.sparse);
    assert_int_equal(m.rows, 3);
    assert_int_equal(m.cols, 201);
    assert_values(m.values, values, 3);
    assert_memory_equal(m.columns, columns, sizeof(columns));
    assert_memory_equal(m.starts, starts, sizeof(starts));
    matrix_done(&m);
}

static void assert_bad(const struct body *b, size_t n, const char *message)
{
    struct matrix m = { 0 };
    struct pl_err err = { 0 };

    assert_refused(decode(b, n, &m, &err), &err, 415, message);
    matrix_done(&m);
}

static void names_the_record(void **state)
{
    static const float values[] = { 1, 2 };
    struct body b = { .n = 0 };

    (void)state;
    assert_bad(&b, 0, "the body has no rows");
    add(&b, FLOAT32, values, 8, NULL);
    assert_bad(&b, 7, "record 1 is cut off");
    assert_bad(&b, b.n - 5, "record 1 is cut off");
    b.bytes[0] ^= 1;
    assert_bad(&b, b.n, "record 1 does not start as RecordIO does");
    b.bytes[0] ^= 1;
    b.bytes[8] ^= 7; /* the first tag becomes a group */
    assert_bad(&b, b.n, "record 1 is not a valid protobuf record");
    b.n = 0;
    add(&b, FLOAT32, values, 8, NULL);
    add_named(&b, "other", FLOAT32, values, 8, NULL);
    assert_bad(&b, b.n, "record 2 has no feature 'values' with numbers");
    b.n = 0;
    add(&b, FLOAT32, values, 8, NULL);
    add(&b, FLOAT32, values, 4, NULL);
    assert_bad(&b, b.n, "row 2 has 1 values, but the first row has 2");
    b.n = 0;
    add(&b, FLOAT32, values, 8, NULL);
    add(&b, FLOAT32, values, 8, "\x01\x02");
    assert_bad(&b, b.n, "record 2 is sparse, but the first one is not");
    b.n = 0;
    add(&b, FLOAT32, values, 8, "\x01");
    assert_bad(&b, b.n, "record 1: its keys are not one column index for each value");
    b.n = 0;
    add(&b, FLOAT32, values, 8, "\x01\x02\x03");
    assert_bad(&b, b.n, "record 1: its keys are not one column index for each value");
    b.n = 0;
    add(&b, FLOAT32, values, 4, "\xff\xff\xff\xff\x0f");
    assert_bad(&b, b.n, "record 1: its keys are not one column index for each value");
    b.n = 0;
    add(&b, FLOAT32, values, 7, NULL);
    assert_bad(&b, b.n, "7 bytes of contents are no whole number of FP32 values");
    b.n = 0;
    add(&b, FLOAT32, values, 0, NULL);
    assert_bad(&b, b.n, "record 1 has no values");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_dense_records),
        cmocka_unit_test(reads_sparse_records),
        cmocka_unit_test(names_the_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
