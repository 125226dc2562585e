#include "lives.h"

struct world w;

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

void lives_start(void)
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
    static const struct lifecycle_settings settings = { .prepare_ms = 180000, .publish_ms = 10000, .drain_ms = 90000 };
    w.wake = INT64_MAX;
    assert_ok(store_open(&w.store, w.folder.database, &err));
    w.lifecycle = lifecycle_new(w.store, &w.limits, &ports, &settings);
    assert_ok(lifecycle_resume(w.lifecycle, &err));
}

/* What a kill leaves: no call of the process is heard of again, the rows stay. */
void lives_crash(void)
{
    lifecycle_free(w.lifecycle);
    store_close(w.store);
    for (size_t i = 0; i < CALLS; i++)
        assert_false(w.calls[i].open);
}

int lives_setup(void **state)
{
    static const char *const models[] = { "m", "n" };
    (void)state;
    memset(&w, 0, sizeof(w));
    limits_init(&w.limits);
    folder_make(&w.folder);
    w.hosts = 2;
    w.applied = INT64_MAX;
    lives_start();
    put_model(w.store, &w.limits, "m", 1);
    put_model(w.store, &w.limits, "n", 1);
    put_config(w.store, &w.limits, "one", models, 1);
    put_config(w.store, &w.limits, "two", models, 2);
    return 0;
}

int lives_teardown(void **state)
{
    (void)state;
    lives_crash();
    folder_remove(&w.folder);
    return 0;
}

void advance(int64_t to_ms)
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

struct fake_call *call_of(const char *variant)
{
    for (size_t i = 0; i < CALLS; i++)
        if (w.calls[i].open && strcmp(w.calls[i].variant, variant) == 0)
            return &w.calls[i];
    return NULL;
}

unsigned open_calls(void)
{
    unsigned n = 0;
    for (size_t i = 0; i < CALLS; i++)
        n += w.calls[i].open;
    return n;
}

void answer(struct fake_call *c, enum pl_code code, const char *text)
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

void create(const char *name, const char *config)
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

enum pl_code update(const char *name, const char *config)
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

enum pl_code delete (const char *name) {
    enum pl_code code = endpoint_delete(w.store, name, wall_ms(NULL), &err);
    if (code == PL_OK) lifecycle_start(w.lifecycle, name);
    return code;
}

Pilotlight__V1__Endpoint *look(const char *name)
{
    Pilotlight__V1__Endpoint *e = record_get(w.store, STORE_ENDPOINT, name, &err);
    assert_non_null(e);
    return e;
}

void in_service(const char *name)
{
    create(name, "one");
    answer(call_of("main"), PL_OK, SHA_A);
    pl_cleanup(record_free_p) Pilotlight__V1__Endpoint *e = look(name);
    assert_int_equal(e->status, ENDPOINT_STATUS(IN_SERVICE));
    w.story[0] = '\0';
}
