/* Clients that call and do not read: their flow-control window is 0, so that the core keeps their answers. And clients that
 * send half of a message. */
#include "rig.h"

#include "base/mem.h"
#include "server_private.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define BODY_BYTES  40000 /* fits the server's first window */
#define FRAME_BYTES 16384
enum { DATA = 0, HEADERS = 1, RST_STREAM = 3, SETTINGS = 4, GOAWAY = 7, END_STREAM = 1, END_HEADERS = 4, STREAM = 1 };

static void put(int fd, const void *bytes, size_t n)
{
    for (size_t done = 0; done < n;) {
        ssize_t wrote = write(fd, (const char *)bytes + done, n - done);
        assert_true(wrote > 0);
        done += (size_t)wrote;
    }
}

static void put_frame(int fd, unsigned char type, unsigned char flags, const void *payload, size_t n)
{
    const unsigned char head[9] = {
        (unsigned char)(n >> 16), (unsigned char)(n >> 8), (unsigned char)n, type, flags, 0, 0, 0, STREAM
    };
    put(fd, head, sizeof(head));
    put(fd, payload, n);
}

/* A connection with a call of ECHO on it, whose message is to come. */
static int begin_call(const struct rig *g)
{
    /* The preface, and settings: INITIAL_WINDOW_SIZE (4) is 0. */
    static const char hello[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\6\4\0\0\0\0\0\0\4\0\0\0\0";
    /* POST, http, and literals: length and text of each name and value. */
    static const char headers[] = "\x83\x86\0\5:path\x0e" ECHO "\0\x0a:authority\1x\0\x0c"
                                  "content-type\x10"
                                  "application/grpc\0\2te\x08trailers";
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    struct timeval patience = { .tv_sec = 20 };
    assert_true(strlen(g->address + strlen("unix:")) < sizeof(a.sun_path));
    strcpy(a.sun_path, g->address + strlen("unix:"));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
    put(fd, hello, sizeof(hello) - 1);
    put_frame(fd, HEADERS, END_HEADERS, headers, sizeof(headers) - 1);
    return fd;
}

/* Takes nothing of the answer. */
static int call_without_reading(const struct rig *g)
{
    static unsigned char message[5 + BODY_BYTES] = { 0, 0, 0, BODY_BYTES >> 8, BODY_BYTES & 0xff };
    int fd = begin_call(g);
    for (size_t at = 0; at < sizeof(message);) {
        size_t n = sizeof(message) - at < FRAME_BYTES ? sizeof(message) - at : FRAME_BYTES;
        at += n;
        put_frame(fd, DATA, at == sizeof(message) ? END_STREAM : 0, message + at - n, n);
    }
    return fd;
}

static void read_exactly(int fd, unsigned char *out, size_t n)
{
    assert_int_equal(recv(fd, out, n, MSG_WAITALL), n);
}

/* Reads until the server ends the stream, which it can only by a reset: nothing of the answer fits the window. */
static void wait_given_up(int fd)
{
    static unsigned char payload[1 << 16];
    for (unsigned char head[9]; read_exactly(fd, head, sizeof(head)), true;) {
        size_t n = (size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2];
        assert_true(n <= sizeof(payload));
        read_exactly(fd, payload, n);
        if (head[3] == RST_STREAM)
            return;
        assert_int_not_equal(head[3], DATA);
    }
}

static void wait_unsent(struct rig *g, size_t bytes)
{
    for (int i = 0;; i++) {
        rig_enter(g);
        size_t now = g->server->unsent.bytes;
        rig_leave(g);
        if (now == bytes)
            return;
        if (i > 20000)
            fail_msg("%zu bytes are unsent, not %zu", now, bytes);
        usleep(1000);
    }
}

static void serve(struct rig *g, struct rpc_server_options o)
{
    char path[128];
    const char *addresses[] = { path };
    o.listen = addresses;
    o.listen_count = 1;
    rig_up(g);
    snprintf(path, sizeof(path), "unix:%s/s.sock", g->dir);
    rig_serve_with(g, &o);
}

static void test_oldest_goes_when_there_is_too_much(void **state)
{
    struct rig g;
    int fds[3];
    (void)state;
    serve(&g, (struct rpc_server_options){ .max_unsent_bytes = 2 * BODY_BYTES });
    for (int i = 0; i < 3; i++) {
        fds[i] = call_without_reading(&g);
        wait_unsent(&g, (i ? 2 : 1) * (size_t)BODY_BYTES);
    }
    wait_given_up(fds[0]);
    wait_unsent(&g, (size_t)2 * BODY_BYTES);
    for (int i = 0; i < 3; i++)
        close(fds[i]);
    wait_unsent(&g, 0);
    rig_down(&g);
}

static void test_what_is_not_taken_in_time_goes(void **state)
{
    struct rig g;
    (void)state;
    serve(&g, (struct rpc_server_options){ .unsent_timeout_ms = 1 });
    int fds[] = { call_without_reading(&g), call_without_reading(&g) };
    for (int i = 0; i < 2; i++) {
        wait_given_up(fds[i]);
        close(fds[i]);
    }
    wait_unsent(&g, 0);
    rig_down(&g);
}

/* Who holds a place by not reading loses it to who calls. */
static void test_it_makes_room_for_calls(void **state)
{
    struct rig g;
    struct result r;
    (void)state;
    serve(&g, (struct rpc_server_options){ .max_calls_in_flight = 1 });
    rig_connect(&g, NULL);
    int fd = call_without_reading(&g);
    wait_unsent(&g, BODY_BYTES);
    rig_send(&g, ECHO, 20000, &r);
    wait_event(&r.over);
    assert_string_equal(r.status.reason, "MAX_CALLS_IN_FLIGHT");
    result_done(&r);
    wait_given_up(fd);
    rig_send(&g, ECHO, 20000, &r);
    wait_event(&r.over);
    assert_int_equal(r.status.code, PL_OK);
    result_done(&r);
    close(fd);
    rig_down(&g);
}

/* The value of a setting in the server's first frame. */
static uint32_t read_setting(int fd, unsigned id)
{
    unsigned char head[9], payload[256];
    read_exactly(fd, head, sizeof(head));
    assert_int_equal(head[3], SETTINGS);
    size_t n = (size_t)head[1] << 8 | head[2];
    assert_true(n <= sizeof(payload));
    read_exactly(fd, payload, n);
    for (const unsigned char *p = payload; p + 6 <= payload + n; p += 6)
        if ((unsigned)(p[0] << 8 | p[1]) == id)
            return (uint32_t)p[2] << 24 | (uint32_t)p[3] << 16 | (uint32_t)p[4] << 8 | p[5];
    fail_msg("it says nothing of setting %u", id);
    return 0;
}

/* Calls whose messages never come are not in flight; how many one connection may have of them is said to it. */
static void test_half_calls_of_a_connection_are_limited(void **state)
{
    enum { MAX_CONCURRENT_STREAMS = 3 };
    struct rig g;
    (void)state;
    serve(&g, (struct rpc_server_options){ .max_calls_in_flight = 7 });
    int fd = begin_call(&g);
    assert_in_range(read_setting(fd, MAX_CONCURRENT_STREAMS), 8, 7 + 1000);
    close(fd);
    rig_down(&g);
}

/* What a connection's first window lets through of a message of 1 MiB, and no more. */
static int send_half(const struct rig *g)
{
    static unsigned char part[FRAME_BYTES] = { 0, 0, 1 << 4, 0, 0 };
    int fd = begin_call(g);
    for (int i = 0; i < 3; i++)
        put_frame(fd, DATA, 0, part, sizeof(part));
    return fd;
}

/* Reads a frame: whether the server ends the call, or the whole connection. */
static bool is_broken_off(int fd)
{
    unsigned char head[9], payload[1 << 12];
    if (recv(fd, head, sizeof(head), MSG_WAITALL) != sizeof(head))
        return true;
    size_t n = (size_t)head[1] << 8 | head[2];
    assert_true(n <= sizeof(payload));
    read_exactly(fd, payload, n);
    return head[3] == RST_STREAM || head[3] == GOAWAY;
}

static void test_half_sent_requests_are_bounded_together(void **state)
{
    enum { CLIENTS = 100, MOST = 1 << 20 };
    struct rig g;
    struct pollfd fds[CLIENTS];
    struct rpc_bytes *answer = NULL;
    struct pl_err err;
    (void)state;
    serve(&g, (struct rpc_server_options){ .max_received_bytes = MOST });
    for (int i = 0; i < CLIENTS; i++)
        fds[i] = (struct pollfd){ .fd = send_half(&g), .events = POLLIN };
    for (bool broken = false; !broken;) {
        assert_true(poll(fds, CLIENTS, 20000) > 0);
        for (int i = 0; i < CLIENTS && !broken; i++)
            broken = fds[i].revents && is_broken_off(fds[i].fd);
    }
    for (int i = 0; i < CLIENTS; i++)
        close(fds[i].fd);
    rig_connect(&g, NULL);
    for (int i = 0; rig_call(&g, ECHO, "x", 1, &answer, &err) != PL_OK; i++) { /* until the server has seen them go */
        assert_true(i < 1000);
        usleep(10000);
    }
    rpc_bytes_unref(answer);
    rig_down(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_oldest_goes_when_there_is_too_much),
        cmocka_unit_test(test_what_is_not_taken_in_time_goes),
        cmocka_unit_test(test_it_makes_room_for_calls),
        cmocka_unit_test(test_half_calls_of_a_connection_are_limited),
        cmocka_unit_test(test_half_sent_requests_are_bounded_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
