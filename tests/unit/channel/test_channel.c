/* The host's end of the socketpair: questions that arrive whole, answers in pieces, and every way to lie. */
#include "channel/channel.h"
#include "unit_test.h"

#include "base/mem.h"
#include "base/time.h"
#include "rpc/rpc.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define HANG_MS 20000

struct rig {
    struct loop *loop;
    struct channel channel;
    struct loop_timer hang;
    int instance; /* its end */
    struct pl_err err;
    /* What was heard. */
    enum frame_kind kind; /* 0: nothing */
    uint8_t *payload;
    size_t len;
    bool broken, lie;
    char why[128];
};
static struct rig *rig;

static void answered(struct channel *ch, enum frame_kind kind, uint8_t *payload, size_t len)
{
    (void)ch;
    assert_int_equal(rig->kind, 0);
    rig->kind = kind;
    rig->payload = payload;
    rig->len = len;
    loop_stop(rig->loop);
}

static void broken(struct channel *ch, bool lie, const char *why)
{
    (void)ch;
    assert_false(rig->broken);
    rig->broken = true;
    rig->lie = lie;
    (void)snprintf(rig->why, sizeof(rig->why), "%s", why);
    loop_stop(rig->loop);
}

static const struct channel_events events = { .answered = answered, .broken = broken };

static void hangs(struct loop_timer *t)
{
    (void)t;
    fail_msg("nothing was heard");
}

/* Until something is heard. */
static void run(void)
{
    loop_timer_set(rig->loop, &rig->hang, pl_now_ms() + HANG_MS);
    loop_run(rig->loop);
    loop_timer_clear(rig->loop, &rig->hang);
}

static int set_up(void **state)
{
    int ends[2];

    (void)state;
    rig = PL_NEW(struct rig);
    rig->loop = loop_new(0);
    rig->hang.fire = hangs;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    rig->instance = ends[1];
    assert_ok(channel_open(&rig->channel, rig->loop, ends[0], &events, &rig->err), rig->err);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    channel_close(&rig->channel);
    channel_close(&rig->channel); /* harmless */
    pl_close_p(&rig->instance);
    loop_free(rig->loop);
    free(rig->payload);
    free(rig);
    return 0;
}

static void ask(enum frame_kind kind, uint64_t id, const void *bytes, size_t n)
{
    channel_ask(&rig->channel, kind, id, rpc_bytes_copy(bytes, n));
}

static void say(const void *bytes, size_t n)
{
    assert_int_equal(send(rig->instance, bytes, n, MSG_NOSIGNAL), (ssize_t)n);
}

static void say_frame(enum frame_kind kind, uint64_t id, const void *payload, size_t n, size_t stated)
{
    struct frame_header h = { .length = (uint32_t)stated, .kind = kind, .id = id };
    uint8_t frame[FRAME_HEADER_SIZE + 64];

    frame_encode(&h, frame);
    memcpy(frame + FRAME_HEADER_SIZE, payload, n);
    say(frame, FRAME_HEADER_SIZE + n);
}

static void hear_question(enum frame_kind kind, uint64_t id, const void *payload, size_t n)
{
    uint8_t frame[FRAME_HEADER_SIZE + 64];
    struct frame_header h;

    assert_int_equal(recv(rig->instance, frame, sizeof(frame), 0), (ssize_t)(FRAME_HEADER_SIZE + n));
    assert_true(frame_decode(frame, &h));
    assert_int_equal(h.kind, kind);
    assert_int_equal(h.id, id);
    assert_int_equal(h.length, n);
    assert_memory_equal(frame + FRAME_HEADER_SIZE, payload, n);
}

static void heard(enum frame_kind kind, const void *payload, size_t n)
{
    run();
    assert_false(rig->broken);
    assert_int_equal(rig->kind, kind);
    assert_int_equal(rig->len, n);
    assert_memory_equal(rig->payload, payload, n);
    memset(rig->payload + n, 0, CHANNEL_TAIL_ROOM); /* is there (sanitizers watch) */
    free(pl_take(rig->payload));
    rig->kind = 0;
}

