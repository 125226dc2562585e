/* The settings: the defaults are those of the limits table, values reach the limits, and what cannot be is refused by
 * name. */
#include "fixtures.h"

#include "control_config.h"
#include "limit.h"

static struct pl_err err;

static enum pl_code load(struct control_config *c, const char *yaml)
{
    memset(c, 0, sizeof(*c));
    if (config_load(control_config_rows, c, "test.yaml", yaml, strlen(yaml), NULL, &err) != PL_OK)
        return err.code;
    if (control_config_check(c, &err) == PL_OK)
        return PL_OK;
    config_done(control_config_rows, c);
    return err.code;
}

static void test_defaults_are_the_table(void **state)
{
    struct control_config c;
    struct limits table, used;
    (void)state;
    assert_ok(load(&c, ""));
    limits_init(&table);
    control_config_limits(&c, &used);
    for (int i = 0; i < LIMIT_COUNT; i++) {
        assert_int_equal(used.row[i].max, table.row[i].max);
        assert_int_equal(used.row[i].min, table.row[i].min);
    }
    assert_int_equal(c.lease_ms, 15000);
    assert_int_equal(c.prepare_timeout_ms, 180000);
    assert_string_equal(c.base.listen.items[0], "127.0.0.1:8082");
    config_done(control_config_rows, &c);
}

static void test_values_reach_the_limits(void **state)
{
    struct control_config c;
    struct limits used;
    (void)state;
    assert_ok(
        load(&c, "limits:\n  endpoints: 7\n  memory_size_mb: 10240\n  max_concurrency: 500\n  invoke_timeout: 2m\n"));
    control_config_limits(&c, &used);
    assert_int_equal(used.row[LIMIT_endpoints].max, 7);
    assert_int_equal(used.row[LIMIT_memory_size_mb].max, 10240);
    assert_int_equal(used.row[LIMIT_provisioned_concurrency].max, 500);
    assert_int_equal(used.row[LIMIT_invoke_timeout_ms].max, 120000);
    config_done(control_config_rows, &c);
}

static void test_what_cannot_be(void **state)
{
    static const struct {
        const char *yaml, *names;
    } rows[] = {
        { "limits:\n  memory_size_mb: 1500\n", "limits.memory_size_mb" },
        { "limits:\n  endpoints: 0\n", "limits.endpoints" },
        { "database: \"\"\n", "database" },
        { "worker_tls:\n  cert_file: /a.pem\n", "worker_tls" },
        { "lease: 1ms\n", "lease" },
        { "leese: 10s\n", "lease" },
    };
    (void)state;
    for (size_t i = 0; i < PL_COUNT(rows); i++) {
        struct control_config c;
        assert_int_equal(load(&c, rows[i].yaml), PL_INVALID);
        if (!strstr(err.message, rows[i].names))
            fail_msg("\"%s\" does not name %s", err.message, rows[i].names);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults_are_the_table),
        cmocka_unit_test(test_values_reach_the_limits),
        cmocka_unit_test(test_what_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
