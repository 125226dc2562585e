/* Borrowed instances: the test is their worker, and the instance. */
#include "borrow.h"

#include "base/mem.h"
#include "base/time.h"
#include "frame/frame.h"
#include "loop/loop.h"
#include "metrics/metrics.h"
#include "reply.h"
#include "rpc/rpc.h"
#include "wire/wire.h"

#include "pilotlight/internal/v1/lending.pb-c.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#define HANG_MS 20000
#define ID      77

typedef Pilotlight__Internal__V1__LendingRequest request_t;
typedef Pilotlight__Internal__V1__LendingEvent event_t;

static struct {
    struct loop *loop;
    struct metrics *metrics;
    struct metrics_counter *requests;
    struct borrowing *borrowing;
    char dir[32], path[64];
    int listener, worker, instance; /* the worker's end of the connection, the instance's of its socket */
    struct loop_timer hang;
    /* What the caller heard. */
    unsigned ended;
    enum core_outcome outcome;
    struct pl_err err;
    int64_t model_us;
    char body[64];
} rig;

static void hangs(struct loop_timer *t)
{
    (void)t;
    fail_msg("nothing was heard");
}

static void stop(struct loop_timer *t)
{
    (void)t;
    loop_stop(rig.loop);
}

/* Until the caller hears something. */
static void run(void)
{
    unsigned ended = rig.ended;

    loop_timer_set(rig.loop, &rig.hang, pl_now_ms() + HANG_MS);
    while (rig.ended == ended)
        loop_run(rig.loop);
    loop_timer_clear(rig.loop, &rig.hang);
}

/* Some turns, in which nothing is to be heard. */
static void run_a_little(void)
{
    struct loop_timer t = { .fire = stop };
    unsigned ended = rig.ended;

    loop_timer_set(rig.loop, &t, pl_now_ms() + 20);
    loop_run(rig.loop);
    assert_int_equal(rig.ended, ended);
}

static void can_be_read(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };

    assert_int_equal(poll(&p, 1, HANG_MS), 1);
}

/* ---- the worker ---- */

static request_t *hear(void)
{
    uint8_t bytes[4096];
    request_t *m;
    ssize_t n;

    can_be_read(rig.worker);
    n = recv(rig.worker, bytes, sizeof(bytes), 0);
    assert_true(n > 0);
    m = pilotlight__internal__v1__lending_request__unpack(NULL, (size_t)n, bytes);
    assert_non_null(m);
    return m;
}

static void hear_kill(const char *part)
{
    request_t *m = hear();

    assert_int_equal(m->request_case, PILOTLIGHT__INTERNAL__V1__LENDING_REQUEST__REQUEST_KILL);
    assert_int_equal(m->kill->instance_id, ID);
    if (!strstr(m->kill->why, part))
        fail_msg("'%s' is not in '%s'", part, m->kill->why);
    pilotlight__internal__v1__lending_request__free_unpacked(m, NULL);
}

static void hear_read(uint64_t request_id, bool confirm)
{
    request_t *m = hear();

    assert_int_equal(m->request_case, PILOTLIGHT__INTERNAL__V1__LENDING_REQUEST__REQUEST_READ);
    assert_int_equal(m->read->instance_id, ID);
    assert_int_equal(m->read->request_id, request_id);
    assert_int_equal(m->read->confirm, confirm);
    pilotlight__internal__v1__lending_request__free_unpacked(m, NULL);
}

static void tell_with(const event_t *e, int fd)
{
    uint8_t bytes[4096];
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } passing = { .header = { .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS } };
    struct iovec span = { .iov_base = bytes, .iov_len = pilotlight__internal__v1__lending_event__pack(e, bytes) };
    struct msghdr m = { .msg_iov = &span, .msg_iovlen = 1 };

    memcpy(CMSG_DATA(&passing.header), &fd, sizeof(fd));
    if (fd >= 0) {
        m.msg_control = &passing;
        m.msg_controllen = sizeof(passing.room);
    }
    assert_int_equal(sendmsg(rig.worker, &m, MSG_NOSIGNAL), span.iov_len);
}

static void tell_printed(void)
{
    event_t e = PILOTLIGHT__INTERNAL__V1__LENDING_EVENT__INIT;

    e.event_case = PILOTLIGHT__INTERNAL__V1__LENDING_EVENT__EVENT_PRINTED;
    e.printed = ID;
    tell_with(&e, -1);
}

static void tell_has_read(void)
{
    event_t e = PILOTLIGHT__INTERNAL__V1__LENDING_EVENT__INIT;

    e.event_case = PILOTLIGHT__INTERNAL__V1__LENDING_EVENT__EVENT_HAS_READ;
    e.has_read = ID;
    tell_with(&e, -1);
}

