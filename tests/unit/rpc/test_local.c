/* What is special about the local transport. What it has in common with gRPC is in test_unary.c, test_drain.c and
 * test_errors.c, which run over both. The peers here are real ones of this room, or a socket with the test behind it.
 */
#include "rig.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "local_frame.h"
#include "loop/loop.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* ---- a socket with the test behind it ---- */

static struct sockaddr_un socket_address(const struct rig *g)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    snprintf(a.sun_path, sizeof(a.sun_path), "%s/s.frames", g->dir);
    return a;
}

static int dial(const struct rig *g)
{
    struct sockaddr_un a = socket_address(g);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    return fd;
}

static void put_bytes(int fd, const void *bytes, size_t n)
{
    const char *at = bytes;
    while (n > 0) {
        ssize_t sent = send(fd, at, n, MSG_NOSIGNAL);
        assert_true(sent > 0);
        at += sent;
        n -= (size_t)sent;
    }
}

static void put_frame(int fd, struct local_frame *f, const void *message, size_t n)
{
    uint8_t head[LOCAL_HEADER_BYTES + LOCAL_HEAD_MAX];
    f->message_len = n;
    put_bytes(fd, head, local_frame_write(f, head));
    put_bytes(fd, message, n);
}

static void put_hello(int fd, uint32_t version)
{
    struct local_frame f = { .kind = LOCAL_HELLO };
    local_hello_write(&f, version);
    put_frame(fd, &f, "", 0);
}

static void put_call(int fd, uint32_t slot, uint32_t turn, const char *path, const void *message, size_t n)
{
    struct local_frame f = { .kind = LOCAL_CALL, .slot = slot, .turn = turn };
    const struct local_call_head h = { .timeout_ms = 20000, .path = path, .path_len = strlen(path) };
    assert_true(local_call_head_write(&f, &h));
    put_frame(fd, &f, message, n);
}

/* What a raw peer reads: one frame; NULL: the connection is over. */
static struct local_frame *take_frame(int fd, struct local_reader *r)
{
    struct local_frame *f;
    for (;;) {
        enum local_read found = local_reader_next(r, &f);
        if (found == LOCAL_FRAME)
            return f;
        assert_int_equal(found, LOCAL_MORE);
        struct pollfd p = { .fd = fd, .events = POLLIN };
        assert_int_equal(poll(&p, 1, 20000), 1);
        struct iovec room = local_reader_room(r);
        ssize_t n = recv(fd, room.iov_base, room.iov_len, 0);
        if (n <= 0)
            return NULL;
        local_reader_filled(r, (size_t)n);
    }
}

static void drop_frame(struct local_frame *f)
{
    rpc_bytes_unref(pl_take(f->message));
}

/* Dials and greets. */
static int greet(const struct rig *g, struct local_reader *r)
{
    uint32_t version;
    int fd = dial(g);
    local_reader_init(r, RPC_MAX_MESSAGE_BYTES);
    put_hello(fd, LOCAL_VERSION);
    struct local_frame *f = take_frame(fd, r);
    assert_non_null(f);
    assert_true(local_hello_read(f, &version));
    assert_int_equal(version, LOCAL_VERSION);
    return fd;
}

static void hang_up(int fd, struct local_reader *r)
{
    close(fd);
    local_reader_done(r);
}

static void assert_over(int fd, struct local_reader *r)
{
    assert_null(take_frame(fd, r));
    hang_up(fd, r);
}

static void assert_serves(struct rig *g)
{
    struct rpc_bytes *reply = NULL;
    struct pl_err err;
    assert_int_equal(rig_call(g, ECHO, "still alive", 11, &reply, &err), PL_OK);
    assert_int_equal(rpc_bytes_len(reply), 11);
    rpc_bytes_unref(reply);
}

static void let_go(struct rig *g)
{
    struct pl_err err;
    rig_enter(g);
    (void)pl_fail(&err, PL_CANCELLED, NULL, "the client has gone");
    rpc_fail(g->held, &err);
    rig_leave(g);
}

/* ---- the server and peers that misbehave ---- */

