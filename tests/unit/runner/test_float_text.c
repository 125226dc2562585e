#include "runner_test.h"

#include "float_text.h"

#include "float_cases.h"

#include <math.h>

static void prints_as_python_does(void **state)
{
    (void)state;
    for (size_t i = 0; i < PL_COUNT(float_cases); i++) {
        char text[FLOAT_TEXT_MAX + 1];
        float value;

        memcpy(&value, &float_cases[i].bits, sizeof(value));
        text[float_text(value, text)] = '\0';
        assert_string_equal(text, float_cases[i].text);
    }
}

/* Every exponent and both ends of its mantissas: reads back as the same double, and fits. */
static void reads_back(void **state)
{
    (void)state;
    for (uint32_t high = 0; high < 255; high++) {
        for (uint32_t low = 0; low < 64; low++) {
            uint32_t bits = high << 23 | ((low & 1) ? 0x7fffff - low : low * 0x1f35);
            char text[FLOAT_TEXT_MAX + 1];
            float value;
            size_t n;

            memcpy(&value, &bits, sizeof(value));
            n = float_text(value, text);
            assert_in_range(n, 3, 24);
            text[n] = '\0';
            assert_true(strtod(text, NULL) == (double)value);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prints_as_python_does),
        cmocka_unit_test(reads_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
