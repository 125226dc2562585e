#include "http_answer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BODY_LIMIT 100

/* The whole text in pieces of 'step' bytes. */
static enum http_progress feed(struct http_answer *a, struct pl_buf *body, const char *text, size_t step)
{
    size_t n = strlen(text);
    enum http_progress p = HTTP_MORE;

    pl_buf_clear(body);
    body->failed = false;
    http_answer_init(a, body);
    for (size_t at = 0; at < n && p == HTTP_MORE; at += step)
        p = http_answer_take(a, text + at, n - at < step ? n - at : step);
    return p;
}

static void assert_read(const char *text, int status, const char *expected, const char *type, bool keep_alive)
{
    pl_cleanup(pl_buf_done) struct pl_buf body = PL_BUF_INIT(BODY_LIMIT);
    struct http_answer *a = malloc(sizeof(*a));

    for (size_t step = 1; step <= strlen(text); step++) {
        enum http_progress p = feed(a, &body, text, step);

        if (p == HTTP_MORE)
            p = http_answer_end(a);
        if (p != HTTP_DONE)
            fail_msg("'%s' in pieces of %zu: %s", text, step, a->wrong);
        assert_int_equal(a->status, status);
        assert_int_equal(body.len, strlen(expected));
        assert_memory_equal(body.data ? body.data : "", expected, body.len);
        assert_string_equal(a->content_type, type);
        assert_int_equal(a->keep_alive, keep_alive);
    }
    free(a);
}