static void test_garbage_ends_only_its_connection(void **state)
{
    static const char *const first[] = { "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "\xff\xff\xff\xff\xff\xff\xff\xff" };
    struct rig *g = *state;
    struct local_reader r;
    int fd;
    for (size_t i = 0; i < PL_COUNT(first); i++) {
        fd = dial(g);
        local_reader_init(&r, 1024);
        put_bytes(fd, first[i], strlen(first[i]));
        assert_over(fd, &r);
    }
    fd = greet(g, &r);
    put_bytes(fd, "\x07garbage behind the greeting", 28);
    assert_over(fd, &r);
    assert_serves(g);
}

static void test_calls_before_the_greeting_and_other_breaches(void **state)
{
    struct rig *g = *state;
    struct local_reader r;
    struct local_frame reply = { .kind = LOCAL_REPLY };
    int fd = dial(g);
    local_reader_init(&r, 1024);
    put_call(fd, 0, 1, ECHO, "x", 1);
    assert_over(fd, &r);
    fd = greet(g, &r);
    put_frame(fd, &reply, "x", 1); /* clients answer nothing */
    assert_over(fd, &r);
    fd = greet(g, &r);
    put_call(fd, 65536, 1, ECHO, "x", 1); /* no such slot */
    assert_over(fd, &r);
    fd = greet(g, &r);
    put_call(fd, 3, 1, HOLD, "x", 1);
    wait_event(&g->held_event);
    put_call(fd, 3, 2, ECHO, "x", 1); /* a slot in use: both calls are lost */
    wait_event(&g->cancelled_event);
    assert_over(fd, &r);
    let_go(g);
    assert_serves(g);
}

static void test_another_version_is_told_ours(void **state)
{
    struct rig *g = *state;
    struct local_reader r;
    struct local_frame *f;
    uint32_t version;
    int fd = dial(g);
    local_reader_init(&r, 1024);
    put_hello(fd, LOCAL_VERSION + 1);
    f = take_frame(fd, &r);
    assert_non_null(f);
    assert_true(local_hello_read(f, &version));
    assert_int_equal(version, LOCAL_VERSION);
    assert_over(fd, &r);
}

static void test_client_dies_in_mid_frame_and_with_a_call_in_flight(void **state)
{
    struct rig *g = *state;
    struct local_reader r;
    struct local_frame f = { .kind = LOCAL_CALL, .slot = 9, .turn = 1 };
    uint8_t head[LOCAL_HEADER_BYTES + LOCAL_HEAD_MAX];
    int fd = greet(g, &r);
    put_call(fd, 0, 1, HOLD, "x", 1);
    wait_event(&g->held_event);
    const struct local_call_head h = { .timeout_ms = 1000, .path = ECHO, .path_len = strlen(ECHO) };
    assert_true(local_call_head_write(&f, &h));
    f.message_len = 100000;
    put_bytes(fd, head, local_frame_write(&f, head));
    put_bytes(fd, "only the beginning", 18);
    hang_up(fd, &r);
    wait_event(&g->cancelled_event);
    let_go(g);
    assert_serves(g);
}

static void test_late_cancel_and_ping(void **state)
{
    struct rig *g = *state;
    struct local_reader r;
    struct local_frame cancel = { .kind = LOCAL_CANCEL, .slot = 0, .turn = 1 }, ping = { .kind = LOCAL_PING };
    int fd = greet(g, &r);
    put_call(fd, 0, 1, ECHO, "abc", 3);
    struct local_frame *f = take_frame(fd, &r);
    assert_non_null(f);
    assert_int_equal(f->kind, LOCAL_REPLY);
    drop_frame(f);
    put_frame(fd, &cancel, "", 0); /* it crossed the answer */
    cancel.slot = 60000;
    put_frame(fd, &cancel, "", 0);
    put_call(fd, 0, 2, HOLD, "x", 1);
    wait_event(&g->held_event);
    cancel.slot = 0;
    put_frame(fd, &cancel, "", 0); /* the former one's */
    put_frame(fd, &ping, "", 0);
    f = take_frame(fd, &r);
    assert_non_null(f);
    assert_int_equal(f->kind, LOCAL_PONG);
    rig_enter(g);
    assert_int_equal(g->cancelled_count, 0);
    rpc_reply_bytes(g->held, rpc_bytes_copy("held", 4));
    rig_leave(g);
    f = take_frame(fd, &r);
    assert_non_null(f);
    assert_int_equal(f->turn, 2);
    drop_frame(f);
    hang_up(fd, &r);
}

/* As much of 'n' bytes as the other side takes within a moment. */
static size_t put_some(int fd, const uint8_t *bytes, size_t n)
{
    size_t at = 0;
    while (at < n) {
        ssize_t sent = send(fd, bytes + at, n - at, MSG_NOSIGNAL);
        if (sent < 0 && errno == EAGAIN)
            break;
        assert_true(sent > 0);
        at += (size_t)sent;
    }
    return at;
}

static void take_echo(int fd, struct local_reader *r, size_t n)
{
    struct local_frame *f = take_frame(fd, r);
    assert_non_null(f);
    assert_int_equal(f->kind, LOCAL_REPLY);
    assert_int_equal(rpc_bytes_len(f->message), n);
    drop_frame(f);
}

/* Asks for far more than the server keeps for one who does not read, then reads it all. */
static void test_slow_reader_is_not_read_from(void **state)
{
    enum { CALLS = 20, SIZE = 4 << 20 };
    static const struct timeval moment = { .tv_usec = 200000 }, patience = { .tv_sec = 20 };
    static const struct local_call_head h = { .timeout_ms = 20000, .path = ECHO, .path_len = sizeof(ECHO) - 1 };
    struct rig *g = *state;
    struct local_reader r;
    struct local_frame f = { .kind = LOCAL_CALL, .turn = 1, .message_len = SIZE };
    uint8_t *call = pl_new0(1, LOCAL_HEADER_BYTES + LOCAL_HEAD_MAX + SIZE);
    size_t len = 0, taken = 0;
    int fd = greet(g, &r);
    assert_true(local_call_head_write(&f, &h));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &moment, sizeof(moment));
    do {
        len = local_frame_write(&f, call) + SIZE;
        taken = put_some(fd, call, len);
    } while (taken == len && ++f.slot < CALLS);
    assert_true(f.slot < CALLS); /* it did not take all of it ... */
    for (uint32_t i = 0; i < f.slot; i++)
        take_echo(fd, &r, SIZE);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    put_bytes(fd, call + taken, len - taken); /* ... and does again */
    take_echo(fd, &r, SIZE);
    hang_up(fd, &r);
    free(call);
    assert_serves(g);
}

