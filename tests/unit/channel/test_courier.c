/* Messages between two services: whole, in order, with descriptors, and never without bounds. */
#include "channel/courier.h"
#include "unit_test.h"

#include "base/mem.h"
#include "base/time.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define HANG_MS 20000

struct end {
    struct courier courier;
    unsigned received;
    char last[64];
    int fd; /* that came last */
    char broken[64];
    unsigned stop_at; /* the loop stops when so many have come, or it breaks */
    bool closes;      /* when something comes */
};

static struct loop *loop;
static struct end here, there;
static struct loop_timer hang;

static void received(struct courier *c, const uint8_t *bytes, size_t n, int fd)
{
    struct end *e = PL_CONTAINER(c, struct end, courier);

    e->received++;
    (void)snprintf(e->last, sizeof(e->last), "%.*s", (int)n, (const char *)bytes);
    pl_close_p(&e->fd);
    e->fd = fd;
    if (e->closes)
        courier_close(c);
    if (e->received >= e->stop_at)
        loop_stop(loop);
}

static void broken(struct courier *c, const char *why)
{
    struct end *e = PL_CONTAINER(c, struct end, courier);

    assert_int_equal(c->watch.fd, -1);
    assert_string_equal(e->broken, "");
    (void)snprintf(e->broken, sizeof(e->broken), "%s", why);
    loop_stop(loop);
}

static const struct courier_events events = { .received = received, .broken = broken };

static void hangs(struct loop_timer *t)
{
    (void)t;
    fail_msg("nothing was heard");
}

static void run(void)
{
    loop_timer_set(loop, &hang, pl_now_ms() + HANG_MS);
    loop_run(loop);
    loop_timer_clear(loop, &hang);
}

static int set_up(void **state)
{
    struct pl_err err;
    int ends[2];

    (void)state;
    loop = loop_new(0);
    hang = (struct loop_timer){ .fire = hangs };
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
    assert_true(courier_same_user(ends[0]));
    here = there = (struct end){ .fd = -1, .stop_at = 1 };
    assert_ok(courier_open(&here.courier, loop, ends[0], &events, &err), err);
    assert_ok(courier_open(&there.courier, loop, ends[1], &events, &err), err);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    courier_close(&here.courier);
    courier_close(&there.courier);
    courier_close(&there.courier); /* harmless */
    pl_close_p(&here.fd);
    pl_close_p(&there.fd);
    loop_free(loop);
    return 0;
}

static void a_message_and_a_descriptor(void **state)
{
    char byte = 0;
    int ends[2];

    (void)state;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    courier_send(&here.courier, "one", 3, ends[0]);
    assert_int_equal(fcntl(ends[0], F_GETFD), -1); /* it has been taken over */
    run();
    assert_string_equal(there.last, "one");
    assert_true(there.fd >= 0 && (fcntl(there.fd, F_GETFD) & FD_CLOEXEC));
    assert_int_equal(write(ends[1], "x", 1), 1);
    assert_int_equal(read(there.fd, &byte, 1), 1);
    assert_int_equal(byte, 'x');
    close(ends[1]);
    courier_send(&there.courier, "two", 3, -1);
    run();
    assert_string_equal(here.last, "two");
    assert_int_equal(here.fd, -1);
}

/* More than the socket takes: what waits goes out later, in order, its descriptors too. */
static void many_messages(void **state)
{
    char text[16];

    (void)state;
    for (int i = 0; i < 2000; i++)
        courier_send(&here.courier, text, (size_t)snprintf(text, sizeof(text), "%d", i), dup(0));
    assert_true(here.courier.waiting_count > 0);
    there.stop_at = 2000;
    run();
    assert_string_equal(there.last, "1999");
    assert_true(there.fd >= 0);
    assert_int_equal(here.courier.waiting_count, 0);
}

static void a_peer_that_does_not_listen(void **state)
{
    (void)state;
    there.closes = true; /* never: it is not asked to look */
    loop_fd_remove(loop, &there.courier.watch);
    for (int i = 0; i < 2 * COURIER_WAITING_MAX; i++)
        courier_send(&here.courier, "x", 1, -1);
    assert_true(here.courier.waiting_count <= COURIER_WAITING_MAX + 1);
    run();
    assert_string_equal(here.broken, "lets too many messages wait");
    assert_int_equal(here.courier.waiting_count, 0);
    courier_send(&here.courier, "x", 1, dup(0)); /* nothing happens */
    assert_ok(loop_fd_add(loop, &there.courier.watch, EPOLLIN, &(struct pl_err){ 0 }), (struct pl_err){ 0 });
}

static void a_message_that_is_too_long(void **state)
{
    static const uint8_t bytes[COURIER_MESSAGE_MAX + 1];

    (void)state;
    assert_int_equal(send(here.courier.watch.fd, bytes, sizeof(bytes), 0), sizeof(bytes));
    run();
    assert_string_equal(there.broken, "sent a message that is too long");
    assert_int_equal(there.received, 0);
}

static void its_end(void **state)
{
    (void)state;
    courier_send(&here.courier, "last", 4, -1);
    courier_close(&here.courier);
    there.stop_at = 2;
    run();
    assert_string_equal(there.last, "last");
    assert_string_equal(there.broken, "closed its end");
}

static void closed_by_its_receiver(void **state)
{
    (void)state;
    there.closes = true;
    courier_send(&here.courier, "one", 3, -1);
    courier_send(&here.courier, "two", 3, -1);
    run();
    assert_int_equal(there.received, 1);
    assert_string_equal(there.broken, "");
}

static void pulled(void **state)
{
    (void)state;
    courier_send(&here.courier, "one", 3, -1);
    courier_pull(&there.courier);
    assert_string_equal(there.last, "one");
    courier_pull(&there.courier);
    assert_int_equal(there.received, 1);
}

#define C(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        C(a_message_and_a_descriptor),
        C(many_messages),
        C(a_peer_that_does_not_listen),
        C(a_message_that_is_too_long),
        C(its_end),
        C(closed_by_its_receiver),
        C(pulled),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
