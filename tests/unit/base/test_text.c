#include "base/text.h"

#include "base/cleanup.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

/* Every character there is, encoded by the rule of RFC 3629; and every sequence of two bytes. */
static size_t encode(uint32_t c, char out[4])
{
    static const uint8_t leads[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = n; i-- > 1; c >>= 6)
        out[i] = (char)(0x80 | (c & 0x3f));
    out[0] = (char)(leads[n] | c);
    return n;
}

static void test_every_character_is_utf8(void **state)
{
    (void)state;
    for (uint32_t c = 0; c < 0x120000; c++) {
        char bytes[4];
        size_t n = encode(c, bytes);
        bool valid = c <= 0x10ffff && (c < 0xd800 || c > 0xdfff);
        if (pl_utf8_valid(bytes, n) != valid)
            fail_msg("U+%04X", c);
        for (size_t cut = 1; cut < n; cut++)
            if (pl_utf8_valid(bytes, cut) || pl_utf8_valid(bytes + cut, n - cut))
                fail_msg("a part of U+%04X", c);
    }
}

static void test_overlong_forms_are_not(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t n;
    } wrong[] = {
        { "\xc0\x80", 2 },
        { "\xc1\xbf", 2 },
        { "\xe0\x80\x80", 3 },
        { "\xe0\x9f\xbf", 3 },
        { "\xf0\x80\x80\x80", 4 },
        { "\xf0\x8f\xbf\xbf", 4 },
        { "\xf5\x80\x80\x80", 4 },
        { "\xff", 1 },
        { "\xfe", 1 },
        { "a\x80", 2 },
    };
    for (size_t i = 0; i < PL_COUNT(wrong); i++)
        assert_false(pl_utf8_valid(wrong[i].bytes, wrong[i].n));
    assert_true(pl_utf8_valid("", 0));
    assert_true(pl_utf8_valid("a\0b", 3));
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        char copy[16] = "";
        memcpy(copy, wrong[i].bytes, wrong[i].n);
        pl_utf8_clean(copy, wrong[i].n);
        assert_true(pl_utf8_valid(copy, wrong[i].n) && memchr(copy, '?', wrong[i].n));
    }
    char mixed[] = "\xc3\xa4\0\xff\xe2\x82";
    pl_utf8_clean(mixed, sizeof(mixed) - 1);
    assert_memory_equal(mixed, "\xc3\xa4\0???", sizeof(mixed));
}

static void test_i64(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool ok;
        int64_t value;
    } cases[] = {
        { "0", true, 0 },
        { "-0", true, 0 },
        { "007", true, 7 },
        { "-42", true, -42 },
        { "9223372036854775807", true, INT64_MAX },
        { "-9223372036854775808", true, INT64_MIN },
        { "9223372036854775808", false, 0 },
        { "-9223372036854775809", false, 0 },
        { "99999999999999999999999", false, 0 },
        { "18446744073709551617", false, 0 }, /* 1, modulo 2^64 */
        { "", false, 0 },
        { "-", false, 0 },
        { "--1", false, 0 },
        { "+1", false, 0 },
        { " 1", false, 0 },
        { "1 ", false, 0 },
        { "0x10", false, 0 },
        { "1e3", false, 0 },
        { NULL, false, 0 },
    };
    for (size_t i = 0; i < PL_COUNT(cases); i++) {
        int64_t value = 77;
        if (pl_parse_i64(cases[i].text, INT64_MIN, INT64_MAX, &value) != cases[i].ok)
            fail_msg("'%s'", cases[i].text);
        assert_int_equal(value, cases[i].ok ? cases[i].value : 77);
    }
    int64_t value;
    assert_true(pl_parse_i64("-5", -5, 5, &value));
    assert_true(pl_parse_i64("5", -5, 5, &value));
    assert_false(pl_parse_i64("6", -5, 5, &value));
    assert_false(pl_parse_i64("-6", -5, 5, &value));
}

