#include "rig.h"

#include "base/time.h"

#include <stdlib.h>

#define MANY 2000

static struct {
    struct loop *loop;
    int64_t last_at_ms, early_count, fired_count;
    unsigned disordered;
    unsigned expected; /* stops the loop after so many */
} seen;

static void note(struct loop_timer *t)
{
    seen.early_count += pl_now_ms() < t->at_ms;
    seen.disordered += t->at_ms < seen.last_at_ms;
    seen.last_at_ms = t->at_ms;
    assert_int_equal(t->slot, 0);
    assert_true(loop_held(seen.loop));
    if (++seen.fired_count == seen.expected)
        loop_stop(seen.loop);
}

static struct loop *fresh(unsigned expected)
{
    seen = (typeof(seen)){ .loop = loop_new(0), .expected = expected };
    return seen.loop;
}

static void test_order_and_never_early(void **state)
{
    (void)state;
    struct loop *l = fresh(5);
    int64_t now_ms = pl_now_ms();
    static const int after[] = { 30, 0, 10, -5, 20 };
    struct loop_timer timers[5];
    for (int i = 0; i < 5; i++) {
        timers[i] = (struct loop_timer){ .fire = note };
        loop_timer_set(l, &timers[i], now_ms + after[i]);
    }
    loop_run(l);
    assert_int_equal(seen.fired_count, 5);
    assert_int_equal(seen.disordered, 0);
    assert_int_equal(seen.early_count, 0);
    assert_true(pl_now_ms() >= now_ms + 30);
    loop_free(l);
}

/* Set, moved and cleared in any order, by a generator that is the same each time. */
static void test_many(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 20; seed++) {
        struct loop *l = fresh(0);
        struct loop_timer *timers = calloc(MANY, sizeof(*timers));
        srand(seed);
        for (int step = 0; step < 3 * MANY; step++) {
            struct loop_timer *t = &timers[rand() % MANY];
            t->fire = note;
            if (rand() % 3 == 0)
                loop_timer_clear(l, t);
            else
                loop_timer_set(l, t, rand() % 1000);
        }
        for (int i = 0; i < MANY; i++)
            seen.expected += timers[i].slot != 0;
        loop_run(l);
        assert_int_equal(seen.fired_count, seen.expected);
        assert_int_equal(seen.disordered, 0);
        for (int i = 0; i < MANY; i++)
            assert_int_equal(timers[i].slot, 0);
        loop_free(l);
        free(timers);
    }
}

struct pair {
    struct loop_timer timer;
    struct loop_timer *other;
    unsigned count;
};

static void clear_other(struct loop_timer *t)
{
    struct pair *p = PL_CONTAINER(t, struct pair, timer);
    loop_timer_clear(seen.loop, p->other);
    p->count++;
}

static void stop(struct loop_timer *t)
{
    (void)t;
    loop_stop(seen.loop);
}

static void test_one_that_is_due_can_be_cleared(void **state)
{
    (void)state;
    struct loop *l = fresh(0);
    struct pair a = { .timer.fire = clear_other }, b = { .timer.fire = clear_other };
    struct loop_timer end = { .fire = stop };
    a.other = &b.timer;
    b.other = &a.timer;
    loop_timer_set(l, &a.timer, 1);
    loop_timer_set(l, &b.timer, 1);
    loop_timer_set(l, &end, 2);
    loop_run(l);
    assert_int_equal(a.count + b.count, 1);
    loop_timer_clear(l, &a.timer); /* harmless */
    loop_free(l);
}

static void again(struct loop_timer *t)
{
    struct pair *p = PL_CONTAINER(t, struct pair, timer);
    if (++p->count < 1000)
        loop_timer_set(seen.loop, t, 0);
    else
        loop_stop(seen.loop);
}

struct counted_task {
    struct loop_task task;
    struct pair *at;
    unsigned ran_after;
};

static void note_progress(struct loop_task *t)
{
    struct counted_task *c = PL_CONTAINER(t, struct counted_task, task);
    c->ran_after = c->at->count;
}

