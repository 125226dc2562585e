/* Packed bodies: whole ones within the limit, and nothing else. */
#include "gunzip.h"
#include "rig.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

/* 'n' bytes of gzip, to be freed. */
static unsigned char *packed(const void *bytes, size_t n, size_t *out_n)
{
    z_stream z = { 0 };
    size_t room = n + 1024;
    unsigned char *out = malloc(room);
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (Bytef *)(uintptr_t)bytes;
    z.avail_in = (uInt)n;
    z.next_out = out;
    z.avail_out = (uInt)room;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    *out_n = room - z.avail_out;
    (void)deflateEnd(&z);
    return out;
}

static void bodies_come_back(void **state)
{
    static const size_t sizes[] = { 0, 1, 65535, 65536, 65537, 300000, 1 << 20 };
    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        struct arena a = { 0 };
        size_t n, out_n = 99;
        const char *out = NULL;
        char *text = malloc(sizes[i] + 1);
        for (size_t k = 0; k < sizes[i]; k++)
            text[k] = (char)('a' + k * k % 23);
        unsigned char *p = packed(text, sizes[i], &n);
        assert_int_equal(gunzip(p, n, 1 << 20, &a, &out, &out_n), GUNZIP_OK);
        assert_int_equal(out_n, sizes[i]);
        assert_memory_equal(out, text, sizes[i]);
        /* Exactly the limit is fine, one less is not. */
        assert_int_equal(gunzip(p, n, sizes[i], &a, &out, &out_n), GUNZIP_OK);
        if (sizes[i])
            assert_int_equal(gunzip(p, n, sizes[i] - 1, &a, &out, &out_n), GUNZIP_TOO_LARGE);
        /* Cut short, and with something behind it. */
        assert_int_not_equal(gunzip(p, n - 1, 2 << 20, &a, &out, &out_n), GUNZIP_OK);
        unsigned char *longer = malloc(n + 1);
        memcpy(longer, p, n);
        longer[n] = 'x';
        assert_int_equal(gunzip(longer, n + 1, 1 << 20, &a, &out, &out_n), GUNZIP_BROKEN);
        free(longer);
        free(p);
        free(text);
        arena_done(&a);
    }
}

static void a_bomb_stops_at_the_limit(void **state)
{
    struct arena a = { 0 };
    size_t n, out_n, many = 64 << 20;
    const char *out;
    char *zeros = calloc(1, many);
    unsigned char *p = packed(zeros, many, &n);
    (void)state;
    assert_true(n < 1 << 20);
    assert_int_equal(gunzip(p, n, 1 << 20, &a, &out, &out_n), GUNZIP_TOO_LARGE);
    free(zeros);
    free(p);
    arena_done(&a);
}

static void others_are_broken(void **state)
{
    static const char *const cases[] = { "", "x", "{\"a\":1}", "\x1f\x8b", "\x1f\x8b\x08", "\x78\x9c" };
    struct arena a = { 0 };
    const char *out;
    size_t n;
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        assert_int_equal(gunzip(cases[i], strlen(cases[i]), 1000, &a, &out, &n), GUNZIP_BROKEN);
    arena_done(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(bodies_come_back), cmocka_unit_test(a_bomb_stops_at_the_limit),
                                        cmocka_unit_test(others_are_broken) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
