/* Scaling on virtual time: the rule, and whole days of targets with policies and schedules against a variant that
 * obeys. */
#include "fixtures.h"

#include "endpoint_change.h"
#include "ingest.h"
#include "limit.h"
#include "scaling.h"
#include "scaling_change.h"
#include "scaling_rule.h"
#include "store_scaling.h"

#define MINUTE INT64_C(60000)
#define DAY    (1440 * MINUTE)
#define NOW    (INT64_C(20500) * DAY) /* 2026-02-16, a Monday, 00:00 */

/* ---- the rule ---- */

static int32_t wanted(int32_t capacity, double target, bool gaps, const char *minutes)
{
    struct scaling_input in = { .target = target, .capacity = capacity, .gaps_are_zero = gaps };
    double value;
    assert_int_equal(strlen(minutes), SCALING_IN_MINUTES);
    for (int i = 0; i < SCALING_IN_MINUTES; i++)
        in.minutes[i] = (struct scaling_point){ minutes[i] != '-', (minutes[i] - '0') / 10.0 };
    return scaling_wanted(&in, &value);
}

static void test_the_rule(void **state)
{
    (void)state;
    assert_int_equal(wanted(4, 0.5, true, "555555555555555"), 4);  /* at the target */
    assert_int_equal(wanted(4, 0.5, true, "555555555555899"), 7);  /* 4 x 0.867 / 0.5 */
    assert_int_equal(wanted(4, 0.5, true, "999999999999499"), 4);  /* not each of three */
    assert_int_equal(wanted(1, 0.9, true, "000000000000999"), 1);  /* above, not at */
    assert_int_equal(wanted(10, 0.5, true, "111111111111111"), 2); /* 10 x 0.1 / 0.5 */
    assert_int_equal(wanted(10, 0.5, true, "411111111111111"), 8); /* the highest of fifteen counts */
    assert_int_equal(wanted(10, 0.5, true, "511111111111111"), 10);
    assert_int_equal(wanted(3, 0.5, true, "---------------"), 0); /* nobody called */
    assert_int_equal(wanted(3, 0.5, false, "---------------"), 3);
    assert_int_equal(wanted(3, 0.5, false, "11111111111111-"), 3);
    assert_int_equal(wanted(0, 0.5, true, "000000000000999"), 2); /* from nothing */
    assert_int_equal(wanted(2, 0.5, true, "000000000000666"), 3);
}

/* ---- a world ---- */

static struct world {
    struct folder folder;
    struct limits limits;
    struct store *store;
    struct scaling *scaling;
    int64_t now_ms, wake_ms;
    bool busy; /* the endpoint is being updated */
    enum pl_code refuses;
    char story[4000];
} w;
static struct pl_err err;

static int64_t now(void *arg)
{
    (void)arg;
    return w.now_ms;
}

static void wake_at(void *arg, int64_t wall_ms)
{
    (void)arg;
    w.wake_ms = wall_ms;
}

/* What serves, changed in the row as the lifecycle would in the end. */
static void set_capacity(int32_t capacity)
{
    pl_cleanup(store_row_done) struct store_row row = { 0 };
    pl_cleanup(store_end) struct store_tx tx = { 0 };
    assert_ok(store_begin(&tx, w.store, &err));
    assert_ok(store_get(w.store, STORE_ENDPOINT, "fraud", &row, &err));
    pl_cleanup(record_free_p) Pilotlight__Internal__V1__EndpointRecord *r = record_endpoint(&row, &err);
    r->serving->variants[0]->variant->variant->provisioned_concurrency = capacity;
    record_set_body(&row, &r->base);
    assert_ok(store_update(w.store, &row, &err));
    assert_ok(store_commit(&tx, &err));
}

static enum pl_code apply(void *arg, const char *endpoint, const char *variant, int32_t capacity, struct pl_err *e)
{
    size_t at = strlen(w.story);
    (void)arg;
    assert_string_equal(endpoint, "fraud");
    assert_string_equal(variant, "main");
    if (w.busy)
        return pl_fail(e, PL_PRECONDITION, "name", "Cannot update in-progress endpoint \"fraud\".");
    if (w.refuses != PL_OK)
        return pl_fail(e, w.refuses, "name", "no");
    set_capacity(capacity);
    (void)snprintf(w.story + at, sizeof(w.story) - at, "[%lld] %d ", (long long)((w.now_ms - NOW) / MINUTE), capacity);
    return PL_OK;
}

