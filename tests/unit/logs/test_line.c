#include "logs/line.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct log_line line_of(const char *text, size_t n)
{
    return (struct log_line){ .at_us = 1770768000123456,
                              .variant = "AllTraffic",
                              .variant_len = 10,
                              .instance = 73014444033,
                              .request = 0x2a,
                              .text = text,
                              .text_len = n };
}

/* What 'text' becomes. */
static void assert_text(const char *text, size_t n, const char *expected)
{
    pl_cleanup(pl_buf_done) struct pl_buf out = PL_BUF_INIT(1 << 20);
    struct log_line l = line_of(text, n), read;

    assert_true(log_line_write(&out, &l));
    assert_int_equal(out.data[out.len - 1], '\n');
    assert_true(log_line_read(&read, out.data, out.len - 1));
    assert_int_equal(read.text_len, strlen(expected));
    assert_memory_equal(read.text, expected, read.text_len);
}

static void a_line_is_read_as_it_was_written(void **state)
{
    pl_cleanup(pl_buf_done) struct pl_buf out = PL_BUF_INIT(1 << 20);
    struct log_line l = line_of("loading weights", 15), read;

    (void)state;
    assert_true(log_line_write(&out, &l));
    assert_string_equal(out.data, "1770768000123456 AllTraffic 73014444033 000000000000002a loading weights\n");
    assert_true(log_line_read(&read, out.data, out.len - 1));
    assert_true(read.at_us == l.at_us && read.instance == l.instance && read.request == 0x2a);
    assert_int_equal(read.variant_len, 10);
    l.request = 0;
    pl_buf_clear(&out);
    assert_true(log_line_write(&out, &l));
    assert_string_equal(out.data, "1770768000123456 AllTraffic 73014444033 - loading weights\n");
    assert_true(log_line_read(&read, out.data, out.len - 1) && read.request == 0);
}

static void what_is_no_text_is_shown_as_bytes(void **state)
{
    (void)state;
    assert_text("tab\there", 8, "tab\there");
    assert_text("a\nb\0c", 5, "a\\x0ab\\x00c");
    assert_text("\x1b[31mred", 8, "\\x1b[31mred");
    assert_text("\x7f", 1, "\\x7f");
    assert_text("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80", 15,
                "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80");
    assert_text("\xff\xc3", 2, "\\xff\\xc3");
    assert_text("\xc0\xaf", 2, "\\xc0\\xaf");                   /* overlong */
    assert_text("\xed\xa0\x80", 3, "\\xed\\xa0\\x80");          /* a surrogate */
    assert_text("\xf4\x90\x80\x80", 4, "\\xf4\\x90\\x80\\x80"); /* beyond Unicode */
    assert_text("\xc2\x9b", 2, "\\xc2\\x9b");                   /* a control character of the second kind */
    assert_text("\xe2\x80\xae", 3, "\\xe2\\x80\\xae");          /* turns text around */
    assert_text("", 0, "");
}

static void a_long_text_is_cut(void **state)
{
    pl_cleanup(pl_buf_done) struct pl_buf out = PL_BUF_INIT(1 << 20);
    char *text = malloc(1 << 16);
    struct log_line l, read;

    (void)state;
    for (int byte = 0; byte < 256; byte += 5) {
        memset(text, byte, 1 << 16);
        l = line_of(text, 1 << 16);
        pl_buf_clear(&out);
        assert_true(log_line_write(&out, &l));
        assert_true(log_line_read(&read, out.data, out.len - 1));
        assert_in_range(read.text_len, LOG_TEXT_MAX - 16, LOG_TEXT_MAX);
    }
    free(text);
}

static void a_full_buffer_stays_as_it_is(void **state)
{
    pl_cleanup(pl_buf_done) struct pl_buf out = PL_BUF_INIT(100);
    struct log_line l = line_of("short", 5);
    size_t before;

    (void)state;
    assert_true(log_line_write(&out, &l));
    before = out.len;
    assert_false(log_line_write(&out, &l));
    assert_int_equal(out.len, before);
    assert_false(out.failed);
    l = line_of("x", 1);
    l.variant_len = 1;
    assert_int_equal(strlen(out.data), before);
}

static void damaged_lines_are_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "1",
        "1 v",
        "1 v 2",
        "1 v 2 ",
        "x v 2 - t",
        "1 v x - t",
        "1  2 - t",
        "1 v 2 g t",
        "-1 v 2 - t",
        "1 \x01 2 - t",
        "99999999999999999999 v 2 - t",
        "1 v 2 10000000000000000 t",
        "9223372036854775808 v 2 - t",
    };
    struct log_line l;

    (void)state;
    for (size_t i = 0; i < PL_COUNT(bad); i++)
        if (log_line_read(&l, bad[i], strlen(bad[i])))
            fail_msg("'%s' was read", bad[i]);
}

static void a_cut_character_is_found(void **state)
{
    static const char text[] = "a\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80";
    static const size_t whole[] = { 0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10 };

    (void)state;
    for (size_t n = 0; n < PL_COUNT(whole); n++)
        assert_int_equal(log_whole_characters(text, n), whole[n]);
    assert_int_equal(log_whole_characters("\x80\x80\x80\x80\x80", 5), 5);
    assert_int_equal(log_whole_characters("\xff", 1), 1); /* begins nothing */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_read_as_it_was_written),
        cmocka_unit_test(what_is_no_text_is_shown_as_bytes),
        cmocka_unit_test(a_long_text_is_cut),
        cmocka_unit_test(a_full_buffer_stays_as_it_is),
        cmocka_unit_test(damaged_lines_are_refused),
        cmocka_unit_test(a_cut_character_is_found),
    };

    return cmocka_run_group_tests_name("logs/line", tests, NULL, NULL);
}