static void test_u64(void **state)
{
    (void)state;
    uint64_t value = 77;
    assert_true(pl_parse_u64("18446744073709551615", UINT64_MAX, &value));
    assert_true(value == UINT64_MAX);
    assert_false(pl_parse_u64("18446744073709551616", UINT64_MAX, &value));
    assert_false(pl_parse_u64("-1", UINT64_MAX, &value));
    assert_false(pl_parse_u64("11", 10, &value));
    assert_false(pl_parse_u64("", 10, &value));
    assert_false(pl_parse_u64(NULL, 10, &value));
    assert_true(value == UINT64_MAX);
    assert_true(pl_parse_u64("10", 10, &value));
    assert_int_equal(value, 10);
}

static void test_bytes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool ok;
        uint64_t value;
    } cases[] = {
        { "0", true, 0 },
        { "512", true, 512 },
        { "64KiB", true, 65536 },
        { "6MiB", true, 6291456 },
        { "4GiB", true, 4294967296 },
        { "17179869183GiB", true, 17179869183ull << 30 },
        { "17179869184GiB", false, 0 }, /* 2^64 */
        { "18446744073709551615KiB", false, 0 },
        { "6MB", false, 0 },
        { "6mib", false, 0 },
        { "6 MiB", false, 0 },
        { "6.5MiB", false, 0 },
        { "MiB", false, 0 },
        { "-1", false, 0 },
        { "", false, 0 },
        { NULL, false, 0 },
    };
    for (size_t i = 0; i < PL_COUNT(cases); i++) {
        uint64_t value = 0;
        if (pl_parse_bytes(cases[i].text, &value) != cases[i].ok || (cases[i].ok && value != cases[i].value))
            fail_msg("'%s'", cases[i].text);
    }
}

static void test_nearest(void **state)
{
    (void)state;
    static const char *const keys[] = { "listen", "keep_alive", "admin_listen", "log.level", "a" };
    size_t n = PL_COUNT(keys);
    assert_string_equal(pl_nearest("listen", keys, n), "listen");
    assert_string_equal(pl_nearest("lisetn", keys, n), "listen"); /* two letters swapped */
    assert_string_equal(pl_nearest("keepalive", keys, n), "keep_alive");
    assert_string_equal(pl_nearest("log_levle", keys, n), "log.level");
    assert_string_equal(pl_nearest("admin_listne", keys, n), "admin_listen");
    assert_null(pl_nearest("memory", keys, n));
    assert_null(pl_nearest("", keys, n));
    assert_null(pl_nearest("lxxxen", keys, n)); /* half of it differs */
    assert_null(pl_nearest("listen", NULL, 0));
    char word[300];
    memset(word, 'a', sizeof(word));
    word[sizeof(word) - 1] = '\0';
    const char *itself[] = { word };
    assert_null(pl_nearest(word, itself, 1)); /* longer than what is compared */
    assert_null(pl_nearest("aaaa", itself, 1));
    word[64] = '\0';
    assert_ptr_equal(pl_nearest(word, itself, 1), word);
}

static void test_hex(void **state)
{
    (void)state;
    char out[9];
    pl_hex("\x00\x7f\xff\xa5", 4, out);
    assert_string_equal(out, "007fffa5");
    pl_hex("", 0, out);
    assert_string_equal(out, "");
}

static void test_random(void **state)
{
    (void)state;
    uint8_t bytes[1000] = { 0 };
    pl_random(bytes, sizeof(bytes)); /* more than one call of the kernel gives at least */
    unsigned zeros = 0;
    for (size_t i = sizeof(bytes) - 100; i < sizeof(bytes); i++)
        zeros += bytes[i] == 0;
    assert_true(zeros < 50);
    assert_true(pl_random_u64() != pl_random_u64());
    char a[sizeof("inst") + 17], b[sizeof("inst") + 17];
    pl_random_id("inst", a, sizeof(a));
    pl_random_id("inst", b, sizeof(b));
    assert_int_equal(strlen(a), 21);
    assert_int_equal(strncmp(a, "inst-", 5), 0);
    assert_int_equal(strspn(a + 5, "0123456789abcdef"), 16);
    assert_string_not_equal(a, b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_character_is_utf8),
        cmocka_unit_test(test_overlong_forms_are_not),
        cmocka_unit_test(test_i64),
        cmocka_unit_test(test_u64),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_nearest),
        cmocka_unit_test(test_hex),
        cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