/* An endpoint that serves one variant with max concurrency 10 and nothing provisioned. */
static void make_endpoint(void)
{
    static const char *const models[] = { "model" };
    Pilotlight__V1__CreateEndpointRequest r = PILOTLIGHT__V1__CREATE_ENDPOINT_REQUEST__INIT;
    pl_cleanup(record_free_p) Pilotlight__V1__Endpoint *e = NULL;
    pl_cleanup(store_row_done) struct store_row row = { 0 };
    pl_cleanup(store_end) struct store_tx tx = { 0 };
    put_model(w.store, &w.limits, "model", 1);
    put_config(w.store, &w.limits, "config", models, 1);
    r.name = TEXT("fraud");
    r.endpoint_config_name = TEXT("config");
    assert_ok(endpoint_create(w.store, &w.limits, &r, 1, &e, &err));
    assert_ok(store_begin(&tx, w.store, &err));
    assert_ok(store_get(w.store, STORE_ENDPOINT, "fraud", &row, &err));
    pl_cleanup(record_free_p) Pilotlight__Internal__V1__EndpointRecord *record = record_endpoint(&row, &err);
    record->serving = record->pending;
    record->pending = NULL;
    free(record->serving->variants[0]->variant->variant->name);
    record->serving->variants[0]->variant->variant->name = pl_strdup("main");
    record->serving->variants[0]->variant->variant->max_concurrency = 10;
    row.status = ENDPOINT_STATUS(IN_SERVICE);
    record_set_body(&row, &record->base);
    assert_ok(store_update(w.store, &row, &err));
    assert_ok(store_commit(&tx, &err));
}

static int set_up(void **state)
{
    (void)state;
    memset(&w, 0, sizeof(w));
    limits_init(&w.limits);
    folder_make(&w.folder);
    w.now_ms = NOW;
    assert_ok(store_open(&w.store, w.folder.database, &err));
    make_endpoint();
    w.scaling =
        scaling_new(w.store, &w.limits, &(struct scaling_ports){ .wall_ms = now, .wake_at = wake_at, .apply = apply });
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    scaling_free(w.scaling);
    store_close(w.store);
    folder_remove(&w.folder);
    return 0;
}

static void register_target(int32_t min, int32_t max)
{
    Pilotlight__V1__ScalingTarget t = PILOTLIGHT__V1__SCALING_TARGET__INIT;
    Pilotlight__V1__PutScalingTargetRequest r = PILOTLIGHT__V1__PUT_SCALING_TARGET_REQUEST__INIT;
    pl_cleanup(record_free_p) Pilotlight__V1__ScalingTarget *made = NULL;
    t.endpoint_name = TEXT("fraud");
    t.variant_name = TEXT("main");
    t.min_capacity = min;
    t.max_capacity = max;
    r.target = &t;
    assert_ok(scaling_put_target(w.store, &w.limits, &r, w.now_ms, &made, &err));
    scaling_changed(w.scaling);
}

static void put_policy(double target)
{
    Pilotlight__V1__ScalingPolicy p = PILOTLIGHT__V1__SCALING_POLICY__INIT;
    pl_cleanup(record_free_p) Pilotlight__V1__ScalingPolicy *made = NULL;
    p.endpoint_name = TEXT("fraud");
    p.variant_name = TEXT("main");
    p.name = TEXT("share");
    p.target_value = target;
    assert_ok(scaling_put_policy(w.store, &w.limits, &p, w.now_ms, &made, &err));
    scaling_changed(w.scaling);
}

static void put_schedule(const char *name, const char *expression, int32_t min, int32_t max)
{
    Pilotlight__V1__ScalingSchedule c = PILOTLIGHT__V1__SCALING_SCHEDULE__INIT;
    pl_cleanup(record_free_p) Pilotlight__V1__ScalingSchedule *made = NULL;
    c.endpoint_name = TEXT("fraud");
    c.variant_name = TEXT("main");
    c.name = TEXT(name);
    c.expression = TEXT(expression);
    c.min_capacity = min;
    c.max_capacity = max;
    assert_ok(scaling_put_schedule(w.store, &w.limits, &c, w.now_ms, &made, &err));
    scaling_changed(w.scaling);
}

