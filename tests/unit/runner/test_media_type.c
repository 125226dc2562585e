#include "runner_test.h"

#include "media_type.h"

static void knows_bodies(void **state)
{
    static const struct {
        const char *text;
        enum body_kind kind;
    } cases[] = {
        { "", BODY_UNSTATED },
        { " ", BODY_UNSTATED },
        { "text/csv", BODY_CSV },
        { "CSV", BODY_CSV },
        { "Text/CSV; Charset=UTF-8", BODY_CSV },
        { "text/csv;label_size=1", BODY_CSV },
        { "text/csv ; label_size=\"1\" ; x", BODY_CSV },
        { "text/libsvm", BODY_LIBSVM },
        { "text/x-libsvm", BODY_LIBSVM },
        { "libsvm", BODY_LIBSVM },
        { "application/json", BODY_JSON },
        { "application/vnd.open-inference.v2", BODY_TENSOR },
    };

    (void)state;
    for (size_t i = 0; i < PL_COUNT(cases); i++) {
        char *text = exact(cases[i].text, strlen(cases[i].text));
        struct pl_err err = { 0 };
        enum body_kind kind = BODY_KIND_COUNT;

        assert_int_equal(body_kind_parse(text, strlen(cases[i].text), &kind, &err), PL_OK);
        assert_int_equal(kind, cases[i].kind);
        free(text);
    }
}

static void guesses_what_is_unstated(void **state)
{
    (void)state;
    assert_int_equal(body_kind_guess("1,2", 3), BODY_CSV);
    assert_int_equal(body_kind_guess("1\n1 0:2", 7), BODY_LIBSVM);
    assert_int_equal(body_kind_guess("0:1", 1), BODY_CSV);
    assert_int_equal(body_kind_guess("", 0), BODY_CSV);
}

static void refuses_other_bodies(void **state)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        { "image/png", "content type 'image/png' is not supported: use text/csv, text/libsvm, application/json or "
                       "application/x-recordio-protobuf" },
        { "text/csvx", "content type 'text/csvx' is not supported: use text/csv, text/libsvm, application/json or "
                       "application/x-recordio-protobuf" },
        { "text/csv;label_size=2", "content type: label_size is '2', but only 1 is supported" },
        { "text/csv; charset=latin1", "content type: charset is 'latin1', but only utf-8 is supported" },
    };

    (void)state;
    for (size_t i = 0; i < PL_COUNT(cases); i++) {
        struct pl_err err = { 0 };
        enum body_kind kind;

        assert_refused(body_kind_parse(cases[i].text, strlen(cases[i].text), &kind, &err), &err, 415, cases[i].message);
    }
}

static void knows_answers(void **state)
{
    static const struct {
        const char *text;
        enum answer_kind otherwise, kind;
    } cases[] = {
        { "", ANSWER_CSV, ANSWER_CSV },
        { "", ANSWER_JSON, ANSWER_JSON },
        { "*/*", ANSWER_JSON, ANSWER_JSON },
        { "text/csv", ANSWER_JSON, ANSWER_CSV },
        { "Application/JSON; charset=utf-8", ANSWER_CSV, ANSWER_JSON },
        { "application/jsonlines", ANSWER_CSV, ANSWER_JSONLINES },
        { "image/png, application/json;q=0.5, text/csv", ANSWER_CSV, ANSWER_JSON },
        { "image/png, */*;q=0.1", ANSWER_CSV, ANSWER_CSV },
        { "text/*", ANSWER_JSON, ANSWER_CSV },
        { "application/*", ANSWER_CSV, ANSWER_JSON },
    };

    (void)state;
    for (size_t i = 0; i < PL_COUNT(cases); i++) {
        struct pl_err err = { 0 };
        enum answer_kind kind = ANSWER_KIND_COUNT;

        assert_int_equal(answer_kind_parse(cases[i].text, strlen(cases[i].text), cases[i].otherwise, &kind, &err),
                         PL_OK);
        assert_int_equal(kind, cases[i].kind);
    }
}

static void refuses_other_answers(void **state)
{
    struct pl_err err = { 0 };
    enum answer_kind kind;

    (void)state;
    assert_refused(answer_kind_parse("image/png, x/y", 14, ANSWER_CSV, &kind, &err), &err, 406,
                   "accept 'image/png, x/y' is not supported: use text/csv, application/json or application/jsonlines");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_bodies),          cmocka_unit_test(guesses_what_is_unstated),
        cmocka_unit_test(refuses_other_bodies),  cmocka_unit_test(knows_answers),
        cmocka_unit_test(refuses_other_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
