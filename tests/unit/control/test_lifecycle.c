/* Whole lives of endpoints on virtual time: the story of statuses is compared. */
#include "lives.h"

#include <sqlite3.h>

static void test_a_creation(void **state)
{
    (void)state;
    create("e", "two");
    assert_int_equal(open_calls(), 2); /* at the same time */
    w.now = 40;
    answer(call_of("second"), PL_OK, SHA_A);
    assert_string_equal(w.story, "");
    w.now = 70;
    answer(call_of("main"), PL_OK, SHA_A);
    assert_string_equal(w.story, "[70] e CREATING\n[70] e IN_SERVICE\n");
    pl_cleanup(record_free_p) Pilotlight__V1__Endpoint *e = look("e");
    assert_string_equal(e->endpoint_config_name, "two");
    assert_string_equal(e->pending_endpoint_config_name, "");
    assert_string_equal(e->failure_reason, "");
    assert_int_equal(e->n_variants, 2);
    assert_string_equal(e->variants[1]->artifact_sha256, SHA_A);
    assert_int_equal(e->variants[1]->facts->features, 10);
    assert_int_equal(lifecycle_count(w.lifecycle), 0);
    assert_true(w.wake == INT64_MAX);
}

static void test_routers_are_waited_for(void **state)
{
    struct pl_err waits;
    (void)state;
    w.applied = 0;
    create("e", "one");
    answer(call_of("main"), PL_OK, SHA_A);
    assert_string_equal(w.story, "[0] e CREATING\n");
    assert_true(lifecycle_waits_for(w.lifecycle, "e", &waits));
    assert_string_equal(waits.message, "not every router has taken it over");
    pl_cleanup(record_free_p) Pilotlight__V1__Endpoint *e = look("e");
    assert_int_equal(e->n_variants, 0); /* not before it succeeded */
    w.now = 5;
    w.applied = store_version(w.store);
    lifecycle_routers_changed(w.lifecycle);
    assert_string_equal(w.story, "[0] e CREATING\n[5] e IN_SERVICE\n");
}

static void test_a_late_router_does_not_hold_an_endpoint_up(void **state)
{
    (void)state;
    w.applied = 0;
    create("e", "one");
    answer(call_of("main"), PL_OK, SHA_A);
    advance(9999);
    assert_string_equal(w.story, "[0] e CREATING\n");
    advance(20000);
    assert_string_equal(w.story, "[0] e CREATING\n[10000] e IN_SERVICE\n");
}

static void test_no_host_until_the_deadline(void **state)
{
    struct pl_err waits;
    (void)state;
    w.hosts = 0;
    create("e", "one");
    assert_true(lifecycle_waits_for(w.lifecycle, "e", &waits));
    assert_string_equal(waits.message, "variant \"main\", model \"m\": no worker host offers the runtime \"xgboost\"");
    advance(179999);
    assert_string_equal(w.story, "");
    advance(180000);
    assert_string_equal(w.story, "[180000] e FAILED\n");
    pl_cleanup(record_free_p) Pilotlight__V1__Endpoint *e = look("e");
    assert_non_null(strstr(e->failure_reason, "no worker host that offers the runtime \"xgboost\" came within 180 s"));
    assert_string_equal(e->endpoint_config_name, "one");
    assert_int_equal(update("e", "two"), PL_PRECONDITION);
    assert_non_null(strstr(err.message, "FAILED"));
    assert_int_equal(delete ("e"), PL_OK);
    assert_string_equal(w.story, "[180000] e FAILED\n[180000] e gone\n");
}

static void test_a_host_that_comes_is_asked(void **state)
{
    (void)state;
    w.hosts = 0;
    create("e", "one");
    advance(60000);
    assert_int_equal(open_calls(), 0);
    w.hosts = 1;
    lifecycle_hosts_changed(w.lifecycle);
    answer(call_of("main"), PL_OK, SHA_A);
    assert_string_equal(w.story, "[60000] e CREATING\n[60000] e IN_SERVICE\n");
}

