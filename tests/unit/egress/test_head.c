/* Heads of requests to the proxy: what is read of them, what is refused, and what goes on to the server. */
#include "egress/head.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static enum egress_progress read_head(struct egress_head *h, const char *text)
{
    size_t n = strlen(text);
    char *exact = malloc(n + 1); /* a sanitizer sees what is read behind it */
    enum egress_progress p;

    assert_non_null(exact);
    memcpy(exact, text, n);
    exact = realloc(exact, n > 0 ? n : 1);
    assert_non_null(exact);
    p = egress_head_read(h, exact, n);
    free(exact);
    return p;
}

static void tunnels(void **state)
{
    struct egress_head h;

    (void)state;
    assert_int_equal(read_head(&h, "CONNECT API.Example.com:443 HTTP/1.1\r\nHost: x\r\n\r\nrest"), EGRESS_GOOD);
    assert_true(h.tunnel);
    assert_string_equal(h.host, "api.example.com");
    assert_int_equal(h.port, 443);
    assert_int_equal(h.size, strlen("CONNECT API.Example.com:443 HTTP/1.1\r\nHost: x\r\n\r\n"));
    assert_int_equal(read_head(&h, "CONNECT [2001:db8::1]:8443 HTTP/1.0\r\n\r\n"), EGRESS_GOOD);
    assert_string_equal(h.host, "2001:db8::1");
    assert_int_equal(h.port, 8443);
}

static void grows(void **state)
{
    static const char whole[] = "GET http://h/ HTTP/1.1\r\nA: b\r\n\r\n";
    struct egress_head h;

    (void)state;
    for (size_t n = 0; n < sizeof(whole) - 1; n++)
        assert_int_equal(egress_head_read(&h, whole, n), EGRESS_MORE);
    assert_int_equal(egress_head_read(&h, whole, sizeof(whole) - 1), EGRESS_GOOD);
}

static void forwards(void **state)
{
    static const struct {
        const char *in, *host, *out;
        int port;
        int64_t body;
    } cases[] = {
        { "GET http://Host.example/a?b=c HTTP/1.1\r\nHost: other\r\nX: y\r\n\r\n", "host.example",
          "GET /a?b=c HTTP/1.1\r\nHost: Host.example\r\nX: y\r\nConnection: close\r\n\r\n", 80, 0 },
        { "GET http://h HTTP/1.0\r\n\r\n", "h", "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", 80, 0 },
        { "GET HTTP://h:8080?q#f HTTP/1.1\r\n\r\n", "h",
          "GET /?q HTTP/1.1\r\nHost: h:8080\r\nConnection: close\r\n\r\n", 8080, 0 },
        { "POST http://[::1]:81/p HTTP/1.1\r\ncontent-length:  7 \r\nProxy-Authorization: s\r\nConnection: "
          "keep-alive\r\n"
          "Proxy-Connection: x\r\nKeep-Alive: 3\r\nUpgrade: h2c\r\nTE: trailers\r\n\r\n",
          "::1", "POST /p HTTP/1.1\r\nHost: [::1]:81\r\ncontent-length:  7 \r\nConnection: close\r\n\r\n", 81, 7 },
        { "PUT http://h/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", "h",
          "PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n", 80,
          EGRESS_BODY_OPEN },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char out[1024];
        struct egress_head h;
        size_t n;

        assert_int_equal(egress_head_read(&h, cases[i].in, strlen(cases[i].in)), EGRESS_GOOD);
        assert_false(h.tunnel);
        assert_string_equal(h.host, cases[i].host);
        assert_int_equal(h.port, cases[i].port);
        assert_true(h.body == cases[i].body);
        n = egress_head_forward(&h, cases[i].in, out, sizeof(out));
        out[n] = '\0';
        assert_string_equal(out, cases[i].out);
        assert_int_equal(egress_head_forward(&h, cases[i].in, out, h.size), 0); /* too small to be sure */
    }
}

