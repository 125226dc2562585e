#include "wire/wire.h"

#include "base/cleanup.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

static struct iovec storage;

static struct wire_reader flat(const void *bytes, size_t n)
{
    struct wire_reader r;
    wire_read_flat(&r, &storage, bytes, n);
    return r;
}

static void assert_bytes_field(const struct wire_reader *r, const struct wire_field *f, uint32_t number, const char *s)
{
    char copy[256];
    assert_int_equal(f->number, number);
    assert_int_equal(f->type, WIRE_BYTES);
    assert_int_equal(f->len, strlen(s));
    assert_int_equal(wire_copy(r, f, copy, sizeof(copy)), strlen(s));
    assert_memory_equal(copy, s, strlen(s));
}

/* One field of each kind, and what stands between them. */
static size_t sample(uint8_t *out)
{
    uint8_t *p = out;
    p = wire_put_bytes(p, 1, "fraud-endpoint", 14);
    p = wire_put_varint(p, 2, 300);
    p = wire_put_fixed64(p, 15, 0x0102030405060708u);
    *p++ = 16 << 3 | WIRE_FIXED32 | 0x80; /* fixed32 of number 16: nobody here writes one */
    *p++ = 1;
    memcpy(p, "\x04\x03\x02\x01", 4);
    p += 4;
    p = wire_put_bytes(p, 536870911, NULL, 0);
    p = wire_put_varint(p, 3, UINT64_MAX);
    return (size_t)(p - out);
}

static void check_sample(struct wire_reader *r)
{
    struct wire_field f;
    assert_true(wire_next(r, &f));
    assert_bytes_field(r, &f, 1, "fraud-endpoint");
    assert_int_equal(f.offset, 2);
    assert_true(wire_next(r, &f));
    assert_true(f.number == 2 && f.type == WIRE_VARINT && f.value == 300);
    assert_true(wire_next(r, &f));
    assert_true(f.number == 15 && f.type == WIRE_FIXED64 && f.value == 0x0102030405060708u);
    assert_true(wire_next(r, &f));
    assert_true(f.number == 16 && f.type == WIRE_FIXED32 && f.value == 0x01020304);
    assert_true(wire_next(r, &f));
    assert_bytes_field(r, &f, 536870911, "");
    assert_non_null(f.bytes);
    assert_true(wire_next(r, &f));
    assert_true(f.number == 3 && f.value == UINT64_MAX);
    assert_false(wire_next(r, &f));
    assert_false(r->malformed);
    assert_false(wire_next(r, &f));
}

static void test_flat(void **state)
{
    (void)state;
    uint8_t message[128];
    size_t n = sample(message);
    struct wire_reader r = flat(message, n);
    check_sample(&r);
}

/* The same message in two spans cut at every place, in three with an empty one between, and byte by byte. */
static void test_spans(void **state)
{
    (void)state;
    uint8_t message[128];
    size_t n = sample(message);
    for (size_t cut = 0; cut <= n; cut++) {
        struct iovec spans[] = { { message, cut }, { NULL, 0 }, { message + cut, n - cut } };
        struct wire_reader r;
        wire_read(&r, spans, 3);
        check_sample(&r);
    }
    struct iovec each[128];
    for (size_t i = 0; i < n; i++)
        each[i] = (struct iovec){ message + i, 1 };
    struct wire_reader r;
    wire_read(&r, each, (unsigned)n);
    check_sample(&r);
}

static void test_straddling_has_no_pointer(void **state)
{
    (void)state;
    uint8_t message[32];
    size_t n = (size_t)(wire_put_bytes(message, 4, "abcdef", 6) - message);
    for (size_t cut = 0; cut <= n; cut++) {
        struct iovec spans[] = { { message, cut }, { message + cut, n - cut } };
        struct wire_reader r;
        struct wire_field f;
        wire_read(&r, spans, 2);
        assert_true(wire_next(&r, &f));
        assert_int_equal(f.bytes == NULL, cut > f.offset && cut < n);
        if (f.bytes)
            assert_ptr_equal(f.bytes, message + 2);
        char part[4];
        assert_int_equal(wire_copy(&r, &f, part, sizeof(part)), 4);
        assert_memory_equal(part, "abcd", 4);
        assert_int_equal(wire_copy(&r, &f, part, 0), 0);
    }
}

static void test_nothing(void **state)
{
    (void)state;
    struct wire_reader r = flat(NULL, 0);
    struct wire_field f;
    assert_false(wire_next(&r, &f));
    assert_false(r.malformed);
    wire_read(&r, NULL, 0);
    assert_false(wire_next(&r, &f));
    assert_false(r.malformed);
}

