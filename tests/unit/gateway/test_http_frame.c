#include "http_frame.h"
#include "rig.h"

#include <string.h>

#define HOST                                                                                                           \
    {                                                                                                                  \
        "Host", "x"                                                                                                    \
    }

static void good_frames(void **state)
{
    static const struct {
        const char *version;
        struct http_header headers[4];
        int64_t length;
        bool expects;
    } cases[] = { { "HTTP/1.1", { HOST }, 0, false },
                  { "HTTP/1.0", { { 0 } }, 0, false },
                  { "HTTP/1.1", { HOST, { "content-length", "5" } }, 5, false },
                  { "HTTP/1.1", { HOST, { "Content-Length", "9223372036854775807" } }, INT64_MAX, false },
                  { "HTTP/1.1", { HOST, { "TRANSFER-ENCODING", "Chunked" } }, -1, false },
                  { "HTTP/1.1", { HOST, { "Expect", "100-Continue" }, { "Content-Length", "0" } }, 0, true },
                  { "HTTP/1.1", { HOST, { "X", "tab\tand \xC3\xBC" } }, 0, false } };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct http_frame frame;
        struct pl_err err;
        size_t n = 0;
        while (n < 4 && cases[i].headers[n].name)
            n++;
        assert_int_equal(http_frame_check(cases[i].version, cases[i].headers, n, &frame, &err), PL_OK);
        assert_int_equal(frame.content_length, cases[i].length);
        assert_int_equal(frame.expects_continue, cases[i].expects);
    }
}

static void bad_frames(void **state)
{
    static const struct {
        const char *version;
        struct http_header headers[4];
        enum pl_code code;
    } cases[] = { { "HTTP/1.1", { { 0 } }, PL_INVALID },
                  { "HTTP/1.1", { HOST, HOST }, PL_INVALID },
                  { "HTTP/1.1", { HOST, { "Content-Length", "5" }, { "Content-Length", "5" } }, PL_INVALID },
                  { "HTTP/1.1", { HOST, { "Content-Length", "5,5" } }, PL_INVALID },
                  { "HTTP/1.1", { HOST, { "Content-Length", "" } }, PL_INVALID },
                  { "HTTP/1.1", { HOST, { "Content-Length", "9223372036854775808" } }, PL_INVALID },
                  { "HTTP/1.1", { HOST, { "Content-Length", "5" }, { "Transfer-Encoding", "chunked" } }, PL_INVALID },
                  { "HTTP/1.0", { HOST, { "Transfer-Encoding", "chunked" } }, PL_INVALID },
                  { "HTTP/1.1", { HOST, { "Transfer-Encoding", "gzip" } }, PL_UNIMPLEMENTED },
                  { "HTTP/1.1", { HOST, { "Transfer-Encoding", "chunked, chunked" } }, PL_UNIMPLEMENTED },
                  { "HTTP/1.1", { HOST, { "a b", "c" } }, PL_INVALID },
                  { "HTTP/1.1", { HOST, { "", "c" } }, PL_INVALID },
                  { "HTTP/1.1", { HOST, { "a", "b\rc" } }, PL_INVALID } };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct http_frame frame;
        struct pl_err err;
        size_t n = 0;
        while (n < 4 && cases[i].headers[n].name)
            n++;
        assert_int_equal(http_frame_check(cases[i].version, cases[i].headers, n, &frame, &err), cases[i].code);
        assert_true(*err.message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(good_frames), cmocka_unit_test(bad_frames) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
