/* Documents token by token: both formats, their limits, and what is wrong with what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "doc.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static void numbers_of_each_type_are_read(void **state)
{
    static const struct {
        const char *bytes;
        size_t n;
        double value;
    } cases[] = {
        { "[1]", 3, 1 },
        { "[ -1.5E-3 ]", 11, -0.0015 },
        { "[NaN]", 5, NAN },
        { "[-Infinity]", 11, -INFINITY },
    };

    (void)state;
    for (size_t i = 0; i < PL_COUNT(cases); i++) {
        struct doc d;
        double value;

        doc_open(&d, cases[i].bytes, cases[i].n);
        doc_enter(&d, DOC_ARRAY);
        assert_true(doc_item(&d));
        value = doc_number(&d);
        assert_true(value == cases[i].value || (isnan(value) && isnan(cases[i].value)));
        assert_false(doc_item(&d));
        assert_false(doc_failed(&d));
    }
}

#define UBJSON(text) text, sizeof(text) - 1

static void ubjson_numbers_are_big_endian(void **state)
{
    static const struct {
        const char *bytes;
        size_t n;
        double value;
    } cases[] = {
        { UBJSON("{i\1ai\xff}"), -1 },
        { UBJSON("{i\1aU\xff}"), 255 },
        { UBJSON("{i\1aI\xff\xfe}"), -2 },
        { UBJSON("{U\1al\0\0\1\0}"), 256 },
        { UBJSON("{I\0\1aL\xff\xff\xff\xff\xff\xff\xff\xfd}"), -3 },
        { UBJSON("{l\0\0\0\1ad\x3f\xc0\0\0}"), 1.5 },
        { UBJSON("{L\0\0\0\0\0\0\0\1aD\x3f\xf8\0\0\0\0\0\0}"), 1.5 },
        { UBJSON("{i\1aT}"), 1 },
        { UBJSON("{i\1aF}"), 0 },
        { UBJSON("{#i\1i\1ai\7"), 7 },
        { UBJSON("{Ni\1ai\7NN}"), 7 },
    };

    (void)state;
    for (size_t i = 0; i < PL_COUNT(cases); i++) {
        struct doc d;
        struct doc_text key;
        double value;

        if (cases[i].bytes[1] == 'N') /* a document that starts so is taken for UBJSON, too */
            assert_int_equal(cases[i].bytes[0], '{');
        doc_open(&d, cases[i].bytes, cases[i].n);
        assert_true(d.ubjson);
        doc_enter(&d, DOC_OBJECT);
        assert_true(doc_key(&d, &key));
        assert_true(doc_is(key, "a"));
        value = doc_peek(&d) == DOC_BOOL ? (double)doc_integer(&d, 0, 1) : doc_number(&d);
        assert_true(value == cases[i].value);
        assert_false(doc_key(&d, &key));
        if (doc_failed(&d))
            fail_msg("case %zu: %s at %zu", i, d.wrong, d.wrong_at);
    }
}

static void arrays_are_read_whole(void **state)
{
    static const struct {
        const char *bytes;
        size_t n;
    } cases[] = {
        { UBJSON("{\"a\": [1, 2, -3 ]}") },
        { UBJSON("{i\1a[i\1i\2i\xfd]}") },
        { UBJSON("{i\1a[$i#i\3\1\2\xfd}") },
        { UBJSON("{i\1a[$l#L\0\0\0\0\0\0\0\3\0\0\0\1\0\0\0\2\xff\xff\xff\xfd}") },
        { UBJSON("{i\1a[$d#U\3\x3f\x80\0\0\x40\0\0\0\xc0\x40\0\0}") },
        { UBJSON("{i\1a[#i\3i\1i\2i\xfd}") },
    };
    static const int32_t expected[] = { 1, 2, -3 };

    (void)state;
    for (size_t i = 0; i < PL_COUNT(cases); i++) {
        for (int floats = 0; floats < 2; floats++) {
            int32_t *integers = NULL;
            float *numbers = NULL;
            struct doc d;
            struct doc_text key;

            doc_open(&d, cases[i].bytes, cases[i].n);
            doc_enter(&d, DOC_OBJECT);
            assert_true(doc_key(&d, &key));
            assert_int_equal(floats ? doc_floats(&d, &numbers) : doc_integers(&d, &integers), 3);
            for (int k = 0; k < 3; k++)
                assert_true((floats ? numbers[k] : (float)integers[k]) == (float)expected[k]);
            assert_false(doc_key(&d, &key));
            assert_false(doc_failed(&d));
            free(integers);
            free(numbers);
        }
    }
}

