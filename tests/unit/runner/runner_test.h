/* What the runner's tests share: cmocka, refusals by table, the sample's files. */
#ifndef RUNNER_TEST_H
#define RUNNER_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/err.h"

/* Tests run in their own folder. */
#define SAMPLE "../../../deploy/sample/diabetes/"

/* A body of exactly the given bytes on the heap, so that a read past its end is seen by AddressSanitizer. */
static inline char *exact(const char *s, size_t n)
{
    char *copy = malloc(n ? n : 1);

    assert_non_null(copy);
    if (n > 0)
        memcpy(copy, s, n);
    return copy;
}

static inline char *read_whole(const char *path, size_t *out_len)
{
    FILE *f = fopen(path, "rb");
    size_t cap = 1 << 20;
    char *bytes = malloc(cap + 1);

    assert_non_null(f);
    assert_non_null(bytes);
    *out_len = fread(bytes, 1, cap, f);
    assert_true(*out_len > 0 && *out_len < cap);
    bytes[*out_len] = '\0';
    fclose(f);
    return bytes;
}

static inline void assert_refused(enum pl_code code, const struct pl_err *err, int status, const char *message)
{
    assert_int_equal(code, PL_MODEL);
    assert_int_equal(err->code, PL_MODEL);
    assert_string_equal(err->message, message);
    assert_int_equal(err->model_status, status);
}

#endif
