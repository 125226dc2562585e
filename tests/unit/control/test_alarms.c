/* Alarms on virtual time: what is refused, how rows become states, what is left to do after a stop, lists and history.
 */
#include "fixtures.h"

#include "alarm_change.h"
#include "ingest.h"
#include "limit.h"
#include "store_alarms.h"

#include <math.h>

#define MINUTE      INT64_C(60000)
#define NOW         (INT64_C(30000000) * MINUTE)
#define STATE(name) PILOTLIGHT__V1__ALARM_STATE__ALARM_STATE_##name

static struct folder folder;
static struct limits limits;
static struct store *store;
static struct pl_err err;
static const char *const commands[] = { "page=/usr/local/bin/page" };
static const char *const hosts[] = { "hooks.example.com", "*.internal" };
static struct alarm_action_rules rules;

static int set_up(void **state)
{
    (void)state;
    limits_init(&limits);
    rules = (struct alarm_action_rules){ .webhooks = true, .commands = commands, .command_count = 1 };
    folder_make(&folder);
    assert_ok(store_open(&store, folder.database, &err));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    store_close(store);
    folder_remove(&folder);
    return 0;
}

struct fixture {
    Pilotlight__V1__Alarm alarm;
    Pilotlight__V1__Metric metric;
    char *actions[1];
};

static void fixture_init(struct fixture *f, const char *name)
{
    pilotlight__v1__alarm__init(&f->alarm);
    pilotlight__v1__metric__init(&f->metric);
    f->metric.namespace_ = TEXT("Shop");
    f->metric.name = TEXT("Errors");
    f->alarm.name = TEXT(name);
    f->alarm.metric = &f->metric;
    f->alarm.statistic = TEXT("sum");
    f->alarm.period_s = 60;
    f->alarm.evaluation_periods = 2;
    f->alarm.comparison = PILOTLIGHT__V1__ALARM_COMPARISON__ALARM_COMPARISON_GREATER;
    f->alarm.threshold = 3;
    f->actions[0] = TEXT("https://hooks.example.com/x");
    f->alarm.alarm_actions = f->actions;
    f->alarm.n_alarm_actions = 1;
}

static Pilotlight__V1__Alarm *put(const struct fixture *f)
{
    Pilotlight__V1__Alarm *a;
    assert_ok(alarm_put(store, &limits, &rules, &f->alarm, NOW, &a, &err));
    return a;
}

static void put_value(int64_t at_ms, double value)
{
    Pilotlight__V1__PutMetricDataRequest r = PILOTLIGHT__V1__PUT_METRIC_DATA_REQUEST__INIT;
    Pilotlight__V1__MetricDatum d = PILOTLIGHT__V1__METRIC_DATUM__INIT, *data[] = { &d };
    Pilotlight__V1__Metric m = PILOTLIGHT__V1__METRIC__INIT;
    Pilotlight__V1__ValueList v = PILOTLIGHT__V1__VALUE_LIST__INIT;
    m.namespace_ = TEXT("Shop");
    m.name = TEXT("Errors");
    v.values = &value;
    v.n_values = 1;
    d.metric = &m;
    d.at_unix_ms = at_ms;
    d.content_case = PILOTLIGHT__V1__METRIC_DATUM__CONTENT_VALUES;
    d.values = &v;
    r.data = data;
    r.n_data = 1;
    assert_ok(ingest_put(store, &limits, &r, at_ms, &err));
}

static Pilotlight__V1__AlarmState state_of(const char *name, bool *out_to_do)
{
    pl_cleanup(record_free_p) Pilotlight__V1__Alarm *a = NULL;
    bool to_do;
    assert_ok(alarm_get(store, name, &a, &to_do, &err));
    if (out_to_do)
        *out_to_do = to_do;
    return a->state;
}

/* ---- tests ---- */

static void refused(const struct fixture *f, const char *field)
{
    Pilotlight__V1__Alarm *a;
    err.field[0] = '\0';
    assert_int_equal(alarm_put(store, &limits, &rules, &f->alarm, NOW, &a, &err), PL_INVALID);
    assert_string_equal(err.field, field);
}

