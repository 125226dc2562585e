#include "rig.h"

#include "turn.h"

#include <stdatomic.h>

#define THREADS 4

static void *say_held(void *arg)
{
    return loop_held(arg) ? arg : NULL;
}

static bool held_elsewhere(struct loop *l)
{
    pthread_t thread;
    void *answer;
    assert_int_equal(pthread_create(&thread, NULL, say_held, l), 0);
    pthread_join(thread, &answer);
    return answer != NULL;
}

static void test_set_up_counts_until_the_turn_is_taken(void **state)
{
    (void)state;
    struct loop *l = loop_new(0);
    assert_true(loop_held(l));
    assert_false(held_elsewhere(l));
    loop_enter(l);
    assert_true(loop_held(l));
    assert_false(held_elsewhere(l));
    loop_leave(l);
    assert_false(loop_held(l));
    loop_free(l);
    loop_free(NULL);
}

static void test_set_up_ends_with_the_run(void **state)
{
    (void)state;
    struct loop *l = loop_new(0);
    loop_stop(l);
    loop_run(l); /* stopped already: returns at once */
    assert_false(loop_held(l));
    loop_free(l);
}

static struct {
    struct loop *loop;
    unsigned counter; /* not atomic: the turn guards it */
    unsigned rounds;
    atomic_bool over;
    atomic_uint hog_turns;
} shared;

static void *count(void *arg)
{
    for (unsigned i = 0; i < shared.rounds; i++) {
        loop_enter(shared.loop);
        assert_true(loop_held(shared.loop));
        unsigned before = shared.counter;
        if (i % 64 == 0)
            sched_yield(); /* a switch in the middle of a turn */
        shared.counter = before + 1;
        loop_leave(shared.loop);
    }
    return arg;
}

static void test_one_at_a_time(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    struct rig g = { 0 };
    rig_start(&g);
    shared.loop = g.loop;
    shared.counter = 0;
    shared.rounds = 5000;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(shared.counter, THREADS * shared.rounds);
    rig_stop(&g);
}

/* Takes the turn again the moment it gave it. */
static void *hog(void *arg)
{
    while (!shared.over) {
        loop_enter(shared.loop);
        shared.counter++;
        loop_leave(shared.loop);
        shared.hog_turns++;
    }
    return arg;
}

/* The loop thread among them, with one task after the other. */
static void count_down(struct loop_task *t);
static struct loop_task task = { .run = count_down };
static unsigned tasks_left;
static sem_t tasks_over;

static void count_down(struct loop_task *t)
{
    if (--tasks_left > 0)
        loop_post(shared.loop, t);
    else
        sem_post(&tasks_over);
}

static void test_nobody_is_kept_out(void **state)
{
    (void)state;
    pthread_t hogs[2], counters[2];
    struct rig g = { 0 };
    rig_start(&g);
    sem_init(&tasks_over, 0, 0);
    shared.loop = g.loop;
    shared.counter = 0;
    shared.rounds = 300;
    shared.over = false;
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&hogs[i], NULL, hog, NULL), 0);
    while (shared.hog_turns < 100)
        sched_yield();
    tasks_left = 300;
    loop_post(g.loop, &task);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&counters[i], NULL, count, NULL), 0);
    for (int i = 0; i < 2; i++)
        pthread_join(counters[i], NULL);
    wait_for(&tasks_over);
    shared.over = true;
    for (int i = 0; i < 2; i++)
        pthread_join(hogs[i], NULL);
    assert_int_equal(shared.counter, 2 * shared.rounds + shared.hog_turns);
    rig_stop(&g);
    sem_destroy(&tasks_over);
}

static struct turn turn;
static atomic_bool got_it;

static void *take_once(void *arg)
{
    turn_take(&turn);
    got_it = true;
    turn_give(&turn);
    return arg;
}

/* This thread takes the turn again at once, each time; to wake up takes the other one a thousand times as long. */
static void test_a_sleeper_is_passed_a_few_times_only(void **state)
{
    (void)state;
    pthread_t sleeper;
    unsigned passes = 0;
    turn_init(&turn);
    turn_take(&turn);
    assert_false(turn_wanted(&turn));
    assert_int_equal(pthread_create(&sleeper, NULL, take_once, NULL), 0);
    while (!turn_wanted(&turn))
        sched_yield();
    while (!got_it) {
        turn_give(&turn);
        turn_take(&turn);
        passes += !got_it;
    }
    turn_give(&turn);
    pthread_join(sleeper, NULL);
    assert_in_range(passes, 0, 16);
    turn_done(&turn);
}

static void test_runs_again(void **state)
{
    (void)state;
    struct rig g = { 0 };
    for (int i = 0; i < 3; i++) {
        rig_start(&g);
        wait_asleep(g.loop, INT64_MAX);
        loop_stop(g.loop);
        pthread_join(g.thread, NULL);
    }
    loop_free(g.loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set_up_counts_until_the_turn_is_taken),
        cmocka_unit_test(test_set_up_ends_with_the_run),
        cmocka_unit_test(test_one_at_a_time),
        cmocka_unit_test(test_nobody_is_kept_out),
        cmocka_unit_test(test_a_sleeper_is_passed_a_few_times_only),
        cmocka_unit_test(test_runs_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
