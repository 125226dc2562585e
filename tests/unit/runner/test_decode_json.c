#include "decode_cases.h"

#include "decode.h"

static void reads_rows(void **state)
{
    static const struct good_case cases[] = {
        { "[1]", 1, 1, { 1 } },
        { " [ 1 , -2.5e1 , null ] ", 1, 3, { 1, -25, NA } },
        { "[[1,2],[3,4]]", 2, 2, { 1, 2, 3, 4 } },
        { "[[1,null]\n,\r\n\t[3,4]]", 2, 2, { 1, NA, 3, 4 } },
        { "{\"instances\": [[1,2],[3,4]]}", 2, 2, { 1, 2, 3, 4 } },
        { "{ \"instances\" : [1,2] }", 1, 2, { 1, 2 } },
        { "{\"instances\":[1],\"x\":1}", 1, 1, { 1 } },
        { "{\"a\\\"b\" : {\"c\":[\"]}\", {}, []]} , \"instances\":[3], \"s\": \"\\\\\"}", 1, 1, { 3 } },
        { "[NaN,Infinity,-Infinity]", 1, 3, { NA, INFINITY, -INFINITY } },
        { "[0,-0,0.5,10,1E+2]", 1, 5, { 0, 0, 0.5f, 10, 100 } },
    };

    (void)state;
    run_good(decode_json, cases, PL_COUNT(cases));
}

static void is_strict_and_says_where(void **state)
{
    static const struct bad_case cases[] = {
        { "", "the JSON ends where '[' (rows of numbers) is expected" },
        { "1", "byte 1 of the JSON: '[' (rows of numbers) expected, found '1'" },
        { "[]", "the JSON has no rows" },
        { "[[]]", "row 1, column 1: ']' is not a number or null" },
        { "[1,]", "row 1, column 2: ']' is not a number or null" },
        { "[1", "the JSON ends where ',' or ']' is expected" },
        { "[1,", "the JSON ends where a number or null is expected" },
        { "[1 2]", "byte 4 of the JSON: ',' or ']' expected, found '2'" },
        { "[[1,2],[3]]", "row 2 has 1 values, but the first row has 2" },
        { "[[1],2]", "byte 6 of the JSON: '[' (a row of numbers) expected, found '2'" },
        { "[[1]", "the JSON ends where ',' or ']' is expected" },
        { "[1]x", "byte 4 of the JSON: the end expected, found 'x'" },
        { "[\"1\"]", "row 1, column 1: '\"1\"' is not a number or null" },
        { "[true]", "row 1, column 1: 'true' is not a number or null" },
        { "[01]", "row 1, column 1: '01' is not a number or null" },
        { "[+1]", "row 1, column 1: '+1' is not a number or null" },
        { "[.5]", "row 1, column 1: '.5' is not a number or null" },
        { "[1.]", "row 1, column 1: '1.' is not a number or null" },
        { "[1.e5]", "row 1, column 1: '1.e5' is not a number or null" },
        { "[nan]", "row 1, column 1: 'nan' is not a number or null" },
        { "[1x]", "row 1, column 1: '1x' is not a number or null" },
        { "[nullx]", "row 1, column 1: 'nullx' is not a number or null" },
        { "[[[1]]]", "row 1, column 1: '[1' is not a number or null" },
        { "{}", "the JSON has no \"instances\"" },
        { "{\"rows\":[1]}", "the JSON has no \"instances\"" },
        { "{\"instances\" [1]}", "byte 14 of the JSON: ':' expected, found '[1'" },
        { "{\"instances\":[1]", "the JSON ends where ',' or '}' is expected" },
        { "{\"instances\":[1],\"instances\":[2]}", "the JSON has \"instances\" twice" },
        { "{\"x\":,\"instances\":[1]}", "byte 6 of the JSON: a value expected, found ','" },
        { "{\"x\":[1},\"instances\":[1]}", "byte 8 of the JSON: a value expected, found '}'" },
        { "{\"x\":[1", "the JSON ends where the end of a value is expected" },
        { "{\"x\":\"1", "the JSON ends where the end of a value is expected" },
        { "{\"x", "the JSON ends where the end of a key is expected" },
        { "{1:2}", "byte 2 of the JSON: a key expected, found '1:2'" },
    };

    (void)state;
    run_bad(decode_json, false, cases, PL_COUNT(cases));
}

/* Nesting is not followed, so its depth costs nothing. */
static void deep_nesting_is_only_refused(void **state)
{
    size_t n = (size_t)4 << 20;
    char *body = malloc(n);
    struct matrix m = { 0 };
    struct pl_err err = { 0 };

    (void)state;
    assert_non_null(body);
    memset(body, '[', n);
    assert_int_equal(decode_json(&m, body, n, &err), PL_MODEL);
    assert_int_equal(err.model_status, 415);
    matrix_done(&m);
    free(body);
}

static void skipped_values_have_a_depth(void **state)
{
    char body[256] = "{\"x\":";
    struct matrix m = { 0 };
    struct pl_err err = { 0 };

    (void)state;
    memset(body + 5, '[', 65);
    assert_int_equal(decode_json(&m, body, 70, &err), PL_MODEL);
    assert_string_equal(err.message, "the JSON is nested more than 64 deep");
    matrix_done(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_rows),
        cmocka_unit_test(is_strict_and_says_where),
        cmocka_unit_test(deep_nesting_is_only_refused),
        cmocka_unit_test(skipped_values_have_a_depth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
