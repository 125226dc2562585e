/* Whole lives of endpoints on virtual time: a world of hosts and routers that the test plays, the real database
 * underneath. The story of statuses is compared; a random play with crashes checks what must hold whatever happens. */
#include "fixtures.h"

#include "endpoint_change.h"
#include "lifecycle.h"
#include "limit.h"

#include <sqlite3.h>

#define CALLS 64

struct fake_call {
    bool open;
    lifecycle_prepared_fn *done;
    void *arg;
    char host[LIFECYCLE_HOST_SIZE];
    char variant[64];
    char sha256[65]; /* asked for */
};

static struct world {
    struct folder folder;
    struct store *store;
    struct limits limits;
    struct lifecycle *lifecycle;
    int64_t now, wake;
    unsigned hosts; /* "host-0", "host-1" */
    struct fake_call calls[CALLS];
    unsigned started; /* calls ever */
    int64_t applied;  /* by the routers */
    bool busy;        /* requests of deleted endpoints are in flight */
    char story[4096];
} w;
static struct pl_err err;

static void tell(const char *fmt, ...)
{
    size_t n = strlen(w.story);
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(w.story + n, sizeof(w.story) - n, fmt, args);
    va_end(args);
}

/* ---- ports ---- */

static int64_t now_ms(void *arg)
{
    (void)arg;
    return w.now;
}

static int64_t wall_ms(void *arg)
{
    (void)arg;
    return 1000000 + w.now;
}

static void wake_at(void *arg, int64_t at_ms)
{
    (void)arg;
    w.wake = at_ms;
}

static void *prepare(void *arg, const Pilotlight__Internal__V1__VariantSpec *spec, const char *avoid,
                     int64_t timeout_ms, lifecycle_prepared_fn *done, void *done_arg,
                     char out_host[LIFECYCLE_HOST_SIZE])
{
    (void)arg;
    assert_true(timeout_ms > 0);
    assert_string_equal(spec->runtime, "xgboost");
    assert_true(spec->invoke_timeout_ms == 60000 && spec->start_timeout_ms == 180000);
    if (w.hosts == 0)
        return NULL;
    struct fake_call *c = NULL;
    for (size_t i = 0; i < CALLS && !c; i++)
        c = w.calls[i].open ? NULL : &w.calls[i];
    assert_non_null(c);
    *c = (struct fake_call){ .open = true, .done = done, .arg = done_arg };
    (void)snprintf(c->host, sizeof(c->host), "host-%d", w.hosts > 1 && strcmp(avoid, "host-0") == 0);
    (void)snprintf(c->variant, sizeof(c->variant), "%s", spec->variant_name);
    (void)snprintf(c->sha256, sizeof(c->sha256), "%s", spec->artifact_sha256);
    memcpy(out_host, c->host, sizeof(c->host));
    w.started++;
    return c;
}

static void cancel(void *arg, void *call)
{
    struct fake_call *c = call;
    (void)arg;
    assert_true(c->open);
    c->open = false;
}

static bool applied(void *arg, int64_t version)
{
    (void)arg;
    return w.applied >= version;
}

static bool drained(void *arg, const char *endpoint, int64_t version)
{
    (void)endpoint;
    return applied(arg, version) && !w.busy;
}

static void changed(void *arg, const char *endpoint)
{
    (void)arg;
    pl_cleanup(record_free_p) Pilotlight__V1__Endpoint *e = record_get(w.store, STORE_ENDPOINT, endpoint, &err);
    assert_non_null(e);
    tell("[%d] %s %s\n", (int)w.now, endpoint, endpoint_status_name((int)e->status));
}

static void deleted(void *arg, const Pilotlight__V1__Endpoint *last)
{
    (void)arg;
    tell("[%d] %s gone\n", (int)w.now, last->name);
}

/* ---- the world ---- */