static void test_passing_trouble_is_tried_elsewhere(void **state)
{
    struct pl_err waits;
    (void)state;
    create("e", "one");
    assert_string_equal(call_of("main")->host, "host-0");
    assert_false(lifecycle_waits_for(w.lifecycle, "e", &waits)); /* things take their course */
    answer(call_of("main"), PL_UNAVAILABLE, "connection refused");
    assert_int_equal(open_calls(), 0);
    assert_true(lifecycle_waits_for(w.lifecycle, "e", &waits));
    assert_string_equal(waits.message, "variant \"main\", model \"m\": connection refused (tried 1 times)");
    advance(249);
    assert_int_equal(open_calls(), 0);
    advance(250);
    assert_string_equal(call_of("main")->host, "host-1");
    assert_true(lifecycle_waits_for(w.lifecycle, "e", &waits)); /* the second try goes on */
    assert_string_equal(waits.message, "variant \"main\", model \"m\": connection refused (tried 1 times)");
    answer(call_of("main"), PL_EXHAUSTED, "no room");
    assert_true(lifecycle_waits_for(w.lifecycle, "e", &waits));
    assert_string_equal(waits.message, "variant \"main\", model \"m\": no room (tried 2 times)");
    advance(749);
    assert_int_equal(open_calls(), 0);
    advance(750); /* the pause doubles */
    answer(call_of("main"), PL_OK, SHA_A);
    assert_false(lifecycle_waits_for(w.lifecycle, "e", &waits));
    assert_string_equal(w.story, "[750] e CREATING\n[750] e IN_SERVICE\n");
}

static void test_trouble_that_stays_ends_at_the_deadline(void **state)
{
    (void)state;
    create("e", "one");
    for (int64_t t = 0; t <= 180000; t += 50) {
        advance(t);
        if (call_of("main"))
            answer(call_of("main"), PL_UNAVAILABLE, "https://h/p: could not connect");
    }
    assert_string_equal(w.story, "[180000] e FAILED\n");
    assert_true(w.started > 10 && w.started < 40); /* it backed off */
    pl_cleanup(record_free_p) Pilotlight__V1__Endpoint *e = look("e");
    assert_non_null(strstr(e->failure_reason, "variant \"main\", model \"m\": https://h/p: could not connect (tried "));
}

static void test_what_a_host_says_of_the_artifact_is_final(void **state)
{
    (void)state;
    create("e", "two");
    answer(call_of("second"), PL_PRECONDITION, "the archive holds a link out of its folder");
    assert_string_equal(w.story, "[0] e FAILED\n");
    assert_int_equal(open_calls(), 0); /* the other one was cancelled */
    pl_cleanup(record_free_p) Pilotlight__V1__Endpoint *e = look("e");
    assert_string_equal(e->failure_reason,
                        "variant \"second\", model \"n\": the archive holds a link out of its folder");
}

static void test_answers_are_not_believed_blindly(void **state)
{
    (void)state;
    create("e", "one");
    answer(call_of("main"), PL_OK, "");
    assert_string_equal(w.story, "[0] e FAILED\n");
    Pilotlight__V1__Model m = good_model("pinned");
    pl_cleanup(store_row_done) struct store_row row = { 0 };
    pl_cleanup(record_free_p) void *made = NULL;
    struct creation c = creation_of(w.store, &w.limits, "CreateModel");
    const char *const models[] = { "pinned" };
    m.artifact_sha256 = TEXT("bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb");
    record_model_row(&m, 1, &row);
    assert_ok(creation_run(&c, &row, NULL, 0, &made, &err));
    put_config(w.store, &w.limits, "pinned", models, 1);
    create("f", "pinned");
    assert_string_equal(call_of("main")->sha256, m.artifact_sha256);
    answer(call_of("main"), PL_OK, SHA_A);
    pl_cleanup(record_free_p) Pilotlight__V1__Endpoint *f = look("f");
    assert_int_equal(f->status, ENDPOINT_STATUS(FAILED));
    assert_non_null(strstr(f->failure_reason, "another digest"));
}

