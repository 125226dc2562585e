/* Every field of every resource: what is below, above, off the step or of the wrong form is refused, and the error
 * names the field, the value and the limit; what lies on the limits is taken. */
#include "fixtures.h"

#include "limit.h"
#include "validate.h"

#include <math.h>

static struct limits limits;
static struct pl_err err;

/* The last error says: this field, and these words. */
static void assert_names(const char *field, const char *first, const char *second)
{
    assert_string_equal(err.field, field);
    if (!strstr(err.message, first) || !strstr(err.message, second))
        fail_msg("\"%s\" does not say \"%s\" and \"%s\"", err.message, first, second);
}

static char *repeat(char c, size_t n)
{
    char *s = pl_new0(n + 1, 1);
    memset(s, c, n);
    return s;
}

static void test_names(void **state)
{
    (void)state;
    static const char *const good[] = { "a", "A9", "a-b", "a--b", "0", "x-1-2-Y" };
    static const char *const bad[] = { "-a", "a-", "a_b", "a b", "a.b", "\xc3\xa4", "a/b", "-" };
    for (size_t i = 0; i < PL_COUNT(good); i++)
        assert_ok(validate_name(&limits, "name", good[i], &err));
    for (size_t i = 0; i < PL_COUNT(bad); i++) {
        assert_int_equal(validate_name(&limits, "name", bad[i], &err), PL_INVALID);
        assert_names("name", bad[i], "inner hyphens");
    }
    assert_int_equal(validate_name(&limits, "name", "", &err), PL_INVALID);
    assert_names("name", "is empty", "1 to 63");
    pl_cleanup(pl_free_p) char *longest = repeat('a', 63), *longer = repeat('b', 64);
    assert_ok(validate_name(&limits, "name", longest, &err));
    assert_int_equal(validate_name(&limits, "name", longer, &err), PL_INVALID);
    assert_names("name", "has 64 characters", "1 to 63");
}

