/* Blank processes: who gets one, who waits for one, when another is made. The zygote is this test, which answers when a
 * test says so; the processes are forks that do nothing. */
#include "stock.h"
#include "unit_test.h"

#include "assignment.h"
#include "base/mem.h"
#include "base/time.h"
#include "child.h"
#include "loop/loop.h"
#include "seats.h"
#include "spawn.h"
#include "zygote.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define HANG_MS  20000
#define BLANKS   2
#define STARTS   4
#define MAX_ASKS 16

struct start {
    struct spawn spawn;
    unsigned made;
    pid_t pid;
    enum pl_code code;
};

struct rig {
    struct loop *loop;
    struct loop_timer hang, look;
    struct stock *stock;
    struct start starts[STARTS];
    struct zygote_ask *asks[MAX_ASKS]; /* in order; NULL: answered */
    unsigned asked, answered;
    bool by_name, busy; /* a process is made for its model; assignments fail */
    unsigned assigned, seats, awake;
    const char *model; /* of the last assignment */
};
static struct rig *rig;

/* ---- in place of the zygote, of assignments and of control groups ---- */

struct zygote *zygote_new(struct loop *l, const char *name, char *const *argv, const struct sandbox_plan *plan)
{
    (void)l;
    (void)name;
    (void)argv;
    (void)plan;
    return (struct zygote *)rig;
}

void zygote_free(struct zygote *z)
{
    assert_ptr_equal(z, rig);
    for (unsigned i = 0; i < rig->asked; i++)
        for (unsigned k = 0; rig->asks[i] && k < rig->asks[i]->fd_count; k++)
            pl_close_p(&rig->asks[i]->fds[k]);
}

void zygote_wake(struct zygote *z)
{
    assert_ptr_equal(z, rig);
    rig->awake++;
}

void zygote_ask(struct zygote *z, struct zygote_ask *a)
{
    assert_ptr_equal(z, rig);
    assert_true(rig->asked < MAX_ASKS);
    rig->asks[rig->asked++] = a;
}

void zygote_refuse(struct zygote *z, struct zygote_ask *a, const char *fmt, ...)
{
    (void)z;
    (void)a;
    fail_msg("refused: %s", fmt);
}

bool assignment_by_name(const struct sandbox_plan *plan)
{
    (void)plan;
    return rig->by_name;
}

enum pl_code assignment_send(int channel, const struct sandbox_plan *plan, const struct assignment *a,
                             struct pl_err *err)
{
    (void)plan;
    assert_true(channel >= 0);
    if (rig->busy)
        return pl_fail_reason(err, PL_UNAVAILABLE, "SPAWN_FAILED", NULL, "the process is gone");
    rig->assigned++;
    rig->model = a->model;
    return PL_OK;
}

struct seat *seats_take(struct seats *s, unsigned processes)
{
    assert_int_equal(processes, 1);
    (void)s;
    rig->seats++;
    return (struct seat *)rig;
}

void seats_give(struct seats *s, struct seat *seat)
{
    (void)s;
    rig->seats -= seat != NULL;
}

int seat_entrances(struct seat *seat, int *out_fds)
{
    (void)seat;
    (void)out_fds;
    return 0;
}

bool seat_limit(struct seat *seat, int memory_size_mb)
{
    (void)seat;
    return memory_size_mb > 0;
}

bool seat_limits_memory(const struct seat *seat)
{
    (void)seat;
    return true;
}

/* ---- what the zygote says ---- */

static struct zygote_ask *next_ask(void)
{
    struct zygote_ask *a;

    assert_true(rig->answered < rig->asked);
    a = pl_take(rig->asks[rig->answered]);
    rig->answered++;
    for (unsigned k = 0; k < a->fd_count; k++)
        (void)close(a->fds[k]);
    return a;
}

static pid_t give(void)
{
    struct zygote_ask *a = next_ask();
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0)
        for (;;)
            (void)pause();
    a->answered(a, pid, pidfd_open(pid, 0), NULL);
    return pid;
}

static void refuse(enum pl_code code)
{
    struct zygote_ask *a = next_ask();
    struct pl_err err;

    (void)pl_fail(&err, code, NULL, "the zygote died");
    a->answered(a, 0, -1, &err);
}

