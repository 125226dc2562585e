#include "local_frame.h"

#include "rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT ((size_t)200 << 10)

/* A frame as it is on the wire, behind what 'out' has; returns the new length. */
static size_t put(uint8_t *out, size_t at, struct local_frame *f, size_t message_len, int fill)
{
    f->message_len = message_len;
    at += local_frame_write(f, out + at);
    memset(out + at, fill, message_len);
    return at + message_len;
}

static size_t put_call(uint8_t *out, size_t at, uint32_t slot, size_t message_len, int fill)
{
    struct local_frame f = { .kind = LOCAL_CALL, .slot = slot, .turn = slot + 7 };
    const struct local_call_head h = {
        .timeout_ms = 5000, .path = "/a.B/C", .path_len = 6, .trace = "00-1", .trace_len = 4
    };
    assert_true(local_call_head_write(&f, &h));
    return put(out, at, &f, message_len, fill);
}

static void feed(struct local_reader *r, const uint8_t *bytes, size_t n)
{
    while (n > 0) {
        struct iovec room = local_reader_room(r);
        size_t part = n < room.iov_len ? n : room.iov_len;
        assert_true(part > 0);
        memcpy(room.iov_base, bytes, part);
        local_reader_filled(r, part);
        bytes += part;
        n -= part;
        if (n > 0 && part == room.iov_len)
            break; /* the caller takes frames out first */
    }
    assert_int_equal(n, 0);
}

static void assert_call(const struct local_frame *f, uint32_t slot, size_t message_len, int fill)
{
    struct local_call_head h;
    struct iovec span;
    assert_int_equal(f->kind, LOCAL_CALL);
    assert_int_equal(f->slot, slot);
    assert_int_equal(f->turn, slot + 7);
    assert_true(local_call_head_read(f, &h));
    assert_int_equal(h.timeout_ms, 5000);
    assert_int_equal(h.path_len, 6);
    assert_memory_equal(h.path, "/a.B/C", 6);
    assert_int_equal(h.trace_len, 4);
    assert_memory_equal(h.trace, "00-1", 4);
    assert_int_equal(f->message_len, message_len);
    assert_int_equal(rpc_bytes_len(f->message), message_len);
    if (message_len == 0)
        return;
    assert_int_equal(rpc_bytes_spans(f->message, &span, 1), 1);
    for (size_t i = 0; i < message_len; i++)
        assert_int_equal(((const uint8_t *)span.iov_base)[i], (uint8_t)fill);
}

/* What is there is read in pieces of 'step' bytes; the frames must be the same however it is cut. */
static void read_in_steps(const uint8_t *bytes, size_t n, size_t step)
{
    static const size_t sizes[] = { 0, 5, 100, 70000 };
    struct local_reader r;
    struct local_frame *f;
    size_t at = 0, seen = 0;
    local_reader_init(&r, LIMIT);
    while (at < n) {
        struct iovec room = local_reader_room(&r);
        size_t part = step < n - at ? step : n - at;
        if (part > room.iov_len)
            part = room.iov_len;
        memcpy(room.iov_base, bytes + at, part);
        local_reader_filled(&r, part);
        at += part;
        enum local_read found;
        while ((found = local_reader_next(&r, &f)) == LOCAL_FRAME) {
            assert_call(f, (uint32_t)seen, sizes[seen], (int)seen + 'a');
            rpc_bytes_unref(f->message);
            f->message = NULL;
            seen++;
        }
        assert_int_equal(found, LOCAL_MORE);
    }
    assert_int_equal(seen, PL_COUNT(sizes));
    local_reader_done(&r);
}

static void test_frames_however_they_are_cut(void **state)
{
    uint8_t *bytes = malloc(200000);
    size_t n = 0;
    (void)state;
    n = put_call(bytes, n, 0, 0, 'a');
    n = put_call(bytes, n, 1, 5, 'b');
    n = put_call(bytes, n, 2, 100, 'c');
    n = put_call(bytes, n, 3, 70000, 'd');
    for (size_t step = 1; step < 40; step++)
        read_in_steps(bytes, n, step);
    read_in_steps(bytes, n, 1000);
    read_in_steps(bytes, n, n);
    free(bytes);
}