static void start_control(void)
{
    static const struct lifecycle_ports ports = {
        .now_ms = now_ms,
        .wall_ms = wall_ms,
        .wake_at = wake_at,
        .prepare = prepare,
        .cancel = cancel,
        .applied = applied,
        .drained = drained,
        .changed = changed,
        .deleted = deleted,
    };
    static const struct lifecycle_settings settings = {
        .prepare_ms = 180000, .publish_ms = 10000, .drain_ms = 90000, .settle_ms = 2000
    };
    w.wake = INT64_MAX;
    assert_ok(store_open(&w.store, w.folder.database, &err));
    w.lifecycle = lifecycle_new(w.store, &w.limits, &ports, &settings);
    assert_ok(lifecycle_resume(w.lifecycle, &err));
}

/* What a kill leaves: no call of the process is heard of again, the rows stay. */
static void crash(void)
{
    lifecycle_free(w.lifecycle);
    store_close(w.store);
    for (size_t i = 0; i < CALLS; i++)
        assert_false(w.calls[i].open);
}

static int setup(void **state)
{
    static const char *const models[] = { "m", "n" };
    (void)state;
    memset(&w, 0, sizeof(w));
    limits_init(&w.limits);
    folder_make(&w.folder);
    w.hosts = 2;
    w.applied = INT64_MAX;
    start_control();
    put_model(w.store, &w.limits, "m", 1);
    put_model(w.store, &w.limits, "n", 1);
    put_config(w.store, &w.limits, "one", models, 1);
    put_config(w.store, &w.limits, "two", models, 2);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    crash();
    folder_remove(&w.folder);
    return 0;
}

static void advance(int64_t to_ms)
{
    for (int turns = 0; w.wake <= to_ms; turns++) {
        assert_true(turns < 2000); /* it would spin */
        if (w.wake > w.now)
            w.now = w.wake;
        w.wake = INT64_MAX;
        lifecycle_tick(w.lifecycle);
    }
    w.now = to_ms;
}

static struct fake_call *call_of(const char *variant)
{
    for (size_t i = 0; i < CALLS; i++)
        if (w.calls[i].open && strcmp(w.calls[i].variant, variant) == 0)
            return &w.calls[i];
    return NULL;
}

static unsigned open_calls(void)
{
    unsigned n = 0;
    for (size_t i = 0; i < CALLS; i++)
        n += w.calls[i].open;
    return n;
}

static void answer(struct fake_call *c, enum pl_code code, const char *text)
{
    Pilotlight__Internal__V1__PrepareModelResponse reply = PILOTLIGHT__INTERNAL__V1__PREPARE_MODEL_RESPONSE__INIT;
    Pilotlight__V1__ModelFacts facts = PILOTLIGHT__V1__MODEL_FACTS__INIT;
    struct pl_err status = { .code = code };
    assert_non_null(c);
    if (code != PL_OK)
        (void)pl_fail(&status, code, NULL, "%s", text);
    facts.features = 10;
    reply.artifact_sha256 = TEXT(text);
    reply.facts = &facts;
    c->open = false;
    c->done(c->arg, &status, code == PL_OK ? &reply : NULL);
}

static void create(const char *name, const char *config)
{
    Pilotlight__V1__CreateEndpointRequest r = PILOTLIGHT__V1__CREATE_ENDPOINT_REQUEST__INIT;
    pl_cleanup(record_free_p) Pilotlight__V1__Endpoint *e = NULL;
    r.name = TEXT(name);
    r.endpoint_config_name = TEXT(config);
    assert_ok(endpoint_create(w.store, &w.limits, &r, wall_ms(NULL), &e, &err));
    assert_int_equal(e->status, ENDPOINT_STATUS(CREATING));
    assert_string_equal(e->pending_endpoint_config_name, config);
    lifecycle_start(w.lifecycle, name);
}

