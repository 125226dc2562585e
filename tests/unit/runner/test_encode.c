/* Answers as text: plain and selected, for every meaning of a model's output. */
#include "runner_test.h"

#include "base/buf.h"
#include "encode.h"
#include "model.h"

#include <math.h>

static const float two[] = { 0.49f, 0.45f };
static const float six[] = { 0.2f, 0.5f, 0.3f, 0.6f, 0.25f, 0.15f };

static const struct prediction scores = { .values = two, .rows = 2, .outputs = 1 };
static const struct prediction classes = {
    .values = six, .rows = 2, .outputs = 3, .list = true, .meaning = MEANING_PROBABILITIES, .classes = 3
};

static void assert_text(struct pl_buf *out, const char *expected)
{
    assert_false(out->failed);
    assert_string_equal(out->data, expected);
    pl_buf_done(out);
}

static void csv_is_one_line_per_row(void **state)
{
    struct pl_buf out = PL_BUF_INIT(4096);

    (void)state;
    encode_csv(&out, &scores);
    assert_text(&out, "0.49000000953674316\n0.44999998807907104\n");
    encode_csv(&out, &classes);
    assert_text(&out, "0.20000000298023224,0.5,0.30000001192092896\n0.6000000238418579,0.25,0.15000000596046448\n");
}

static void json_is_a_list_of_scores(void **state)
{
    static const float odd[] = { NAN, INFINITY, -INFINITY };
    struct prediction p = { .values = odd, .rows = 3, .outputs = 1 };
    struct pl_buf out = PL_BUF_INIT(4096);

    (void)state;
    encode_json(&out, &scores);
    assert_text(&out, "{\"predictions\": [{\"score\": 0.49000000953674316}, {\"score\": 0.44999998807907104}]}");
    encode_json(&out, &classes);
    assert_text(&out, "{\"predictions\": [{\"score\": [0.20000000298023224, 0.5, 0.30000001192092896]}, "
                      "{\"score\": [0.6000000238418579, 0.25, 0.15000000596046448]}]}");
    encode_json(&out, &p);
    assert_text(&out, "{\"predictions\": [{\"score\": NaN}, {\"score\": Infinity}, {\"score\": -Infinity}]}");
    encode_csv(&out, &p);
    assert_text(&out, "nan\ninf\n-inf\n");
}

static void the_limit_is_kept(void **state)
{
    struct pl_buf out = PL_BUF_INIT(60);

    (void)state;
    encode_json(&out, &classes);
    assert_true(out.failed);
    assert_true(out.len <= 60);
    pl_buf_done(&out);
}

static struct selection all(void)
{
    struct selection s;
    struct pl_err err = { 0 };

    assert_int_equal(selection_parse(&s,
                                     "predicted_label, labels,probability,probabilities,raw_score,raw_scores,"
                                     "predicted_score",
                                     &err),
                     PL_OK);
    assert_int_equal(s.count, 7);
    return s;
}

static void selection_by_meaning(void **state)
{
    static const struct {
        enum output_meaning meaning;
        unsigned classes, outputs;
        float values[3];
        const char *csv;
    } cases[] = {
        { MEANING_PROBABILITY, 2, 1, { 0.75f }, "1,\"[0, 1]\",0.75,\"[0.25, 0.75]\",0.75,\"[0.25, 0.75]\",nan" },
        { MEANING_PROBABILITY, 2, 1, { 0.5f }, "0,\"[0, 1]\",0.5,\"[0.5, 0.5]\",0.5,\"[0.5, 0.5]\",nan" },
        { MEANING_MARGIN, 2, 1, { 3 }, "1,\"[0, 1]\",nan,nan,3.0,\"[-2.0, 3.0]\",nan" },
        { MEANING_MARGIN, 2, 1, { -3 }, "0,\"[0, 1]\",nan,nan,-3.0,\"[4.0, -3.0]\",nan" },
        { MEANING_CLASS, 2, 1, { 1 }, "1.0,\"[0, 1]\",nan,nan,1.0,\"[0.0, 1.0]\",nan" },
        { MEANING_CLASS, 3, 1, { 2 }, "2.0,\"[0, 1, 2]\",nan,nan,2.0,nan,nan" },
        { MEANING_PROBABILITIES,
          3,
          3,
          { 0.25f, 0.5f, 0.25f },
          "1,\"[0, 1, 2]\",0.5,\"[0.25, 0.5, 0.25]\",0.5,\"[0.25, 0.5, 0.25]\",nan" },
        { MEANING_SCORE, 0, 1, { 7 }, "nan,nan,nan,nan,nan,nan,7.0" },
    };
    struct selection s = all();

    (void)state;
    for (size_t i = 0; i < PL_COUNT(cases); i++) {
        struct prediction p = { .values = cases[i].values,
                                .rows = 1,
                                .outputs = cases[i].outputs,
                                .meaning = cases[i].meaning,
                                .classes = cases[i].classes };
        struct pl_buf out = PL_BUF_INIT(4096);

        encode_selected_csv(&out, &s, &p);
        assert_text(&out, cases[i].csv);
    }
}

static void selection_in_each_format(void **state)
{
    static const float values[] = { 0.75f, 0.25f };
    struct prediction p = { .values = values, .rows = 2, .outputs = 1, .meaning = MEANING_PROBABILITY, .classes = 2 };
    struct pl_buf out = PL_BUF_INIT(4096);
    struct selection s;
    struct pl_err err = { 0 };

    (void)state;
    assert_int_equal(selection_parse(&s, "probability,predicted_label,predicted_score", &err), PL_OK);
    encode_selected_csv(&out, &s, &p);
    assert_text(&out, "0.75,1,nan\n0.25,0,nan");
    encode_selected_json(&out, &s, &p);
    assert_text(&out, "{\"predictions\": [{\"probability\": 0.75, \"predicted_label\": 1, \"predicted_score\": NaN}, "
                      "{\"probability\": 0.25, \"predicted_label\": 0, \"predicted_score\": NaN}]}");
    encode_selected_jsonlines(&out, &s, &p);
    assert_text(&out, "{\"probability\": 0.75, \"predicted_label\": 1, \"predicted_score\": NaN}\n"
                      "{\"probability\": 0.25, \"predicted_label\": 0, \"predicted_score\": NaN}\n");
}

static void selection_refuses_unknown_keys(void **state)
{
    struct selection s;
    struct pl_err err = { 0 };

    (void)state;
    assert_refused(selection_parse(&s, "labels, colour", &err), &err, 500,
                   "SAGEMAKER_INFERENCE_OUTPUT: 'colour' is not one of predicted_label, labels, probability, "
                   "probabilities, raw_score, raw_scores, predicted_score");
    assert_int_equal(selection_parse(&s, " , ,", &err), PL_OK);
    assert_int_equal(s.count, 0);
    assert_refused(
        selection_parse(&s,
                        "labels,labels,labels,labels,labels,labels,labels,labels,labels,labels,labels,labels,"
                        "labels,labels,labels,labels,labels",
                        &err),
        &err, 500, "SAGEMAKER_INFERENCE_OUTPUT: more than 16 keys");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(csv_is_one_line_per_row),  cmocka_unit_test(json_is_a_list_of_scores),
        cmocka_unit_test(the_limit_is_kept),        cmocka_unit_test(selection_by_meaning),
        cmocka_unit_test(selection_in_each_format), cmocka_unit_test(selection_refuses_unknown_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
