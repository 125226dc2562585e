#include "borrow_rig.h"

#include "pilotlight/internal/v1/lending.pb-c.h"

#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

typedef Pilotlight__Internal__V1__LendingRequest request_t;
typedef Pilotlight__Internal__V1__LendingEvent event_t;

struct borrow_rig one;

static void hangs(struct loop_timer *t)
{
    (void)t;
    fail_msg("nothing was heard");
}

static void stop(struct loop_timer *t)
{
    (void)t;
    loop_stop(one.loop);
}

/* Until the caller hears something. */
void run(void)
{
    unsigned ended = one.ended;

    loop_timer_set(one.loop, &one.hang, pl_now_ms() + HANG_MS);
    while (one.ended == ended)
        loop_run(one.loop);
    loop_timer_clear(one.loop, &one.hang);
}

/* Some turns, in which nothing is to be heard. */
void run_a_little(void)
{
    struct loop_timer t = { .fire = stop };
    unsigned ended = one.ended;

    loop_timer_set(one.loop, &t, pl_now_ms() + 20);
    loop_run(one.loop);
    assert_int_equal(one.ended, ended);
}

void can_be_read(int fd)
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

    can_be_read(one.worker);
    n = recv(one.worker, bytes, sizeof(bytes), 0);
    assert_true(n > 0);
    m = pilotlight__internal__v1__lending_request__unpack(NULL, (size_t)n, bytes);
    assert_non_null(m);
    return m;
}

void hear_kill(const char *part)
{
    request_t *m = hear();

    assert_int_equal(m->request_case, PILOTLIGHT__INTERNAL__V1__LENDING_REQUEST__REQUEST_KILL);
    assert_int_equal(m->kill->instance_id, ID);
    if (!strstr(m->kill->why, part))
        fail_msg("'%s' is not in '%s'", part, m->kill->why);
    pilotlight__internal__v1__lending_request__free_unpacked(m, NULL);
}

void hear_read(uint64_t request_id, bool confirm)
{
    request_t *m = hear();

    assert_int_equal(m->request_case, PILOTLIGHT__INTERNAL__V1__LENDING_REQUEST__REQUEST_READ);
    assert_int_equal(m->read->instance_id, ID);
    assert_int_equal(m->read->request_id, request_id);
    assert_int_equal(m->read->confirm, confirm);
    pilotlight__internal__v1__lending_request__free_unpacked(m, NULL);
}

void hear_served(uint64_t requests)
{
    request_t *m = hear();

    assert_int_equal(m->request_case, PILOTLIGHT__INTERNAL__V1__LENDING_REQUEST__REQUEST_SERVED);
    assert_int_equal(m->served->n_instances, 1);
    assert_int_equal(m->served->instances[0]->instance_id, ID);
    assert_int_equal(m->served->instances[0]->requests, requests);
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
    assert_int_equal(sendmsg(one.worker, &m, MSG_NOSIGNAL), span.iov_len);
}

void tell_printed(void)
{
    event_t e = PILOTLIGHT__INTERNAL__V1__LENDING_EVENT__INIT;

    e.event_case = PILOTLIGHT__INTERNAL__V1__LENDING_EVENT__EVENT_PRINTED;
    e.printed = ID;
    tell_with(&e, -1);
}

void tell_has_read(void)
{
    event_t e = PILOTLIGHT__INTERNAL__V1__LENDING_EVENT__INIT;

    e.event_case = PILOTLIGHT__INTERNAL__V1__LENDING_EVENT__EVENT_HAS_READ;
    e.has_read = ID;
    tell_with(&e, -1);
}

void tell_ended(const char *reason, bool overrun)
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

void lend(void)
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
    pl_close_p(&one.instance);
    one.instance = ends[1];
}

