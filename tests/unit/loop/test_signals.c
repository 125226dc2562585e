#include "rig.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

static struct {
    struct loop *loop;
    int got[16];
    int count, stop_at;
    pthread_t thread;
} seen;

static void on(void *arg, int signo)
{
    assert_ptr_equal(arg, &seen);
    assert_true(loop_held(seen.loop));
    seen.thread = pthread_self();
    seen.got[seen.count++] = signo;
    if (seen.count == seen.stop_at)
        loop_stop(seen.loop);
}

static bool got(int signo)
{
    bool found = false;
    for (int i = 0; i < seen.count; i++)
        found |= seen.got[i] == signo;
    return found;
}

static void test_signals_become_callbacks(void **state)
{
    (void)state;
    memset(&seen, 0, sizeof(seen));
    seen.loop = loop_new(0);
    seen.stop_at = 3;
    loop_signal(seen.loop, SIGTERM, on, &seen);
    loop_signal(seen.loop, SIGHUP, on, &seen);
    loop_signal(seen.loop, SIGCHLD, on, &seen);
    assert_int_equal(kill(getpid(), SIGTERM), 0); /* it waits for the loop */
    assert_int_equal(kill(getpid(), SIGHUP), 0);
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    loop_run(seen.loop);
    assert_true(got(SIGTERM) && got(SIGHUP) && got(SIGCHLD));
    assert_true(pthread_equal(seen.thread, pthread_self()));
    loop_free(seen.loop);
}

/* Whichever thread the kernel would have picked: they are blocked in all. */
static void test_with_other_threads_around(void **state)
{
    (void)state;
    memset(&seen, 0, sizeof(seen));
    struct rig g = { .loop = loop_new(0) };
    seen.loop = g.loop;
    seen.stop_at = 16;
    loop_signal(g.loop, SIGUSR1, on, &seen);
    rig_start(&g);
    for (int i = 1; i <= 16; i++) {
        int count;
        kill(getpid(), SIGUSR1);
        do {
            loop_enter(g.loop);
            count = seen.count;
            loop_leave(g.loop);
            sched_yield();
        } while (count < i);
    }
    pthread_join(g.thread, NULL);
    assert_true(pthread_equal(seen.thread, g.thread));
    loop_free(g.loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_signals_become_callbacks),
        cmocka_unit_test(test_with_other_threads_around),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