static void test_numbers_of_a_variant(void **state)
{
    (void)state;
    static const struct {
        size_t offset;
        int32_t bad, below, above;
        const char *field, *limit;
    } rows[] = {
#define ROW(member, bad, below, above, limit)                                                                          \
    { offsetof(Pilotlight__V1__ProductionVariant, member), bad, below, above, "variants[0]." #member, limit }
        ROW(memory_size_mb, 1500, 1023, 6145, "1024 to 6144 MB in steps of 1024"),
        ROW(memory_size_mb, 0, 700, 7168, "1024 to 6144 MB in steps of 1024"),
        ROW(max_concurrency, 0, -1, 201, "1 to 200 requests"),
        ROW(provisioned_concurrency, 5, -1, 201, ""),
        ROW(invoke_timeout_ms, -1, INT32_MIN, 60001, "1 to 60000 ms"),
        ROW(start_timeout_ms, -1, INT32_MIN, 180001, "1 to 180000 ms"),
#undef ROW
    };
    for (size_t i = 0; i < PL_COUNT(rows); i++) {
        const int32_t values[] = { rows[i].bad, rows[i].below, rows[i].above };
        for (size_t k = 0; k < PL_COUNT(values); k++) {
            Pilotlight__V1__EndpointConfig c = PILOTLIGHT__V1__ENDPOINT_CONFIG__INIT;
            Pilotlight__V1__ProductionVariant v = good_variant("main", "m"), *list[] = { &v };
            char value[16];
            c.name = TEXT("c");
            c.variants = list;
            c.n_variants = 1;
            assert_ok(validate_config(&limits, &c, &err));
            memcpy((char *)&v + rows[i].offset, &values[k], sizeof(values[k]));
            (void)snprintf(value, sizeof(value), "%d", values[k]);
            assert_int_equal(validate_config(&limits, &c, &err), PL_INVALID);
            assert_names(rows[i].field, value, rows[i].limit);
        }
    }
}

static void test_numbers_on_the_limits(void **state)
{
    (void)state;
    Pilotlight__V1__EndpointConfig c = PILOTLIGHT__V1__ENDPOINT_CONFIG__INIT;
    Pilotlight__V1__ProductionVariant v = good_variant("main", "m"), *list[] = { &v };
    Pilotlight__V1__KeepAlive keep = PILOTLIGHT__V1__KEEP_ALIVE__INIT;
    c.name = TEXT("c");
    c.variants = list;
    c.n_variants = 1;
    v.max_concurrency = v.provisioned_concurrency = 200;
    v.invoke_timeout_ms = 60000;
    v.start_timeout_ms = 180000;
    v.keep_alive = &keep;
    for (v.memory_size_mb = 1024; v.memory_size_mb <= 6144; v.memory_size_mb += 1024)
        assert_ok(validate_config(&limits, &c, &err));
    v.memory_size_mb = 1024;
    keep.idle_ms = 604800000;
    assert_ok(validate_config(&limits, &c, &err));
    keep.idle_ms++;
    assert_int_equal(validate_config(&limits, &c, &err), PL_INVALID);
    assert_names("variants[0].keep_alive.idle_ms", "604800001", "0 to 604800000 ms");
    keep.idle_ms = -1;
    assert_int_equal(validate_config(&limits, &c, &err), PL_INVALID);
}

static void test_variants_together(void **state)
{
    (void)state;
    Pilotlight__V1__EndpointConfig c = PILOTLIGHT__V1__ENDPOINT_CONFIG__INIT;
    Pilotlight__V1__ProductionVariant v[11], *list[11];
    char names[11][16];
    for (int i = 0; i < 11; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "v%d", i);
        v[i] = good_variant(names[i], "m");
        list[i] = &v[i];
    }
    c.name = TEXT("c");
    c.variants = list;
    assert_int_equal(validate_config(&limits, &c, &err), PL_INVALID);
    assert_names("variants", "has 0", "1 to 10");
    c.n_variants = 11;
    assert_int_equal(validate_config(&limits, &c, &err), PL_INVALID);
    assert_names("variants", "has 11", "1 to 10");
    c.n_variants = 2;
    v[0].max_concurrency = 150;
    v[1].max_concurrency = 51;
    assert_int_equal(validate_config(&limits, &c, &err), PL_INVALID);
    assert_names("variants", "201", "at most 200");
    v[1].max_concurrency = 50;
    assert_ok(validate_config(&limits, &c, &err));
    v[1].name = v[0].name;
    assert_int_equal(validate_config(&limits, &c, &err), PL_INVALID);
    assert_names("variants", "\"v0\"", "unique");
    v[1].name = names[1];
    v[1].model_name = TEXT("");
    assert_int_equal(validate_config(&limits, &c, &err), PL_INVALID);
    assert_names("variants[1].model_name", "is empty", "1 to 63");
}

static void test_weights(void **state)
{
    (void)state;
    static const double bad[] = { -1, -0.001, NAN, INFINITY, -INFINITY };
    Pilotlight__V1__EndpointConfig c = PILOTLIGHT__V1__ENDPOINT_CONFIG__INIT;
    Pilotlight__V1__ProductionVariant v[] = { good_variant("a", "m"), good_variant("b", "m") },
                                      *list[] = { &v[0], &v[1] };
    c.name = TEXT("c");
    c.variants = list;
    c.n_variants = 2;
    v[1].initial_weight_case = PILOTLIGHT__V1__PRODUCTION_VARIANT__INITIAL_WEIGHT_WEIGHT;
    v[1].weight = 0;
    assert_ok(validate_config(&limits, &c, &err)); /* the other one has 1 */
    for (size_t i = 0; i < PL_COUNT(bad); i++) {
        v[1].weight = bad[i];
        assert_int_equal(validate_config(&limits, &c, &err), PL_INVALID);
        assert_names("variants[1].weight", "weight is", "finite number, 0 or more");
    }
    v[1].weight = 0;
    v[0].initial_weight_case = PILOTLIGHT__V1__PRODUCTION_VARIANT__INITIAL_WEIGHT_WEIGHT;
    v[0].weight = 0;
    assert_int_equal(validate_config(&limits, &c, &err), PL_INVALID);
    assert_names("variants", "adds up to 0", "above 0");
    v[0].weight = 1;
    v[1].persistent = true;
    assert_int_equal(validate_config(&limits, &c, &err), PL_INVALID);
    assert_names("variants[1].persistent", "differs", "all must be persistent, or none");
    v[0].persistent = true;
    assert_ok(validate_config(&limits, &c, &err));
}

