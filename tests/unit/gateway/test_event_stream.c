/* One frame byte by byte, its CRCs as zlib computes them. */
#include "event_stream.h"
#include "rig.h"

#include <string.h>

static void a_frame(void **state)
{
    static const struct event_header headers[] = { { ":event-type", "PayloadPart" } };
    static const unsigned char expected[] = {
        0,   0,   0,   0x2D, 0,   0,   0,   0x1A, 0,   0,   0,   0, /* lengths; the CRC of them is compared below */
        11,  ':', 'e', 'v',  'e', 'n', 't', '-',  't', 'y', 'p', 'e', 7,   0,   11,
        'P', 'a', 'y', 'l',  'o', 'a', 'd', 'P',  'a', 'r', 't', 'a', 'b', 'c',
    };
    pl_cleanup(pl_buf_done) struct pl_buf out = { 0 };
    (void)state;
    assert_true(event_stream_add(&out, headers, 1, "abc", 3));
    assert_int_equal(out.len, 12 + 26 + 3 + 4);
    assert_memory_equal(out.data, expected, 8);
    assert_memory_equal(out.data + 12, expected + 12, sizeof(expected) - 12);
    const unsigned char *p = (const unsigned char *)out.data;
    uint32_t head = (uint32_t)p[8] << 24 | (uint32_t)p[9] << 16 | (uint32_t)p[10] << 8 | p[11];
    uint32_t all = (uint32_t)p[41] << 24 | (uint32_t)p[42] << 16 | (uint32_t)p[43] << 8 | p[44];
    assert_int_equal(head, event_stream_crc32(0, p, 8));
    assert_int_equal(all, event_stream_crc32(0, p, out.len - 4));
    assert_int_equal(event_stream_crc32(0, "123456789", 9), 0xCBF43926);
}

static void a_full_buffer_says_so(void **state)
{
    pl_cleanup(pl_buf_done) struct pl_buf out = PL_BUF_INIT(20);
    (void)state;
    assert_false(event_stream_add(&out, NULL, 0, "0123456789", 10));
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(a_frame), cmocka_unit_test(a_full_buffer_says_so) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