static void test_what_is_refused(void **state)
{
    struct fixture f;
    (void)state;
    fixture_init(&f, ""), refused(&f, "alarm.name");
    fixture_init(&f, "a"), f.alarm.metric = NULL, refused(&f, "alarm.metric");
    fixture_init(&f, "a"), f.metric.name = TEXT(""), refused(&f, "alarm.metric.name");
    fixture_init(&f, "a"), f.alarm.statistic = TEXT("median"), refused(&f, "alarm.statistic");
    fixture_init(&f, "a"), f.alarm.unit = TEXT("Parsecs"), refused(&f, "alarm.unit");
    fixture_init(&f, "a"), f.alarm.period_s = 45, refused(&f, "alarm.period_s");
    fixture_init(&f, "a"), f.alarm.evaluation_periods = 0, refused(&f, "alarm.evaluation_periods");
    fixture_init(&f, "a"), f.alarm.evaluation_periods = 1441, refused(&f, "alarm.evaluation_periods");
    fixture_init(&f, "a"), f.alarm.datapoints_to_alarm = 3, refused(&f, "alarm.datapoints_to_alarm");
    fixture_init(&f, "a"), f.alarm.comparison = 0, refused(&f, "alarm.comparison");
    fixture_init(&f, "a"), f.alarm.missing_data = (Pilotlight__V1__MissingData)9, refused(&f, "alarm.missing_data");
    fixture_init(&f, "a"), f.alarm.threshold = NAN, refused(&f, "alarm.threshold");
    fixture_init(&f, "a"), f.alarm.n_alarm_actions = 6, refused(&f, "alarm.alarm_actions");
}

static void test_actions_that_are_refused(void **state)
{
    static const char *const bad[] = { "http://hooks.example.com/",
                                       "https://",
                                       "https:///x",
                                       "https://a b/",
                                       "https://user:secret@hooks.example.com/",
                                       "command:",
                                       "command:other",
                                       "" };
    static const char *const good[] = { "https://a.b/c?d=e", "HTTPS://[::1]:8443/x", "command:page",
                                        "arn:aws:sns:x:y:z" };
    struct fixture f;
    (void)state;
    fixture_init(&f, "a");
    for (size_t i = 0; i < PL_COUNT(bad); i++)
        f.actions[0] = TEXT(bad[i]), refused(&f, "alarm.alarm_actions[0]");
    for (size_t i = 0; i < PL_COUNT(good); i++) {
        f.actions[0] = TEXT(good[i]);
        record_free(put(&f));
    }
    rules.hosts = hosts;
    rules.host_count = 2;
    f.actions[0] = TEXT("https://a.b/c"), refused(&f, "alarm.alarm_actions[0]");
    f.actions[0] = TEXT("https://internal/"), refused(&f, "alarm.alarm_actions[0]");
    f.actions[0] = TEXT("https://hooks.example.com.evil.org/"), refused(&f, "alarm.alarm_actions[0]");
    f.actions[0] = TEXT("https://x.internal:8443/");
    record_free(put(&f));
    rules.webhooks = false, refused(&f, "alarm.alarm_actions[0]");
}

static void test_rows_become_states(void **state)
{
    struct fixture f;
    bool to_do;
    (void)state;
    fixture_init(&f, "errors");
    pl_cleanup(record_free_p) Pilotlight__V1__Alarm *made = put(&f);
    assert_int_equal(made->state, STATE(INSUFFICIENT_DATA));
    put_value(NOW, 10);
    assert_ok(alarm_evaluate(store, "errors", NOW + MINUTE + 6000, &to_do, &err));
    assert_false(to_do); /* one breaching value after a silence */
    put_value(NOW + MINUTE, 2);
    put_value(NOW + MINUTE + 1000, 2.5); /* 4.5 in this minute */
    assert_ok(
        alarm_evaluate(store, "errors", NOW + 2 * MINUTE + 1000, &to_do, &err)); /* the minute may be incomplete */
    assert_int_equal(state_of("errors", NULL), STATE(INSUFFICIENT_DATA));
    assert_ok(alarm_evaluate(store, "errors", NOW + 2 * MINUTE + 6000, &to_do, &err));
    assert_true(to_do);
    assert_int_equal(state_of("errors", &to_do), STATE(ALARM));
    assert_true(to_do); /* still, after a restart */
    assert_ok(alarm_evaluate(store, "errors", NOW + 2 * MINUTE + 7000, &to_do, &err));
    assert_false(to_do); /* nothing new */
    assert_ok(alarm_done(store, "errors", &err));
    (void)state_of("errors", &to_do);
    assert_false(to_do);
    put_value(NOW + 2 * MINUTE, 1);
    assert_ok(alarm_evaluate(store, "errors", NOW + 3 * MINUTE + 6000, &to_do, &err));
    assert_false(to_do); /* OK has no actions */
    assert_int_equal(state_of("errors", NULL), STATE(OK));
    assert_ok(alarm_evaluate(store, "errors", NOW + 30 * MINUTE, &to_do, &err));
    assert_int_equal(state_of("errors", NULL), STATE(INSUFFICIENT_DATA));
    assert_ok(alarm_evaluate(store, "gone", NOW, &to_do, &err));
    assert_false(to_do);
}