static void what_is_refused(void **state)
{
    static const struct {
        const char *in;
        int status;
    } cases[] = {
        { "GET / HTTP/1.1\r\n\r\n", 400 },
        { "GET ftp://h/ HTTP/1.1\r\n\r\n", 400 },
        { "GET https://h/ HTTP/1.1\r\n\r\n", 501 },
        { "GET http:// HTTP/1.1\r\n\r\n", 400 },
        { "GET http://u:p@h/ HTTP/1.1\r\n\r\n", 400 },
        { "GET http://h:0/ HTTP/1.1\r\n\r\n", 400 },
        { "GET http://h:65536/ HTTP/1.1\r\n\r\n", 400 },
        { "GET http://h:/ HTTP/1.1\r\n\r\n", 400 },
        { "GET http://h\\x/ HTTP/1.1\r\n\r\n", 400 },
        { "CONNECT h HTTP/1.1\r\n\r\n", 400 },
        { "CONNECT :443 HTTP/1.1\r\n\r\n", 400 },
        { "CONNECT h:443/x HTTP/1.1\r\n\r\n", 400 },
        { "GET http://h/ HTTP/2\r\n\r\n", 505 },
        { "GET  http://h/ HTTP/1.1\r\n\r\n", 400 },
        { "GET http://h/ a HTTP/1.1\r\n\r\n", 400 },
        { "G(T http://h/ HTTP/1.1\r\n\r\n", 400 },
        { "GET\r\n\r\n", 400 },
        { "\r\n\r\n", 400 },
        { "GET http://h/ HTTP/1.1\nA: b\n\n", 400 },
        { "GET http://h/ HTTP/1.1\rA", 400 },
        { "GET http://h/\x01 HTTP/1.1\r\n\r\n", 400 },
        { "GET http://h/ HTTP/1.1\r\nno field\r\n\r\n", 400 },
        { "GET http://h/ HTTP/1.1\r\nA: b\r\n folded\r\n\r\n", 400 },
        { "GET http://h/ HTTP/1.1\r\nA : b\r\n\r\n", 400 },
        { "GET http://h/ HTTP/1.1\r\n: b\r\n\r\n", 400 },
        { "GET http://h/ HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", 400 },
        { "GET http://h/ HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400 },
        { "GET http://h/ HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n", 400 },
        { "GET http://h/ HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400 },
    };
    struct egress_head h;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (read_head(&h, cases[i].in) != EGRESS_BAD || h.status != cases[i].status || !h.wrong)
            fail_msg("%s: %d", cases[i].in, h.status);
    }
}

static void nul_bytes(void **state)
{
    static const char head[] = "GET http://h/\0 HTTP/1.1\r\n\r\n";
    struct egress_head h;

    (void)state;
    assert_int_equal(egress_head_read(&h, head, sizeof(head) - 1), EGRESS_BAD);
}

static void heads_are_limited(void **state)
{
    char head[EGRESS_HEAD_MAX + 8];
    struct egress_head h;

    (void)state;
    memset(head, 'a', sizeof(head));
    memcpy(head, "GET http://h/", 13);
    assert_int_equal(egress_head_read(&h, head, EGRESS_HEAD_MAX - 1), EGRESS_MORE);
    assert_int_equal(egress_head_read(&h, head, EGRESS_HEAD_MAX), EGRESS_BAD);
    assert_int_equal(h.status, 431);
    memcpy(head + EGRESS_HEAD_MAX - 13, " HTTP/1.1\r\n\r\n", 13);
    assert_int_equal(egress_head_read(&h, head, EGRESS_HEAD_MAX), EGRESS_GOOD);
    assert_int_equal(egress_head_read(&h, head, sizeof(head)), EGRESS_GOOD); /* what follows is no head */
    memmove(head + 20, head, EGRESS_HEAD_MAX - 20);
    memcpy(head, "GET http://h/", 13);
    memcpy(head + EGRESS_HEAD_MAX - 12, " HTTP/1.1\r\n\r\n", 13);
    assert_int_equal(egress_head_read(&h, head, EGRESS_HEAD_MAX + 1), EGRESS_BAD);
    assert_int_equal(h.status, 431);
}

static void host_names_are_limited(void **state)
{
    char head[400];
    struct egress_head h;

    (void)state;
    (void)snprintf(head, sizeof(head), "CONNECT %0253d:1 HTTP/1.1\r\n\r\n", 7);
    assert_int_equal(read_head(&h, head), EGRESS_GOOD);
    (void)snprintf(head, sizeof(head), "CONNECT %0254d:1 HTTP/1.1\r\n\r\n", 7);
    assert_int_equal(read_head(&h, head), EGRESS_BAD);
    assert_int_equal(read_head(&h, "CONNECT example.com.:1 HTTP/1.1\r\n\r\n"), EGRESS_GOOD);
    assert_string_equal(h.host, "example.com");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tunnels),
        cmocka_unit_test(grows),
        cmocka_unit_test(forwards),
        cmocka_unit_test(what_is_refused),
        cmocka_unit_test(nul_bytes),
        cmocka_unit_test(heads_are_limited),
        cmocka_unit_test(host_names_are_limited),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