static enum pl_code update(const char *name, const char *config)
{
    Pilotlight__V1__UpdateEndpointRequest r = PILOTLIGHT__V1__UPDATE_ENDPOINT_REQUEST__INIT;
    pl_cleanup(record_free_p) Pilotlight__V1__Endpoint *e = NULL;
    r.name = TEXT(name);
    r.endpoint_config_name = TEXT(config);
    enum pl_code code = endpoint_update(w.store, &w.limits, &r, wall_ms(NULL), &e, &err);
    if (code == PL_OK) {
        assert_int_equal(e->status, ENDPOINT_STATUS(UPDATING));
        lifecycle_start(w.lifecycle, name);
    }
    return code;
}

static enum pl_code delete (const char *name) {
    enum pl_code code = endpoint_delete(w.store, name, wall_ms(NULL), &err);
    if (code == PL_OK) lifecycle_start(w.lifecycle, name);
    return code;
}

static Pilotlight__V1__Endpoint *look(const char *name)
{
    Pilotlight__V1__Endpoint *e = record_get(w.store, STORE_ENDPOINT, name, &err);
    assert_non_null(e);
    return e;
}

static void in_service(const char *name)
{
    create(name, "one");
    answer(call_of("main"), PL_OK, SHA_A);
    pl_cleanup(record_free_p) Pilotlight__V1__Endpoint *e = look(name);
    assert_int_equal(e->status, ENDPOINT_STATUS(IN_SERVICE));
    w.story[0] = '\0';
}

/* ---- lives ---- */

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
    (void)state;
    w.applied = 0;
    create("e", "one");
    answer(call_of("main"), PL_OK, SHA_A);
    assert_string_equal(w.story, "[0] e CREATING\n");
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
    (void)state;
    w.hosts = 0;
    create("e", "one");
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
    (void)state;
    create("e", "one");
    assert_string_equal(call_of("main")->host, "host-0");
    answer(call_of("main"), PL_UNAVAILABLE, "connection refused");
    assert_int_equal(open_calls(), 0);
    advance(249);
    assert_int_equal(open_calls(), 0);
    advance(250);
    assert_string_equal(call_of("main")->host, "host-1");
    answer(call_of("main"), PL_EXHAUSTED, "no room");
    advance(749);
    assert_int_equal(open_calls(), 0);
    advance(750); /* the pause doubles */
    answer(call_of("main"), PL_OK, SHA_A);
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
    crash();
    start_control();
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
    crash();
    start_control();
    answer(call_of("main"), PL_OK, SHA_A);
    pl_cleanup(record_free_p) Pilotlight__V1__Endpoint *e = look("preparing");
    assert_int_equal(e->status, ENDPOINT_STATUS(IN_SERVICE));

    w.applied = 0;
    create("publishing", "one");
    answer(call_of("main"), PL_OK, SHA_A);
    crash();
    w.applied = INT64_MAX;
    w.story[0] = '\0';
    start_control();
    assert_string_equal(w.story, ""); /* routers get time to come back */
    advance(w.now + 2000);
    assert_string_equal(w.story, "[2000] publishing IN_SERVICE\n");

    assert_int_equal(update("publishing", "two"), PL_OK);
    crash();
    start_control();
    answer(call_of("main"), PL_PRECONDITION, "gone bad");
    pl_cleanup(record_free_p) Pilotlight__V1__Endpoint *rolled = look("publishing");
    assert_int_equal(rolled->status, ENDPOINT_STATUS(IN_SERVICE));
    assert_non_null(strstr(rolled->failure_reason, "gone bad"));

    w.busy = true;
    assert_int_equal(delete ("publishing"), PL_OK);
    crash();
    w.busy = false;
    w.story[0] = '\0';
    start_control();
    advance(w.now + 2000);
    assert_string_equal(w.story, "[4000] publishing gone\n");
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
    crash();
    start_control();
    advance(w.now + 2000);
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

/* ---- a random play ---- */

static uint64_t seed;
static unsigned dice(unsigned n)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(seed >> 33) % n;
}

static const char *const names[] = { "a", "b", "c" };