static void test_one_that_sets_itself_leaves_room(void **state)
{
    (void)state;
    struct loop *l = fresh(0);
    struct pair p = { .timer.fire = again };
    struct counted_task c = { .task.run = note_progress, .at = &p };
    loop_timer_set(l, &p.timer, 0);
    loop_post(l, &c.task);
    loop_run(l);
    assert_int_equal(p.count, 1000);
    assert_in_range(c.ran_after, 1, 10);
    loop_free(l);
}

/* ---- set by another thread that has the turn ---- */

static sem_t fired;

static void tell(struct loop_timer *t)
{
    (void)t;
    sem_post(&fired);
}

static void test_an_earlier_one_wakes_the_loop(void **state)
{
    (void)state;
    struct rig g = { 0 };
    struct loop_timer t = { .fire = tell }, far = { .fire = tell };
    int64_t hour = pl_now_ms() + 3600000;
    sem_init(&fired, 0, 0);
    rig_start(&g);
    wait_asleep(g.loop, INT64_MAX);
    loop_enter(g.loop);
    loop_timer_set(g.loop, &far, hour);
    loop_leave(g.loop);
    wait_asleep(g.loop, hour);
    loop_enter(g.loop);
    loop_timer_set(g.loop, &t, pl_now_ms());
    loop_leave(g.loop);
    wait_for(&fired);
    wait_asleep(g.loop, hour);
    assert_int_equal(wake_count(g.loop), 2);
    rig_stop(&g);
    sem_destroy(&fired);
}

/* The deadline of a request is set when it comes and cleared when it is answered: that must not cost a wake-up each. */
static void test_others_do_not(void **state)
{
    (void)state;
    struct rig g = { 0 };
    struct loop_timer t = { .fire = tell }, far = { .fire = tell };
    int64_t hour = pl_now_ms() + 3600000;
    rig_start(&g);
    loop_enter(g.loop);
    loop_timer_set(g.loop, &far, hour);
    loop_leave(g.loop);
    wait_asleep(g.loop, hour);
    uint64_t before = wake_count(g.loop);
    for (int i = 0; i < 100; i++) {
        loop_enter(g.loop);
        loop_timer_set(g.loop, &t, hour + i);
        loop_timer_set(g.loop, &t, hour + 1000);
        loop_timer_clear(g.loop, &t);
        loop_leave(g.loop);
    }
    assert_int_equal(wake_count(g.loop), before);
    wait_asleep(g.loop, hour);
    rig_stop(&g);
}

/* Also when no other timer is set: the first plans a wake-up, and the loop does not put it off. */
static void test_nor_do_those_that_are_cleared_at_once(void **state)
{
    (void)state;
    struct rig g = { 0 };
    struct loop_timer t = { .fire = tell };
    int64_t hour = pl_now_ms() + 3600000;
    rig_start(&g);
    wait_asleep(g.loop, INT64_MAX);
    for (int i = 0; i < 100; i++) {
        loop_enter(g.loop);
        loop_timer_set(g.loop, &t, hour + i);
        loop_timer_clear(g.loop, &t);
        loop_leave(g.loop);
        wait_asleep(g.loop, hour);
    }
    assert_int_equal(wake_count(g.loop), 1);
    rig_stop(&g);
}

static void test_a_planned_end_that_nobody_needs_is_no_busy_loop(void **state)
{
    (void)state;
    struct rig g = { 0 };
    struct loop_timer t = { .fire = tell };
    rig_start(&g);
    wait_asleep(g.loop, INT64_MAX);
    loop_enter(g.loop);
    loop_timer_set(g.loop, &t, pl_now_ms() + 5);
    loop_timer_clear(g.loop, &t);
    loop_leave(g.loop);
    wait_asleep(g.loop, INT64_MAX);
    rig_stop(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_and_never_early),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_one_that_is_due_can_be_cleared),
        cmocka_unit_test(test_one_that_sets_itself_leaves_room),
        cmocka_unit_test(test_an_earlier_one_wakes_the_loop),
        cmocka_unit_test(test_others_do_not),
        cmocka_unit_test(test_nor_do_those_that_are_cleared_at_once),
        cmocka_unit_test(test_a_planned_end_that_nobody_needs_is_no_busy_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
