/* What datapoints make of an alarm: the documented tables of missing data, row by row, and the sentences. */
#include "fixtures.h"

#include "alarm_rule.h"

#define STATE(name)   PILOTLIGHT__V1__ALARM_STATE__ALARM_STATE_##name
#define MISSING(name) PILOTLIGHT__V1__MISSING_DATA__MISSING_DATA_##name

static Pilotlight__V1__Alarm alarm_of(int n, int m, Pilotlight__V1__MissingData missing)
{
    Pilotlight__V1__Alarm a = PILOTLIGHT__V1__ALARM__INIT;
    a.evaluation_periods = n;
    a.datapoints_to_alarm = m;
    a.missing_data = missing;
    a.comparison = PILOTLIGHT__V1__ALARM_COMPARISON__ALARM_COMPARISON_GREATER;
    a.threshold = 5;
    return a;
}

/* "0-X-X": not breaching, missing, breaching; oldest first. */
static Pilotlight__V1__AlarmState judge(const Pilotlight__V1__Alarm *a, const char *points,
                                        Pilotlight__V1__AlarmState now, char *reason)
{
    struct alarm_datapoint data[32] = { 0 };
    size_t n = strlen(points);
    assert_int_equal(n, (size_t)a->evaluation_periods + ALARM_RULE_EXTRA);
    for (size_t i = 0; i < n; i++)
        data[i] = (struct alarm_datapoint){ .known = points[i] != '-', .value = points[i] == 'X' ? 9 : 1 };
    return alarm_rule_state(a, data, n, now, reason);
}

#define KEEP 9

static void test_missing_data(void **state)
{
    static const struct {
        int n, m;
        const char *points;
        int missing, ignore, breaching, not_breaching;
    } rows[] = {
        /* three of three */
        { 3, 3, "0-X-X", STATE(OK), STATE(OK), STATE(OK), STATE(OK) },
        { 3, 3, "0----", STATE(OK), STATE(OK), STATE(OK), STATE(OK) },
        { 3, 3, "-----", STATE(INSUFFICIENT_DATA), KEEP, STATE(ALARM), STATE(OK) },
        { 3, 3, "0XX-X", STATE(ALARM), STATE(ALARM), STATE(ALARM), STATE(ALARM) },
        { 3, 3, "--X--", STATE(ALARM), KEEP, STATE(ALARM), STATE(OK) },
        { 3, 3, "----X", KEEP, KEEP, STATE(ALARM), STATE(OK) }, /* one value after a silence is not enough */
        /* two of three */
        { 3, 2, "0-X-X", STATE(ALARM), STATE(ALARM), STATE(ALARM), STATE(ALARM) },
        { 3, 2, "00X0X", STATE(ALARM), STATE(ALARM), STATE(ALARM), STATE(ALARM) },
        { 3, 2, "0-X--", STATE(OK), STATE(OK), STATE(ALARM), STATE(OK) },
        { 3, 2, "----0", STATE(OK), STATE(OK), STATE(ALARM), STATE(OK) },
        { 3, 2, "---X-", STATE(ALARM), KEEP, STATE(ALARM), STATE(OK) },
        /* one of one */
        { 1, 1, "--X", STATE(ALARM), STATE(ALARM), STATE(ALARM), STATE(ALARM) },
        { 1, 1, "XX0", STATE(OK), STATE(OK), STATE(OK), STATE(OK) },
        { 1, 0, "X--", STATE(ALARM), STATE(ALARM), STATE(ALARM), STATE(ALARM) }, /* M not given: all */
    };
    static const Pilotlight__V1__MissingData treatments[] = { MISSING(MISSING), MISSING(IGNORE), MISSING(BREACHING),
                                                              MISSING(NOT_BREACHING) };
    char reason[ALARM_REASON_SIZE];
    (void)state;
    for (size_t i = 0; i < PL_COUNT(rows); i++) {
        const int wanted[] = { rows[i].missing, rows[i].ignore, rows[i].breaching, rows[i].not_breaching };
        for (size_t k = 0; k < PL_COUNT(treatments); k++) {
            Pilotlight__V1__Alarm a = alarm_of(rows[i].n, rows[i].m, treatments[k]);
            for (int now = STATE(OK); now <= STATE(INSUFFICIENT_DATA); now++) {
                int got = judge(&a, rows[i].points, (Pilotlight__V1__AlarmState)now, reason);
                int want = wanted[k] == KEEP ? now : wanted[k];
                if (got != want)
                    fail_msg("%d of %d, \"%s\", treatment %zu, state %d: %d, not %d", rows[i].m, rows[i].n,
                             rows[i].points, k, now, got, want);
            }
        }
    }
}

static void test_comparisons(void **state)
{
    static const struct {
        int comparison;
        bool below, at, above;
    } rows[] = {
        { PILOTLIGHT__V1__ALARM_COMPARISON__ALARM_COMPARISON_GREATER, false, false, true },
        { PILOTLIGHT__V1__ALARM_COMPARISON__ALARM_COMPARISON_GREATER_OR_EQUAL, false, true, true },
        { PILOTLIGHT__V1__ALARM_COMPARISON__ALARM_COMPARISON_LESS, true, false, false },
        { PILOTLIGHT__V1__ALARM_COMPARISON__ALARM_COMPARISON_LESS_OR_EQUAL, true, true, false },
    };
    (void)state;
    for (size_t i = 0; i < PL_COUNT(rows); i++) {
        Pilotlight__V1__Alarm a = alarm_of(1, 1, MISSING(MISSING));
        a.comparison = (Pilotlight__V1__AlarmComparison)rows[i].comparison;
        assert_true(alarm_rule_breaches(&a, 4) == rows[i].below);
        assert_true(alarm_rule_breaches(&a, 5) == rows[i].at);
        assert_true(alarm_rule_breaches(&a, 6) == rows[i].above);
    }
}

static void test_sentences(void **state)
{
    char reason[ALARM_REASON_SIZE];
    Pilotlight__V1__Alarm a = alarm_of(3, 2, MISSING(MISSING)), b = alarm_of(3, 3, MISSING(BREACHING));
    (void)state;
    (void)judge(&a, "00X0X", STATE(OK), reason);
    assert_string_equal(reason,
                        "Threshold crossed: 2 of the last 3 datapoints [9, 9] were greater than the threshold 5; "
                        "2 of 3 are needed for the alarm.");
    (void)judge(&a, "----0", STATE(ALARM), reason);
    assert_string_equal(reason,
                        "Threshold not crossed: 0 of the last 1 datapoints were greater than the threshold 5, 2 of 3 "
                        "are missing; 2 of 3 are needed for the alarm.");
    (void)judge(&a, "-----", STATE(ALARM), reason);
    assert_string_equal(reason, "Insufficient data: no datapoints were received for 5 periods.");
    (void)judge(&b, "-----", STATE(OK), reason);
    assert_string_equal(reason,
                        "Threshold crossed: no datapoints were received for 5 periods, which count as breaching.");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_missing_data),
        cmocka_unit_test(test_comparisons),
        cmocka_unit_test(test_sentences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
