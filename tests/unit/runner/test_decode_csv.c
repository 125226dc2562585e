#include "decode_cases.h"

#include "decode.h"

static void reads_rows(void **state)
{
    static const struct good_case cases[] = {
        { "1", 1, 1, { 1 } },
        { "1,2,3", 1, 3, { 1, 2, 3 } },
        { "1,2\n3,4\n", 2, 2, { 1, 2, 3, 4 } },
        { "1,2\r\n3,4\r\n", 2, 2, { 1, 2, 3, 4 } },
        { "\n\n 1,2\n\n", 1, 2, { 1, 2 } },
        { "1;2;3", 1, 3, { 1, 2, 3 } },
        { "1\t2\t3", 1, 3, { 1, 2, 3 } },
        { "1|2", 1, 2, { 1, 2 } },
        { "1 2 3\n4 5 6", 2, 3, { 1, 2, 3, 4, 5, 6 } },
        { "1, 2 , 3", 1, 3, { 1, 2, 3 } },
        { ",1,,", 1, 4, { NA, 1, NA, NA } },
        { "1,2\n,3\n", 2, 2, { 1, 2, NA, 3 } },
        { "1\n\n2", 3, 1, { 1, NA, 2 } },
        { "nan,NaN,inf,-inf", 1, 4, { NA, NA, INFINITY, -INFINITY } },
        { "1e2,-.5,+3,4.", 1, 4, { 100, -0.5f, 3, 4 } },
        { "\xef\xbb\xbf"
          "1,2",
          1,
          2,
          { 1, 2 } },
        { "0.1,16777217,3.4028236e38", 1, 3, { 0.1f, 16777216, INFINITY } },
    };

    (void)state;
    run_good(decode_csv, cases, PL_COUNT(cases));
}

static void names_row_column_and_value(void **state)
{
    static const struct bad_case cases[] = {
        { " \n ", "the body has no rows" },
        { "age,sex\n1,2", "row 1, column 1: 'age' is not a number (a header row is not accepted)" },
        { "1,2\n3,abc", "row 2, column 2: 'abc' is not a number" },
        { "1,2\n3,4\n5", "row 3 has 1 values, but the first row has 2" },
        { "1\n2,3", "row 2 has 2 values, but the first row has 1" },
        { "1,2\n3,4,5", "row 2 has 3 values, but the first row has 2" },
        { "1,\"2\"", "row 1, column 2: '\"2\"' is not a number (a header row is not accepted)" },
        { "1,2 3", "row 1, column 2: '2 3' is not a number (a header row is not accepted)" },
        { "1,0x1f", "row 1, column 2: '0x1f' is not a number (a header row is not accepted)" },
        { "1,2\n1,a\tb", "row 2, column 2: 'a?b' is not a number" },
        { "1,2\n1,0123456789012345678901234567890123456789xyz",
          "row 2, column 2: '0123456789012345678901234567890123456789...' is not a number" },
        { "1,2\n\xff,1", "row 2, column 1: '?' is not a number" },
    };

    (void)state;
    run_bad(decode_csv, false, cases, PL_COUNT(cases));
}

/* The delimiter is looked for in the first line, and only in its first 512 characters. */
static void sniffs_only_the_start(void **state)
{
    struct matrix m = { 0 };
    struct pl_err err = { 0 };
    char body[600];

    (void)state;
    memset(body, '1', sizeof(body));
    body[511] = ';';
    assert_int_equal(decode_csv(&m, body, sizeof(body), &err), PL_OK);
    assert_int_equal(m.cols, 2);
    body[511] = '1';
    body[512] = ';';
    matrix_clear(&m, false);
    assert_int_equal(decode_csv(&m, body, sizeof(body), &err), PL_MODEL);
    matrix_done(&m);
}

static void takes_a_body_of_six_mib(void **state)
{
    size_t n = (size_t)6 << 20;
    char *body = malloc(n);
    struct matrix m = { 0 };
    struct pl_err err = { 0 };

    (void)state;
    assert_non_null(body);
    memset(body, ',', n);
    body[0] = '1';
    assert_int_equal(decode_csv(&m, body, n, &err), PL_OK);
    assert_int_equal(m.rows, 1);
    assert_int_equal(m.cols, n);
    matrix_trim(&m);
    assert_null(m.values);
    free(body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_rows),
        cmocka_unit_test(names_row_column_and_value),
        cmocka_unit_test(sniffs_only_the_start),
        cmocka_unit_test(takes_a_body_of_six_mib),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