static void answers_are_read(void **state)
{
    (void)state;
    assert_read("HTTP/1.1 200 OK\r\nContent-Type: text/csv\r\nContent-Length: 4\r\n\r\n1,2\n", 200, "1,2\n", "text/csv",
                true);
    assert_read("HTTP/1.1 200 OK\nContent-Length: 2\n\nok", 200, "ok", "", true);
    assert_read("HTTP/1.1 200\r\nCONTENT-length:   0  \r\n\r\n", 200, "", "", true);
    assert_read("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, "ok", "", false);
    assert_read("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok", 200, "ok", "", true);
    assert_read("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", 200, "ok", "", false);
    assert_read("HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nno", 404, "no", "", true);
    assert_read("HTTP/1.1 204 No Content\r\n\r\n", 204, "", "", true);
    assert_read("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, "ok", "", true);
}

static void chunks_are_read(void **state)
{
    (void)state;
    assert_read("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n", 200,
                "abcde", "", true);
    assert_read("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0A\r\n0123456789\r\n0\r\nTrailer: 1\r\n\r\n", 200,
                "0123456789", "", true);
    /* Both lengths: the chunks count, and the connection is not trusted any more. */
    assert_read("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 9\r\n\r\n1\r\na\r\n0\r\n\r\n", 200,
                "a", "", false);
}

static void a_body_may_end_with_the_connection(void **state)
{
    (void)state;
    assert_read("HTTP/1.1 200 OK\r\nContent-Type: a/b\r\n\r\nall of it", 200, "all of it", "a/b", false);
    assert_read("HTTP/1.1 200 OK\r\n\r\n", 200, "", "", false);
}

static void bytes_behind_an_answer_spoil_the_connection(void **state)
{
    pl_cleanup(pl_buf_done) struct pl_buf body = PL_BUF_INIT(BODY_LIMIT);
    struct http_answer *a = malloc(sizeof(*a));

    (void)state;
    assert_int_equal(feed(a, &body, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nabc", 1000), HTTP_DONE);
    assert_int_equal(body.len, 1);
    assert_false(a->keep_alive);
    free(a);
}

static void custom_attributes_are_kept(void **state)
{
    pl_cleanup(pl_buf_done) struct pl_buf body = PL_BUF_INIT(BODY_LIMIT);
    struct http_answer *a = malloc(sizeof(*a));

    (void)state;
    assert_int_equal(
        feed(a, &body, "HTTP/1.1 200 OK\r\nx-amzn-sagemaker-custom-attributes: a=b; c\r\nContent-Length: 0\r\n\r\n", 7),
        HTTP_DONE);
    assert_string_equal(a->custom_attributes, "a=b; c");
    free(a);
}

static void what_is_no_answer_is_refused(void **state)
{
    static const struct {
        const char *text, *why;
    } cases[] = {
        { "", "without an answer" },
        { "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc", "in the middle" },
        { "HTTP/1.1 200 OK\r\nContent-Le", "in the middle" },
        { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", "in the middle" },
        { "SSH-2.0-OpenSSH\r\n", "status line" },
        { "HTTP/2 200\r\n", "status line" },
        { "HTTP/1.1 20 OK\r\n", "three digits" },
        { "HTTP/1.1 2000 OK\r\n", "three digits" },
        { "HTTP/1.1 099 OK\r\n", "three digits" },
        { "HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "name: value" },
        { "HTTP/1.1 200 OK\r\n: x\r\n\r\n", "name: value" },
        { "HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\n", "name: value" },
        { "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "Content-Length" },
        { "HTTP/1.1 200 OK\r\nContent-Length: 1x\r\n\r\n", "Content-Length" },
        { "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n", "Content-Length" },
        { "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n", "Content-Length" },
        { "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "Content-Length" },
        { "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "Transfer-Encoding" },
        { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", "no size" },
        { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n", "longer than it says" },
        { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n", "too large" },
        { "HTTP/1.1 200 OK\r\nContent-Type: caf\xc3\xa9\r\n\r\n", "Content-Type" },
    };
    pl_cleanup(pl_buf_done) struct pl_buf body = PL_BUF_INIT(BODY_LIMIT);
    struct http_answer *a = malloc(sizeof(*a));

    (void)state;
    for (size_t i = 0; i < PL_COUNT(cases); i++) {
        enum http_progress p = feed(a, &body, cases[i].text, 3);

        if (p == HTTP_MORE)
            p = http_answer_end(a);
        if (p != HTTP_BAD || !strstr(a->wrong, cases[i].why))
            fail_msg("'%s': %d %s", cases[i].text, (int)p, p == HTTP_BAD ? a->wrong : "");
        assert_false(a->keep_alive);
    }
    free(a);
}

static void sizes_have_limits(void **state)
{
    pl_cleanup(pl_buf_done) struct pl_buf body = PL_BUF_INIT(BODY_LIMIT);
    pl_cleanup(pl_buf_done) struct pl_buf text = PL_BUF_INIT(1 << 20);
    struct http_answer *a = malloc(sizeof(*a));

    (void)state;
    assert_int_equal(feed(a, &body, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", 64), HTTP_MORE);
    (void)pl_buf_adds(&text, "HTTP/1.1 200 OK\r\n\r\n");
    for (int i = 0; i < BODY_LIMIT + 1; i++)
        (void)pl_buf_addc(&text, 'x');
    assert_int_equal(feed(a, &body, text.data, 64), HTTP_BAD);
    assert_non_null(strstr(a->wrong, "payload limit"));

    pl_buf_clear(&text);
    (void)pl_buf_adds(&text, "HTTP/1.1 200 OK\r\nX: ");
    for (size_t i = 0; i < HTTP_LINE_MAX; i++)
        (void)pl_buf_addc(&text, 'x');
    assert_int_equal(feed(a, &body, text.data, 4096), HTTP_BAD);
    assert_non_null(strstr(a->wrong, "too long"));

    pl_buf_clear(&text);
    (void)pl_buf_adds(&text, "HTTP/1.1 200 OK\r\n");
    while (text.len < HTTP_HEADERS_MAX + 100)
        (void)pl_buf_adds(&text, "Set-Cookie: some value that is not long\r\n");
    assert_int_equal(feed(a, &body, text.data, 4096), HTTP_BAD);
    assert_non_null(strstr(a->wrong, "too long"));
    free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_read),
        cmocka_unit_test(chunks_are_read),
        cmocka_unit_test(a_body_may_end_with_the_connection),
        cmocka_unit_test(bytes_behind_an_answer_spoil_the_connection),
        cmocka_unit_test(custom_attributes_are_kept),
        cmocka_unit_test(what_is_no_answer_is_refused),
        cmocka_unit_test(sizes_have_limits),
    };

    return cmocka_run_group_tests_name("runner/http_answer", tests, NULL, NULL);
}
