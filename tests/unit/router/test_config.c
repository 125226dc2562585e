/* The settings: defaults, what cannot be, and a print that means the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "router_config.h"

#include <string.h>

static struct pl_err err;

static enum pl_code load(struct router_config *c, const char *yaml)
{
    memset(c, 0, sizeof(*c));
    if (config_load(router_config_rows, c, "test.yaml", yaml, strlen(yaml), NULL, &err) != PL_OK)
        return err.code;
    if (router_config_check(c, &err) == PL_OK)
        return PL_OK;
    config_done(router_config_rows, c);
    return err.code;
}

static void defaults(void **state)
{
    struct router_config c;
    struct rpc_tls tls;

    (void)state;
    assert_int_equal(load(&c, ""), PL_OK);
    assert_string_equal(c.base.listen.items[0], "127.0.0.1:8081");
    assert_string_equal(c.control, "127.0.0.1:8082");
    assert_true(c.keep_alive_ms == 600000 && c.capacity_wait_ms == 5000);
    tls = router_config_tls(&c.worker_tls);
    assert_true(!tls.ca_file && !tls.cert_file && !tls.key_file && !tls.server_name);
    config_done(router_config_rows, &c);
}

static void what_cannot_be(void **state)
{
    static const struct {
        const char *yaml, *field;
    } rows[] = {
        { "control: \"\"\n", "control" },
        { "router_id: a_b\n", "router_id" },
        { "router_id: \"-\"\n", "router_id" },
        { "keep_alive: 8d\n", "keep_alive" },
        { "capacity_wait: -1s\n", "capacity_wait" },
        { "control_tls:\n  cert_file: x\n", "control_tls.key_file" },
        { "worker_tls:\n  key_file: x\n", "worker_tls.key_file" },
    };
    struct router_config c;

    (void)state;
    for (size_t i = 0; i < PL_COUNT(rows); i++) {
        assert_int_equal(load(&c, rows[i].yaml), PL_INVALID);
        assert_string_equal(err.field, rows[i].field);
        assert_non_null(strstr(err.message, rows[i].field));
    }
}

static void print_means_the_same(void **state)
{
    pl_cleanup(pl_buf_done) struct pl_buf first = PL_BUF_INIT(0), second = PL_BUF_INIT(0);
    struct router_config c;

    (void)state;
    assert_int_equal(load(&c, "router_id: r-1\nkeep_alive: 90s\ncontrol: unix:/run/c.sock\nlisten: [\"[::1]:1\", "
                              "\"unix:/run/r.sock\"]\nworker_tls:\n  ca_file: /ca.pem\n  server_name: w\n"),
                     PL_OK);
    assert_string_equal(router_config_tls(&c.worker_tls).ca_file, "/ca.pem");
    config_print(router_config_rows, &c, &first);
    config_done(router_config_rows, &c);
    assert_int_equal(load(&c, first.data), PL_OK);
    config_print(router_config_rows, &c, &second);
    config_done(router_config_rows, &c);
    assert_string_equal(first.data, second.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(what_cannot_be),
        cmocka_unit_test(print_means_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
