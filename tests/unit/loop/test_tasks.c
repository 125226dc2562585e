#include "rig.h"
#include "turn.h"

#include <stdlib.h>

struct numbered {
    struct loop_task task;
    int thread, number;
};

#define THREADS 4
#define EACH    500

static struct {
    struct loop *loop;
    int last[THREADS];
    unsigned disordered, count, expected;
} seen;

static void run(struct loop_task *t)
{
    struct numbered *n = PL_CONTAINER(t, struct numbered, task);
    assert_true(loop_held(seen.loop));
    seen.disordered += n->number != seen.last[n->thread] + 1;
    seen.last[n->thread] = n->number;
    free(n); /* whoever runs may go */
    if (++seen.count == seen.expected)
        loop_stop(seen.loop);
}

static void *post(void *arg)
{
    for (int i = 1; i <= EACH; i++) {
        struct numbered *n = calloc(1, sizeof(*n));
        *n = (struct numbered){ .task.run = run, .thread = *(int *)arg, .number = i };
        loop_post(seen.loop, &n->task);
    }
    return NULL;
}

static void test_in_order_from_any_thread(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    int numbers[THREADS];
    struct rig g = { 0 };
    seen = (typeof(seen)){ .loop = g.loop = loop_new(0), .expected = THREADS * EACH };
    rig_start(&g);
    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, post, &numbers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    pthread_join(g.thread, NULL); /* the last task stops it */
    assert_int_equal(seen.count, THREADS * EACH);
    assert_int_equal(seen.disordered, 0);
    loop_free(g.loop);
}

struct counted {
    struct loop_task task;
    unsigned count, again;
};

static void count(struct loop_task *t)
{
    struct counted *c = PL_CONTAINER(t, struct counted, task);
    c->count++;
    if (c->again > 0) {
        c->again--;
        loop_post(seen.loop, t);
        loop_post(seen.loop, t);
    } else {
        loop_stop(seen.loop);
    }
}

static void test_one_that_waits_is_not_posted_twice(void **state)
{
    (void)state;
    seen.loop = loop_new(0);
    struct counted c = { .task.run = count };
    loop_post(seen.loop, &c.task);
    loop_post(seen.loop, &c.task);
    loop_run(seen.loop);
    assert_int_equal(c.count, 1);
    c.again = 3; /* but a task may post itself */
    loop_post(seen.loop, &c.task);
    loop_run(seen.loop);
    assert_int_equal(c.count, 5);
    loop_free(seen.loop);
}

static void test_those_that_wait_at_the_end_are_forgotten(void **state)
{
    (void)state;
    struct loop *l = loop_new(0);
    struct counted c = { .task.run = count };
    loop_stop(l);
    loop_run(l);
    loop_post(l, &c.task);
    loop_free(l);
    assert_int_equal(c.count, 0);
}

static void test_a_sleeping_loop_is_woken_once(void **state)
{
    (void)state;
    struct rig g = { 0 };
    static struct counted c[50];
    rig_start(&g);
    seen.loop = g.loop;
    wait_asleep(g.loop, INT64_MAX);
    loop_enter(g.loop); /* it cannot look until this turn is over */
    for (int i = 0; i < 50; i++) {
        c[i].task.run = count;
        c[i].again = 1;
        loop_post(g.loop, &c[i].task);
    }
    assert_in_range(wake_count(g.loop), 1, 2);
    loop_leave(g.loop);
    pthread_join(g.thread, NULL);
    for (int i = 0; i < 50; i++)
        assert_in_range(c[i].count, 1, 2);
    loop_free(g.loop);
}

/* ---- later ---- */

struct late {
    struct loop_task task;
    struct loop *loop;
    struct late *next; /* done later by this one */
    const void *thread;
    unsigned count;
    bool held;
};

static void run_late(struct loop_task *t)
{
    struct late *late = PL_CONTAINER(t, struct late, task);
    late->count++;
    late->held = loop_taken(late->loop);
    late->thread = turn_self();
    if (late->next)
        loop_later(late->loop, &late->next->task);
}

static void test_later_is_before_the_turn_is_given_away(void **state)
{
    (void)state;
    struct loop *l = loop_new(0);
    struct late second = { .task.run = run_late, .loop = l };
    struct late first = { .task.run = run_late, .loop = l, .next = &second };
    loop_enter(l);
    loop_later(l, &first.task);
    loop_later(l, &first.task);       /* waits already */
    assert_int_equal(first.count, 0); /* never inside the function that asks for it */
    loop_leave(l);
    assert_int_equal(first.count, 1);
    assert_int_equal(second.count, 1);
    assert_true(first.held && second.held);
    assert_ptr_equal(second.thread, turn_self());
    loop_free(l);
}

static struct {
    struct loop_task task, after;
    struct late late;
    unsigned late_count_after;
} ordered;

static void ask_for_later(struct loop_task *t)
{
    (void)t;
    loop_later(ordered.late.loop, &ordered.late.task);
}

static void look_and_stop(struct loop_task *t)
{
    (void)t;
    ordered.late_count_after = ordered.late.count;
    loop_stop(ordered.late.loop);
}

static void test_later_is_before_the_next_callback(void **state)
{
    (void)state;
    struct loop *l = loop_new(0);
    ordered.late = (struct late){ .task.run = run_late, .loop = l };
    ordered.task.run = ask_for_later;
    ordered.after.run = look_and_stop;
    loop_post(l, &ordered.task);
    loop_post(l, &ordered.after);
    loop_run(l);
    assert_int_equal(ordered.late_count_after, 1);
    loop_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_order_from_any_thread),
        cmocka_unit_test(test_one_that_waits_is_not_posted_twice),
        cmocka_unit_test(test_those_that_wait_at_the_end_are_forgotten),
        cmocka_unit_test(test_a_sleeping_loop_is_woken_once),
        cmocka_unit_test(test_later_is_before_the_turn_is_given_away),
        cmocka_unit_test(test_later_is_before_the_next_callback),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
