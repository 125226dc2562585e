/* The socket by which a process is asked for copies of itself: the test is that process. */
#include "asks.h"
#include "unit_test.h"

#include "base/mem.h"
#include "base/time.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#define HANG_MS     20000
#define PATIENCE_MS 400

static struct {
    struct loop *loop;
    struct asks asks;
    int process;
    unsigned answered, refused, broken;
    enum asks_end why;
} rig;

static void stop(struct loop_timer *t)
{
    (void)t;
    loop_stop(rig.loop);
}

static void run_for(int64_t ms)
{
    struct loop_timer t = { .fire = stop };

    loop_timer_set(rig.loop, &t, pl_now_ms() + ms);
    loop_run(rig.loop);
}

static void run_until_broken(void)
{
    int64_t until_ms = pl_now_ms() + HANG_MS;

    while (rig.broken == 0) {
        assert_true(pl_now_ms() < until_ms);
        run_for(5);
    }
}

static void broken(struct asks *a, enum asks_end why)
{
    struct pl_err err;

    assert_int_equal(a->control.fd, -1);
    rig.broken++;
    rig.why = why;
    (void)pl_fail(&err, PL_UNAVAILABLE, NULL, "it is gone");
    asks_fail(a, &err);
}

static void answered(struct zygote_ask *a, pid_t pid, int pidfd, const struct pl_err *err)
{
    (void)a, (void)pid, (void)pidfd;
    assert_non_null(err);
    if (strcmp(err->message, "it is gone") == 0)
        rig.refused++;
    else
        rig.answered++;
}

static int set_up(void **state)
{
    struct pl_err err;
    int ends[2];

    (void)state;
    memset(&rig, 0, sizeof(rig));
    rig.loop = loop_new(0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    rig.process = ends[1];
    asks_init(&rig.asks, rig.loop, PATIENCE_MS, broken);
    assert_ok(asks_open(&rig.asks, ends[0], &err), err);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    asks_shut(&rig.asks);
    pl_close_p(&rig.process);
    loop_free(rig.loop);
    return 0;
}

static void add(struct zygote_ask *a)
{
    *a = (struct zygote_ask){ .answered = answered };
    a->fds[a->fd_count++] = open("/dev/null", O_RDONLY | O_CLOEXEC);
    list_init(&a->link);
    asks_add(&rig.asks, a);
}

/* Whatever it was asked, it could not. */
static void refuse_one(void)
{
    struct zygote_request q;
    struct zygote_reply r = { .magic = ZYGOTE_MAGIC, .error = EAGAIN };

    assert_int_equal(recv(rig.process, &q, sizeof(q), 0), sizeof(q));
    r.id = q.id;
    assert_int_equal(send(rig.process, &r, sizeof(r), 0), sizeof(r));
}

static void a_silent_process_is_given_up(void **state)
{
    struct zygote_ask one, two;

    (void)state;
    run_for(2 * PATIENCE_MS);
    assert_int_equal(rig.broken, 0); /* nobody has asked */
    add(&one);
    add(&two);
    run_until_broken();
    assert_int_equal(rig.why, ASKS_SILENT);
    assert_int_equal(rig.refused, 2);
}

/* The first answer may take long; the second is waited for as long as answers take. */
static void one_that_has_answered_is_waited_for_less(void **state)
{
    struct zygote_ask one, two;
    int64_t since_ms;

    (void)state;
    rig.asks.patience_ms = 100 * HANG_MS;
    rig.asks.settled_ms = PATIENCE_MS;
    add(&one);
    run_for(2 * PATIENCE_MS);
    assert_int_equal(rig.broken, 0);
    refuse_one();
    run_for(PATIENCE_MS / 8);
    assert_int_equal(rig.answered, 1);
    since_ms = pl_now_ms();
    add(&two);
    run_until_broken();
    assert_true(pl_now_ms() - since_ms >= PATIENCE_MS - 1);
    assert_int_equal(rig.why, ASKS_SILENT);
}

/* One that has much to do is not silent: there is always something that it has not answered yet. */
static void a_busy_process_is_not(void **state)
{
    struct zygote_ask asks[16];

    (void)state;
    for (size_t i = 0; i < PL_COUNT(asks); i++)
        add(&asks[i]);
    for (size_t i = 0; i < PL_COUNT(asks); i++) {
        run_for(PATIENCE_MS / 8);
        refuse_one();
    }
    run_for(2 * PATIENCE_MS);
    assert_int_equal(rig.answered, PL_COUNT(asks));
    assert_int_equal(rig.broken, 0);
}

static void an_end_and_a_lie(void **state)
{
    struct zygote_ask one;

    (void)state;
    add(&one);
    assert_int_equal(send(rig.process, "?", 1, 0), 1);
    run_until_broken();
    assert_int_equal(rig.why, ASKS_LIED);
    tear_down(state);
    set_up(state);
    add(&one);
    pl_close_p(&rig.process);
    run_until_broken();
    assert_int_equal(rig.why, ASKS_CLOSED);
    assert_int_equal(rig.refused, 1);
}

#define A(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        A(a_silent_process_is_given_up),
        A(one_that_has_answered_is_waited_for_less),
        A(a_busy_process_is_not),
        A(an_end_and_a_lie),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
