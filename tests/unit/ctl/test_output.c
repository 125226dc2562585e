/* Tables, JSON, YAML, units, latencies and exit codes, as they are printed. */
#include "base/err.h"
#include "exits.h"
#include "latency.h"
#include "message.h"
#include "output.h"

#include "pilotlight/v1/endpoint.pb-c.h"
#include "pilotlight/v1/endpoint_config.pb-c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void tables_align_by_characters(void **state)
{
    static const char *const titles[] = { "NAME", ">COUNT", "NOTE", NULL };
    struct table *t = table_new(titles);
    char *text = NULL;
    size_t len;
    (void)state;
    table_cell(t, "a");
    table_cell(t, "%d", 12345678);
    table_cell(t, "x");
    table_cell(t, "größe");
    table_cell(t, "1");
    table_cell(t, "%s", "");
    table_cell(t, "abcdef");
    table_cell(t, "22");
    table_cell(t, "\033[31mred\nline");
    FILE *f = open_memstream(&text, &len);
    table_print(t, f);
    fclose(f);
    assert_string_equal(text, "NAME       COUNT  NOTE\n"
                              "a       12345678  x\n"
                              "größe          1  -\n"
                              "abcdef        22  ?[31mred?line\n");
    free(text);
    table_free(t);
}

static char *printed(const json_t *value, enum output_format format)
{
    char *text = NULL;
    size_t len;
    FILE *f = open_memstream(&text, &len);
    output_value(value, format, f);
    fclose(f);
    return text;
}

static void messages_become_json(void **state)
{
    ProtobufCMessage *m = message_new(&pilotlight__v1__endpoint__descriptor);
    (void)state;
    message_set_text(m, "name", "fraud");
    message_set_int(m, "status", PILOTLIGHT__V1__ENDPOINT_STATUS__ENDPOINT_STATUS_IN_SERVICE);
    message_set_int(m, "version", INT64_C(9007199254740993));
    ProtobufCMessage *tag = message_append(m, "tags");
    message_set_text(tag, "key", "team");
    message_set_text(tag, "value", "risk");
    ProtobufCMessage *v = message_sub(message_append(m, "variants"), "variant");
    message_set_text(v, "name", "main");
    message_set_int(message_sub(v, "keep_alive"), "idle_ms", 0);
    json_t *j = message_json(m);
    assert_string_equal(json_string_value(json_object_get(j, "name")), "fraud");
    assert_string_equal(json_string_value(json_object_get(j, "status")), "IN_SERVICE");
    assert_true(json_integer_value(json_object_get(j, "version")) == INT64_C(9007199254740993));
    assert_string_equal(json_string_value(json_object_get(json_object_get(j, "tags"), "team")), "risk");
    json_t *variant = json_object_get(json_array_get(json_object_get(j, "variants"), 0), "variant");
    assert_true(json_is_integer(json_object_get(json_object_get(variant, "keep_alive"), "idle_ms")));
    assert_null(json_object_get(variant, "weight"));
    assert_null(json_object_get(json_array_get(json_object_get(j, "variants"), 0), "facts"));
    assert_true(json_is_string(json_object_get(j, "failure_reason")));
    json_decref(j);
    message_free(m);
}

static void json_parses_again(void **state)
{
    json_t *value = json_pack("{s:s, s:[i,f], s:{}}", "text", "a \"b\"\n", "list", 1, 0.25, "none");
    char *text = printed(value, OUTPUT_JSON);
    json_t *again = json_loads(text, 0, NULL);
    (void)state;
    assert_true(json_equal(value, again));
    assert_int_equal(text[strlen(text) - 1], '\n');
    json_decref(again);
    json_decref(value);
    free(text);
}

static void yaml_quotes_what_needs_it(void **state)
{
    json_t *value = json_pack("{s:s, s:s, s:s, s:s, s:i, s:f, s:b, s:[s,{s:s}], s:[], s:{}}", "plain", "some text",
                              "number", "10", "truth", "yes", "empty", "", "int", 3, "real", 0.5, "bool", 1, "list",
                              "a", "b", "c", "no_entries", "no_members");
    char *text = printed(value, OUTPUT_YAML);
    (void)state;
    assert_string_equal(text,
                        "plain: some text\nnumber: \"10\"\ntruth: \"yes\"\nempty: \"\"\nint: 3\nreal: 0.5\nbool: true\n"
                        "list:\n- a\n- b: c\nno_entries: []\nno_members: {}\n");
    json_decref(value);
    free(text);
}

static void units_are_for_people(void **state)
{
    static const struct {
        int64_t ms;
        const char *text;
    } ages[] = { { 0, "0ms" },         { 999, "999ms" },       { 1000, "1s" },
                 { 59999, "59s" },     { 60000, "1m00s" },     { 312000, "5m12s" },
                 { 7380000, "2h03m" }, { 363600000, "4d05h" }, { -5, "0ms" } };
    char out[24];
    (void)state;
    for (size_t i = 0; i < sizeof(ages) / sizeof(*ages); i++)
        assert_string_equal(output_age(ages[i].ms, out), ages[i].text);
    assert_string_equal(output_micros(310, out), "310us");
    assert_string_equal(output_micros(4210, out), "4.21ms");
    assert_string_equal(output_micros(1350000, out), "1.350s");
    assert_string_equal(output_bytes(512, out), "512 B");
    assert_string_equal(output_bytes(12595, out), "12.3 KiB");
    assert_string_equal(output_bytes(4 << 20, out), "4.0 MiB");
    assert_string_equal(output_since(0, out), "-");
}

