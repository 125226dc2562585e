#include "log_cursor.h"

#include "base/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void a_cursor_is_read_as_it_was_written(void **state)
{
    struct log_cursor c = { 0 }, read;
    pl_cleanup(pl_free_p) char *text = NULL;
    struct pl_err err;

    (void)state;
    log_cursor_set(&c, "host-1", 1770768000123456);
    log_cursor_set(&c, "host.2", 0);
    log_cursor_set(&c, "host-1", 1770768000123457);
    text = log_cursor_text(&c);
    assert_string_equal(text, "1770768000123457-host-1/0-host.2");
    assert_int_equal(log_cursor_parse(&read, text, &err), PL_OK);
    assert_int_equal(read.count, 2);
    assert_true(log_cursor_get(&read, "host-1", 7) == 1770768000123457);
    assert_true(log_cursor_get(&read, "host.2", 7) == 0);
    assert_true(log_cursor_get(&read, "host-3", 7) == 7);
    log_cursor_done(&read);
    log_cursor_done(&c);
}

static void nothing_is_a_cursor(void **state)
{
    struct log_cursor c = { 0 };
    pl_cleanup(pl_free_p) char *text = log_cursor_text(&c);
    struct pl_err err;

    (void)state;
    assert_string_equal(text, "");
    assert_int_equal(log_cursor_parse(&c, "", &err), PL_OK);
    assert_int_equal(c.count, 0);
}

static void other_texts_are_refused(void **state)
{
    static const char *const bad[] = { "x",    "1",    "-",        "1-",      "-host", "x-host",
                                       "1-a/", "/1-a", "1-a//2-b", "1-a/1-a", "-1-a",  "99999999999999999999-a" };
    struct log_cursor c = { 0 };
    struct pl_err err;

    (void)state;
    for (size_t i = 0; i < PL_COUNT(bad); i++) {
        if (log_cursor_parse(&c, bad[i], &err) != PL_INVALID)
            fail_msg("'%s' was read", bad[i]);
        assert_string_equal(err.field, "page_token");
    }
}

static void places_have_a_limit(void **state)
{
    struct log_cursor c = { 0 };
    char host[32];

    (void)state;
    for (int i = 0; i < 1500; i++) {
        (void)snprintf(host, sizeof(host), "host-%d", i);
        log_cursor_set(&c, host, i);
    }
    assert_int_equal(c.count, 1000);
    log_cursor_done(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cursor_is_read_as_it_was_written),
        cmocka_unit_test(nothing_is_a_cursor),
        cmocka_unit_test(other_texts_are_refused),
        cmocka_unit_test(places_have_a_limit),
    };

    return cmocka_run_group_tests_name("router/log_cursor", tests, NULL, NULL);
}
