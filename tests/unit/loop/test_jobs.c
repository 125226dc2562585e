#include "rig.h"

#include "loop_private.h"

#include <stdatomic.h>
#include <stdlib.h>

struct work {
    struct loop_job job;
    struct loop *loop;
    pthread_t worked_on, told_on;
    bool worked;
};

static atomic_uint working;
static unsigned told, expected;
static sem_t begun, go_on;

static void work(struct loop_job *j)
{
    struct work *w = PL_CONTAINER(j, struct work, job);
    assert_false(loop_held(w->loop));
    loop_enter(w->loop); /* it may, like any thread */
    loop_leave(w->loop);
    w->worked_on = pthread_self();
    w->worked = true;
}

static void done(struct loop_job *j)
{
    struct work *w = PL_CONTAINER(j, struct work, job);
    struct loop *l = w->loop;
    assert_true(loop_held(l));
    assert_true(w->worked);
    assert_false(pthread_equal(w->worked_on, pthread_self()));
    free(w); /* done may free its owner */
    if (++told == expected)
        loop_stop(l);
}

static void test_work_without_the_turn_done_with_it(void **state)
{
    (void)state;
    struct loop *l = loop_new(3);
    told = 0;
    expected = 500;
    for (unsigned i = 0; i < expected; i++) {
        struct work *w = calloc(1, sizeof(*w));
        *w = (struct work){ .job = { .work = work, .done = done }, .loop = l };
        loop_job(l, &w->job);
    }
    loop_run(l);
    assert_int_equal(told, expected);
    loop_free(l);
}

static void meet(struct loop_job *j)
{
    (void)j;
    working++;
    sem_post(&begun);
    wait_for(&go_on);
}

static void count(struct loop_job *j)
{
    struct work *w = PL_CONTAINER(j, struct work, job);
    if (++told == expected)
        loop_stop(w->loop);
}

/* As many at a time as there are threads, and not one more. */
static void test_side_by_side(void **state)
{
    (void)state;
    struct rig g = { .loop = loop_new(3) };
    struct work jobs[5] = { 0 };
    told = 0;
    expected = 5;
    working = 0;
    sem_init(&begun, 0, 0);
    sem_init(&go_on, 0, 0);
    rig_start(&g);
    for (int i = 0; i < 5; i++) {
        jobs[i] = (struct work){ .job = { .work = meet, .done = count }, .loop = g.loop };
        loop_job(g.loop, &jobs[i].job);
    }
    for (int i = 0; i < 3; i++)
        wait_for(&begun);
    assert_int_equal(working, 3);
    sem_post(&go_on);
    wait_for(&begun); /* one ended, so the fourth began */
    assert_int_equal(working, 4);
    for (int i = 0; i < 4; i++)
        sem_post(&go_on);
    pthread_join(g.thread, NULL);
    assert_int_equal(told, 5);
    loop_free(g.loop);
    sem_destroy(&begun);
    sem_destroy(&go_on);
}

/* Not before loop_free() has said that it is the end. */
static void *let_go(void *arg)
{
    struct loop *l = arg;
    for (bool ending = false; !ending; sched_yield()) {
        pthread_mutex_lock(&l->jobs.lock);
        ending = l->jobs.ending;
        pthread_mutex_unlock(&l->jobs.lock);
    }
    sem_post(&go_on);
    return NULL;
}

/* One runs, one waits when the loop is freed: the first ends, the second never starts, neither is told of. */
static void test_free_waits_for_what_runs(void **state)
{
    (void)state;
    pthread_t helper;
    struct loop *l = loop_new(1);
    struct work jobs[2] = { 0 };
    told = 0;
    expected = 1;
    working = 0;
    sem_init(&begun, 0, 0);
    sem_init(&go_on, 0, 0);
    for (int i = 0; i < 2; i++) {
        jobs[i] = (struct work){ .job = { .work = meet, .done = count }, .loop = l };
        loop_job(l, &jobs[i].job);
    }
    wait_for(&begun);
    assert_int_equal(pthread_create(&helper, NULL, let_go, l), 0);
    loop_free(l);
    pthread_join(helper, NULL);
    assert_int_equal(working, 1);
    assert_int_equal(told, 0);
    sem_destroy(&begun);
    sem_destroy(&go_on);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_work_without_the_turn_done_with_it),
        cmocka_unit_test(test_side_by_side),
        cmocka_unit_test(test_free_waits_for_what_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