static void test_client_that_never_reads_is_given_up(void **state)
{
    enum { SIZE = 4 << 20 };
    struct rig *g = *state;
    char again[128];
    const char *addresses[] = { again };
    struct rpc_server_options o = { .listen = addresses, .listen_count = 1, .unsent_timeout_ms = 300 };
    struct local_reader r;
    char *body = pl_new0(1, SIZE);
    snprintf(again, sizeof(again), "%s", g->address);
    rig_stop_server(g, 1000);
    rig_serve_with(g, &o);
    int fd = greet(g, &r);
    put_call(fd, 0, 1, HOLD, "x", 1); /* it hears that its client is given up */
    put_call(fd, 1, 1, ECHO, body, SIZE);
    wait_event(&g->held_event);
    wait_event(&g->cancelled_event);
    let_go(g);
    hang_up(fd, &r);
    free(body);
}

static void test_streams_are_for_grpc(void **state)
{
    struct rig *g = *state;
    struct local_reader r;
    struct result stream;
    int fd = greet(g, &r);
    put_call(fd, 0, 1, COUNT, "", 0);
    struct local_frame *f = take_frame(fd, &r);
    assert_non_null(f);
    assert_int_equal(f->kind, LOCAL_FAILED);
    drop_frame(f);
    hang_up(fd, &r);
    rig_open(g, COUNT, "3", &stream);
    wait_event(&stream.over);
    assert_int_equal(stream.status.code, PL_UNIMPLEMENTED);
    assert_non_null(strstr(stream.status.message, COUNT));
    result_done(&stream);
}

/* ---- the client ---- */

static void test_large_and_small_interleaved(void **state)
{
    enum { MANY = 60 };
    struct rig *g = *state;
    struct result *r = calloc(MANY, sizeof(*r));
    size_t large = (size_t)5 << 20;
    char *body = pl_new0(1, large);
    struct rpc_bytes *reply = NULL;
    struct pl_err err;
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < MANY; i++)
            rig_send(g, ECHO, 20000, &r[i]);
        assert_int_equal(rig_call(g, ECHO, body, large, &reply, &err), PL_OK);
        assert_int_equal(rpc_bytes_len(reply), large);
        rpc_bytes_unref(pl_take(reply));
        for (int i = 0; i < MANY; i++) {
            wait_event(&r[i].over);
            assert_int_equal(r[i].status.code, PL_OK);
            result_done(&r[i]);
        }
    }
    free(body);
    free(r);
}

