#include "base/buf.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

static void test_appends(void **state)
{
    (void)state;
    pl_cleanup(pl_buf_done) struct pl_buf b = PL_BUF_INIT(0);
    assert_true(pl_buf_adds(&b, "one"));
    assert_true(pl_buf_addc(&b, ' '));
    assert_true(pl_buf_add(&b, "two\0three", 9));
    assert_true(pl_buf_addf(&b, " %d", 4));
    assert_int_equal(b.len, 15);
    assert_memory_equal(b.data, "one two\0three 4", 16);
}

static void test_empty_appends(void **state)
{
    (void)state;
    pl_cleanup(pl_buf_done) struct pl_buf b = PL_BUF_INIT(0);
    assert_true(pl_buf_add(&b, NULL, 0));
    assert_true(pl_buf_adds(&b, ""));
    assert_true(pl_buf_addf(&b, "%s", ""));
    assert_int_equal(b.len, 0);
    assert_string_equal(b.data, "");
}

static void test_grows(void **state)
{
    (void)state;
    pl_cleanup(pl_buf_done) struct pl_buf b = PL_BUF_INIT(0);
    for (int i = 0; i < 10000; i++)
        assert_true(pl_buf_addf(&b, "%04d", i));
    assert_int_equal(b.len, 40000);
    assert_memory_equal(b.data + 4 * 1234, "1234", 4);
    assert_int_equal(b.data[b.len], '\0');
    assert_true(b.cap <= 2 * (b.len + 1));
}

/* Each way to append, at the limit and one beyond it. */
static void test_limit(void **state)
{
    (void)state;
    for (int way = 0; way < 5; way++) {
        pl_cleanup(pl_buf_done) struct pl_buf b = PL_BUF_INIT(10);
        assert_true(pl_buf_adds(&b, "0123456"));
        bool ok = way == 0   ? pl_buf_add(&b, "abcd", 4)
                  : way == 1 ? pl_buf_adds(&b, "abcd")
                  : way == 2 ? pl_buf_addf(&b, "%s", "abcd")
                  : way == 3 ? pl_buf_room(&b, 4) != NULL
                             : pl_buf_add_json(&b, "\n", 1);
        assert_false(ok);
        assert_true(b.failed);
        assert_string_equal(b.data, "0123456");
        assert_int_equal(b.len, 7);
        assert_false(pl_buf_addc(&b, 'a')); /* it would fit, but the sequence is broken */
        assert_int_equal(b.len, 7);
        pl_buf_clear(&b);
        assert_true(pl_buf_addf(&b, "%s", "0123456789"));
        assert_string_equal(b.data, "0123456789");
        assert_false(pl_buf_addc(&b, 'a'));
    }
}

static void test_json_takes_back_what_did_not_fit(void **state)
{
    (void)state;
    for (size_t limit = 1; limit < 9; limit++) {
        pl_cleanup(pl_buf_done) struct pl_buf b = PL_BUF_INIT(limit);
        assert_true(pl_buf_addc(&b, 'x'));
        assert_int_equal(pl_buf_add_json(&b, "a\nbc", 4), limit == 8);
        assert_string_equal(b.data, limit == 8 ? "x\"a\\nbc\"" : "x");
        assert_int_equal(b.len, limit == 8 ? 8 : 1);
    }
}

static void test_huge_sizes_are_refused(void **state)
{
    (void)state;
    pl_cleanup(pl_buf_done) struct pl_buf b = PL_BUF_INIT(SIZE_MAX);
    assert_true(pl_buf_adds(&b, "abc"));
    assert_null(pl_buf_room(&b, SIZE_MAX - 2));
    assert_true(b.failed);
    pl_buf_clear(&b);
    assert_null(pl_buf_room(&b, SIZE_MAX));
    assert_int_equal(b.limit, SIZE_MAX);
}

static void test_default_limit(void **state)
{
    (void)state;
    pl_cleanup(pl_buf_done) struct pl_buf b = PL_BUF_INIT(0);
    assert_null(pl_buf_room(&b, PL_BUF_DEFAULT_LIMIT + 1));
    assert_true(b.failed);
}

static void test_room_is_written_by_the_caller(void **state)
{
    (void)state;
    pl_cleanup(pl_buf_done) struct pl_buf b = PL_BUF_INIT(0);
    assert_true(pl_buf_adds(&b, "a"));
    char *room = pl_buf_room(&b, 100);
    assert_non_null(room);
    memset(room, 'z', 100);
    assert_int_equal(b.len, 1);
    b.len += 100;
    size_t n;
    pl_cleanup(pl_free_p) char *taken = pl_buf_take(&b, &n);
    assert_int_equal(n, 101);
    assert_int_equal(strlen(taken), 101);
    assert_null(b.data);
}

static void test_take(void **state)
{
    (void)state;
    struct pl_buf b = PL_BUF_INIT(8);
    size_t n = 99;
    pl_cleanup(pl_free_p) char *nothing = pl_buf_take(&b, &n);
    assert_non_null(nothing);
    assert_string_equal(nothing, "");
    assert_int_equal(n, 0);
    assert_true(pl_buf_adds(&b, "again"));
    pl_cleanup(pl_free_p) char *again = pl_buf_take(&b, NULL);
    assert_string_equal(again, "again");
    assert_false(pl_buf_adds(&b, "far too long"));
    assert_null(pl_buf_take(&b, &n));
    assert_true(pl_buf_adds(&b, "anew"));
    assert_int_equal(b.limit, 8);
    pl_buf_done(&b);
    pl_buf_done(&b);
}

static void assert_json(const char *bytes, size_t n, const char *expected)
{
    pl_cleanup(pl_buf_done) struct pl_buf b = PL_BUF_INIT(0);
    assert_true(pl_buf_add_json(&b, bytes, n));
    assert_string_equal(b.data, expected);
}

static void test_json(void **state)
{
    (void)state;
    assert_json(NULL, 0, "\"\"");
    assert_json("plain", 5, "\"plain\"");
    assert_json("a\"b\\c/", 6, "\"a\\\"b\\\\c/\"");
    assert_json("\n\r\t\b\f", 5, "\"\\n\\r\\t\\u0008\\u000c\"");
    assert_json("\0\x1f\x7f", 3, "\"\\u0000\\u001f\\u007f\"");
    assert_json("\xc3\xa4\xe2\x82\xac\xf0\x9f\x9a\x80", 9, "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x9a\x80\"");
    assert_json("a\xff"
                "b",
                3,
                "\"a\xef\xbf\xbd"
                "b\"");
    assert_json("\xe2\x82", 2, "\"\xef\xbf\xbd\xef\xbf\xbd\"");                 /* cut off */
    assert_json("\xc0\xaf", 2, "\"\xef\xbf\xbd\xef\xbf\xbd\"");                 /* overlong '/' */
    assert_json("\xed\xa0\x80", 3, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""); /* surrogate */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_appends),
        cmocka_unit_test(test_empty_appends),
        cmocka_unit_test(test_grows),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_json_takes_back_what_did_not_fit),
        cmocka_unit_test(test_huge_sizes_are_refused),
        cmocka_unit_test(test_default_limit),
        cmocka_unit_test(test_room_is_written_by_the_caller),
        cmocka_unit_test(test_take),
        cmocka_unit_test(test_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