/* ---- who starts ---- */

static void made(struct spawn *w, const struct spawned *p, const struct pl_err *err)
{
    struct start *s = PL_CONTAINER(w, struct start, spawn);

    assert_int_equal(s->made, 0);
    s->made++;
    s->code = p ? PL_OK : err->code;
    if (!p)
        return;
    s->pid = p->pid;
    assert_ptr_equal(p->seat, rig);
    rig->seats--;
    (void)close(p->fd);
    (void)close(p->log_fd);
    child_abandon(p->pid, p->pidfd);
}

static void take(unsigned i)
{
    struct start *s = &rig->starts[i];

    *s = (struct start){ .spawn = { .model = "/models/a", .memory_size_mb = 2048, .made = made } };
    stock_take(rig->stock, &s->spawn);
}

/* ---- the rig ---- */

static void hangs(struct loop_timer *t)
{
    (void)t;
    fail_msg("%u asked, %u answered", rig->asked, rig->answered);
}

static void look(struct loop_timer *t)
{
    (void)t;
    loop_stop(rig->loop);
}

static void turn(void)
{
    loop_timer_set(rig->loop, &rig->look, pl_now_ms() + 1);
    loop_run(rig->loop);
}

static void until_asked(unsigned n)
{
    while (rig->asked < n)
        turn();
}

/* Longer than a blank waits for its making, so that one too many would have been asked for. */
static void nothing_is_asked(void)
{
    unsigned before = rig->asked;
    int64_t end_ms = pl_now_ms() + 20;

    while (pl_now_ms() < end_ms)
        turn();
    assert_int_equal(rig->asked, before);
}

static void make_stock(void)
{
    static char *const argv[] = { (char *)"runner", NULL };
    static struct sandbox_plan plan;
    const struct stock_options o = {
        .runtime = "xgboost", .argv = argv, .plan = &plan, .processes = 1, .blanks = BLANKS
    };

    rig->stock = stock_new(rig->loop, &o);
}

static int set_up(void **state)
{
    (void)state;
    rig = PL_NEW(struct rig);
    rig->loop = loop_new(0);
    rig->hang.fire = hangs;
    rig->look.fire = look;
    loop_timer_set(rig->loop, &rig->hang, pl_now_ms() + HANG_MS);
    make_stock();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    stock_free(rig->stock);
    assert_int_equal(rig->seats, 0);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* nobody is left, nobody unreaped */
    loop_free(rig->loop);
    free(rig);
    return 0;
}

/* Two blanks lie ready. */
static void full(pid_t pids[BLANKS])
{
    stock_fill(rig->stock);
    for (unsigned i = 0; i < BLANKS; i++) {
        until_asked(i + 1);
        pids[i] = give();
    }
    nothing_is_asked();
}

/* ---- tests ---- */

static void it_is_filled_and_no_more(void **state)
{
    pid_t pids[BLANKS];

    (void)state;
    nothing_is_asked();
    full(pids);
    assert_int_equal(rig->awake, 1);
}

static void who_comes_finds_one_and_it_is_replaced(void **state)
{
    pid_t pids[BLANKS];

    (void)state;
    full(pids);
    take(0);
    assert_int_equal(rig->starts[0].made, 1);
    assert_int_equal(rig->starts[0].pid, pids[0]);
    assert_int_equal(rig->assigned, 1);
    assert_string_equal(rig->model, "/models/a");
    assert_int_equal(rig->asked, BLANKS); /* not now: it would slow down the start */
    until_asked(BLANKS + 1);
    (void)give();
    nothing_is_asked();
}

/* First come, first served, whoever a process was made for; nobody fills the stock meanwhile. */
static void a_rush_is_served_in_order(void **state)
{
    (void)state;
    for (unsigned i = 0; i < STARTS; i++)
        take(i);
    assert_int_equal(rig->asked, STARTS);
    nothing_is_asked();
    for (unsigned i = 0; i < STARTS; i++) {
        pid_t pid = give();

        assert_int_equal(rig->starts[i].made, 1);
        assert_int_equal(rig->starts[i].pid, pid);
    }
    until_asked(STARTS + 1);
}

