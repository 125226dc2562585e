/* Bytes into a file: counted, digested, limited. */
#include "sink.h"
#include "unit_test.h"

#include <stdio.h>
#include <unistd.h>

/* FIPS 180-2, appendix B.1, and of nothing. */
#define SHA_ABC   "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define SHA_EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static struct pl_err err;

static void digests(void **state)
{
    FILE *f = tmpfile();
    char sha[SHA256_HEX];
    struct sink s;

    (void)state;
    assert_ok(sink_open(&s, fileno(f), 3, &err), err);
    assert_ok(sink_write(&s, "xx", 2, &err), err);
    assert_ok(sink_restart(&s, &err), err);
    assert_int_equal(s.bytes, 0);
    assert_ok(sink_write(&s, "ab", 2, &err), err);
    assert_ok(sink_write(&s, "", 0, &err), err);
    assert_ok(sink_write(&s, "c", 1, &err), err);
    assert_ok(sink_finish(&s, sha, &err), err);
    assert_string_equal(sha, SHA_ABC);
    assert_int_equal(lseek(s.fd, 0, SEEK_END), 3);
    sink_done(&s);
    (void)fclose(f);
}

static void nothing_is_something(void **state)
{
    FILE *f = tmpfile();
    char sha[SHA256_HEX];
    struct sink s;

    (void)state;
    assert_ok(sink_open(&s, fileno(f), 1, &err), err);
    assert_ok(sink_finish(&s, sha, &err), err);
    assert_string_equal(sha, SHA_EMPTY);
    sink_done(&s);
    (void)fclose(f);
}

static void its_limit(void **state)
{
    FILE *f = tmpfile();
    struct sink s;

    (void)state;
    assert_ok(sink_open(&s, fileno(f), 4, &err), err);
    assert_ok(sink_write(&s, "abc", 3, &err), err);
    assert_int_equal(sink_write(&s, "de", 2, &err), PL_PRECONDITION);
    assert_string_equal(err.reason, "ARTIFACT_TOO_LARGE");
    assert_text(err.message, "4 bytes");
    assert_ok(sink_write(&s, "d", 1, &err), err);
    assert_int_equal(sink_write(&s, "e", 1, &err), PL_PRECONDITION);
    sink_done(&s);
    (void)fclose(f);
}

static void a_disk_that_refuses(void **state)
{
    FILE *f = fopen("/dev/full", "w");
    struct sink s;

    (void)state;
    assert_non_null(f);
    assert_ok(sink_open(&s, fileno(f), 100, &err), err);
    assert_int_equal(sink_write(&s, "abc", 3, &err), PL_INTERNAL);
    assert_text(err.message, "No space left");
    sink_done(&s);
    (void)fclose(f);
}

static void valid_digests(void **state)
{
    (void)state;
    assert_true(sha256_valid(SHA_ABC));
    assert_false(sha256_valid(""));
    assert_false(sha256_valid(SHA_ABC "0"));
    assert_false(sha256_valid("BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD"));
    assert_false(sha256_valid("../7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
}

int main(void)
{
    const struct CMUnitTest tests[] = { T(digests), T(nothing_is_something), T(its_limit), T(a_disk_that_refuses),
                                        T(valid_digests) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
