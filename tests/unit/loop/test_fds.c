#include "rig.h"

#include "loop_private.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct end {
    struct loop_fd watch; /* of ends[0] */
    int ends[2];
    struct end *other;
    unsigned count;
    uint32_t events;
};

static struct loop *loop;

static void note(struct loop_fd *f, uint32_t events)
{
    struct end *e = PL_CONTAINER(f, struct end, watch);
    e->count++;
    e->events = events;
    assert_true(loop_held(loop));
    loop_stop(loop);
}

static void open_end(struct end *e, void (*ready)(struct loop_fd *, uint32_t), uint32_t events)
{
    struct pl_err err;
    *e = (struct end){ .count = 0 };
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, e->ends), 0);
    e->watch = (struct loop_fd){ .fd = e->ends[0], .ready = ready };
    if (loop_fd_add(loop, &e->watch, events, &err) != PL_OK)
        fail_msg("%s", err.message);
}

static void close_end(struct end *e)
{
    loop_fd_remove(loop, &e->watch);
    close(e->ends[0]);
    close(e->ends[1]);
}

static void poke(struct end *e)
{
    assert_int_equal(write(e->ends[1], "x", 1), 1);
}

static int set_up(void **state)
{
    (void)state;
    loop = loop_new(0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    loop_free(loop);
    return 0;
}

static void test_readable_and_again_until_it_is_read(void **state)
{
    (void)state;
    struct end e;
    char c;
    open_end(&e, note, EPOLLIN);
    poke(&e);
    loop_run(loop);
    assert_int_equal(e.events, EPOLLIN);
    loop_run(loop);
    assert_int_equal(e.count, 2); /* level-triggered */
    assert_int_equal(read(e.ends[0], &c, 1), 1);
    loop_fd_want(loop, &e.watch, EPOLLIN | EPOLLOUT);
    loop_run(loop);
    assert_int_equal(e.events, EPOLLOUT);
    close_end(&e);
}

static void stop_later(struct loop_timer *t)
{
    (void)t;
    loop_stop(loop);
}

static void test_no_event_that_is_not_wanted(void **state)
{
    (void)state;
    struct end e;
    struct loop_timer later = { .fire = stop_later };
    open_end(&e, note, EPOLLIN);
    poke(&e);
    loop_fd_want(loop, &e.watch, 0);
    loop_timer_set(loop, &later, 0);
    loop_run(loop);
    assert_int_equal(e.count, 0);
    close_end(&e);
}

static void test_hang_up_is_told_unasked(void **state)
{
    (void)state;
    struct end e;
    open_end(&e, note, 0);
    close(e.ends[1]);
    loop_run(loop);
    assert_true(e.events & EPOLLHUP);
    e.ends[1] = -1;
    close_end(&e);
}

static void remove_other(struct loop_fd *f, uint32_t events)
{
    struct end *e = PL_CONTAINER(f, struct end, watch);
    (void)events;
    e->count++;
    loop_fd_remove(loop, &e->other->watch);
    loop_stop(loop);
}

/* Both are ready in one go; whichever comes first removes the other, which then must not be called. */
static void test_removed_by_the_one_before_it(void **state)
{
    (void)state;
    struct end a, b;
    open_end(&a, remove_other, EPOLLIN);
    open_end(&b, remove_other, EPOLLIN);
    a.other = &b;
    b.other = &a;
    poke(&a);
    poke(&b);
    loop_run(loop);
    assert_int_equal(a.count + b.count, 1);
    close_end(&a);
    close_end(&b);
}

static void silence_other(struct loop_fd *f, uint32_t events)
{
    struct end *e = PL_CONTAINER(f, struct end, watch);
    (void)events;
    e->count++;
    loop_fd_want(loop, &e->other->watch, 0);
    loop_stop(loop);
}

static void test_no_longer_wanted_by_the_one_before_it(void **state)
{
    (void)state;
    struct end a, b;
    open_end(&a, silence_other, EPOLLIN);
    open_end(&b, silence_other, EPOLLIN);
    a.other = &b;
    b.other = &a;
    poke(&a);
    poke(&b);
    loop_run(loop);
    assert_int_equal(a.count + b.count, 1);
    close_end(&a);
    close_end(&b);
}

static void replace_other(struct loop_fd *f, uint32_t events)
{
    struct end *e = PL_CONTAINER(f, struct end, watch), *other = e->other;
    struct pl_err err;
    (void)events;
    e->count++;
    loop_fd_remove(loop, &other->watch);
    other->watch.ready = note; /* as if the number were somebody else's by now */
    assert_int_equal(loop_fd_add(loop, &other->watch, EPOLLIN, &err), PL_OK);
    char c;
    assert_int_equal(read(other->ends[0], &c, 1), 1);
    loop_stop(loop);
}

static void test_an_old_event_does_not_reach_a_new_owner(void **state)
{
    (void)state;
    struct end a, b;
    open_end(&a, replace_other, EPOLLIN);
    open_end(&b, replace_other, EPOLLIN);
    a.other = &b;
    b.other = &a;
    poke(&a);
    poke(&b);
    loop_run(loop);
    assert_int_equal(a.count + b.count, 1);
    close_end(&a);
    close_end(&b);
}

static void remove_itself(struct loop_fd *f, uint32_t events)
{
    struct end *e = PL_CONTAINER(f, struct end, watch);
    (void)events;
    close_end(e);
    free(e);
    loop_stop(loop);
}

static void test_may_free_itself(void **state)
{
    (void)state;
    struct end *e = malloc(sizeof(*e));
    open_end(e, remove_itself, EPOLLIN);
    poke(e);
    loop_run(loop);
}

static void test_what_cannot_be_watched(void **state)
{
    (void)state;
    struct pl_err err;
    struct end e;
    char path[] = "/tmp/pl-loop-XXXXXX";
    struct loop_fd file = { .fd = mkstemp(path), .ready = note };
    assert_true(file.fd >= 0);
    unlink(path);
    assert_int_equal(loop_fd_add(loop, &file, EPOLLIN, &err), PL_INTERNAL);
    assert_non_null(strstr(err.message, "Operation not permitted"));
    loop_fd_remove(loop, &file); /* harmless */
    close(file.fd);
    assert_int_equal(loop_fd_add(loop, &file, EPOLLIN, &err), PL_INTERNAL);
    file.fd = -1;
    assert_int_equal(loop_fd_add(loop, &file, EPOLLIN, &err), PL_INTERNAL);
    loop_fd_remove(loop, &file);

    open_end(&e, note, EPOLLIN);
    struct loop_fd twice = { .fd = e.ends[0], .ready = note };
    assert_int_equal(loop_fd_add(loop, &twice, EPOLLIN, &err), PL_INTERNAL);
    assert_non_null(strstr(err.message, "already"));
    loop_fd_remove(loop, &twice); /* is not the one that is watched */
    poke(&e);
    loop_run(loop);
    assert_int_equal(e.count, 1);
    close_end(&e);
}

static void drain(struct loop_fd *f, uint32_t events)
{
    struct end *e = PL_CONTAINER(f, struct end, watch);
    char bytes[16];
    (void)events;
    while (read(f->fd, bytes, sizeof(bytes)) > 0)
        e->count++;
}

/* Another thread, with the turn, takes away what the loop thread is about to be told of. Memory checkers see a late
 * call. */
static void test_removed_by_another_thread(void **state)
{
    (void)state;
    struct rig g = { .loop = loop };
    rig_start(&g);
    for (int i = 0; i < 2000; i++) {
        struct end *e = malloc(sizeof(*e));
        loop_enter(loop);
        open_end(e, drain, EPOLLIN);
        loop_leave(loop);
        poke(e);
        if (i % 3 == 0)
            sched_yield();
        loop_enter(loop);
        close_end(e);
        loop_leave(loop);
        free(e);
    }
    loop_stop(loop);
    pthread_join(g.thread, NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_readable_and_again_until_it_is_read),
        TEST(test_no_event_that_is_not_wanted),
        TEST(test_hang_up_is_told_unasked),
        TEST(test_removed_by_the_one_before_it),
        TEST(test_no_longer_wanted_by_the_one_before_it),
        TEST(test_an_old_event_does_not_reach_a_new_owner),
        TEST(test_may_free_itself),
        TEST(test_what_cannot_be_watched),
        TEST(test_removed_by_another_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