static void heard_a_lie(const char *why)
{
    run();
    assert_int_equal(rig->kind, 0);
    assert_true(rig->broken && rig->lie);
    assert_text(rig->why, why);
    assert_int_equal(rig->channel.watch.fd, -1);
}

/* ---- the tests ---- */

static void questions_and_answers(void **state)
{
    (void)state;
    ask(FRAME_LOAD, 1, "load", 4);
    hear_question(FRAME_LOAD, 1, "load", 4);
    say_frame(FRAME_LOADED, 1, "facts", 5, 5);
    heard(FRAME_LOADED, "facts", 5);
    for (uint64_t id = 2; id < 10; id++) {
        ask(FRAME_INVOKE, id, "row", 3);
        hear_question(FRAME_INVOKE, id, "row", 3);
        say_frame(id % 2 ? FRAME_RESULT : FRAME_ERROR, id, "", 0, 0);
        heard(id % 2 ? FRAME_RESULT : FRAME_ERROR, "", 0);
    }
}

struct slow {
    struct loop_timer next;
    uint8_t bytes[FRAME_HEADER_SIZE + 5];
    size_t said;
};

static void say_one_byte(struct loop_timer *t)
{
    struct slow *s = PL_CONTAINER(t, struct slow, next);

    say(&s->bytes[s->said++], 1);
    if (s->said < sizeof(s->bytes))
        loop_timer_set(rig->loop, t, pl_now_ms());
}

static void an_answer_byte_by_byte(void **state)
{
    struct frame_header h = { .length = 5, .kind = FRAME_RESULT, .id = 1 };
    struct slow s = { .next.fire = say_one_byte };

    (void)state;
    frame_encode(&h, s.bytes);
    memcpy(s.bytes + FRAME_HEADER_SIZE, "a row", 5);
    ask(FRAME_INVOKE, 1, "row", 3);
    hear_question(FRAME_INVOKE, 1, "row", 3);
    loop_timer_set(rig->loop, &s.next, pl_now_ms());
    heard(FRAME_RESULT, "a row", 5);
}

/* The instance: reads all of a large question, then answers with all of it. */
static void echo_large(int fd, size_t n)
{
    struct frame_header h;
    uint8_t header[FRAME_HEADER_SIZE], *bytes = malloc(n);

    if (recv(fd, header, sizeof(header), MSG_WAITALL) != FRAME_HEADER_SIZE || !frame_decode(header, &h) ||
        h.length != n || recv(fd, bytes, n, MSG_WAITALL) != (ssize_t)n)
        _exit(1);
    h.kind = FRAME_RESULT;
    frame_encode(&h, header);
    if (send(fd, header, sizeof(header), 0) != FRAME_HEADER_SIZE)
        _exit(1);
    for (size_t at = 0; at < n;) {
        ssize_t sent = send(fd, bytes + at, n - at, 0);

        if (sent <= 0)
            _exit(1);
        at += (size_t)sent;
    }
    _exit(0);
}

static void more_than_a_socket_takes(void **state)
{
    size_t n = (size_t)6 << 20;
    uint8_t *bytes = malloc(n);
    pid_t pid;

    (void)state;
    for (size_t i = 0; i < n; i++)
        bytes[i] = (uint8_t)(i * 2654435761u >> 24);
    pid = fork();
    if (pid == 0)
        echo_large(rig->instance, n);
    ask(FRAME_INVOKE, 7, bytes, n);
    heard(FRAME_RESULT, bytes, n);
    free(bytes);
}

