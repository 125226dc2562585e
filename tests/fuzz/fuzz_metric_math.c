/* Expressions of GetMetricData. What comes out has rising times and finite values. */
#include "metric_math.h"

#include <assert.h>
#include <math.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int64_t times[] = { -60, 0, 60, 120 };
    static double values[] = { 1, -2.5, 1e300, 0 };
    struct math_named given[] = { { "m1", true, true, { 4, times, values } },
                                  { "m2", true, true, { 2, times + 1, values + 1 } },
                                  { "e1", false, false, { 0 } } };
    struct arena a = { 0 };
    struct math_scope s = { given, 3, &a, MATH_POINTS_MAX };
    struct math_series out = { 0 };
    const char *why = NULL;
    size_t waits_for;
    switch (math_evaluate(arena_strndup(&a, (const char *)data, size), &s, &out, &waits_for, &why)) {
    case MATH_OK:
        for (size_t i = 0; i < out.count; i++) {
            assert(isfinite(out.values[i]));
            assert(i == 0 || out.times[i - 1] < out.times[i]);
        }
        break;
    case MATH_WAITS:
        assert(waits_for == 2);
        break;
    case MATH_WRONG:
        assert(why && *why);
        break;
    }
    arena_done(&a);
    return 0;
}
