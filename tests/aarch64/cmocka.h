/* cmocka - as much of it as the unit tests need that aarch64.py compiles for another CPU, whose cmocka a machine need
 * not have. The first check that fails ends the program. */
#ifndef AARCH64_CMOCKA_H
#define AARCH64_CMOCKA_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct CMUnitTest {
    const char *name;
    void (*run)(void **state);
};

#define cmocka_unit_test(test)                                                                                         \
    {                                                                                                                  \
#test, test                                                                                                    \
    }
#define cmocka_run_group_tests_name(name, tests, set_up, tear_down) cmocka_run(tests, sizeof(tests) / sizeof(*(tests)))
#define cmocka_run_group_tests(tests, set_up, tear_down)            cmocka_run_group_tests_name("", tests, 0, 0)

#define fail_msg(...)                                                                                                  \
    ((void)fprintf(stderr, "%s:%d: ", __FILE__, __LINE__), (void)fprintf(stderr, __VA_ARGS__),                         \
     (void)fputc('\n', stderr), exit(1))
#define assert_true(is)              ((is) ? (void)0 : fail_msg("%s", #is))
#define assert_false(is)             assert_true(!(is))
#define assert_null(is)              assert_true(!(is))
#define assert_non_null(is)          assert_true(is)
#define assert_int_equal(a, b)       assert_true((unsigned long long)(a) == (unsigned long long)(b))
#define assert_ptr_equal(a, b)       assert_true((a) == (b))
#define assert_float_equal(a, b, e)  assert_true((a) - (b) <= (e) && (b) - (a) <= (e))
#define assert_string_equal(a, b)    assert_true(strcmp(a, b) == 0)
#define assert_memory_equal(a, b, n) assert_true(memcmp(a, b, n) == 0)

static inline int cmocka_run(const struct CMUnitTest *tests, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        void *state = NULL;

        (void)printf("%s\n", tests[i].name);
        tests[i].run(&state);
    }
    return 0;
}

#endif