/* A question in more spans than fit into the channel itself. */
static void many_spans(void **state)
{
    struct rpc_bytes *all = rpc_bytes_copy("", 0);
    char wanted[3 * CHANNEL_SPANS + 1] = "";

    (void)state;
    for (unsigned i = 0; i < CHANNEL_SPANS; i++) {
        char part[16];
        struct rpc_bytes *one, *both;

        (void)snprintf(part, sizeof(part), "%03u", i);
        (void)strcat(wanted, part);
        one = rpc_bytes_copy(part, 3);
        both = rpc_bytes_join(all, one);
        rpc_bytes_unref(all);
        rpc_bytes_unref(one);
        all = both;
    }
    channel_ask(&rig->channel, FRAME_INVOKE, 3, all);
    hear_question(FRAME_INVOKE, 3, wanted, strlen(wanted));
    say_frame(FRAME_RESULT, 3, "ok", 2, 2);
    heard(FRAME_RESULT, "ok", 2);
}

static void end_of_file(void **state)
{
    (void)state;
    ask(FRAME_INVOKE, 1, "row", 3);
    pl_close_p(&rig->instance);
    run();
    assert_true(rig->broken && !rig->lie);
    assert_text(rig->why, "closed its connection");
    assert_true(rig->channel.unread); /* it has not looked at it */
}

static void end_of_file_after_the_question(void **state)
{
    (void)state;
    ask(FRAME_INVOKE, 1, "row", 3);
    hear_question(FRAME_INVOKE, 1, "row", 3);
    pl_close_p(&rig->instance);
    run();
    assert_true(rig->broken && !rig->lie && !rig->channel.unread);
}

static void end_of_file_before_all_of_the_question(void **state)
{
    static const uint8_t much[4 << 20];
    char some[4096];

    (void)state;
    ask(FRAME_INVOKE, 1, much, sizeof(much));
    assert_int_equal(recv(rig->instance, some, sizeof(some), MSG_WAITALL), sizeof(some));
    pl_close_p(&rig->instance);
    run();
    assert_true(rig->broken && !rig->lie && rig->channel.unread);
}

static void end_of_file_before_a_question(void **state)
{
    (void)state;
    pl_close_p(&rig->instance);
    ask(FRAME_INVOKE, 1, "row", 3);
    run();
    assert_true(rig->broken && !rig->lie && rig->channel.unread);
}

static void end_of_file_in_the_middle_of_an_answer(void **state)
{
    (void)state;
    ask(FRAME_INVOKE, 1, "row", 3);
    say_frame(FRAME_RESULT, 1, "ha", 2, 20);
    pl_close_p(&rig->instance);
    run();
    assert_true(rig->broken && !rig->lie && !rig->channel.unread);
}

static void bytes_that_nobody_asked_for(void **state)
{
    (void)state;
    say("x", 1);
    heard_a_lie("nobody asked for");
}

static void another_id(void **state)
{
    (void)state;
    ask(FRAME_INVOKE, 5, "row", 3);
    say_frame(FRAME_RESULT, 4, "", 0, 0);
    heard_a_lie("other id");
}

static void kinds_that_are_no_answer(void **state)
{
    (void)state;
    ask(FRAME_LOAD, 1, "load", 4);
    say_frame(FRAME_RESULT, 1, "", 0, 0);
    heard_a_lie("no answer");
}

static void a_question_as_an_answer(void **state)
{
    (void)state;
    ask(FRAME_INVOKE, 1, "row", 3);
    say_frame(FRAME_INVOKE, 1, "", 0, 0);
    heard_a_lie("no answer");
}

static void no_frame(void **state)
{
    static const uint8_t rubbish[FRAME_HEADER_SIZE] = { 0xff, 0xff, 0xff, 0xff, 9 };

    (void)state;
    ask(FRAME_INVOKE, 1, "row", 3);
    say(rubbish, sizeof(rubbish));
    heard_a_lie("no frame");
}

static void more_than_the_answer(void **state)
{
    (void)state;
    ask(FRAME_INVOKE, 1, "row", 3);
    say_frame(FRAME_RESULT, 1, "ok and more", 11, 2);
    heard_a_lie("more than its answer");
}