static void test_an_update(void **state)
{
    (void)state;
    in_service("e");
    assert_int_equal(update("e", "two"), PL_OK);
    pl_cleanup(record_free_p) Pilotlight__V1__Endpoint *during = look("e");
    assert_string_equal(during->endpoint_config_name, "one"); /* what serves */
    assert_string_equal(during->pending_endpoint_config_name, "two");
    assert_int_equal(during->n_variants, 1);
    assert_int_equal(update("e", "one"), PL_PRECONDITION);
    assert_non_null(strstr(err.message, "Cannot update in-progress endpoint \"e\"."));
    answer(call_of("main"), PL_OK, SHA_A);
    answer(call_of("second"), PL_OK, SHA_A);
    assert_string_equal(w.story, "[0] e UPDATING\n[0] e IN_SERVICE\n");
    pl_cleanup(record_free_p) Pilotlight__V1__Endpoint *after = look("e");
    assert_string_equal(after->endpoint_config_name, "two");
    assert_int_equal(after->n_variants, 2);
    assert_true(after->version > during->version);
}

static void test_an_update_that_fails_rolls_back(void **state)
{
    (void)state;
    in_service("e");
    assert_int_equal(update("e", "two"), PL_OK);
    answer(call_of("second"), PL_PRECONDITION, "not a model");
    assert_string_equal(w.story, "[0] e ROLLING_BACK\n[0] e IN_SERVICE\n");
    pl_cleanup(record_free_p) Pilotlight__V1__Endpoint *e = look("e");
    assert_string_equal(e->endpoint_config_name, "one");
    assert_string_equal(e->pending_endpoint_config_name, "");
    assert_int_equal(e->n_variants, 1);
    assert_string_equal(e->failure_reason, "variant \"second\", model \"n\": not a model");
    assert_int_equal(update("e", "one"), PL_OK); /* and the reason is over */
    pl_cleanup(record_free_p) Pilotlight__V1__Endpoint *again = look("e");
    assert_string_equal(again->failure_reason, "");
    answer(call_of("main"), PL_OK, SHA_A);
}

/* Variant "main" of model "m", of machines that are always on. */
static void put_persistent_config(const char *name)
{
    Pilotlight__V1__EndpointConfig config = PILOTLIGHT__V1__ENDPOINT_CONFIG__INIT;
    Pilotlight__V1__ProductionVariant v = good_variant("main", "m"), *list[] = { &v };
    pl_cleanup(store_row_done) struct store_row row = { 0 };
    pl_cleanup(record_free_p) void *answer = NULL;
    struct creation c = creation_of(w.store, &w.limits, "CreateEndpointConfig");
    v.persistent = true;
    v.provisioned_concurrency = 3;
    config.name = TEXT(name);
    config.variants = list;
    config.n_variants = 1;
    record_config_row(&config, 1000, &row);
    assert_ok(creation_run(&c, &row, NULL, 0, &answer, &err));
}

static enum pl_code update_retaining(const char *name, const char *config)
{
    Pilotlight__V1__UpdateEndpointRequest r = PILOTLIGHT__V1__UPDATE_ENDPOINT_REQUEST__INIT;
    pl_cleanup(record_free_p) Pilotlight__V1__Endpoint *e = NULL;
    r.name = TEXT(name);
    r.endpoint_config_name = TEXT(config);
    r.retain_provisioned_concurrency = true;
    enum pl_code code = endpoint_update(w.store, &w.limits, &r, 1, &e, &err);
    if (code == PL_OK)
        lifecycle_start(w.lifecycle, name);
    return code;
}

static int32_t provisioned(const char *name)
{
    pl_cleanup(record_free_p) Pilotlight__V1__Endpoint *e = look(name);
    return e->variants[0]->variant->provisioned_concurrency;
}

/* From persistent to serverless in place, unless the operator does not want it; what is provisioned belongs to a kind. */
static void test_persistent_variants_become_serverless(void **state)
{
    (void)state;
    put_persistent_config("always-on");
    in_service("e");
    assert_int_equal(update("e", "always-on"), PL_OK);
    answer(call_of("main"), PL_OK, SHA_A);
    assert_int_equal(provisioned("e"), 3);
    w.limits.stay_persistent = true;
    assert_int_equal(update("e", "one"), PL_PRECONDITION);
    assert_string_equal(err.reason, "PERSISTENT_ENDPOINT");
    assert_non_null(strstr(err.message, "endpoint \"e\" to the serverless endpoint configuration \"one\""));
    assert_int_equal(update_retaining("e", "always-on"), PL_OK); /* of the same kind */
    answer(call_of("main"), PL_OK, SHA_A);
    assert_int_equal(provisioned("e"), 3);
    w.limits.stay_persistent = false;
    assert_int_equal(update_retaining("e", "one"), PL_OK);
    answer(call_of("main"), PL_OK, SHA_A);
    assert_int_equal(provisioned("e"), 0);
    assert_int_equal(update_retaining("e", "always-on"), PL_OK);
    answer(call_of("main"), PL_OK, SHA_A);
    assert_int_equal(provisioned("e"), 3);
}

