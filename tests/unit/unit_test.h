/* unit_test - what unit tests of several rooms share: cmocka, a failure to look at, and a text in an error. */
#ifndef UNIT_TEST_H
#define UNIT_TEST_H

#include "base/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define T(name) cmocka_unit_test(name)

#define assert_ok(expression, err)                                                                                     \
    do {                                                                                                               \
        if ((expression) != PL_OK)                                                                                     \
            fail_msg("%s: %s", #expression, (err).message);                                                            \
    } while (0)

#define assert_text(text, part)                                                                                        \
    do {                                                                                                               \
        if (!strstr(text, part))                                                                                       \
            fail_msg("'%s' is not in '%s'", part, text);                                                               \
    } while (0)

#endif