/* Answered in another order than sent, some cancelled, slots used again. */
static void test_answers_find_their_calls(void **state)
{
    struct rig *g = *state;
    struct result first, second, third;
    struct rpc_request *q = rig_send(g, HOLD, 20000, &first);
    wait_event(&g->held_event);
    rig_enter(g);
    struct rpc_call *held_first = g->held;
    rig_leave(g);
    rig_send(g, HOLD, 20000, &second);
    wait_event(&g->held_event);
    rig_enter(g);
    struct rpc_call *held_second = g->held;
    rpc_cancel(q);
    rig_leave(g);
    wait_event(&first.over);
    assert_int_equal(first.status.code, PL_CANCELLED);
    rig_send(g, ECHO, 20000, &third); /* in the slot of the first */
    wait_event(&third.over);
    assert_int_equal(third.status.code, PL_OK);
    assert_int_equal(rpc_bytes_len(third.bytes), 4);
    wait_event(&g->cancelled_event);
    rig_enter(g);
    rpc_reply_bytes(held_first, rpc_bytes_copy("nobody waits", 12));
    rpc_reply_bytes(held_second, rpc_bytes_copy("second", 6));
    rig_leave(g);
    wait_event(&second.over);
    assert_int_equal(second.status.code, PL_OK);
    assert_int_equal(rpc_bytes_len(second.bytes), 6);
    result_done(&first);
    result_done(&second);
    result_done(&third);
}

static void test_nobody_listens(void **state)
{
    struct rig *g = *state;
    struct result waits, fails;
    struct rpc_send s = { 0 };
    (void)s;
    rig_stop_server(g, 1000);
    rig_send(g, ECHO, 20000, &fails);
    wait_event(&fails.over);
    assert_int_equal(fails.status.code, PL_UNAVAILABLE);
    assert_non_null(strstr(fails.status.message, g->address));
    assert_string_equal(fails.status.reason, RPC_NOT_SENT);
    result_done(&fails);
    struct pl_err err;
    struct rpc_bytes *reply = NULL;
    s = (struct rpc_send){ .path = ECHO, .bytes = rpc_bytes_copy("x", 1), .timeout_ms = 100, .wait_for_ready = true };
    assert_int_equal(rpc_call_wait(g->channel, &s, NULL, &reply, &err), PL_DEADLINE);
    /* One that waits is served as soon as there is a server, and one that is cancelled goes. */
    struct rpc_send late = { .path = ECHO, .timeout_ms = 20000, .wait_for_ready = true };
    late.bytes = rpc_bytes_copy("x", 1);
    rig_serve_local(g);
    assert_int_equal(rpc_call_wait(g->channel, &late, NULL, &reply, &err), PL_OK);
    rpc_bytes_unref(reply);
    rig_send(g, HOLD, 20000, &waits);
    wait_event(&g->held_event);
    rig_enter(g);
    rpc_reply_bytes(g->held, rpc_bytes_copy("x", 1));
    rig_leave(g);
    wait_event(&waits.over);
    result_done(&waits);
}

/* A server of the test's own: accepts one connection, greets, reads a call, and does with it what 'end' says. */
struct fake {
    int listener;
    pthread_t thread;
    void (*end)(int fd, const struct local_frame *call);
};

static void *fake_run(void *arg)
{
    struct fake *k = arg;
    struct local_reader r;
    int fd = accept(k->listener, NULL, NULL);
    local_reader_init(&r, RPC_MAX_MESSAGE_BYTES);
    put_hello(fd, LOCAL_VERSION);
    struct local_frame *f;
    while ((f = take_frame(fd, &r)) && f->kind != LOCAL_CALL)
        ;
    if (f) {
        k->end(fd, f);
        drop_frame(f);
    }
    hang_up(fd, &r);
    return NULL;
}