static void test_deleting_waits_for_requests(void **state)
{
    (void)state;
    in_service("e");
    w.busy = true;
    assert_int_equal(delete ("e"), PL_OK);
    assert_int_equal(delete ("e"), PL_PRECONDITION);
    advance(50000);
    assert_string_equal(w.story, "");
    w.busy = false;
    lifecycle_routers_changed(w.lifecycle);
    assert_string_equal(w.story, "[50000] e gone\n");
    assert_null(record_get(w.store, STORE_ENDPOINT, "e", &err));
    assert_int_equal(err.code, PL_NOT_FOUND);
    in_service("e"); /* the name is free again */
}

static void test_deleting_does_not_wait_for_ever(void **state)
{
    (void)state;
    in_service("e");
    w.busy = true;
    assert_int_equal(delete ("e"), PL_OK);
    advance(89999);
    assert_string_equal(w.story, "");
    advance(90000);
    assert_string_equal(w.story, "[90000] e gone\n");
}

static void test_deleting_cancels_what_runs(void **state)
{
    (void)state;
    create("e", "two");
    assert_int_equal(delete ("e"), PL_OK);
    assert_int_equal(open_calls(), 0);
    assert_string_equal(w.story, "[0] e gone\n");
    in_service("f");
    assert_int_equal(update("f", "two"), PL_OK);
    assert_int_equal(delete ("f"), PL_OK);
    assert_int_equal(open_calls(), 0);
    assert_string_equal(w.story, "[0] f gone\n");
}

static void drop_resource(enum store_kind kind, const char *name)
{
    struct store_tx tx = { 0 };
    pl_cleanup(store_row_done) struct store_row row = { 0 };
    assert_ok(store_begin(&tx, w.store, &err));
    assert_ok(store_get(w.store, kind, name, &row, &err));
    assert_ok(store_delete(w.store, row.id, &err));
    assert_ok(store_commit(&tx, &err));
}

static void test_endpoints_outlive_their_models_and_configs(void **state)
{
    (void)state;
    in_service("e");
    create("f", "two");
    drop_resource(STORE_CONFIG, "one");
    drop_resource(STORE_CONFIG, "two");
    drop_resource(STORE_MODEL, "m");
    lives_crash();
    lives_start();
    answer(call_of("main"), PL_OK, SHA_A);
    answer(call_of("second"), PL_OK, SHA_A);
    advance(w.now + 5000);
    pl_cleanup(record_free_p) Pilotlight__V1__Endpoint *e = look("e"), *f = look("f");
    assert_int_equal(e->status, ENDPOINT_STATUS(IN_SERVICE));
    assert_int_equal(f->status, ENDPOINT_STATUS(IN_SERVICE));
    pl_cleanup(store_row_done) struct store_row row = { 0 };
    assert_ok(store_get(w.store, STORE_ENDPOINT, "e", &row, &err));
    pl_cleanup(record_free_p) Pilotlight__Internal__V1__EndpointRecord *r = record_endpoint(&row, &err);
    pl_cleanup(record_free_p) Pilotlight__Internal__V1__ServedEndpoint *served =
        record_served(&w.limits, "e", r->serving);
    assert_string_equal(served->variants[0]->spec->artifact_uri, "file:///models/model.tar.gz");
    assert_string_equal(served->variants[0]->spec->artifact_sha256, SHA_A);
    assert_int_equal(served->variants[0]->keep_alive_ms, -1);
    assert_true(served->variants[0]->weight == 1);
    assert_true(served->generation > 0 && served->generation == served->variants[0]->spec->generation);
    assert_int_equal(update("e", "one"), PL_NOT_FOUND);
    assert_string_equal(err.field, "endpoint_config_name");
}

