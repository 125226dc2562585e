#include "rig.h"

#include <stdlib.h>
#include <string.h>

static unsigned released;
static void release(void *arg)
{
    released++;
    free(arg);
}

static void assert_bytes(const struct rpc_bytes *b, const char *expected)
{
    struct iovec spans[16];
    char flat[256];
    size_t n = 0;
    unsigned count = rpc_bytes_spans(b, spans, 16);
    assert_true(count <= 16);
    for (unsigned i = 0; i < count; n += spans[i].iov_len, i++)
        memcpy(flat + n, spans[i].iov_base, spans[i].iov_len);
    assert_int_equal(n, rpc_bytes_len(b));
    assert_int_equal(n, strlen(expected));
    assert_memory_equal(flat, expected, n);
}

static struct rpc_bytes *wrapped(const char *s)
{
    char *p = strdup(s);
    return rpc_bytes_wrap(p, strlen(p), release, p);
}

static void test_copy(void **state)
{
    (void)state;
    struct rpc_bytes *small = rpc_bytes_copy("abc", 3), *empty = rpc_bytes_copy("", 0);
    assert_bytes(small, "abc");
    assert_bytes(empty, "");
    assert_int_equal(rpc_bytes_spans(empty, NULL, 0), 0);
    rpc_bytes_unref(small);
    rpc_bytes_unref(empty);
    rpc_bytes_unref(NULL);
}

static void test_memory_is_released_with_its_last_user(void **state)
{
    (void)state;
    released = 0;
    struct rpc_bytes *whole = wrapped("a string that is too long for the inside of a slice");
    struct rpc_bytes *part = rpc_bytes_sub(whole, 2, 41);
    struct iovec a, b;
    rpc_bytes_spans(whole, &a, 1);
    rpc_bytes_spans(part, &b, 1);
    assert_ptr_equal((char *)a.iov_base + 2, b.iov_base);
    rpc_bytes_unref(whole);
    assert_int_equal(released, 0);
    assert_bytes(part, "string that is too long for the inside of");
    rpc_bytes_unref(part);
    assert_int_equal(released, 1);
}

static void test_join_and_sub_across_spans(void **state)
{
    (void)state;
    released = 0;
    struct rpc_bytes *a = wrapped("0123456789012345678901234567890123456789"), *b = rpc_bytes_copy("abc", 3);
    struct rpc_bytes *ab = rpc_bytes_join(a, b), *none = rpc_bytes_join(NULL, NULL), *only = rpc_bytes_join(NULL, b);
    assert_bytes(ab, "0123456789012345678901234567890123456789abc");
    assert_bytes(none, "");
    assert_bytes(only, "abc");
    static const struct {
        size_t offset, len;
        const char *expected;
    } cuts[] = { { 0, 0, "" }, { 38, 3, "89a" }, { 40, 3, "abc" }, { 43, 0, "" }, { 42, 1, "c" }, { 0, 1, "0" } };
    for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
        struct rpc_bytes *cut = rpc_bytes_sub(ab, cuts[i].offset, cuts[i].len);
        assert_bytes(cut, cuts[i].expected);
        rpc_bytes_unref(cut);
    }
    rpc_bytes_unref(a);
    rpc_bytes_unref(b);
    rpc_bytes_unref(none);
    rpc_bytes_unref(only);
    assert_int_equal(released, 0);
    rpc_bytes_unref(ab);
    assert_int_equal(released, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_copy),
        cmocka_unit_test(test_memory_is_released_with_its_last_user),
        cmocka_unit_test(test_join_and_sub_across_spans),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