/* The variant's used share in the minute that begins now, as a router would report it. */
static void report_share(double share)
{
    static int64_t sequence;
    Pilotlight__Internal__V1__ReportRequest r = PILOTLIGHT__INTERNAL__V1__REPORT_REQUEST__INIT;
    Pilotlight__Internal__V1__ReportBatch b = PILOTLIGHT__INTERNAL__V1__REPORT_BATCH__INIT, *batches[] = { &b };
    Pilotlight__Internal__V1__VariantReport v = PILOTLIGHT__INTERNAL__V1__VARIANT_REPORT__INIT, *variants[] = { &v };
    Pilotlight__Internal__V1__MetricReport m = PILOTLIGHT__INTERNAL__V1__METRIC_REPORT__INIT, *metrics[] = { &m };
    struct ingested in;
    m.namespace_ = TEXT("AWS/SageMaker");
    m.name = TEXT("ServerlessProvisionedConcurrencyUtilization");
    m.sample_count = 1;
    m.sum = m.minimum = m.maximum = share;
    v.endpoint_name = TEXT("fraud");
    v.variant_name = TEXT("main");
    v.minute_unix_ms = w.now_ms / MINUTE * MINUTE;
    v.metrics = metrics;
    v.n_metrics = 1;
    b.epoch = 1;
    b.sequence = ++sequence;
    b.variants = variants;
    b.n_variants = 1;
    r.reporter_id = TEXT("router-1");
    r.batches = batches;
    r.n_batches = 1;
    assert_ok(ingest_report(w.store, &w.limits, &r, w.now_ms, &in, &err));
}

/* Lives 'minutes' with a load of so many busy at once (-1: nothing is reported). */
static void live(int minutes, int load)
{
    int64_t end_ms = w.now_ms + minutes * MINUTE;
    for (int64_t minute = w.now_ms; minute < end_ms; minute += MINUTE) {
        int32_t capacity, most;
        w.now_ms = minute;
        assert_ok(scaling_capacity(w.store, "fraud", "main", &capacity, &most, &err));
        if (load >= 0 && capacity > 0)
            report_share(load > capacity ? 1 : (double)load / capacity);
        for (int turns = 0; w.wake_ms < minute + MINUTE; turns++) {
            assert_true(turns < 100);
            w.now_ms = w.wake_ms > w.now_ms ? w.wake_ms : w.now_ms;
            scaling_tick(w.scaling);
        }
    }
    w.now_ms = end_ms;
}

/* ---- whole days ---- */

static void test_bounds_hold_at_once(void **state)
{
    (void)state;
    register_target(2, 5);
    live(1, -1);
    assert_string_equal(w.story, "[0] 2 ");
    register_target(0, 1);
    live(1, -1);
    assert_string_equal(w.story, "[0] 2 [1] 1 ");
    assert_true(w.wake_ms == INT64_MAX); /* no policies, no schedules: no timer */
}

static void test_a_policy_follows_the_load(void **state)
{
    (void)state;
    register_target(1, 8);
    put_policy(0.5);
    live(10, 0);
    live(20, 3); /* 1 -> 2 -> 4 -> 6: then 3 of 6 is the target; rests of 300 s */
    live(40, 0);
    live(5, -1);
    assert_string_equal(w.story, "[0] 1 [13] 2 [18] 4 [23] 6 [45] 1 ");
}

static void test_schedules_change_the_bounds(void **state)
{
    (void)state;
    register_target(0, 0);
    put_schedule("morning", "cron(0 8 ? * MON-FRI *)", 3, 6);
    put_schedule("evening", "cron(0 18 ? * MON-FRI *)", 0, 0);
    put_schedule("once", "at(2026-02-16T12:00:00)", 5, -1);
    live(2 * 1440, -1);
    assert_string_equal(w.story, "[480] 3 [720] 5 [1080] 0 [1920] 3 [2520] 0 ");
    live(4 * 1440, -1); /* until Sunday */
    pl_cleanup(record_free_p) Pilotlight__V1__ListScalingActivitiesResponse *list = NULL;
    Pilotlight__V1__ListScalingActivitiesRequest r = PILOTLIGHT__V1__LIST_SCALING_ACTIVITIES_REQUEST__INIT;
    assert_ok(scaling_activities(w.store, &w.limits, &r, &list, &err));
    assert_int_equal(list->n_activities, 11); /* five days, two each, and the one at noon */
    assert_true(list->activities[0]->successful);
    assert_string_equal(list->activities[0]->description, "Setting provisioned concurrency to 0.");
}