/* A router has come, and said who it is. */
void take_in(void)
{
    request_t *m;

    pl_close_p(&one.worker);
    can_be_read(one.listener);
    one.worker = accept4(one.listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(one.worker >= 0);
    m = hear();
    assert_int_equal(m->request_case, PILOTLIGHT__INTERNAL__V1__LENDING_REQUEST__REQUEST_HELLO);
    assert_string_equal(m->hello->router_id, "router-1");
    assert_string_equal(m->hello->host_id, "host-1");
    assert_int_equal(m->hello->router_epoch, 5);
    assert_int_equal(m->hello->host_epoch, 9);
    pilotlight__internal__v1__lending_request__free_unpacked(m, NULL);
}

/* ---- the instance ---- */

void hear_question(uint64_t *out_id)
{
    uint8_t frame[FRAME_HEADER_SIZE + 3];
    struct frame_header h;

    can_be_read(one.instance);
    assert_int_equal(recv(one.instance, frame, sizeof(frame), MSG_WAITALL), sizeof(frame));
    assert_true(frame_decode(frame, &h));
    assert_int_equal(h.kind, FRAME_INVOKE);
    assert_memory_equal(frame + FRAME_HEADER_SIZE, "row", 3);
    *out_id = h.id;
}

void say(enum frame_kind kind, uint64_t id, const void *payload, size_t n, bool printed)
{
    struct frame_header h = { .length = (uint32_t)n, .kind = kind, .id = id, .printed = printed };
    uint8_t frame[FRAME_HEADER_SIZE + 256];

    frame_encode(&h, frame);
    memcpy(frame + FRAME_HEADER_SIZE, payload, n);
    assert_int_equal(send(one.instance, frame, FRAME_HEADER_SIZE + n, MSG_NOSIGNAL), FRAME_HEADER_SIZE + n);
}

void say_result(uint64_t id, bool printed)
{
    uint8_t payload[32];

    say(FRAME_RESULT, id, payload, (size_t)(wire_put_bytes(payload, 1, "42", 2) - payload), printed);
}

/* ---- the caller ---- */

void done(void *arg, enum core_outcome o, const struct pl_err *err, struct rpc_bytes *answer)
{
    assert_ptr_equal(arg, &one);
    one.ended++;
    one.outcome = o;
    one.err = err ? *err : (struct pl_err){ 0 };
    one.said = (struct reply_facts){ .model_us = -1 };
    if (answer)
        (void)reply_read(answer, &one.said);
    loop_stop(one.loop);
}

struct borrowed *instance(void)
{
    struct borrowed *b = borrowing_find(one.borrowing, ID);

    assert_non_null(b);
    return b;
}

struct borrowed *ask(uint32_t timeout_ms)
{
    struct borrowed *b = instance();

    borrowed_ask(b, rpc_bytes_copy("row", 3), 1234, timeout_ms, done, &one);
    assert_null(borrowing_find(one.borrowing, ID)); /* one at a time */
    return b;
}

void heard(enum core_outcome o, const char *reason, const char *part)
{
    run();
    assert_int_equal(one.outcome, o);
    assert_string_equal(one.err.reason, reason);
    if (!strstr(one.err.message, part))
        fail_msg("'%s' is not in '%s'", part, one.err.message);
}

void serve_one(void)
{
    uint64_t id;

    (void)ask(60000);
    hear_question(&id);
    say_result(id, false);
    heard(CORE_ANSWERED, "", "");
    assert_true(one.said.model_us >= 0);
}

/* ---- rig ---- */

int set_up(void **state)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };

    (void)state;
    memset(&one, 0, sizeof(one));
    one.worker = one.instance = -1;
    one.loop = loop_new(0);
    one.hang.fire = hangs;
    one.metrics = metrics_new();
    one.requests = metrics_counter(one.metrics, "requests_total", NULL, "help");
    (void)snprintf(one.dir, sizeof(one.dir), "/tmp/pilotlight-borrow-XXXXXX");
    assert_non_null(mkdtemp(one.dir));
    (void)snprintf(one.path, sizeof(one.path), "%s/direct.sock", one.dir);
    (void)snprintf(a.sun_path, sizeof(a.sun_path), "%s", one.path);
    one.listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(one.listener, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(listen(one.listener, 8), 0);
    one.borrowing = borrowing_new(&(struct borrow_options){
        .loop = one.loop, .router_id = "router-1", .host_id = "host-1", .router_epoch = 5, .requests = one.requests });
    borrowing_open(one.borrowing, one.path, 9);
    take_in();
    assert_null(borrowing_find(one.borrowing, ID));
    lend();
    return 0;
}

int tear_down(void **state)
{
    (void)state;
    borrowing_free(one.borrowing);
    pl_close_p(&one.worker);
    pl_close_p(&one.instance);
    pl_close_p(&one.listener);
    metrics_free(one.metrics);
    loop_free(one.loop);
    unlink(one.path);
    rmdir(one.dir);
    return 0;
}