/* The 90th percentile wants 100 values: the state waits for a minute that has them. */
static void test_percentiles_of_a_few_values(void **state)
{
    (void)state;
    bool to_do;
    for (int ignore = 0; ignore < 2; ignore++) {
        struct fixture f;
        fixture_init(&f, ignore ? "ignores" : "evaluates");
        f.alarm.statistic = TEXT("p90");
        f.alarm.evaluation_periods = 1;
        f.alarm.low_samples = ignore ? PILOTLIGHT__V1__LOW_SAMPLES__LOW_SAMPLES_IGNORE
                                     : PILOTLIGHT__V1__LOW_SAMPLES__LOW_SAMPLES_UNSPECIFIED;
        record_free(put(&f));
    }
    for (int i = 0; i < 99; i++)
        put_value(NOW + i, 10);
    assert_ok(alarm_evaluate(store, "ignores", NOW + MINUTE + 6000, &to_do, &err));
    assert_ok(alarm_evaluate(store, "evaluates", NOW + MINUTE + 6000, &to_do, &err));
    assert_int_equal(state_of("ignores", NULL), STATE(INSUFFICIENT_DATA));
    assert_int_equal(state_of("evaluates", NULL), STATE(ALARM));
    put_value(NOW + 100, 10);
    assert_ok(alarm_evaluate(store, "ignores", NOW + MINUTE + 6000, &to_do, &err));
    assert_int_equal(state_of("ignores", NULL), STATE(ALARM));
}

static void test_when_it_is_looked_at(void **state)
{
    (void)state;
    assert_true(alarm_next_ms(60, NOW) == NOW + 5000);
    assert_true(alarm_next_ms(60, NOW + 5000) == NOW + MINUTE + 5000);
    assert_true(alarm_next_ms(300, NOW + 4999) == NOW + 5000);
    assert_true(alarm_next_ms(10, NOW + 3000) == NOW + 12000);
}

static void test_states_by_hand(void **state)
{
    struct fixture f;
    Pilotlight__V1__SetAlarmStateRequest r = PILOTLIGHT__V1__SET_ALARM_STATE_REQUEST__INIT;
    Pilotlight__V1__SetAlarmActionsEnabledRequest enable = PILOTLIGHT__V1__SET_ALARM_ACTIONS_ENABLED_REQUEST__INIT;
    char *names[1];
    bool to_do;
    (void)state;
    names[0] = TEXT("a");
    fixture_init(&f, "a");
    record_free(put(&f));
    r.name = TEXT("a");
    r.state = STATE(ALARM);
    r.reason = TEXT("a rehearsal");
    assert_ok(alarm_set_state(store, &limits, &r, NOW, &to_do, &err));
    assert_true(to_do);
    pl_cleanup(record_free_p) Pilotlight__V1__Alarm *changed =
        put(&f); /* a change keeps the state, and what is to do */
    assert_int_equal(changed->state, STATE(ALARM));
    assert_string_equal(changed->state_reason, "a rehearsal");
    (void)state_of("a", &to_do);
    assert_true(to_do);
    enable.names = names;
    enable.n_names = 1;
    assert_ok(alarm_set_enabled(store, &limits, &enable, NOW, &err));
    (void)state_of("a", &to_do);
    assert_false(to_do);
    assert_ok(alarm_set_state(store, &limits, &r, NOW, &to_do, &err));
    assert_false(to_do); /* its actions are disabled */
    r.state = (Pilotlight__V1__AlarmState)0;
    assert_int_equal(alarm_set_state(store, &limits, &r, NOW, &to_do, &err), PL_INVALID);
    r.state = STATE(OK);
    r.name = TEXT("none");
    assert_int_equal(alarm_set_state(store, &limits, &r, NOW, &to_do, &err), PL_NOT_FOUND);
}

static void test_deletes_are_whole(void **state)
{
    struct fixture f;
    char *names[2];
    (void)state;
    fixture_init(&f, "a");
    record_free(put(&f));
    names[0] = TEXT("a");
    names[1] = TEXT("none");
    assert_int_equal(alarm_delete(store, &limits, names, 2, NOW, &err), PL_NOT_FOUND);
    (void)state_of("a", NULL);
    assert_ok(alarm_delete(store, &limits, names, 1, NOW, &err));
    assert_int_equal(alarm_delete(store, &limits, names, 1, NOW, &err), PL_NOT_FOUND);
    assert_int_equal(alarm_delete(store, &limits, names, 0, NOW, &err), PL_INVALID);
    limits.row[LIMIT_alarms].max = 1;
    record_free(put(&f));
    record_free(put(&f)); /* the same again is no second one */
    fixture_init(&f, "b");
    Pilotlight__V1__Alarm *a;
    assert_int_equal(alarm_put(store, &limits, &rules, &f.alarm, NOW, &a, &err), PL_EXHAUSTED);
}