static void tell_ended(const char *reason, bool overrun)
{
    event_t e = PILOTLIGHT__INTERNAL__V1__LENDING_EVENT__INIT;
    Pilotlight__Internal__V1__LentInstanceEnded ended = PILOTLIGHT__INTERNAL__V1__LENT_INSTANCE_ENDED__INIT;

    ended.instance_id = ID;
    ended.reason = (char *)(uintptr_t)reason;
    ended.overrun = overrun;
    e.event_case = PILOTLIGHT__INTERNAL__V1__LENDING_EVENT__EVENT_ENDED;
    e.ended = &ended;
    tell_with(&e, -1);
}

static void lend(void)
{
    event_t e = PILOTLIGHT__INTERNAL__V1__LENDING_EVENT__INIT;
    Pilotlight__Internal__V1__LentInstance lent = PILOTLIGHT__INTERNAL__V1__LENT_INSTANCE__INIT;
    int ends[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    lent.instance_id = ID;
    e.event_case = PILOTLIGHT__INTERNAL__V1__LENDING_EVENT__EVENT_LENT;
    e.lent = &lent;
    tell_with(&e, ends[0]);
    close(ends[0]);
    pl_close_p(&rig.instance);
    rig.instance = ends[1];
}

/* A router has come, and said who it is. */
static void take_in(void)
{
    request_t *m;

    pl_close_p(&rig.worker);
    can_be_read(rig.listener);
    rig.worker = accept4(rig.listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(rig.worker >= 0);
    m = hear();
    assert_int_equal(m->request_case, PILOTLIGHT__INTERNAL__V1__LENDING_REQUEST__REQUEST_HELLO);
    assert_string_equal(m->hello->router_id, "router-1");
    assert_string_equal(m->hello->host_id, "host-1");
    assert_int_equal(m->hello->router_epoch, 5);
    assert_int_equal(m->hello->host_epoch, 9);
    pilotlight__internal__v1__lending_request__free_unpacked(m, NULL);
}

/* ---- the instance ---- */

static void hear_question(uint64_t *out_id)
{
    uint8_t frame[FRAME_HEADER_SIZE + 3];
    struct frame_header h;

    can_be_read(rig.instance);
    assert_int_equal(recv(rig.instance, frame, sizeof(frame), MSG_WAITALL), sizeof(frame));
    assert_true(frame_decode(frame, &h));
    assert_int_equal(h.kind, FRAME_INVOKE);
    assert_memory_equal(frame + FRAME_HEADER_SIZE, "row", 3);
    *out_id = h.id;
}

static void say(enum frame_kind kind, uint64_t id, const void *payload, size_t n, bool printed)
{
    struct frame_header h = { .length = (uint32_t)n, .kind = kind, .id = id, .printed = printed };
    uint8_t frame[FRAME_HEADER_SIZE + 256];

    frame_encode(&h, frame);
    memcpy(frame + FRAME_HEADER_SIZE, payload, n);
    assert_int_equal(send(rig.instance, frame, FRAME_HEADER_SIZE + n, MSG_NOSIGNAL), FRAME_HEADER_SIZE + n);
}

static void say_result(uint64_t id, bool printed)
{
    uint8_t payload[32];

    say(FRAME_RESULT, id, payload, (size_t)(wire_put_bytes(payload, 1, "42", 2) - payload), printed);
}

/* ---- the caller ---- */

static void done(void *arg, enum core_outcome o, const struct pl_err *err, struct rpc_bytes *answer)
{
    assert_ptr_equal(arg, &rig);
    rig.ended++;
    rig.outcome = o;
    rig.err = err ? *err : (struct pl_err){ 0 };
    rig.model_us = answer ? reply_model_us(answer) : -1;
    loop_stop(rig.loop);
}

static struct borrowed *instance(void)
{
    struct borrowed *b = borrowing_find(rig.borrowing, ID);

    assert_non_null(b);
    return b;
}

static struct borrowed *ask(uint32_t timeout_ms)
{
    struct borrowed *b = instance();

    borrowed_ask(b, rpc_bytes_copy("row", 3), 1234, timeout_ms, done, &rig);
    assert_null(borrowing_find(rig.borrowing, ID)); /* one at a time */
    return b;
}

static void heard(enum core_outcome o, const char *reason, const char *part)
{
    run();
    assert_int_equal(rig.outcome, o);
    assert_string_equal(rig.err.reason, reason);
    if (!strstr(rig.err.message, part))
        fail_msg("'%s' is not in '%s'", part, rig.err.message);
}

static void serve_one(void)
{
    uint64_t id;

    (void)ask(60000);
    hear_question(&id);
    say_result(id, false);
    heard(CORE_ANSWERED, "", "");
    assert_true(rig.model_us >= 0);
}

/* ---- rig ---- */

static int set_up(void **state)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };

    (void)state;
    memset(&rig, 0, sizeof(rig));
    rig.worker = rig.instance = -1;
    rig.loop = loop_new(0);
    rig.hang.fire = hangs;
    rig.metrics = metrics_new();
    rig.requests = metrics_counter(rig.metrics, "requests_total", NULL, "help");
    (void)snprintf(rig.dir, sizeof(rig.dir), "/tmp/pilotlight-borrow-XXXXXX");
    assert_non_null(mkdtemp(rig.dir));
    (void)snprintf(rig.path, sizeof(rig.path), "%s/direct.sock", rig.dir);
    (void)snprintf(a.sun_path, sizeof(a.sun_path), "%s", rig.path);
    rig.listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(rig.listener, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(listen(rig.listener, 8), 0);
    rig.borrowing = borrowing_new(&(struct borrow_options){
        .loop = rig.loop, .router_id = "router-1", .host_id = "host-1", .router_epoch = 5, .requests = rig.requests });
    borrowing_open(rig.borrowing, rig.path, 9);
    take_in();
    assert_null(borrowing_find(rig.borrowing, ID));
    lend();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    borrowing_free(rig.borrowing);
    pl_close_p(&rig.worker);
    pl_close_p(&rig.instance);
    pl_close_p(&rig.listener);
    metrics_free(rig.metrics);
    loop_free(rig.loop);
    unlink(rig.path);
    rmdir(rig.dir);
    return 0;
}

/* ---- the tests ---- */

static void requests_and_answers(void **state)
{
    uint8_t error[64], *end = wire_put_varint(error, 1, 415);
    uint64_t id;

    (void)state;
    for (int i = 0; i < 3; i++)
        serve_one();
    end = wire_put_bytes(end, 2, "no rows", 7);
    (void)ask(60000);
    hear_question(&id);
    say(FRAME_ERROR, id, error, (size_t)(end - error), false);
    heard(CORE_REFUSED, "MODEL_ERROR", "no rows");
    assert_int_equal(rig.err.code, PL_MODEL);
    assert_int_equal(rig.err.model_status, 415);
    serve_one();
    assert_int_equal(atomic_load(&rig.requests->value), 5);
}

static void too_late(void **state)
{
    (void)state;
    (void)ask(20);
    heard(CORE_LOST, "INVOKE_TIMEOUT", "the model did not answer within the invocation timeout of 20 ms");
    assert_int_equal(rig.err.code, PL_DEADLINE);
    hear_kill("killed: no answer within the invocation timeout of 20 ms");
    assert_null(borrowing_find(rig.borrowing, ID));
    tell_printed(); /* its last lines are that request's */
    run_a_little();
    hear_read(1234, false);
    tell_ended("killed: no answer in time", false);
    run_a_little();
    tell_printed();
    run_a_little();
    hear_read(0, false);
}

static void lies(void **state)
{
    uint64_t id;

    (void)state;
    (void)ask(60000);
    hear_question(&id);
    say_result(id + 1, false);
    run_a_little();
    hear_kill("killed: it answered a question that was not asked");
    tell_ended("killed: it answered a question", false);
    heard(CORE_LOST, "INSTANCE_DIED", "instance 77 died while answering: killed: it answered a question");
}

static void rubbish_in_an_answer(void **state)
{
    uint64_t id;

    (void)state;
    (void)ask(60000);
    hear_question(&id);
    say(FRAME_RESULT, id, "\xff\xff", 2, false);
    run_a_little();
    hear_kill("killed: its result");
    tell_ended("killed: its result is none", false);
    heard(CORE_LOST, "INSTANCE_DIED", "killed: its result is none");
}

static void bytes_that_nobody_asked_for(void **state)
{
    (void)state;
    serve_one();
    say_result(9, false);
    run_a_little();
    hear_kill("killed: it sent bytes that nobody asked for");
    assert_null(borrowing_find(rig.borrowing, ID));
}

static void dies(void **state)
{
    uint64_t id;

    (void)state;
    (void)ask(60000);
    hear_question(&id);
    pl_close_p(&rig.instance);
    run_a_little(); /* the worker's word is waited for */
    tell_ended("killed by signal 11", false);
    heard(CORE_LOST, "INSTANCE_DIED", "instance 77 died while answering: killed by signal 11");
    assert_null(borrowing_find(rig.borrowing, ID));
}

static void takes_too_much_memory(void **state)
{
    uint64_t id;

    (void)state;
    (void)ask(60000);
    hear_question(&id);
    tell_ended("memory limit 1024 MB", true);
    pl_close_p(&rig.instance);
    heard(CORE_REFUSED, "MODEL_ERROR", "instance 77 was killed while answering: memory limit 1024 MB");
    assert_int_equal(rig.err.code, PL_MODEL);
}

/* The worker's word may come before the answer has been read. */
static void answers_and_dies(void **state)
{
    uint64_t id;

    (void)state;
    (void)ask(60000);
    hear_question(&id);
    tell_ended("exited with 0", false);
    say_result(id, false);
    pl_close_p(&rig.instance);
    heard(CORE_ANSWERED, "", "");
    assert_null(borrowing_find(rig.borrowing, ID));
}

/* It has closed its end, but lives. */
static void hangs_up(void **state)
{
    uint64_t id;

    (void)state;
    (void)ask(60000);
    hear_question(&id);
    pl_close_p(&rig.instance);
    loop_timer_set(rig.loop, &rig.hang, pl_now_ms() + HANG_MS);
    run_a_little();
    while (recv(rig.worker, &(char){ 0 }, 1, MSG_PEEK | MSG_DONTWAIT) < 0)
        run_a_little();
    hear_kill("killed: it closed its connection");
    tell_ended("killed: it closed its connection", false);
    heard(CORE_LOST, "INSTANCE_DIED", "killed: it closed its connection");
}

static void cancelled(void **state)
{
    struct borrowed *b = ask(60000);

    (void)state;
    loop_enter(rig.loop);
    borrowed_cancel(b);
    assert_int_equal(rig.ended, 0); /* never from inside */
    loop_leave(rig.loop);
    assert_int_equal(rig.ended, 1);
    assert_int_equal(rig.outcome, CORE_LOST);
    assert_int_equal(rig.err.code, PL_CANCELLED);
    hear_kill("killed: its caller went away");
    assert_null(borrowing_find(rig.borrowing, ID));
}

static void whose_lines_they_are(void **state)
{
    uint64_t id;

    (void)state;
    (void)ask(60000);
    tell_printed();
    run_a_little();
    hear_read(1234, false);
    hear_question(&id);
    say_result(id, true); /* it has printed more: that is read before the answer goes on */
    run_a_little();
    hear_read(1234, true);
    tell_has_read();
    heard(CORE_ANSWERED, "", "");
    tell_printed();
    run_a_little();
    hear_read(0, false);
    serve_one();
}

/* The worker goes: an answer that comes all the same counts. */
static void the_connection_ends(void **state)
{
    uint64_t id;

    (void)state;
    (void)ask(60000);
    hear_question(&id);
    pl_close_p(&rig.worker);
    run_a_little();
    say_result(id, true);
    heard(CORE_ANSWERED, "", "");
    assert_null(borrowing_find(rig.borrowing, ID));
}

static void the_host_is_lost(void **state)
{
    uint64_t id;

    (void)state;
    (void)ask(60000);
    hear_question(&id);
    pl_close_p(&rig.worker);
    pl_close_p(&rig.instance);
    heard(CORE_LOST, "INSTANCE_DIED", "host host-1 was lost while its instance had the request");
}

/* The host's stream came anew while a request was under way: its answer comes by the old socket, the next by the new.
 */
static void lent_again(void **state)
{
    uint64_t id;
    int old, new;

    (void)state;
    (void)ask(60000);
    hear_question(&id);
    old = rig.instance;
    rig.instance = -1;
    borrowing_open(rig.borrowing, rig.path, 9);
    take_in();
    lend();
    run_a_little();
    (void)instance();
    new = rig.instance;
    rig.instance = old;
    say_result(id, false);
    heard(CORE_ANSWERED, "", "");
    close(old);
    rig.instance = new;
    serve_one();
}

static void closed(void **state)
{
    (void)state;
    serve_one();
    borrowing_close(rig.borrowing);
    borrowing_close(rig.borrowing);
    assert_null(borrowing_find(rig.borrowing, ID));
    borrowing_open(rig.borrowing, "", 9);
    assert_null(borrowing_find(rig.borrowing, ID));
    borrowing_open(rig.borrowing, "/nowhere/direct.sock", 9);
    assert_null(borrowing_find(rig.borrowing, ID));
}

#define B(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        B(requests_and_answers),
        B(too_late),
        B(lies),
        B(rubbish_in_an_answer),
        B(bytes_that_nobody_asked_for),
        B(dies),
        B(takes_too_much_memory),
        B(answers_and_dies),
        B(hangs_up),
        B(cancelled),
        B(whose_lines_they_are),
        B(the_connection_ends),
        B(the_host_is_lost),
        B(lent_again),
        B(closed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
