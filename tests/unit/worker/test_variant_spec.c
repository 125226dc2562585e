/* Every limit of a VariantSpec, named with its field and value. */
#include "variant_spec.h"
#include "runtimes.h"
#include "settings.h"
#include "unit_test.h"

#include "pilotlight/internal/v1/worker.pb-c.h"

#define TEXT(s) ((char *)(uintptr_t)(s))
#define SHA     "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

typedef Pilotlight__Internal__V1__VariantSpec spec_t;
typedef Pilotlight__Internal__V1__VariantSpec__EnvironmentEntry entry_t;

static struct runtimes *offered; /* xgboost alone */

static int offer(void **state)
{
    const struct worker_config none = { 0 };
    struct pl_err err;

    (void)state;
    return runtimes_new(&offered, &none, "/usr/bin/pilotlight-runner", &err) == PL_OK ? 0 : -1;
}

static int offer_no_more(void **state)
{
    (void)state;
    runtimes_free(offered);
    return 0;
}

static spec_t good(void)
{
    spec_t s = PILOTLIGHT__INTERNAL__V1__VARIANT_SPEC__INIT;

    s.endpoint_name = TEXT("fraud");
    s.variant_name = TEXT("main");
    s.artifact_uri = TEXT("file:///models/a.tar.gz");
    s.artifact_sha256 = TEXT(SHA);
    s.runtime = TEXT("xgboost");
    s.memory_size_mb = 1024;
    s.start_timeout_ms = 180000;
    return s;
}

static void refused(const spec_t *s, bool pinned, const char *field, const char *part)
{
    struct pl_err err;

    assert_int_equal(variant_spec_check(s, pinned, offered, &err), PL_INVALID);
    assert_string_equal(err.field, field);
    assert_text(err.message, part);
}

static void a_good_one(void **state)
{
    spec_t s = good();
    struct pl_err err;

    (void)state;
    assert_ok(variant_spec_check(&s, true, offered, &err), err);
    s.artifact_sha256 = TEXT("");
    assert_ok(variant_spec_check(&s, false, offered, &err), err);
    refused(&s, true, "spec.artifact_sha256", "64 lower-case hex digits");
    refused(NULL, false, "spec", "missing");
}

static void names(void **state)
{
    static char name[65];
    spec_t s = good();
    struct pl_err err;

    (void)state;
    memset(name, 'n', 63);
    s.endpoint_name = name;
    assert_ok(variant_spec_check(&s, true, offered, &err), err);
    name[63] = 'n';
    refused(&s, true, "spec.endpoint_name", "64 bytes long; 1 to 63");
    s = good();
    s.variant_name = TEXT("");
    refused(&s, true, "spec.variant_name", "0 bytes long");
}

static void numbers(void **state)
{
    static const int wrong[] = { 0, -1, INT32_MIN, INT32_MAX };

    (void)state;
    for (size_t i = 0; i < PL_COUNT(wrong); i++) {
        spec_t s = good();

        s.memory_size_mb = wrong[i];
        refused(&s, true, "spec.memory_size_mb", "1 to 1048576");
        s = good();
        s.start_timeout_ms = wrong[i];
        refused(&s, true, "spec.start_timeout_ms", "1 to 3600000");
    }
}

static void artifacts(void **state)
{
    static const char *const digests[] = { "abc", SHA "0",
                                           "0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef",
                                           "../../../../etc/passwd0000000000000000000000000000000000000000000" };
    spec_t s = good();

    (void)state;
    s.artifact_uri = TEXT("gopher://models");
    refused(&s, true, "artifact_uri", "gopher");
    for (size_t i = 0; i < PL_COUNT(digests); i++) {
        s = good();
        s.artifact_sha256 = TEXT(digests[i]);
        refused(&s, false, "spec.artifact_sha256", "is not 64");
    }
    s = good();
    s.runtime = TEXT("cobol");
    refused(&s, true, "spec.runtime", "'cobol' is not offered");
}

static void environment(void **state)
{
    static char long_value[65536];
    static entry_t entries[257];
    entry_t *list[257];
    spec_t s = good();
    struct pl_err err;

    (void)state;
    for (size_t i = 0; i < PL_COUNT(list); i++) {
        entries[i] = (entry_t)PILOTLIGHT__INTERNAL__V1__VARIANT_SPEC__ENVIRONMENT_ENTRY__INIT;
        entries[i].key = TEXT("K");
        entries[i].value = TEXT("v");
        list[i] = &entries[i];
    }
    s.environment = list;
    s.n_environment = 256;
    assert_ok(variant_spec_check(&s, true, offered, &err), err);
    s.n_environment = 257;
    refused(&s, true, "spec.environment", "257 entries; at most 256");
    s.n_environment = 1;
    memset(long_value, 'v', sizeof(long_value) - 1);
    entries[0].value = long_value;
    assert_ok(variant_spec_check(&s, true, offered, &err), err);
    entries[0].key = TEXT("KK");
    refused(&s, true, "spec.environment", "65537 bytes; at most 65536");
}

int main(void)
{
    const struct CMUnitTest tests[] = { T(a_good_one), T(names), T(numbers), T(artifacts), T(environment) };

    return cmocka_run_group_tests(tests, offer, offer_no_more);
}