static void test_artifact_uris(void **state)
{
    (void)state;
    static const char *const good[] = {
        "file:///a",       "file:///models/m.tar.gz", "https://h/p",          "https://h.example:8443/a/b?c=d",
        "s3://bucket/key", "s3://b.c-d/a/b/c.tar.gz", "https://[::1]:9000/x", "file:///a..b/..c/d..",
        "http://h/p"
    };
    static const char *const bad[] = { "model.tar.gz",   "file://relative", "file:///",    "http://h",
                                       "https://h",      "https:///p",      "https://h/",  "s3://bucket",
                                       "s3://bucket/",   "s3:///key",       "ftp://h/p",   "https://user:secret@h/p",
                                       "file:///a/../b", "file:///a/..",    "file:///a b", "file:///a\nb",
                                       "FILE:///a" };
    for (size_t i = 0; i < PL_COUNT(good); i++) {
        Pilotlight__V1__Model m = good_model("m");
        m.artifact_uri = TEXT(good[i]);
        assert_ok(validate_model(&limits, &m, &err));
    }
    for (size_t i = 0; i < PL_COUNT(bad); i++) {
        Pilotlight__V1__Model m = good_model("m");
        m.artifact_uri = TEXT(bad[i]);
        if (validate_model(&limits, &m, &err) != PL_INVALID)
            fail_msg("%s was taken", bad[i]);
        assert_string_equal(err.field, "artifact_uri");
    }
    Pilotlight__V1__Model m = good_model("m");
    pl_cleanup(pl_free_p) char *path = repeat('p', 1024);
    memcpy(path, "file:///", 8);
    m.artifact_uri = path;
    assert_ok(validate_model(&limits, &m, &err));
    pl_cleanup(pl_free_p) char *longer = pl_format("%sp", path);
    m.artifact_uri = longer;
    assert_int_equal(validate_model(&limits, &m, &err), PL_INVALID);
    assert_names("artifact_uri", "has 1025 bytes", "1 to 1024");
}

static void test_other_fields_of_a_model(void **state)
{
    (void)state;
    Pilotlight__V1__Model m = good_model("m");
    assert_int_equal(validate_model(&limits, NULL, &err), PL_INVALID);
    assert_names("model", "missing", "");
    m.artifact_sha256 = TEXT(SHA_A);
    m.runtime = TEXT("xgboost");
    assert_ok(validate_model(&limits, &m, &err));
    m.artifact_sha256 = TEXT("AAAA");
    assert_int_equal(validate_model(&limits, &m, &err), PL_INVALID);
    assert_names("artifact_sha256", "AAAA", "64 lower-case hex digits");
    m.artifact_sha256 = TEXT("");
    m.runtime = TEXT("no such/thing");
    assert_int_equal(validate_model(&limits, &m, &err), PL_INVALID);
    assert_names("runtime", "no such/thing", "letters");
}

static void test_environment(void **state)
{
    (void)state;
    Pilotlight__V1__Model m = good_model("m");
    Pilotlight__V1__Model__EnvironmentEntry e[101], *list[101];
    char keys[101][16];
    for (int i = 0; i < 101; i++) {
        pilotlight__v1__model__environment_entry__init(&e[i]);
        (void)snprintf(keys[i], sizeof(keys[i]), "K_%d", i);
        e[i].key = keys[i];
        e[i].value = TEXT("any text: \xe2\x82\xac = ;");
        list[i] = &e[i];
    }
    m.environment = list;
    m.n_environment = 100;
    assert_ok(validate_model(&limits, &m, &err));
    m.n_environment = 101;
    assert_int_equal(validate_model(&limits, &m, &err), PL_INVALID);
    assert_names("environment", "has 101", "0 to 100 entries");
    m.n_environment = 2;
    e[1].key = TEXT("9K");
    assert_int_equal(validate_model(&limits, &m, &err), PL_INVALID);
    assert_names("environment key", "9K", "no digit first");
    e[1].key = keys[0];
    assert_int_equal(validate_model(&limits, &m, &err), PL_INVALID);
    assert_names("environment", "K_0", "unique");
    e[1].key = keys[1];
    pl_cleanup(pl_free_p) char *value = repeat('v', 1025);
    e[1].value = value;
    assert_int_equal(validate_model(&limits, &m, &err), PL_INVALID);
    assert_names("environment[K_1]", "has 1025 bytes", "0 to 1024");
}