/* Cut anywhere, the message is malformed, but for the places between two fields. */
static void test_every_truncation(void **state)
{
    (void)state;
    uint8_t message[128];
    size_t n = sample(message), ends[8] = { 0 }, end_count = 1;
    struct wire_reader r = flat(message, n);
    struct wire_field f;
    while (wire_next(&r, &f))
        ends[end_count++] = r.offset;
    for (size_t cut = 0; cut <= n; cut++) {
        bool between = false;
        for (size_t i = 0; i < end_count; i++)
            between |= ends[i] == cut;
        r = flat(message, cut);
        while (wire_next(&r, &f))
            ;
        assert_int_equal(r.malformed, !between);
    }
}

static void test_malformed(void **state)
{
    (void)state;
#define ROW(bytes)                                                                                                     \
    {                                                                                                                  \
        bytes, sizeof(bytes) - 1                                                                                       \
    }
    static const struct {
        const char *bytes;
        size_t n;
    } rows[] = {
        ROW("\x00\x01"),                                         /* field number 0 */
        ROW("\x02\x00"),                                         /* the same, as bytes */
        ROW("\x0b\x0c"),                                         /* a group */
        ROW("\x0c"),                                             /* the end of one */
        ROW("\x0e\x01"),                                         /* types that do not exist */
        ROW("\x0f\x01"),                                         /* */
        ROW("\x80\x80\x80\x80\x10\x00"),                         /* field number 2^29 */
        ROW("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"),     /* more than 64 bits */
        ROW("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), /* 11 bytes */
        ROW("\x0a\x02x"),                                        /* longer than what is left */
        ROW("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01x"),    /* 2^64-1 bytes */
        ROW("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x7fx"),        /* 2^63-1 bytes */
        ROW("\x09\x01\x02\x03\x04\x05\x06\x07"),                 /* seven of eight bytes */
        ROW("\x0d\x01\x02\x03"),                                 /* three of four */
    };
#undef ROW
    for (size_t i = 0; i < PL_COUNT(rows); i++) {
        struct wire_reader r = flat(rows[i].bytes, rows[i].n);
        struct wire_field f;
        if (wire_next(&r, &f) || !r.malformed)
            fail_msg("row %zu", i);
        assert_false(wire_next(&r, &f)); /* and stays so */
    }
}

static void test_longest_forms_are_read(void **state)
{
    (void)state;
    struct wire_reader r = flat("\x88\x80\x80\x80\x80\x80\x80\x80\x80\x00\x85\x80\x00", 13);
    struct wire_field f;
    assert_true(wire_next(&r, &f));
    assert_true(f.number == 1 && f.value == 5);
    assert_false(wire_next(&r, &f));
    assert_false(r.malformed);
}

static void test_more_bytes_than_there_can_be(void **state)
{
    (void)state;
    char byte = 8;
    struct iovec spans[] = { { &byte, SIZE_MAX }, { &byte, 1 } };
    struct wire_reader r;
    struct wire_field f;
    wire_read(&r, spans, 2);
    assert_false(wire_next(&r, &f));
    assert_true(r.malformed);
}

/* Sizes at both ends, and the bytes themselves. */
static void test_writers(void **state)
{
    (void)state;
    uint8_t out[64];
    uint8_t *p = wire_put_varint(out, 1, 0);
    assert_int_equal(p - out, 2);
    assert_memory_equal(out, "\x08\x00", 2);
    p = wire_put_varint(out, 536870911, UINT64_MAX);
    assert_int_equal(p - out, WIRE_MAX_HEADER);
    p = wire_put_header(out, 536870911, SIZE_MAX);
    assert_int_equal(p - out, WIRE_MAX_HEADER);
    p = wire_put_header(out, 2, 300);
    assert_int_equal(p - out, 3);
    assert_memory_equal(out, "\x12\xac\x02", 3);
    p = wire_put_fixed64(out, 1, 1);
    assert_int_equal(p - out, 9);
    assert_memory_equal(out, "\x09\x01\0\0\0\0\0\0\0", 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flat),
        cmocka_unit_test(test_spans),
        cmocka_unit_test(test_straddling_has_no_pointer),
        cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_every_truncation),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_longest_forms_are_read),
        cmocka_unit_test(test_more_bytes_than_there_can_be),
        cmocka_unit_test(test_writers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
