/* Schedules: what they mean, found again by walking minute by minute, and what is refused. */
#include "fixtures.h"

#include "schedule.h"

#include <time.h>

static struct pl_err err;

static int64_t at(const char *text)
{
    struct tm tm = { 0 };
    assert_non_null(strptime(text, "%Y-%m-%d %H:%M", &tm));
    return timegm(&tm);
}

static void next_is(const char *expression, const char *after, const char *want)
{
    struct schedule s;
    char got[32] = "never";
    assert_ok(schedule_parse("expression", expression, &s, &err));
    time_t t = (time_t)schedule_next(&s, at("2026-02-01 00:00"), at(after));
    struct tm tm;
    if (t >= 0 && gmtime_r(&t, &tm))
        (void)strftime(got, sizeof(got), "%Y-%m-%d %H:%M", &tm);
    if (strcmp(got, want) != 0)
        fail_msg("%s after %s is %s, not %s", expression, after, got, want);
}

static void test_meanings(void **state)
{
    (void)state;
    next_is("at(2026-02-11T08:00:00)", "2026-02-11 07:59", "2026-02-11 08:00");
    next_is("at(2026-02-11T08:00:00)", "2026-02-11 08:00", "never");
    next_is("rate(5 minutes)", "2026-02-01 00:00", "2026-02-01 00:05");
    next_is("rate(5 minutes)", "2026-02-01 00:07", "2026-02-01 00:10");
    next_is("rate(1 hour)", "2026-01-01 00:00", "2026-02-01 00:00");
    next_is("rate(2 days)", "2026-02-01 13:00", "2026-02-03 00:00");
    next_is("cron(0 8 ? * MON-FRI *)", "2026-02-06 08:00", "2026-02-09 08:00"); /* Friday to Monday */
    next_is("cron(0 8 ? * 2-6 *)", "2026-02-06 08:00", "2026-02-09 08:00");
    next_is("cron(0/15 * * * ? *)", "2026-02-06 08:01", "2026-02-06 08:15");
    next_is("cron(*/20 9-17 * * ? *)", "2026-02-06 17:40", "2026-02-07 09:00");
    next_is("cron(30 12 31 * ? *)", "2026-02-06 00:00", "2026-03-31 12:30");
    next_is("cron(0 0 29 2 ? *)", "2026-03-01 00:00", "2028-02-29 00:00");
    next_is("cron(0 0 1 JAN,JUL ? 2027)", "2026-03-01 00:00", "2027-01-01 00:00");
    next_is("cron(0 0 1 JAN ? 2025)", "2026-03-01 00:00", "never");
    next_is("cron(0 0 30 2 ? *)", "2026-03-01 00:00", "never");
    next_is("cron(0  6  ?  *  sun  *)", "2026-02-01 06:00", "2026-02-08 06:00");
    next_is("cron(59 23 31 12 ? 2199)", "2026-02-01 06:00", "2199-12-31 23:59");
}

static void test_refusals(void **state)
{
    static const char *const bad[] = { "",
                                       "at()",
                                       "at(2026-02-30T08:00:00)",
                                       "at(2026-02-11 08:00:00)",
                                       "at(2026-02-11T08:00)",
                                       "rate(5)",
                                       "rate(0 minutes)",
                                       "rate(5 weeks)",
                                       "rate(5 minutes",
                                       "rate(-1 hours)",
                                       "cron()",
                                       "cron(0 8 * * ?)",
                                       "cron(0 8 * * ? * *)",
                                       "cron(0 8 * * MON *)",
                                       "cron(60 8 * * ? *)",
                                       "cron(0 24 * * ? *)",
                                       "cron(0 8 0 * ? *)",
                                       "cron(0 8 ? * 8 *)",
                                       "cron(0 8 L * ? *)",
                                       "cron(0 8 ? * 6#3 *)",
                                       "cron(5-1 8 * * ? *)",
                                       "cron(*/0 8 * * ? *)",
                                       "cron(? 8 * * ? *)",
                                       "cron(0, 8 * * ? *)",
                                       "every(5 minutes)",
                                       "cron(0 8 * * ? 1969)" };
    struct schedule s;
    (void)state;
    for (size_t i = 0; i < PL_COUNT(bad); i++) {
        if (schedule_parse("expression", bad[i], &s, &err) != PL_INVALID)
            fail_msg("\"%s\" was accepted", bad[i]);
        assert_string_equal(err.field, "expression");
    }
}

/* The next time is the first of all minutes that match, whatever the expression. */
static void test_against_walking(void **state)
{
    static const char *const minutes[] = { "*", "0", "7/20", "3,33", "50-59" },
                             *const hours[] = { "*", "5", "8-10", "0/7" },
                             *const days[][2] = { { "*", "?" }, { "?", "MON-WED" }, { "1,15", "?" }, { "?", "1,7" } },
                             *const months[] = { "*", "2", "MAR-MAY" };
    (void)state;
    srand(4);
    for (int round = 0; round < 60; round++) {
        char text[128];
        struct schedule s;
        int d = rand() % 4;
        (void)snprintf(text, sizeof(text), "cron(%s %s %s %s %s *)", minutes[rand() % 5], hours[rand() % 4], days[d][0],
                       months[rand() % 3], days[d][1]);
        assert_ok(schedule_parse("expression", text, &s, &err));
        int64_t from = at("2026-01-01 00:00") + rand() % (365 * 86400), walked = from / 60 * 60;
        bool matches = false;
        while (!matches) {
            walked += 60;
            time_t t = (time_t)walked;
            struct tm tm;
            assert_non_null(gmtime_r(&t, &tm));
            matches = (s.minutes >> tm.tm_min & 1) && (s.hours >> tm.tm_hour & 1) && (s.days >> tm.tm_mday & 1) &&
                      (s.months >> (tm.tm_mon + 1) & 1) && (s.weekdays >> tm.tm_wday & 1);
        }
        if (schedule_next(&s, 0, from) != walked)
            fail_msg("%s after %lld", text, (long long)from);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_meanings),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_against_walking),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