static void test_lists(void **state)
{
    struct fixture f;
    Pilotlight__V1__ListAlarmsRequest r = PILOTLIGHT__V1__LIST_ALARMS_REQUEST__INIT;
    Pilotlight__V1__ListAlarmsResponse *reply;
    char name[32], seen[64] = "";
    (void)state;
    for (int i = 0; i < 7; i++) {
        (void)snprintf(name, sizeof(name), "%s-%d", i % 2 ? "odd" : "even", i);
        fixture_init(&f, name);
        record_free(put(&f));
    }
    r.page_size = 2;
    r.name_prefix = TEXT("odd");
    pl_cleanup(pl_free_p) char *token = pl_strdup("");
    do {
        r.page_token = token;
        assert_ok(alarm_list(store, &limits, &r, &reply, &err));
        for (size_t i = 0; i < reply->n_alarms; i++)
            (void)strcat(strcat(seen, reply->alarms[i]->name), " ");
        free(token);
        token = pl_strdup(reply->next_page_token);
        record_free(reply);
    } while (*token);
    assert_string_equal(seen, "odd-1 odd-3 odd-5 ");
    r.page_token = TEXT("");
    r.name_prefix = TEXT("");
    r.page_size = 0;
    r.state = STATE(ALARM);
    assert_ok(alarm_list(store, &limits, &r, &reply, &err));
    assert_int_equal(reply->n_alarms, 0);
    record_free(reply);
    r.state = 0;
    r.metric = &f.metric;
    assert_ok(alarm_list(store, &limits, &r, &reply, &err));
    assert_int_equal(reply->n_alarms, 7);
    record_free(reply);
    r.action_prefix = TEXT("arn:");
    assert_ok(alarm_list(store, &limits, &r, &reply, &err));
    assert_int_equal(reply->n_alarms, 0);
    record_free(reply);
}

static void take_first(void *arg, const struct store_alarm_event *e)
{
    *(int64_t *)arg = e->at_ms;
}

static void test_history(void **state)
{
    struct fixture f;
    Pilotlight__V1__ListAlarmHistoryRequest r = PILOTLIGHT__V1__LIST_ALARM_HISTORY_REQUEST__INIT;
    Pilotlight__V1__ListAlarmHistoryResponse *reply;
    (void)state;
    fixture_init(&f, "a");
    record_free(put(&f));
    assert_ok(alarm_acted(store, "a", "https://hooks.example.com/x", "", NOW + 1, &err));
    assert_ok(alarm_acted(store, "a", "https://hooks.example.com/x", "the server answered 500", NOW + 2, &err));
    r.alarm_name = TEXT("a");
    assert_ok(alarm_history(store, &limits, &r, &reply, &err));
    assert_int_equal(reply->n_entries, 3);
    assert_string_equal(reply->entries[0]->summary, "Failed to execute action https://hooks.example.com/x");
    assert_non_null(strstr(reply->entries[0]->data, "the server answered 500"));
    assert_string_equal(reply->entries[2]->summary, "Alarm created");
    record_free(reply);
    r.oldest_first = true;
    r.event = PILOTLIGHT__V1__ALARM_EVENT__ALARM_EVENT_ACTION;
    r.page_size = 1;
    assert_ok(alarm_history(store, &limits, &r, &reply, &err));
    assert_int_equal(reply->n_entries, 1);
    assert_true(reply->entries[0]->at_unix_ms == NOW + 1);
    pl_cleanup(pl_free_p) char *token = pl_strdup(reply->next_page_token);
    record_free(reply);
    r.page_token = token;
    assert_ok(alarm_history(store, &limits, &r, &reply, &err));
    assert_true(reply->n_entries == 1 && reply->entries[0]->at_unix_ms == NOW + 2);
    assert_string_equal(reply->next_page_token, "");
    record_free(reply);
    /* A noisy alarm does not grow without end, and what is old goes. */
    for (int i = 0; i < STORE_ALARM_HISTORY_KEPT + 20; i++)
        assert_ok(alarm_acted(store, "noisy", "https://a/", "", NOW + i, &err));
    struct store_alarm_event_query q = { .alarm = "noisy", .before_ms = INT64_MAX, .oldest_first = true, .limit = 1 };
    int64_t first = 0;
    assert_ok(store_alarm_events_list(store, &q, take_first, &first, &err));
    assert_true(first == NOW + 20);
    assert_ok(alarm_acted(store, "late", "https://a/", "", NOW + STORE_ALARM_HISTORY_MS + 10 * MINUTE, &err));
    r.page_token = TEXT("");
    r.alarm_name = TEXT("a");
    r.event = 0;
    assert_ok(alarm_history(store, &limits, &r, &reply, &err));
    assert_int_equal(reply->n_entries, 0);
    record_free(reply);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_what_is_refused),
        T(test_actions_that_are_refused),
        T(test_rows_become_states),
        T(test_percentiles_of_a_few_values),
        cmocka_unit_test(test_when_it_is_looked_at),
        T(test_states_by_hand),
        T(test_deletes_are_whole),
        T(test_lists),
        T(test_history),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