static void test_too_large_is_passed_over(void **state)
{
    uint8_t *bytes = malloc(LIMIT + 1000);
    struct local_reader r;
    struct local_frame *f;
    size_t n = put_call(bytes, 0, 1, LIMIT + 1, 'x'), at = 0;
    bool told = false;
    (void)state;
    n = put_call(bytes, n, 2, 3, 'y');
    local_reader_init(&r, LIMIT);
    while (at < n) {
        size_t part = n - at < 30000 ? n - at : 30000;
        feed(&r, bytes + at, part);
        at += part;
        while (local_reader_next(&r, &f) == LOCAL_FRAME) {
            if (!told) {
                assert_int_equal(f->message_len, LIMIT + 1);
                assert_null(f->message);
                told = true;
                continue;
            }
            assert_call(f, 2, 3, 'y');
            rpc_bytes_unref(pl_take(f->message));
            at = n + 1;
        }
    }
    assert_int_equal(at, n + 1);
    local_reader_done(&r);
    free(bytes);
}

static void test_ends_in_mid_message(void **state)
{
    uint8_t bytes[2000];
    struct local_reader r;
    struct local_frame *f;
    size_t n = put_call(bytes, 0, 1, 1000, 'x');
    (void)state;
    local_reader_init(&r, LIMIT);
    feed(&r, bytes, n - 1);
    assert_int_equal(local_reader_next(&r, &f), LOCAL_MORE);
    local_reader_done(&r); /* the sanitizers see what is not given back */
}

static void assert_broken(const uint8_t *bytes, size_t n)
{
    struct local_reader r;
    struct local_frame *f;
    local_reader_init(&r, LIMIT);
    feed(&r, bytes, n);
    assert_int_equal(local_reader_next(&r, &f), LOCAL_BROKEN);
    local_reader_done(&r);
}

static void test_what_is_no_frame(void **state)
{
    static const struct {
        const char *what;
        size_t at;
        uint8_t value;
    } damage[] = {
        { "kind 0", 0, 0 },         { "no such kind", 0, LOCAL_KIND_COUNT },
        { "reserved byte", 1, 1 },  { "head too long", 3, 0xff },
        { "head too short", 2, 5 },
    };
    uint8_t bytes[1000], again[1000];
    size_t n = put_call(bytes, 0, 1, 10, 'x');
    (void)state;
    for (size_t i = 0; i < PL_COUNT(damage); i++) {
        print_message("%s\n", damage[i].what);
        memcpy(again, bytes, n);
        again[damage[i].at] = damage[i].value;
        assert_broken(again, n);
    }
    assert_broken((const uint8_t *)"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24);
    struct local_frame ping = { .kind = LOCAL_PING };
    n = put(bytes, 0, &ping, 0, 0);
    bytes[4] = 1; /* a message */
    assert_broken(bytes, n);
    bytes[4] = 0;
    bytes[8] = 1; /* a slot */
    assert_broken(bytes, n);
}

static void test_heads(void **state)
{
    char path[600];
    struct local_frame f = { .kind = LOCAL_CALL };
    struct local_call_head h = { .path = path, .path_len = sizeof(path) }, out;
    (void)state;
    memset(path, 'p', sizeof(path));
    assert_false(local_call_head_write(&f, &h));
    h.path_len = LOCAL_HEAD_MAX - 6;
    h.trace = "t";
    h.trace_len = 1; /* no room: left out */
    assert_true(local_call_head_write(&f, &h));
    assert_true(local_call_head_read(&f, &out));
    assert_int_equal(out.path_len, h.path_len);
    assert_int_equal(out.trace_len, 0);
    f.head[4] = 0xff; /* a path that goes beyond the head */
    f.head[5] = 0xff;
    assert_false(local_call_head_read(&f, &out));
    f.head[4] = f.head[5] = 0;
    assert_false(local_call_head_read(&f, &out));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frames_however_they_are_cut),
        cmocka_unit_test(test_too_large_is_passed_over),
        cmocka_unit_test(test_ends_in_mid_message),
        cmocka_unit_test(test_what_is_no_frame),
        cmocka_unit_test(test_heads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