static void test_while_the_endpoint_is_updated(void **state)
{
    (void)state;
    w.busy = true;
    register_target(2, 2);
    live(1, -1);
    assert_string_equal(w.story, "");
    w.busy = false;
    live(1, -1);
    assert_string_equal(w.story, "[1] 2 ");
}

static void test_what_cannot_be_done_is_noted(void **state)
{
    Pilotlight__V1__ListScalingActivitiesRequest r = PILOTLIGHT__V1__LIST_SCALING_ACTIVITIES_REQUEST__INIT;
    pl_cleanup(record_free_p) Pilotlight__V1__ListScalingActivitiesResponse *list = NULL;
    (void)state;
    w.refuses = PL_EXHAUSTED;
    register_target(2, 2);
    live(1, -1);
    assert_ok(scaling_activities(w.store, &w.limits, &r, &list, &err));
    assert_int_equal(list->n_activities, 1);
    assert_false(list->activities[0]->successful);
    assert_string_equal(list->activities[0]->detail, "no");
}

static void test_all_goes_with_the_endpoint(void **state)
{
    pl_cleanup(record_free_p) Pilotlight__V1__ListScalingPoliciesResponse *policies = NULL;
    pl_cleanup(record_free_p) Pilotlight__V1__ListScalingTargetsResponse *targets = NULL;
    (void)state;
    register_target(0, 2);
    put_policy(0.7);
    scaling_endpoint_gone(w.scaling, "fraud");
    assert_ok(scaling_targets(w.store, "", "", &targets, &err));
    assert_ok(scaling_policies(w.store, "", "", NULL, 0, &policies, &err));
    assert_true(targets->n_targets == 0 && policies->n_policies == 0);
}

/* What is not given stays, whoever else writes meanwhile: it is not read by the caller. */
static void test_what_is_not_given_stays(void **state)
{
    char *all_but_max[] = { TEXT("min_capacity"), TEXT("scale_in_suspended"), TEXT("scale_out_suspended"),
                            TEXT("schedules_suspended") };
    Pilotlight__V1__ScalingTarget t = PILOTLIGHT__V1__SCALING_TARGET__INIT, *made = NULL;
    Pilotlight__V1__PutScalingTargetRequest r = PILOTLIGHT__V1__PUT_SCALING_TARGET_REQUEST__INIT;
    (void)state;
    t.endpoint_name = TEXT("fraud");
    t.variant_name = TEXT("main");
    t.max_capacity = 5;
    r.target = &t;
    r.kept_fields = all_but_max;
    r.n_kept_fields = 4;
    assert_int_equal(scaling_put_target(w.store, &w.limits, &r, NOW, &made, &err), PL_INVALID);
    assert_string_equal(err.message,
                        "target.min_capacity is missing: a target that is new must have min_capacity and max_capacity");
    t.min_capacity = 2;
    t.schedules_suspended = true;
    r.n_kept_fields = 0;
    assert_ok(scaling_put_target(w.store, &w.limits, &r, NOW, &made, &err));
    record_free(made);
    t = (Pilotlight__V1__ScalingTarget)PILOTLIGHT__V1__SCALING_TARGET__INIT;
    t.endpoint_name = TEXT("fraud");
    t.variant_name = TEXT("main");
    t.max_capacity = 4;
    r.n_kept_fields = 4;
    assert_ok(scaling_put_target(w.store, &w.limits, &r, NOW + 1000, &made, &err));
    assert_true(made->min_capacity == 2 && made->max_capacity == 4 && !made->scale_in_suspended &&
                made->schedules_suspended);
    assert_int_equal(made->created_at_unix_ms, NOW);
    record_free(made);
    t.max_capacity = 1; /* below what is kept */
    assert_int_equal(scaling_put_target(w.store, &w.limits, &r, NOW, &made, &err), PL_INVALID);
    all_but_max[0] = TEXT("endpoint_name");
    assert_int_equal(scaling_put_target(w.store, &w.limits, &r, NOW, &made, &err), PL_INVALID);
    assert_string_equal(err.field, "kept_fields");
}

