/* What control is told has been applied is on the router's disk, however much that is: kill -9 cannot take it back. */
#include "service_rig.h"

#include "base/mem.h"
#include "base/text.h"
#include "snapshot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MANY    800
#define CHANGES 200
#define BIG     (512 << 10) /* well beyond what is saved without a rest */

static unsigned looked; /* at the file, for an acknowledgement */

static void never(void *arg, int64_t version, bool ok)
{
    (void)arg, (void)version, (void)ok;
    fail();
}

/* As the next router would read it; the caller's. NULL: there is nothing to be believed. */
static Pilotlight__Internal__V1__WatchResponse *on_disk(size_t *out_len)
{
    struct snapshot *s =
        snapshot_new(&(struct snapshot_options){ .loop = rig.loop, .path = rig.snapshot, .written = never });
    Pilotlight__Internal__V1__WatchResponse *m = NULL;
    pl_cleanup(pl_free_p) void *bytes = NULL;
    struct pl_err err;

    if (snapshot_read(s, &bytes, out_len, &err) == PL_OK)
        m = pilotlight__internal__v1__watch_response__unpack(NULL, *out_len, bytes);
    snapshot_free(s);
    return m;
}

static void is_on_disk(void)
{
    size_t len;
    Pilotlight__Internal__V1__WatchResponse *m = on_disk(&len);

    assert_non_null(m);
    assert_true(m->version >= rig.acknowledged);
    pilotlight__internal__v1__watch_response__free_unpacked(m, NULL);
    looked++;
}

struct endpoint {
    char name[32], artifact[800];
    Pilotlight__Internal__V1__ServedEndpoint m;
    Pilotlight__Internal__V1__ServedVariant v, *variants[1];
    Pilotlight__Internal__V1__VariantSpec spec;
};

static void fill(struct endpoint *e, unsigned number, int64_t generation)
{
    static const Pilotlight__Internal__V1__ServedEndpoint no_endpoint = PILOTLIGHT__INTERNAL__V1__SERVED_ENDPOINT__INIT;
    static const Pilotlight__Internal__V1__ServedVariant no_variant = PILOTLIGHT__INTERNAL__V1__SERVED_VARIANT__INIT;
    static const Pilotlight__Internal__V1__VariantSpec no_spec = PILOTLIGHT__INTERNAL__V1__VARIANT_SPEC__INIT;

    *e = (struct endpoint){ .m = no_endpoint, .v = no_variant, .spec = no_spec };
    (void)snprintf(e->name, sizeof(e->name), "endpoint-%u", number);
    e->spec.endpoint_name = e->m.name = e->name;
    e->spec.generation = e->m.generation = generation;
    e->spec.variant_name = TEXT("main");
    memset(e->artifact, 'a',
           sizeof(e->artifact) - 1); /* as long as they may be, nearly, so that few endpoints are much */
    memcpy(e->artifact, "file:///", 8);
    e->spec.artifact_uri = e->artifact;
    e->spec.runtime = TEXT("xgboost");
    e->spec.memory_size_mb = 1024;
    e->v.spec = &e->spec;
    e->v.max_concurrency = 1;
    e->v.weight = 1;
    e->variants[0] = &e->v;
    e->m.variants = e->variants;
    e->m.n_variants = 1;
}

static void send_many(void)
{
    Pilotlight__Internal__V1__WatchResponse m = PILOTLIGHT__INTERNAL__V1__WATCH_RESPONSE__INIT;
    Pilotlight__Internal__V1__WatchSnapshot s = PILOTLIGHT__INTERNAL__V1__WATCH_SNAPSHOT__INIT;
    struct endpoint *all = pl_new0(MANY, sizeof(*all));

    s.endpoints = pl_new0(MANY, sizeof(*s.endpoints));
    for (unsigned i = 0; i < MANY; i++) {
        fill(&all[i], i, 1);
        s.endpoints[s.n_endpoints++] = &all[i].m;
    }
    m.event_case = PILOTLIGHT__INTERNAL__V1__WATCH_RESPONSE__EVENT_SNAPSHOT;
    m.snapshot = &s;
    send_event(&m);
    free(s.endpoints);
    free(all);
}

static void send_change(unsigned number, int64_t generation)
{
    Pilotlight__Internal__V1__WatchResponse m = PILOTLIGHT__INTERNAL__V1__WATCH_RESPONSE__INIT;
    struct endpoint e;

    fill(&e, number, generation);
    m.event_case = PILOTLIGHT__INTERNAL__V1__WATCH_RESPONSE__EVENT_ENDPOINT;
    m.endpoint = &e.m;
    send_event(&m);
}

static void hook(void (*on_acknowledge)(void))
{
    loop_enter(rig.loop);
    rig.on_acknowledge = on_acknowledge;
    loop_leave(rig.loop);
}

static bool all_is_acknowledged(void)
{
    return rig.acknowledged == rig.version;
}

static void what_is_acknowledged_is_saved(void **state)
{
    Pilotlight__Internal__V1__WatchResponse *m;
    size_t len;

    (void)state;
    looked = 0;
    hook(is_on_disk);
    send_many();
    wait_for("the acknowledgement of all", all_is_acknowledged);
    assert_null(router_ready(rig.router));
    for (unsigned i = 0; i < CHANGES; i++)
        send_change(MANY + i, 1);
    wait_for("the acknowledgement of the changes", all_is_acknowledged);
    assert_in_range(looked, 2, CHANGES); /* of a flood of changes not each is written */
    hook(NULL);
    m = on_disk(&len);
    assert_true(len > BIG);
    assert_int_equal(m->snapshot->n_endpoints, MANY + CHANGES);
    pilotlight__internal__v1__watch_response__free_unpacked(m, NULL);
}

/* Nothing is lost when control goes while changes rest, and none of it is asked for again. */
static bool again(void)
{
    return rig.watches >= 2 && rig.watch;
}

static void what_rests_is_saved_when_control_goes(void **state)
{
    (void)state;
    send_many();
    wait_for("the acknowledgement of all", all_is_acknowledged);
    send_change(0, 2);
    send_change(1, 2);
    hang_up_watch();
    wait_for("another Watch", again);
    assert_int_equal(rig.asked_version, rig.version);
    loop_enter(rig.loop);
    rig.watches = 1;
    loop_leave(rig.loop);
    restart_router();
    assert_null(router_ready(rig.router));
    wait_for("the next router's Watch", again);
    assert_int_equal(rig.asked_version, rig.version);
}

static bool is_there(void)
{
    struct stat st;

    return stat(rig.snapshot, &st) == 0;
}

static void a_disk_that_fails_holds_nobody_up(void **state)
{
    char beside[128];

    (void)state;
    (void)snprintf(beside, sizeof(beside), "%s.new", rig.snapshot);
    assert_int_equal(mkdir(beside, 0700), 0); /* where it would write */
    send_change(0, 1);
    wait_for("the acknowledgement", all_is_acknowledged);
    assert_false(is_there());
    assert_int_equal(rmdir(beside), 0);
    wait_for("another attempt", is_there); /* of its own accord */
}

#define R(name) cmocka_unit_test_setup_teardown(name, rig_setup_with_file, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        R(what_is_acknowledged_is_saved),
        R(what_rests_is_saved_when_control_goes),
        R(a_disk_that_fails_holds_nobody_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