static void test_a_crash_at_each_step(void **state)
{
    (void)state;
    create("preparing", "one");
    lives_crash();
    lives_start();
    answer(call_of("main"), PL_OK, SHA_A);
    pl_cleanup(record_free_p) Pilotlight__V1__Endpoint *e = look("preparing");
    assert_int_equal(e->status, ENDPOINT_STATUS(IN_SERVICE));

    w.applied = 0;
    create("publishing", "one");
    answer(call_of("main"), PL_OK, SHA_A);
    lives_crash();
    w.story[0] = '\0';
    lives_start();
    assert_string_equal(w.story, ""); /* routers are expected back */
    w.applied = INT64_MAX;
    lifecycle_routers_changed(w.lifecycle);
    assert_string_equal(w.story, "[0] publishing IN_SERVICE\n");

    assert_int_equal(update("publishing", "two"), PL_OK);
    lives_crash();
    lives_start();
    answer(call_of("main"), PL_PRECONDITION, "gone bad");
    pl_cleanup(record_free_p) Pilotlight__V1__Endpoint *rolled = look("publishing");
    assert_int_equal(rolled->status, ENDPOINT_STATUS(IN_SERVICE));
    assert_non_null(strstr(rolled->failure_reason, "gone bad"));

    w.busy = true;
    assert_int_equal(delete ("publishing"), PL_OK);
    lives_crash();
    w.story[0] = '\0';
    lives_start();
    assert_string_equal(w.story, "");
    w.busy = false;
    lifecycle_routers_changed(w.lifecycle);
    assert_string_equal(w.story, "[0] publishing gone\n");
}

/* Between the two commits of a roll-back. */
static void test_a_crash_while_rolling_back(void **state)
{
    (void)state;
    struct store_tx tx = { 0 };
    pl_cleanup(store_row_done) struct store_row row = { 0 };
    in_service("e");
    assert_int_equal(update("e", "two"), PL_OK);
    assert_ok(store_begin(&tx, w.store, &err));
    assert_ok(store_get(w.store, STORE_ENDPOINT, "e", &row, &err));
    pl_cleanup(record_free_p) Pilotlight__Internal__V1__EndpointRecord *r = record_endpoint(&row, &err);
    record_free(r->pending);
    r->pending = NULL;
    record_set_text(&r->failure_reason, "why");
    assert_ok(endpoint_move(w.store, &row, r, ENDPOINT_STATUS(ROLLING_BACK), false, 1, &err));
    assert_ok(store_commit(&tx, &err));
    lives_crash();
    lives_start();
    pl_cleanup(record_free_p) Pilotlight__V1__Endpoint *e = look("e");
    assert_int_equal(e->status, ENDPOINT_STATUS(IN_SERVICE));
    assert_string_equal(e->failure_reason, "why");
}

/* The database is locked by somebody else for a while: nothing is lost, the step is done later. */
static void test_a_database_that_cannot_be_written(void **state)
{
    (void)state;
    sqlite3 *other;
    create("e", "one");
    assert_int_equal(sqlite3_open(w.folder.database, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    answer(call_of("main"), PL_OK, SHA_A);
    assert_string_equal(w.story, "");
    assert_int_equal(w.wake, 1000);
    assert_int_equal(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(other);
    advance(1000);
    assert_string_equal(w.story, "[1000] e CREATING\n[1000] e IN_SERVICE\n");
    assert_int_equal(w.started, 1); /* proven once */
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, lives_setup, lives_teardown)
    const struct CMUnitTest tests[] = {
        T(test_a_creation),
        T(test_routers_are_waited_for),
        T(test_a_late_router_does_not_hold_an_endpoint_up),
        T(test_no_host_until_the_deadline),
        T(test_a_host_that_comes_is_asked),
        T(test_passing_trouble_is_tried_elsewhere),
        T(test_trouble_that_stays_ends_at_the_deadline),
        T(test_what_a_host_says_of_the_artifact_is_final),
        T(test_answers_are_not_believed_blindly),
        T(test_an_update),
        T(test_an_update_that_fails_rolls_back),
        T(test_persistent_variants_become_serverless),
        T(test_deleting_waits_for_requests),
        T(test_deleting_does_not_wait_for_ever),
        T(test_deleting_cancels_what_runs),
        T(test_endpoints_outlive_their_models_and_configs),
        T(test_a_crash_at_each_step),
        T(test_a_crash_while_rolling_back),
        T(test_a_database_that_cannot_be_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
