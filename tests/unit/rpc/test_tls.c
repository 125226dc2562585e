#include "rig.h"

#include "base/cleanup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct rig rig;
static char ca[128], cert[128], key[128], other[128];

/* A certificate authority, a certificate for localhost signed by it (used by both sides), and a foreign authority. */
static const char make_certificates[] =
    "cd '%s' && exec >/dev/null 2>&1 && set -e\n"
    "openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=test-ca\n"
    "openssl req -x509 -newkey rsa:2048 -nodes -keyout o.key -out other.pem -days 2 -subj /CN=other-ca\n"
    "openssl req -newkey rsa:2048 -nodes -keyout key.pem -out r.csr -subj /CN=localhost\n"
    "echo subjectAltName=DNS:localhost,DNS:rig.test >ext\n"
    "openssl x509 -req -in r.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile ext -out cert.pem\n";

static int up(void **state)
{
    char command[2048];
    *state = &rig;
    rig_up(&rig);
    snprintf(command, sizeof(command), make_certificates, rig.dir);
    assert_int_equal(system(command), 0);
    snprintf(ca, sizeof(ca), "%s/ca.pem", rig.dir);
    snprintf(cert, sizeof(cert), "%s/cert.pem", rig.dir);
    snprintf(key, sizeof(key), "%s/key.pem", rig.dir);
    snprintf(other, sizeof(other), "%s/other.pem", rig.dir);
    return 0;
}

static int down(void **state)
{
    rig_down(*state);
    return 0;
}

static void serve(struct rig *g, const char *client_ca)
{
    const char *addresses[] = { "127.0.0.1:0" };
    struct rpc_server_options o = { .listen = addresses, .listen_count = 1 };
    o.tls = (struct rpc_tls){ .cert_file = cert, .key_file = key, .ca_file = client_ca };
    rig_serve_with(g, &o);
}

static enum pl_code call(struct rig *g, struct rpc_tls tls, struct pl_err *err)
{
    struct rpc_bytes *reply = NULL;
    rig_connect(g, &(struct rpc_channel_options){ .tls = tls });
    enum pl_code code = rig_call(g, ECHO, "secret", 6, &reply, err);
    rpc_bytes_unref(reply);
    rig_enter(g);
    rpc_channel_free(pl_take(g->channel));
    rig_leave(g);
    return code;
}

static void test_tls(void **state)
{
    struct rig *g = *state;
    struct pl_err err;
    serve(g, NULL);
    assert_int_equal(call(g, (struct rpc_tls){ .ca_file = ca, .server_name = "rig.test" }, &err), PL_OK);
    assert_int_equal(call(g, (struct rpc_tls){ .ca_file = ca, .server_name = "wrong.test" }, &err), PL_UNAVAILABLE);
    assert_int_equal(call(g, (struct rpc_tls){ .ca_file = other, .server_name = "rig.test" }, &err), PL_UNAVAILABLE);
    assert_int_equal(call(g, (struct rpc_tls){ 0 }, &err), PL_UNAVAILABLE); /* plaintext */
    assert_int_equal(call(g, (struct rpc_tls){ .ca_file = "/nowhere/ca.pem" }, &err), PL_PRECONDITION);
    assert_non_null(strstr(err.message, "/nowhere/ca.pem"));
}

static void test_mutual_tls(void **state)
{
    struct rig *g = *state;
    struct pl_err err;
    serve(g, ca);
    struct rpc_tls with = { .cert_file = cert, .key_file = key, .ca_file = ca, .server_name = "localhost" };
    struct rpc_tls without = { .ca_file = ca, .server_name = "localhost" };
    assert_int_equal(call(g, with, &err), PL_OK);
    assert_int_equal(call(g, without, &err), PL_UNAVAILABLE);
}

static void test_unusable_files(void **state)
{
    struct rig *g = *state;
    const char *addresses[] = { "127.0.0.1:0" };
    struct rpc_server *s = NULL;
    static const struct {
        const char *cert, *key, *field;
    } bad[] = { { cert, "", "tls.key_file" }, { "", key, "tls.cert_file" }, { cert, "/dev/null", "tls.key_file" } };
    for (size_t i = 0; i < PL_COUNT(bad); i++) {
        struct pl_err err;
        struct rpc_server_options o = { .listen = addresses, .listen_count = 1 };
        o.tls = (struct rpc_tls){ .cert_file = bad[i].cert, .key_file = bad[i].key };
        rig_enter(g);
        assert_int_equal(rpc_server_start(&s, g->rpc, &o, &err), PL_INVALID);
        rig_leave(g);
        assert_string_equal(err.field, bad[i].field);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_tls, up, down),
        cmocka_unit_test_setup_teardown(test_mutual_tls, up, down),
        cmocka_unit_test_setup_teardown(test_unusable_files, up, down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
