/* The forest of one leaf is one that can be opened and predicts 0. */
#include "forest/forest.h"
#include "forest/layout.h"
#include "forest/smallest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

static _Alignas(64) unsigned char room[FOREST_SMALLEST_ROOM];

static void opens_and_predicts(void **state)
{
    const float values[] = { 1, -1, NAN, INFINITY };
    const struct forest_rows rows = { .count = 4, .cols = 1, .values = values };
    float out[4] = { 9, 9, 9, 9 };
    struct pl_err err = { 0 };
    struct forest *f;

    (void)state;
    assert_int_equal(forest_view(&f, room, forest_smallest(room), &err), PL_OK);
    assert_int_equal(forest_header(f)->trees, 1);
    assert_int_equal(forest_predict(f, &rows, out, &err), PL_OK);
    for (int i = 0; i < 4; i++)
        assert_true(out[i] == 0);
    forest_close(f);
}

static void is_checked_as_any_other(void **state)
{
    size_t n = forest_smallest(room);
    struct pl_err err = { 0 };
    struct forest *f;

    (void)state;
    room[n - 1] ^= 1;
    assert_int_equal(forest_view(&f, room, n, &err), PL_DATA_LOSS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opens_and_predicts),
        cmocka_unit_test(is_checked_as_any_other),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
