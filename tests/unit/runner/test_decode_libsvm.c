#include "decode_cases.h"

#include "decode.h"

static void reads_sparse_rows(void **state)
{
    static const char body[] = "1 0:1.5 3:2\n\n0:7 \t2:-1\r\n";
    static const float values[] = { 1.5f, 2, 7, -1 };
    static const uint32_t columns[] = { 0, 3, 0, 2 };
    static const uint64_t starts[] = { 0, 2, 2, 4 };
    char *copy = exact(body, sizeof(body) - 1);
    struct matrix m = { 0 };
    struct pl_err err = { 0 };

    (void)state;
    matrix_clear(&m, true);
    assert_int_equal(decode_libsvm(&m, copy, sizeof(body) - 1, &err), PL_OK);
    assert_int_equal(m.rows, 3);
    assert_int_equal(m.cols, 4);
    assert_int_equal(m.count, 4);
    assert_values(m.values, values, 4);
    assert_memory_equal(m.columns, columns, sizeof(columns));
    assert_memory_equal(m.starts, starts, sizeof(starts));
    matrix_done(&m);
    free(copy);
}

static void ignores_labels(void **state)
{
    struct matrix m = { 0 };
    struct pl_err err = { 0 };

    (void)state;
    matrix_clear(&m, true);
    assert_int_equal(decode_libsvm(&m, "-1 x", 4, &err), PL_OK);
    assert_int_equal(m.rows, 1);
    assert_int_equal(m.cols, 0);
    matrix_done(&m);
}

static void names_row_and_item(void **state)
{
    static const struct bad_case cases[] = {
        { "", "the body has no rows" },
        { " \n\n", "the body has no rows" },
        { "1 0:1\n1 0:1 1:x", "row 2, item 3: the value of '1:x' is not a number" },
        { "0:", "row 1, item 1: the value of '0:' is not a number" },
        { ":1", "row 1, item 1: ':1' does not start with a column index between 0 and 2147483646" },
        { "-1:1", "row 1, item 1: '-1:1' does not start with a column index between 0 and 2147483646" },
        { "qid:3 0:1", "row 1, item 1: 'qid:3' does not start with a column index between 0 and 2147483646" },
        { "1 4294967296:1",
          "row 1, item 2: '4294967296:1' does not start with a column index between 0 and 2147483646" },
        { "0:1:2", "row 1, item 1: the value of '0:1:2' is not a number" },
    };

    (void)state;
    run_bad(decode_libsvm, true, cases, PL_COUNT(cases));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_sparse_rows),
        cmocka_unit_test(ignores_labels),
        cmocka_unit_test(names_row_and_item),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