static void test_annotations(void **state)
{
    (void)state;
    Pilotlight__V1__Model m = good_model("m");
    Pilotlight__V1__Model__AnnotationsEntry e = PILOTLIGHT__V1__MODEL__ANNOTATIONS_ENTRY__INIT, *list[] = { &e, &e };
    pl_cleanup(pl_free_p) char *value = repeat('v', 65536 - 3);
    e.key = TEXT("key");
    e.value = value;
    m.annotations = list;
    m.n_annotations = 1;
    assert_ok(validate_model(&limits, &m, &err));
    e.key = TEXT("keys");
    assert_int_equal(validate_model(&limits, &m, &err), PL_INVALID);
    assert_names("annotations", "65537", "0 to 65536 bytes");
    e.value = TEXT("");
    m.n_annotations = 2;
    assert_int_equal(validate_model(&limits, &m, &err), PL_INVALID);
    assert_names("annotations", "keys", "unique");
}

static void test_tags(void **state)
{
    (void)state;
    Pilotlight__V1__Tag t[51], *list[51];
    char keys[51][16];
    for (int i = 0; i < 51; i++) {
        pilotlight__v1__tag__init(&t[i]);
        (void)snprintf(keys[i], sizeof(keys[i]), "k%d", i);
        t[i].key = keys[i];
        list[i] = &t[i];
    }
    assert_ok(validate_tags(&limits, list, 50, &err));
    assert_int_equal(validate_tags(&limits, list, 51, &err), PL_INVALID);
    assert_names("tags", "has 51", "0 to 50 tags");
    t[1].key = TEXT("\xc3\xbc"
                    "ber: a_b.c/d=e+f-g@h 9");
    t[1].value = TEXT("\xe6\xa8\xa1\xe5\x9e\x8b");
    assert_ok(validate_tags(&limits, list, 2, &err));
    t[1].key = TEXT("a;b");
    assert_int_equal(validate_tags(&limits, list, 2, &err), PL_INVALID);
    assert_names("tags[1].key", "a;b", "letters");
    t[1].key = TEXT("a\xe2\x82\xac"); /* a currency sign is no letter */
    assert_int_equal(validate_tags(&limits, list, 2, &err), PL_INVALID);
    t[1].key = TEXT("");
    assert_int_equal(validate_tags(&limits, list, 2, &err), PL_INVALID);
    assert_names("tags[1].key", "empty", "1 to 128");
    t[1].key = keys[0];
    assert_int_equal(validate_tags(&limits, list, 2, &err), PL_INVALID);
    assert_names("tags", "k0", "unique");
    t[1].key = keys[1];
    pl_cleanup(pl_free_p) char *value = repeat('v', 257);
    t[1].value = value;
    assert_int_equal(validate_tags(&limits, list, 2, &err), PL_INVALID);
    assert_names("tags[1].value", "has 257 characters", "0 to 256");
    value[256] = '\0';
    assert_ok(validate_tags(&limits, list, 2, &err));
}

static void test_lists(void **state)
{
    (void)state;
    Pilotlight__V1__ListOptions o = PILOTLIGHT__V1__LIST_OPTIONS__INIT;
    assert_ok(validate_list(&limits, NULL, false, &err));
    assert_ok(validate_list(&limits, &o, false, &err));
    o.page_size = 1001;
    assert_int_equal(validate_list(&limits, &o, false, &err), PL_INVALID);
    assert_names("page_size", "1001", "1 to 1000");
    o.page_size = -1;
    assert_int_equal(validate_list(&limits, &o, false, &err), PL_INVALID);
    o.page_size = 1000;
    o.sort_by = PILOTLIGHT__V1__SORT_BY__SORT_BY_STATUS;
    assert_ok(validate_list(&limits, &o, true, &err));
    assert_int_equal(validate_list(&limits, &o, false, &err), PL_INVALID);
    assert_string_equal(err.field, "sort_by");
    o.sort_by = (Pilotlight__V1__SortBy)77;
    assert_int_equal(validate_list(&limits, &o, true, &err), PL_INVALID);
    assert_names("sort_by", "77", "SortBy");
    o.sort_by = PILOTLIGHT__V1__SORT_BY__SORT_BY_NAME;
    o.created_before_unix_ms = -5;
    assert_int_equal(validate_list(&limits, &o, true, &err), PL_INVALID);
    assert_names("created_before_unix_ms", "-5", "0 or more");
    o.created_before_unix_ms = 0;
    pl_cleanup(pl_free_p) char *part = repeat('x', 64);
    o.name_contains = part;
    assert_int_equal(validate_list(&limits, &o, true, &err), PL_INVALID);
    assert_names("name_contains", "has 64", "0 to 63");
    assert_int_equal(validate_status((Pilotlight__V1__EndpointStatus)9, &err), PL_INVALID);
    assert_names("status", "9", "EndpointStatus");
}

