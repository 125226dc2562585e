/* What a blank instance does before it has a model. */
#include "serve.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* Sanitizers' allocators take new memory where the C library's would not. */
#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || __has_feature(address_sanitizer)
#define FAULTS_COUNT false
#else
#define FAULTS_COUNT true
#endif

static long faults(void)
{
    struct rusage use;

    assert_int_equal(getrusage(RUSAGE_SELF, &use), 0);
    return use.ru_minflt;
}

static void works_and_leaves_no_model(void **state)
{
    struct serving *s = serving_new();
    int ends[2];

    (void)state;
    assert_true(serving_rehearse(s));
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    close(ends[0]);
    assert_int_equal(serving_run(s, ends[1]), 0); /* the host is gone: that is how it stops */
    close(ends[1]);
}

/* What it is for: the same once more touches nothing for the first time. */
static void second_time_is_free(void **state)
{
    struct serving *s = serving_new();
    long before;

    (void)state;
    assert_true(serving_rehearse(s));
    before = faults();
    assert_true(serving_rehearse(s));
    assert_true(faults() - before <= 4 || !FAULTS_COUNT);
    assert_int_equal(serving_run(s, -1), 2); /* no host at all */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(works_and_leaves_no_model),
        cmocka_unit_test(second_time_is_free),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
