/* The limit of descriptors. */
#include "base/descriptors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/resource.h>

static struct rlimit now(void)
{
    struct rlimit limit;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    return limit;
}

static void lower_to(rlim_t count)
{
    struct rlimit limit = now();

    limit.rlim_cur = count;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void raised_as_far_as_wanted(void **state)
{
    (void)state;
    lower_to(64);
    assert_int_equal(pl_descriptors_raise(100), 100);
    assert_int_equal(now().rlim_cur, 100);
}

static void never_lowered(void **state)
{
    (void)state;
    lower_to(128);
    assert_int_equal(pl_descriptors_raise(10), 128);
    assert_int_equal(now().rlim_cur, 128);
}

static void not_above_what_the_system_allows(void **state)
{
    rlim_t most = now().rlim_max;

    (void)state;
    lower_to(64);
    assert_int_equal(pl_descriptors_raise(UINT64_MAX), most);
    assert_int_equal(now().rlim_cur, most);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(raised_as_far_as_wanted),
        cmocka_unit_test(never_lowered),
        cmocka_unit_test(not_above_what_the_system_allows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