static void what_nobody_waits_for_any_more_goes_into_stock(void **state)
{
    pid_t pid;

    (void)state;
    take(0);
    take(1);
    stock_cancel(rig->stock, &rig->starts[0].spawn);
    pid = give();
    assert_int_equal(rig->starts[0].made, 0);
    assert_int_equal(rig->starts[1].pid, pid);
    pid = give();
    take(2);
    assert_int_equal(rig->starts[2].pid, pid);
}

/* Once; the second failure is told. */
static void a_start_that_failed_is_tried_again(void **state)
{
    (void)state;
    take(0);
    refuse(PL_UNAVAILABLE);
    assert_int_equal(rig->starts[0].made, 0);
    assert_int_equal(rig->asked, 2);
    refuse(PL_UNAVAILABLE);
    assert_int_equal(rig->starts[0].made, 1);
    assert_int_equal(rig->starts[0].code, PL_UNAVAILABLE);

    take(1);
    refuse(PL_INTERNAL);
    assert_int_equal(rig->starts[1].code, PL_INTERNAL);
}

/* By the time it gets its model: the next one is tried, and that is all. */
static void blanks_that_are_gone(void **state)
{
    pid_t pids[BLANKS];

    (void)state;
    full(pids);
    rig->busy = true;
    take(0);
    assert_int_equal(rig->starts[0].made, 1);
    assert_int_equal(rig->starts[0].code, PL_UNAVAILABLE);
    rig->busy = false;
    take(1);
    (void)give();
    assert_int_equal(rig->starts[1].code, PL_OK);
}

static void a_dead_blank_is_replaced(void **state)
{
    pid_t pids[BLANKS];

    (void)state;
    full(pids);
    assert_int_equal(kill(pids[0], SIGKILL), 0);
    until_asked(BLANKS + 1);
    assert_int_equal(rig->seats, BLANKS);
    take(0);
    assert_int_equal(rig->starts[0].pid, pids[1]);
}

/* Three in a row, and filling pauses; who comes is served all the same. */
static void when_blanks_die_and_die_it_pauses(void **state)
{
    pid_t pids[BLANKS], last;

    (void)state;
    full(pids);
    last = pids[0];
    for (unsigned i = 1; i < 3; i++) {
        assert_int_equal(kill(last, SIGKILL), 0);
        until_asked(BLANKS + i);
        last = give();
        nothing_is_asked();
    }
    assert_int_equal(kill(last, SIGKILL), 0);
    while (rig->seats == BLANKS) /* until it is reaped */
        turn();
    nothing_is_asked();
    take(0);
    take(1);
    assert_int_equal(rig->starts[0].pid, pids[1]);
    (void)give();
    assert_int_equal(rig->starts[1].code, PL_OK);
}

/* Where a folder cannot be passed as a descriptor there is no stock: each process is made for its model. */
static void by_name_each_is_made_for_its_model(void **state)
{
    (void)state;
    stock_free(rig->stock);
    rig->by_name = true;
    make_stock();
    stock_fill(rig->stock);
    nothing_is_asked();
    take(0);
    take(1);
    assert_int_equal(rig->asked, 2);
    assert_string_equal(rig->asks[0]->request.model, "a");
    stock_cancel(rig->stock, &rig->starts[0].spawn);
    (void)give(); /* nobody else may have it: it ends */
    (void)give();
    assert_int_equal(rig->starts[0].made, 0);
    assert_int_equal(rig->starts[1].code, PL_OK);
    assert_null(rig->model);
    nothing_is_asked();
}

static void with_blanks_under_way_it_can_be_freed(void **state)
{
    (void)state;
    stock_fill(rig->stock);
    until_asked(1);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(it_is_filled_and_no_more),           CASE(who_comes_finds_one_and_it_is_replaced),
        CASE(a_rush_is_served_in_order),          CASE(what_nobody_waits_for_any_more_goes_into_stock),
        CASE(a_start_that_failed_is_tried_again), CASE(blanks_that_are_gone),
        CASE(a_dead_blank_is_replaced),           CASE(when_blanks_die_and_die_it_pauses),
        CASE(by_name_each_is_made_for_its_model), CASE(with_blanks_under_way_it_can_be_freed),
    };

    return cmocka_run_group_tests_name("worker/stock", tests, NULL, NULL);
}