static void test_refusals(void **state)
{
    Pilotlight__V1__ScalingTarget t = PILOTLIGHT__V1__SCALING_TARGET__INIT, *made_t;
    Pilotlight__V1__PutScalingTargetRequest r = PILOTLIGHT__V1__PUT_SCALING_TARGET_REQUEST__INIT;
    Pilotlight__V1__ScalingPolicy p = PILOTLIGHT__V1__SCALING_POLICY__INIT, *made_p;
    Pilotlight__V1__ScalingSchedule c = PILOTLIGHT__V1__SCALING_SCHEDULE__INIT, *made_c;
    (void)state;
    t.endpoint_name = p.endpoint_name = c.endpoint_name = TEXT("fraud");
    t.variant_name = p.variant_name = c.variant_name = TEXT("main");
    r.target = &t;
    t.max_capacity = 11;
    assert_int_equal(scaling_put_target(w.store, &w.limits, &r, NOW, &made_t, &err), PL_INVALID);
    assert_string_equal(err.field, "target.max_capacity");
    t.max_capacity = 1, t.min_capacity = 2;
    assert_int_equal(scaling_put_target(w.store, &w.limits, &r, NOW, &made_t, &err), PL_INVALID);
    t.variant_name = TEXT("other");
    assert_int_equal(scaling_put_target(w.store, &w.limits, &r, NOW, &made_t, &err), PL_NOT_FOUND);
    p.name = c.name = TEXT("x");
    p.target_value = 0.5;
    assert_int_equal(scaling_put_policy(w.store, &w.limits, &p, NOW, &made_p, &err), PL_NOT_FOUND); /* no target */
    register_target(0, 2);
    p.target_value = 70;
    assert_int_equal(scaling_put_policy(w.store, &w.limits, &p, NOW, &made_p, &err), PL_INVALID);
    p.target_value = 0.7,
    p.scale_in_cooldown_case = PILOTLIGHT__V1__SCALING_POLICY__SCALE_IN_COOLDOWN_SCALE_IN_COOLDOWN_S;
    p.scale_in_cooldown_s = -1;
    assert_int_equal(scaling_put_policy(w.store, &w.limits, &p, NOW, &made_p, &err), PL_INVALID);
    assert_string_equal(err.field, "policy.scale_in_cooldown_s");
    c.expression = TEXT("at(2020-01-01T00:00:00)");
    c.min_capacity = 1, c.max_capacity = 1;
    assert_int_equal(scaling_put_schedule(w.store, &w.limits, &c, NOW, &made_c, &err), PL_INVALID);
    c.expression = TEXT("rate(1 hour)"), c.min_capacity = c.max_capacity = -1;
    assert_int_equal(scaling_put_schedule(w.store, &w.limits, &c, NOW, &made_c, &err), PL_INVALID);
    assert_int_equal(scaling_delete_rule(w.store, STORE_POLICY, "fraud", "main", "none", &err), PL_NOT_FOUND);
    w.limits.row[LIMIT_scaling_policies].max = 0;
    p.scale_in_cooldown_s = 0;
    assert_int_equal(scaling_put_policy(w.store, &w.limits, &p, NOW, &made_p, &err), PL_EXHAUSTED);
    assert_ok(scaling_delete_target(w.store, "fraud", "main", &err));
    assert_int_equal(scaling_delete_target(w.store, "fraud", "main", &err), PL_NOT_FOUND);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_rule),
        T(test_bounds_hold_at_once),
        T(test_what_is_not_given_stays),
        T(test_a_policy_follows_the_load),
        T(test_schedules_change_the_bounds),
        T(test_while_the_endpoint_is_updated),
        T(test_what_cannot_be_done_is_noted),
        T(test_all_goes_with_the_endpoint),
        T(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