static void test_request_ids(void **state)
{
    (void)state;
    pl_cleanup(pl_free_p) char *id = repeat('~', 65);
    assert_int_equal(validate_request_id(&limits, id, &err), PL_INVALID);
    assert_names("request_id", "has 65", "0 to 64");
    id[64] = '\0';
    assert_ok(validate_request_id(&limits, id, &err));
    assert_ok(validate_request_id(&limits, "", &err));
    assert_int_equal(validate_request_id(&limits, "a\tb", &err), PL_INVALID);
    assert_names("request_id", "", "printable");
}

static void test_heartbeats(void **state)
{
    (void)state;
    Pilotlight__Internal__V1__HeartbeatRequest r = PILOTLIGHT__INTERNAL__V1__HEARTBEAT_REQUEST__INIT;
    Pilotlight__Internal__V1__WorkerHost h = PILOTLIGHT__INTERNAL__V1__WORKER_HOST__INIT;
    assert_int_equal(validate_heartbeat(&limits, &r, &err), PL_INVALID);
    assert_string_equal(err.field, "host");
    r.host = &h;
    h.id = TEXT("worker-0.pods_x");
    h.address = TEXT("unix:/run/w.sock");
    r.host_epoch = 1;
    assert_ok(validate_heartbeat(&limits, &r, &err));
    r.host_epoch = 0;
    assert_int_equal(validate_heartbeat(&limits, &r, &err), PL_INVALID);
    assert_string_equal(err.field, "host_epoch");
    r.host_epoch = 1;
    h.id = TEXT("a b");
    assert_int_equal(validate_heartbeat(&limits, &r, &err), PL_INVALID);
    assert_names("host.id", "a b", "letters");
    h.id = TEXT("w");
    h.address = TEXT("");
    assert_int_equal(validate_heartbeat(&limits, &r, &err), PL_INVALID);
    assert_string_equal(err.field, "host.address");
}

/* An operator's value moves the check and its text alike. */
static void test_limits_are_settings(void **state)
{
    (void)state;
    struct limits mine = limits;
    Pilotlight__V1__EndpointConfig c = PILOTLIGHT__V1__ENDPOINT_CONFIG__INIT;
    Pilotlight__V1__ProductionVariant v = good_variant("main", "m"), *list[] = { &v };
    c.name = TEXT("c");
    c.variants = list;
    c.n_variants = 1;
    v.memory_size_mb = 8192;
    assert_int_equal(validate_config(&limits, &c, &err), PL_INVALID);
    mine.row[LIMIT_memory_size_mb].max = 10240;
    assert_ok(validate_config(&mine, &c, &err));
    v.memory_size_mb = 11264;
    assert_int_equal(validate_config(&mine, &c, &err), PL_INVALID);
    assert_names("variants[0].memory_size_mb", "11264", "1024 to 10240 MB");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_numbers_of_a_variant),
        cmocka_unit_test(test_numbers_on_the_limits),
        cmocka_unit_test(test_variants_together),
        cmocka_unit_test(test_weights),
        cmocka_unit_test(test_artifact_uris),
        cmocka_unit_test(test_other_fields_of_a_model),
        cmocka_unit_test(test_environment),
        cmocka_unit_test(test_annotations),
        cmocka_unit_test(test_tags),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_request_ids),
        cmocka_unit_test(test_heartbeats),
        cmocka_unit_test(test_limits_are_settings),
    };
    limits_init(&limits);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