/* What holds between any two events. */
static void check_invariants(void)
{
    for (size_t i = 0; i < PL_COUNT(names); i++) {
        pl_cleanup(store_row_done) struct store_row row = { 0 };
        if (store_get(w.store, STORE_ENDPOINT, names[i], &row, &err) != PL_OK)
            continue;
        pl_cleanup(record_free_p) Pilotlight__Internal__V1__EndpointRecord *r = record_endpoint(&row, &err);
        assert_non_null(r);
        bool proving = row.status == ENDPOINT_STATUS(CREATING) || row.status == ENDPOINT_STATUS(UPDATING);
        assert_true(!r->pending || proving);
        if (row.status != ENDPOINT_STATUS(CREATING) && row.status != ENDPOINT_STATUS(DELETING))
            assert_true((r->serving != NULL) == (row.status != ENDPOINT_STATUS(FAILED)));
        if (row.status == ENDPOINT_STATUS(FAILED) || row.status == ENDPOINT_STATUS(ROLLING_BACK))
            assert_true(*r->failure_reason != '\0');
        for (size_t k = 0; r->serving && k < r->serving->n_variants; k++) /* never an unproven one */
            assert_int_equal(strlen(r->serving->variants[k]->variant->artifact_sha256), 64);
        assert_true(row.version <= store_version(w.store));
    }
}

static void random_event(void)
{
    static const enum pl_code codes[] = { PL_OK, PL_OK, PL_OK, PL_UNAVAILABLE, PL_EXHAUSTED, PL_PRECONDITION };
    const char *name = names[dice(PL_COUNT(names))], *config = dice(2) ? "one" : "two";
    pl_cleanup(store_row_done) struct store_row row = { 0 };
    switch (dice(8)) {
    case 0:
        if (store_get(w.store, STORE_ENDPOINT, name, &row, &err) != PL_OK)
            create(name, config);
        break;
    case 1:
        (void)update(name, config);
        break;
    case 2:
        if (dice(3) == 0)
            (void)delete (name);
        break;
    case 3:
        w.applied = dice(2) ? INT64_MAX : 0;
        w.busy = dice(2);
        lifecycle_routers_changed(w.lifecycle);
        break;
    case 4:
        w.hosts = dice(3);
        lifecycle_hosts_changed(w.lifecycle);
        break;
    case 5:
        if (dice(4) == 0) {
            crash();
            start_control();
        }
        break;
    default:
        for (size_t i = 0, from = dice(CALLS); i < CALLS; i++) {
            struct fake_call *c = &w.calls[(from + i) % CALLS];
            enum pl_code code = codes[dice(PL_COUNT(codes))];
            if (c->open) {
                answer(c, code, code == PL_OK ? SHA_A : "trouble");
                break;
            }
        }
    }
    advance(w.now + dice(3) * dice(3000));
}

static void test_random_lives_settle(void **state)
{
    for (uint64_t run = 1; run <= 40; run++) {
        seed = run;
        for (int i = 0; i < 60; i++) {
            random_event();
            check_invariants();
            w.story[0] = '\0';
        }
        w.applied = INT64_MAX; /* now the world is kind */
        w.busy = false;
        w.hosts = 1;
        lifecycle_hosts_changed(w.lifecycle);
        for (int i = 0; i < 100 && lifecycle_count(w.lifecycle) > 0; i++) {
            for (size_t k = 0; k < CALLS; k++)
                if (w.calls[k].open)
                    answer(&w.calls[k], PL_OK, SHA_A);
            advance(w.now + 1000);
        }
        if (lifecycle_count(w.lifecycle) > 0)
            fail_msg("run %d does not settle", (int)run);
        check_invariants();
        teardown(state);
        setup(state);
    }
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
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
        T(test_deleting_waits_for_requests),
        T(test_deleting_does_not_wait_for_ever),
        T(test_deleting_cancels_what_runs),
        T(test_endpoints_outlive_their_models_and_configs),
        T(test_a_crash_at_each_step),
        T(test_a_crash_while_rolling_back),
        T(test_a_database_that_cannot_be_written),
        T(test_random_lives_settle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
