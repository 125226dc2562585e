/* Our fields in control's sentences become AWS's members: whole words, the first row that fits, all of them. */
#include "rig.h"

#include "aws_words.h"

static const struct aws_word table[] = {
    { "alarm.name", "AlarmName" }, { "alarm.", "" },       { "period_s", "Period" },
    { "data[", "MetricData[" },    { "values", "Values" }, { 0 },
};

static void test_words(void **state)
{
    static const char *const rows[][2] = {
        { "", "" },
        { "alarm.period_s is 45: period_s must be 60", "Period is 45: Period must be 60" },
        { "alarm.name \"x\" is alarm.named", "AlarmName \"x\" is named" },
        { "data[0].values[3] is 1", "MetricData[0].Values[3] is 1" },
        { "max_values, values_max, valuesX and values", "max_values, values_max, valuesX and Values" },
        { "mydata[0] and data", "mydata[0] and data" },
        { "period_", "period_" },
        { "\xc3\xa4values", "\xc3\xa4Values" },
    };
    struct arena a = { 0 };
    (void)state;
    for (size_t i = 0; i < PL_COUNT(rows); i++)
        assert_string_equal(aws_words(&a, rows[i][0], table), rows[i][1]);
    arena_done(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_words) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