/* An answer while half of the question is still on this side. */
static void an_answer_before_the_question(void **state)
{
    size_t n = (size_t)6 << 20;
    uint8_t *bytes = calloc(1, n);

    (void)state;
    ask(FRAME_INVOKE, 1, bytes, n);
    free(bytes);
    say_frame(FRAME_RESULT, 1, "ok", 2, 2);
    heard_a_lie("before it had the whole question");
}

/* ---- a second socket ---- */

static int passed_descriptor(enum frame_kind kind)
{
    uint8_t frame[FRAME_HEADER_SIZE + 64];
    char room[CMSG_SPACE(sizeof(int))];
    struct iovec span = { .iov_base = frame, .iov_len = sizeof(frame) };
    struct msghdr m = { .msg_iov = &span, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room) };
    struct frame_header h;
    int fd;

    assert_true(recvmsg(rig->instance, &m, MSG_CMSG_CLOEXEC) >= FRAME_HEADER_SIZE);
    assert_true(frame_decode(frame, &h));
    assert_int_equal(h.kind, kind);
    assert_non_null(CMSG_FIRSTHDR(&m));
    memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(fd));
    return fd;
}

static void a_descriptor_goes_along(void **state)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC), theirs;

    (void)state;
    channel_ask_with(&rig->channel, FRAME_LOAD, 1, rpc_bytes_copy("load", 4), fd);
    assert_int_equal(fcntl(fd, F_GETFD), -1); /* it has been taken over */
    theirs = passed_descriptor(FRAME_LOAD);
    assert_true(theirs >= 0);
    close(theirs);
    say_frame(FRAME_LOADED, 1, "", 0, 0);
    heard(FRAME_LOADED, "", 0);
}

static void attached_and_detached(void **state)
{
    (void)state;
    assert_true(channel_tell(&rig->channel, FRAME_ATTACH, open("/dev/null", O_RDONLY | O_CLOEXEC)));
    close(passed_descriptor(FRAME_ATTACH));
    channel_ask(&rig->channel, FRAME_DETACH, 9, NULL);
    hear_question(FRAME_DETACH, 9, "", 0);
    say_frame(FRAME_DETACHED, 9, "", 0, 0);
    heard(FRAME_DETACHED, "", 0);
    ask(FRAME_INVOKE, 10, "row", 3);
    say_frame(FRAME_DETACHED, 10, "", 0, 0);
    heard_a_lie("no answer");
}

static void a_tale_that_is_not_taken(void **state)
{
    (void)state;
    for (int i = 0; i < 100000; i++)
        if (!channel_tell(&rig->channel, FRAME_ATTACH, -1))
            return;
    fail_msg("a socket has no end");
}

static void printed_is_said_of_answers_alone(void **state)
{
    struct frame_header h = { .kind = FRAME_RESULT, .id = 1, .printed = true };
    uint8_t frame[FRAME_HEADER_SIZE];

    (void)state;
    ask(FRAME_INVOKE, 1, "row", 3);
    frame_encode(&h, frame);
    say(frame, sizeof(frame));
    heard(FRAME_RESULT, "", 0);
    assert_true(rig->channel.answer.printed);
    ask(FRAME_LOAD, 2, "load", 4);
    h = (struct frame_header){ .kind = FRAME_LOADED, .id = 2, .printed = true };
    frame_encode(&h, frame);
    say(frame, sizeof(frame));
    heard_a_lie("no frame");
}

#define R(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        R(questions_and_answers),
        R(an_answer_byte_by_byte),
        R(more_than_a_socket_takes),
        R(many_spans),
        R(end_of_file),
        R(end_of_file_after_the_question),
        R(end_of_file_before_all_of_the_question),
        R(end_of_file_before_a_question),
        R(end_of_file_in_the_middle_of_an_answer),
        R(bytes_that_nobody_asked_for),
        R(another_id),
        R(kinds_that_are_no_answer),
        R(a_question_as_an_answer),
        R(no_frame),
        R(more_than_the_answer),
        R(an_answer_before_the_question),
        R(a_descriptor_goes_along),
        R(attached_and_detached),
        R(a_tale_that_is_not_taken),
        R(printed_is_said_of_answers_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