static void anything_can_be_passed_over(void **state)
{
    static const struct {
        const char *bytes;
        size_t n;
    } cases[] = {
        { UBJSON("{\"a\":{\"x\":[1,[2,{\"y\":null}],\"\\\\\\\"]\"],\"z\":{}},\"b\":7}") },
        { UBJSON("{\"a\":\"text\",\"b\":7}") },
        { UBJSON("{\"a\":[],\"b\":7}") },
        { UBJSON("{i\1a{i\1x[i\1[Z{}TF]Si\2ab[$L#i\1\0\0\0\0\0\0\0\0]}i\1bi\7}") },
        { UBJSON("{i\1a[$d#i\0i\1bi\7}") },
        { UBJSON("{i\1a[#i\0i\1bi\7}") },
    };

    (void)state;
    for (size_t i = 0; i < PL_COUNT(cases); i++) {
        struct doc d;
        struct doc_text key;

        doc_open(&d, cases[i].bytes, cases[i].n);
        doc_enter(&d, DOC_OBJECT);
        assert_true(doc_key(&d, &key));
        doc_skip(&d);
        assert_true(doc_key(&d, &key));
        assert_true(doc_is(key, "b"));
        assert_int_equal(doc_integer(&d, 0, 10), 7);
        assert_false(doc_key(&d, &key));
        if (doc_failed(&d))
            fail_msg("case %zu: %s at %zu", i, d.wrong, d.wrong_at);
    }
}

static void the_first_error_stays(void **state)
{
    static const struct {
        const char *bytes;
        size_t n;
        const char *wrong;
    } cases[] = {
        { UBJSON(""), "an object is expected here" },
        { UBJSON("[1]"), "an object is expected here" },
        { UBJSON("{\"a\":1"), "a comma or the end of the container is expected here" },
        { UBJSON("{\"a\" 1}"), "a colon is expected here" },
        { UBJSON("{\"a"), "the document ends in a string" },
        { UBJSON("{\"a\\\"}"), "the document ends in a string" },
        { UBJSON("{\"a\":tru}"), "this is neither true, false nor null" },
        { UBJSON("{\"a\":-}"), "this is no number" },
        { UBJSON("{\"a\":1}}"), "something follows the end" },
        { UBJSON("{\"a\":,}"), "a value is expected here" },
        { UBJSON("{7:1}"), "a name is expected here" },
        { UBJSON("{i\1"), "a length leads past the end" },
        { UBJSON("{i"), "a length is expected here" },
        { UBJSON("{i\xff "), "a length leads past the end" },
        { UBJSON("{L\x7f\xff\xff\xff\xff\xff\xff\xff "), "a length leads past the end" },
        { UBJSON("{i\1ai"), "the document ends in a number" },
        { UBJSON("{i\1a[$d#i\2\0\0\0\0}"), "an array leads past the end" },
        { UBJSON("{i\1a[$S#i\1i\1x}"), "a typed container of this kind is not supported" },
        { UBJSON("{i\1a{$i#i\1i\1x}"), "a typed container of this kind is not supported" },
        { UBJSON("{i\1a[$i\1\2}"), "a typed container of this kind is not supported" },
        { UBJSON("{i\1aH"), "a value is expected here" },
        { UBJSON("{i\1ai\1"), "the document ends in a container" },
    };

    (void)state;
    for (size_t i = 0; i < PL_COUNT(cases); i++) {
        struct doc d;
        struct doc_text key;
        char *copy = malloc(cases[i].n ? cases[i].n : 1);

        memcpy(copy, cases[i].bytes, cases[i].n);
        doc_open(&d, copy, cases[i].n);
        doc_enter(&d, DOC_OBJECT);
        while (doc_key(&d, &key))
            doc_skip(&d);
        assert_true(doc_failed(&d));
        if (strcmp(d.wrong, cases[i].wrong) != 0)
            fail_msg("case %zu: '%s', not '%s'", i, d.wrong, cases[i].wrong);
        assert_true(doc_number(&d) == 0 && doc_text(&d).n == 0 && doc_peek(&d) == DOC_NOTHING);
        assert_string_equal(d.wrong, cases[i].wrong);
        free(copy);
    }
}

static void levels_are_limited(void **state)
{
    char deep[2 * DOC_MAX_DEPTH + 8];
    struct doc d;

    (void)state;
    memset(deep, '[', sizeof(deep));
    doc_open(&d, deep, sizeof(deep));
    doc_skip(&d);
    assert_true(doc_failed(&d));
    assert_string_equal(d.wrong, "too many levels");
    memset(deep + DOC_MAX_DEPTH, ']', DOC_MAX_DEPTH);
    doc_open(&d, deep, 2 * DOC_MAX_DEPTH);
    doc_skip(&d);
    assert_false(doc_failed(&d));
}

static void integers_are_whole_and_in_range(void **state)
{
    static const char *const wrong[] = { "1.5", "-1", "11", "1e300", "NaN", "Infinity" };

    (void)state;
    for (size_t i = 0; i < PL_COUNT(wrong); i++) {
        struct doc d;

        doc_open(&d, wrong[i], strlen(wrong[i]));
        assert_int_equal(doc_integer(&d, 0, 10), 0);
        assert_true(doc_failed(&d));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_of_each_type_are_read),   cmocka_unit_test(ubjson_numbers_are_big_endian),
        cmocka_unit_test(arrays_are_read_whole),           cmocka_unit_test(anything_can_be_passed_over),
        cmocka_unit_test(the_first_error_stays),           cmocka_unit_test(levels_are_limited),
        cmocka_unit_test(integers_are_whole_and_in_range),
    };

    return cmocka_run_group_tests_name("compiler/doc", tests, NULL, NULL);
}
