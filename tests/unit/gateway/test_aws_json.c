#include "aws_json.h"
#include "rig.h"

#include <string.h>

static void depth_duplicates_and_types_are_limited(void **state)
{
    static const struct {
        const char *text;
        bool good;
    } cases[] = { { "", true },
                  { "{}", true },
                  { " {\"a\": [1, 2.5, null, true]} ", true },
                  { "[]", false },
                  { "1", false },
                  { "{", false },
                  { "{\"a\":1,\"a\":2}", false },
                  { "{} x", false },
                  { "{\"a\":\"\\ud800\"}", false },
                  { "{\"a\":\"\xff\"}", false },
                  { "{\"a\":\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\"}", true },
                  { "{\"a\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}", false } };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct arena a = { 0 };
        const char *why = NULL;
        json_t *v = aws_json_read(cases[i].text, strlen(cases[i].text), &a, &why);
        if ((v != NULL) != cases[i].good)
            fail_msg("'%s': %s", cases[i].text, why ? why : "passes");
        json_decref(v);
        arena_done(&a);
    }
}

static void times_are_read_in_all_their_forms(void **state)
{
    static const struct {
        const char *json;
        bool good;
        int64_t ms;
    } cases[] = { { "1770768000", true, 1770768000000 },
                  { "1770768000.5", true, 1770768000500 },
                  { "\"1770768000.123\"", true, 1770768000123 },
                  { "\"2026-02-11T00:00:00Z\"", true, 1770768000000 },
                  { "\"2026-02-11T00:00:00.250Z\"", true, 1770768000250 },
                  { "\"2026-02-11T01:00:00+01:00\"", true, 1770768000000 },
                  { "\"2026-02-10T19:00:00-05:00\"", true, 1770768000000 },
                  { "\"2026-02-11T00:00:00\"", true, 1770768000000 },
                  { "\"2026-02-11\"", true, 1770768000000 },
                  { "\"yesterday\"", false, 0 },
                  { "\"\"", false, 0 },
                  { "\"2026-02-11T00:00:00Zx\"", false, 0 },
                  { "1e300", false, 0 },
                  { "true", false, 0 } };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        json_t *v = json_loads(cases[i].json, JSON_DECODE_ANY, NULL);
        int64_t ms = -1;
        if (aws_read_time(v, &ms) != cases[i].good || (cases[i].good && ms != cases[i].ms))
            fail_msg("%s is %lld", cases[i].json, (long long)ms);
        json_decref(v);
    }
}

static void members_may_be_texts(void **state)
{
    json_t *v =
        json_loads("{\"i\": 5, \"r\": 5.0, \"t\": \"7\", \"f\": 1.5, \"x\": \"seven\", \"b\": true, \"c\": \"False\", "
                   "\"e\": \"\", \"n\": \"nan\"}",
                   0, NULL);
    int64_t whole = 0;
    double number = 0;
    (void)state;
    assert_true(aws_integer(v, "i", &whole) && whole == 5);
    assert_true(aws_integer(v, "r", &whole) && whole == 5);
    assert_true(aws_integer(v, "t", &whole) && whole == 7);
    assert_false(aws_integer(v, "f", &whole) || aws_integer(v, "x", &whole) || aws_integer(v, "none", &whole));
    assert_true(aws_number(v, "f", &number) && number == 1.5);
    assert_true(aws_number(v, "t", &number) && number == 7);
    assert_false(aws_number(v, "x", &number) || aws_number(v, "e", &number) || aws_number(v, "n", &number));
    assert_true(aws_bool(v, "b", false) && !aws_bool(v, "c", true) && aws_bool(v, "x", true) &&
                !aws_bool(v, "none", false));
    json_decref(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(depth_duplicates_and_types_are_limited),
                                        cmocka_unit_test(times_are_read_in_all_their_forms),
                                        cmocka_unit_test(members_may_be_texts) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
