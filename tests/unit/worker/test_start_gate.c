/* Who starts now, who waits in line, and who does not count any longer. */
#include "start_gate.h"
#include "unit_test.h"

#include "base/mem.h"
#include "base/time.h"

#include <stdlib.h>

#define LIMIT   2
#define STARTS  6
#define HANG_MS 20000

struct start {
    struct start_ticket ticket;
    unsigned place; /* when it entered: 1, 2, ...; 0: it has not */
};

struct rig {
    struct loop *loop;
    struct loop_timer hang;
    struct start_gate *gate;
    struct start starts[STARTS];
    unsigned entered, stop_at;
    bool leaves_at_once;
};
static struct rig *rig;

static void enters(struct start_ticket *t)
{
    struct start *s = PL_CONTAINER(t, struct start, ticket);

    assert_int_equal(s->place, 0);
    s->place = ++rig->entered;
    if (rig->leaves_at_once)
        start_gate_leave(t);
    if (rig->entered == rig->stop_at)
        loop_stop(rig->loop);
}

static void hangs(struct loop_timer *t)
{
    (void)t;
    fail_msg("only %u have entered", rig->entered);
}

static int set_up(void **state)
{
    (void)state;
    rig = PL_NEW(struct rig);
    rig->loop = loop_new(0);
    rig->hang.fire = hangs;
    rig->gate = start_gate_new(rig->loop, LIMIT);
    for (unsigned i = 0; i < STARTS; i++)
        rig->starts[i].ticket.enter = enters;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (unsigned i = 0; i < STARTS; i++)
        start_gate_leave(&rig->starts[i].ticket);
    start_gate_free(rig->gate);
    loop_free(rig->loop);
    free(rig);
    return 0;
}

/* As many as may go on at once; the others wait. */
static void all_come(void)
{
    for (unsigned i = 0; i < STARTS; i++)
        assert_int_equal(start_gate_enter(rig->gate, &rig->starts[i].ticket), i < LIMIT);
    assert_int_equal(rig->entered, 0);
}

static void run_until_entered(unsigned n)
{
    rig->stop_at = n;
    loop_timer_set(rig->loop, &rig->hang, pl_now_ms() + HANG_MS);
    loop_run(rig->loop);
    loop_timer_clear(rig->loop, &rig->hang);
    assert_int_equal(rig->entered, n);
}

static void one_leaves_and_the_next_in_line_enters(void **state)
{
    (void)state;
    all_come();
    start_gate_leave(&rig->starts[1].ticket);
    run_until_entered(1);
    assert_int_equal(rig->starts[LIMIT].place, 1);
    assert_int_equal(rig->starts[LIMIT].ticket.state, START_INSIDE);
}

static void who_is_not_wanted_any_more_is_passed_over(void **state)
{
    (void)state;
    all_come();
    start_gate_leave(&rig->starts[LIMIT].ticket);
    start_gate_leave(&rig->starts[0].ticket);
    run_until_entered(1);
    assert_int_equal(rig->starts[LIMIT].place, 0);
    assert_int_equal(rig->starts[LIMIT + 1].place, 1);
}

/* As starts that fail at once do. */
static void those_who_enter_and_leave_let_everybody_through(void **state)
{
    (void)state;
    rig->leaves_at_once = true;
    all_come();
    start_gate_leave(&rig->starts[0].ticket);
    run_until_entered(STARTS - LIMIT);
    for (unsigned i = LIMIT; i < STARTS; i++)
        assert_int_equal(rig->starts[i].place, i - LIMIT + 1);
    start_gate_leave(&rig->starts[1].ticket);
    assert_true(start_gate_enter(rig->gate, &rig->starts[0].ticket)); /* nobody is inside or in line */
}

/* Nobody leaves: those inside stop to count, and then those after them. */
static void a_start_that_takes_long_holds_up_nobody(void **state)
{
    int64_t before_ms = pl_now_ms();

    (void)state;
    all_come();
    run_until_entered(STARTS - LIMIT);
    assert_true(pl_now_ms() - before_ms >= START_GATE_MS); /* and not before */
    assert_int_equal(rig->starts[0].ticket.state, START_OVERDUE);
}

static void it_may_leave_wherever_it_is(void **state)
{
    (void)state;
    start_gate_leave(&rig->starts[0].ticket);
    assert_true(start_gate_enter(rig->gate, &rig->starts[0].ticket));
    start_gate_leave(&rig->starts[0].ticket);
    start_gate_leave(&rig->starts[0].ticket);
    assert_true(start_gate_enter(rig->gate, &rig->starts[0].ticket));
    assert_true(start_gate_enter(rig->gate, &rig->starts[1].ticket));
    assert_false(start_gate_enter(rig->gate, &rig->starts[2].ticket));
}

#define G(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        G(one_leaves_and_the_next_in_line_enters),
        G(who_is_not_wanted_any_more_is_passed_over),
        G(those_who_enter_and_leave_let_everybody_through),
        G(a_start_that_takes_long_holds_up_nobody),
        G(it_may_leave_wherever_it_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
