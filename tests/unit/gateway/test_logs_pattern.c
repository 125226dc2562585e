#include "logs_pattern.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void matches(void **state)
{
    static const struct {
        const char *pattern, *line;
        bool expected;
    } cases[] = {
        { "", "anything", true },
        { "  ", "anything", true },
        { "error", "an error came", true },
        { "error", "an Error came", false },
        { "error came", "it came, the error", true },
        { "error came", "an error", false },
        { "\"error came\"", "an error came", true },
        { "\"error came\"", "it came, the error", false },
        { "?one ?two", "two", true },
        { "?one ?two", "three", false },
        { "?one ?two three", "two three", true },
        { "?one ?two three", "two", false },
        { "-debug", "a debug line", false },
        { "-debug", "another line", true },
        { "error -\"out of memory\"", "error: out of memory", false },
        { "error -\"out of memory\"", "error: disk", true },
        { "\"\"", "anything", true },
        { "-", "anything", true },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct logs_pattern p;

        assert_null(logs_pattern_read(&p, cases[i].pattern));
        if (logs_pattern_matches(&p, cases[i].line) != cases[i].expected)
            fail_msg("'%s' on '%s'", cases[i].pattern, cases[i].line);
    }
}

static void refused(void **state)
{
    static const struct {
        const char *pattern, *why;
    } cases[] = {
        { "{ $.level = \"error\" }", "JSON" },
        { "[ip, user]", "fields" },
        { "%a+%", "regular expressions" },
        { "one \"two", "no closing quotation mark" },
    };
    struct logs_pattern p;
    char many[3 * 65 + 1];

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *why = logs_pattern_read(&p, cases[i].pattern);

        assert_non_null(why);
        assert_non_null(strstr(why, cases[i].why));
    }
    for (size_t i = 0; i < 65; i++)
        memcpy(many + 3 * i, "ab ", 3);
    many[sizeof(many) - 1] = '\0';
    assert_non_null(logs_pattern_read(&p, many));
    many[3 * 64] = '\0';
    assert_null(logs_pattern_read(&p, many));
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(matches), cmocka_unit_test(refused) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