static void fake_start(struct fake *k, struct rig *g, void (*end)(int fd, const struct local_frame *call))
{
    struct sockaddr_un a = socket_address(g);
    *k = (struct fake){ .listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), .end = end };
    unlink(a.sun_path);
    assert_int_equal(bind(k->listener, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(listen(k->listener, 4), 0);
    assert_int_equal(pthread_create(&k->thread, NULL, fake_run, k), 0);
}

static void fake_stop(struct fake *k)
{
    pthread_join(k->thread, NULL);
    close(k->listener);
}

static void die(int fd, const struct local_frame *call)
{
    (void)fd, (void)call;
}

static void die_in_mid_reply(int fd, const struct local_frame *call)
{
    struct local_frame f = { .kind = LOCAL_REPLY, .slot = call->slot, .turn = call->turn, .message_len = 100000 };
    uint8_t head[LOCAL_HEADER_BYTES + LOCAL_HEAD_MAX];
    put_bytes(fd, head, local_frame_write(&f, head));
    put_bytes(fd, "the beginning", 13);
}

static void send_garbage(int fd, const struct local_frame *call)
{
    static const char garbage[] = "*no frame at all, but long enough to be one";
    char byte;
    (void)call;
    put_bytes(fd, garbage, sizeof(garbage));
    assert_true(recv(fd, &byte, 1, 0) <= 0);
}

/* To calls that nobody has made, then to the one that was, with a status that is none. */
static void answer_strangely(int fd, const struct local_frame *call)
{
    struct local_frame f = { .kind = LOCAL_REPLY, .slot = call->slot + 1, .turn = 1 };
    put_frame(fd, &f, "x", 1);
    f = (struct local_frame){ .kind = LOCAL_REPLY, .slot = call->slot, .turn = call->turn + 1 };
    put_frame(fd, &f, "x", 1);
    f = (struct local_frame){ .kind = LOCAL_FAILED, .slot = 4000000000u, .turn = 1 };
    put_frame(fd, &f, "x", 1);
    f = (struct local_frame){ .kind = LOCAL_FAILED, .slot = call->slot, .turn = call->turn };
    put_frame(fd, &f, "\xff\xff\xff", 3);
    char byte;
    (void)recv(fd, &byte, 1, 0);
}

static void reply_too_large(int fd, const struct local_frame *call)
{
    struct local_frame f = { .kind = LOCAL_REPLY, .slot = call->slot, .turn = call->turn };
    size_t n = RPC_MAX_MESSAGE_BYTES + 1;
    char *message = pl_new0(1, n), byte;
    put_frame(fd, &f, message, n);
    free(message);
    (void)recv(fd, &byte, 1, 0);
}

static void expect_from_fake(struct rig *g, void (*end)(int fd, const struct local_frame *call), enum pl_code code,
                             const char *text)
{
    struct fake k;
    struct rpc_bytes *reply = NULL;
    struct pl_err err;
    rig_stop_server(g, 1000);
    rig_enter(g);
    rpc_channel_free(g->channel);
    rig_leave(g);
    fake_start(&k, g, end);
    rig_connect(g, NULL);
    assert_int_equal(rig_call(g, ECHO, "x", 1, &reply, &err), code);
    assert_non_null(strstr(err.message, text));
    rig_enter(g);
    rpc_channel_free(pl_take(g->channel));
    rig_leave(g);
    fake_stop(&k);
    rig_serve_local(g);
    rig_connect(g, NULL);
    assert_serves(g);
}

static void test_servers_that_misbehave(void **state)
{
    expect_from_fake(*state, die, PL_UNAVAILABLE, "connection was lost");
    expect_from_fake(*state, die_in_mid_reply, PL_UNAVAILABLE, "connection was lost");
    expect_from_fake(*state, send_garbage, PL_UNAVAILABLE, "connection was lost");
    expect_from_fake(*state, answer_strangely, PL_UNKNOWN, "cannot be read");
    expect_from_fake(*state, reply_too_large, PL_EXHAUSTED, "larger than the limit");
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, rig_fixture_up_local, rig_fixture_down)
    const struct CMUnitTest tests[] = {
        TEST(test_garbage_ends_only_its_connection),
        TEST(test_calls_before_the_greeting_and_other_breaches),
        TEST(test_another_version_is_told_ours),
        TEST(test_client_dies_in_mid_frame_and_with_a_call_in_flight),
        TEST(test_late_cancel_and_ping),
        TEST(test_slow_reader_is_not_read_from),
        TEST(test_client_that_never_reads_is_given_up),
        TEST(test_streams_are_for_grpc),
        TEST(test_large_and_small_interleaved),
        TEST(test_answers_find_their_calls),
        TEST(test_nobody_listens),
        TEST(test_servers_that_misbehave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