static void percentiles_are_of_the_nearest_rank(void **state)
{
    struct latency l;
    (void)state;
    latency_init(&l, 100);
    assert_int_equal(latency_percentile(&l, 50), 0);
    for (int i = 100; i >= 1; i--)
        latency_answered(&l, i * 10, i == 100);
    assert_int_equal(latency_percentile(&l, 0), 10);
    assert_int_equal(latency_percentile(&l, 50), 500);
    assert_int_equal(latency_percentile(&l, 90), 900);
    assert_int_equal(latency_percentile(&l, 99), 990);
    assert_int_equal(latency_percentile(&l, 100), 1000);
    latency_answered(&l, 1, false); /* more than announced: not counted */
    assert_int_equal(l.answered, 100);
    latency_done(&l);
}

static void summary_tells_calls_cold_starts_and_failures(void **state)
{
    struct latency l;
    char *text = NULL;
    size_t len;
    (void)state;
    latency_init(&l, 4);
    latency_answered(&l, 100, false);
    latency_answered(&l, 3000, true);
    latency_failed(&l, "MAX_CONCURRENCY");
    latency_failed(&l, "INVOKE_TIMEOUT");
    latency_failed(&l, "MAX_CONCURRENCY");
    FILE *f = open_memstream(&text, &len);
    latency_print(&l, 500000, 2, f);
    fclose(f);
    assert_string_equal(text, "calls     5 in 500.00ms, 10.0 calls/s, 2 at once\n"
                              "answered  2, of them 1 cold\n"
                              "latency   min 100us  p50 100us  p90 3.00ms  p99 3.00ms  max 3.00ms\n"
                              "failed    3: MAX_CONCURRENCY 2, INVOKE_TIMEOUT 1\n");
    free(text);
    latency_done(&l);
}

static void kinds_of_failure_are_bounded(void **state)
{
    struct latency l;
    char label[32];
    (void)state;
    latency_init(&l, 0);
    for (int i = 0; i < 40; i++) {
        snprintf(label, sizeof(label), "KIND_%d", i);
        latency_failed(&l, label);
    }
    assert_int_equal(l.kind_count, LATENCY_KINDS);
    assert_string_equal(l.kinds[LATENCY_KINDS - 1].label, "OTHER");
    assert_int_equal(l.kinds[LATENCY_KINDS - 1].count, 40 - (LATENCY_KINDS - 1));
    latency_done(&l);
}

static void failures_have_their_exit_code(void **state)
{
    static const struct {
        enum pl_code code;
        const char *reason;
        enum ctl_exit exit;
    } cases[] = {
        { PL_OK, "", EXIT_OK },
        { PL_NOT_FOUND, "", EXIT_NOT_FOUND },
        { PL_EXHAUSTED, "MAX_CONCURRENCY", EXIT_THROTTLED },
        { PL_EXHAUSTED, "MAX_CALLS_IN_FLIGHT", EXIT_THROTTLED },
        { PL_EXHAUSTED, "PAYLOAD_TOO_LARGE", EXIT_FAILED },
        { PL_EXHAUSTED, "MESSAGE_TOO_LARGE", EXIT_FAILED },
        { PL_EXHAUSTED, "RESOURCE_LIMIT", EXIT_FAILED },
        { PL_EXHAUSTED, "", EXIT_FAILED },
        { PL_MODEL, "", EXIT_MODEL },
        { PL_INVALID, "MODEL_ERROR", EXIT_MODEL },
        { PL_INTERNAL, "INSTANCE_DIED", EXIT_MODEL },
        { PL_UNAVAILABLE, "NO_CAPACITY", EXIT_UNAVAILABLE },
        { PL_DEADLINE, "INVOKE_TIMEOUT", EXIT_UNAVAILABLE },
        { PL_INVALID, "", EXIT_FAILED },
        { PL_INTERNAL, "", EXIT_FAILED },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct pl_err err;
        (void)pl_fail_reason(&err, cases[i].code, cases[i].reason, NULL, "x");
        assert_int_equal(exit_for(&err), cases[i].exit);
    }
}

static void reports_tell_everything(void **state)
{
    struct pl_err err;
    char *text = NULL;
    size_t len;
    (void)state;
    (void)pl_fail_reason(&err, PL_EXHAUSTED, "MAX_CONCURRENCY", "endpoint_name", "too many");
    err.retry_after_ms = 100;
    FILE *f = open_memstream(&text, &len);
    assert_int_equal(exit_report(f, &err), EXIT_THROTTLED);
    fclose(f);
    assert_string_equal(
        text, "pilotlight: too many\n  code: EXHAUSTED  reason: MAX_CONCURRENCY  field: endpoint_name  retry after: "
              "100ms\n");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_align_by_characters),
        cmocka_unit_test(messages_become_json),
        cmocka_unit_test(json_parses_again),
        cmocka_unit_test(yaml_quotes_what_needs_it),
        cmocka_unit_test(units_are_for_people),
        cmocka_unit_test(percentiles_are_of_the_nearest_rank),
        cmocka_unit_test(summary_tells_calls_cold_starts_and_failures),
        cmocka_unit_test(kinds_of_failure_are_bounded),
        cmocka_unit_test(failures_have_their_exit_code),
        cmocka_unit_test(reports_tell_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
