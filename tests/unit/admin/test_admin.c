/* The HTTP port: paths, readiness, methods, addresses, odd clients; and that it costs nothing while nobody asks. */
#include "admin/admin.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "metrics/metrics.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#define PATIENCE_MS 20000

struct world {
    struct metrics *metrics;
    struct admin *admin;
    const char *_Atomic why_not;
};

static const char *ready(void *arg)
{
    return ((struct world *)arg)->why_not;
}

static int setup(void **state)
{
    struct world *w = PL_NEW(struct world);
    struct pl_err err;
    w->metrics = metrics_new();
    if (admin_start(&w->admin, "127.0.0.1:0", w->metrics, ready, w, &err) != PL_OK)
        fail_msg("%s", err.message);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    admin_stop(w->admin);
    metrics_free(w->metrics);
    free(w);
    return 0;
}

static int dial(const struct world *w)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)admin_port(w->admin)) };
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    return fd;
}

/* Everything until the server closes. */
static char *read_all(int fd)
{
    struct pl_buf in = { 0 };
    for (;;) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
        char *room = pl_buf_room(&in, 4096);
        ssize_t n = read(fd, room, 4096);
        if (n <= 0)
            break;
        in.len += (size_t)n;
    }
    close(fd);
    pl_buf_addc(&in, '\0');
    return pl_buf_take(&in, NULL);
}

static char *ask(const struct world *w, const char *method, const char *path, const char *body)
{
    int fd = dial(w);
    dprintf(fd, "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s", method, path,
            strlen(body), body);
    return read_all(fd);
}

static void assert_answer(const struct world *w, const char *method, const char *path, const char *status,
                          const char *holds)
{
    char *answer = ask(w, method, path, "");
    if (strncmp(answer, "HTTP/1.1 ", 9) != 0 || strncmp(answer + 9, status, strlen(status)) != 0 ||
        !strstr(answer, holds))
        fail_msg("%s %s: %s", method, path, answer);
    free(answer);
}

static void metrics_are_served(void **state)
{
    struct world *w = *state;
    metrics_add(metrics_counter(w->metrics, "calls_total", NULL, "Calls."), 9);
    assert_answer(w, "GET", "/metrics", "200", "\npilotlight_calls_total 9\n");
    assert_answer(w, "GET", "/metrics?name=x", "200", "\r\nContent-Type: text/plain; version=0.0.4");
}

static void health_and_readiness(void **state)
{
    struct world *w = *state;
    assert_answer(w, "GET", "/healthz", "200", "\r\n\r\nok\n");
    assert_answer(w, "GET", "/readyz", "200", "\r\n\r\nready\n");
    w->why_not = "no snapshot yet";
    assert_answer(w, "GET", "/readyz", "503", "\r\n\r\nno snapshot yet\n");
    assert_answer(w, "GET", "/healthz", "200", "ok");
    w->why_not = NULL;
    assert_answer(w, "GET", "/readyz", "200", "ready");
}

static void unknown_paths_and_methods(void **state)
{
    struct world *w = *state;
    assert_answer(w, "GET", "/nothing", "404", "there are /metrics /healthz /readyz");
    assert_answer(w, "GET", "/metrics/", "404", "not found");
    assert_answer(w, "POST", "/metrics", "405", "\r\nAllow: GET, HEAD");
    assert_answer(w, "DELETE", "/", "405", "GET and HEAD only");
    char *head = ask(w, "HEAD", "/healthz", "");
    assert_non_null(strstr(head, " 200 "));
    assert_non_null(strstr(head, "Content-Length: 3"));
    assert_string_equal(strstr(head, "\r\n\r\n"), "\r\n\r\n");
    free(head);
    char *with_body = ask(w, "GET", "/healthz", "a body that nobody wants");
    assert_non_null(strstr(with_body, "\r\n\r\nok\n"));
    free(with_body);
}

static void odd_clients_do_not_disturb(void **state)
{
    struct world *w = *state;
    int silent = dial(w), half = dial(w), gone = dial(w), garbage = dial(w);
    dprintf(half, "GET /metrics HTTP/1.1\r\nHo");
    dprintf(gone, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    close(gone);
    dprintf(garbage, "\x01\x02\x03\r\n\r\n");
    assert_answer(w, "GET", "/healthz", "200", "ok");
    dprintf(half, "st: x\r\nConnection: close\r\n\r\n");
    char *answer = read_all(half);
    assert_non_null(strstr(answer, " 200 "));
    free(answer);
    char *refused = read_all(garbage); /* the server has closed it */
    free(refused);
    char *long_path = pl_new0(20000, 1);
    memset(long_path, 'a', 19999);
    long_path[0] = '/';
    char *too_long = ask(w, "GET", long_path, "");
    assert_non_null(strstr(too_long, " 414 "));
    free(too_long);
    free(long_path);
    close(silent);
}

static void addresses(void **state)
{
    struct world *w = *state;
    struct pl_err err;
    struct admin *other = NULL;
    char taken[64];
    static const char *const wrong[] = {
        "",           "8091",        "localhost",          "::1:8091",      "[::1:8091",
        "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:99999999", "no such host:1"
    };
    for (size_t i = 0; i < PL_COUNT(wrong); i++) {
        assert_int_equal(admin_start(&other, wrong[i], w->metrics, NULL, NULL, &err), PL_INVALID);
        assert_string_equal(err.field, "admin_listen");
        assert_non_null(strstr(err.message, wrong[i]));
    }
    snprintf(taken, sizeof(taken), "127.0.0.1:%d", admin_port(w->admin));
    assert_int_equal(admin_start(&other, taken, w->metrics, NULL, NULL, &err), PL_UNAVAILABLE);
    assert_non_null(strstr(err.message, taken));
    assert_null(other);
    assert_int_equal(admin_start(&other, ":0", w->metrics, NULL, NULL, &err), PL_OK);
    assert_true(admin_port(other) > 0);
    admin_stop(other);
    admin_stop(NULL);
    other = NULL;
    if (admin_start(&other, "[::1]:0", w->metrics, NULL, NULL, &err) == PL_OK) /* where there is IPv6 */
        admin_stop(other);
}

/* Wake-ups, not time: a thread that polls would be counted hundreds of times. */
static void it_sleeps(void **state)
{
    struct world *w = *state;
    struct rusage before, after;
    assert_answer(w, "GET", "/healthz", "200", "ok");
    int open = dial(w); /* with a connection too */
    getrusage(RUSAGE_SELF, &before);
    poll(NULL, 0, 300);
    getrusage(RUSAGE_SELF, &after);
    assert_in_range(after.ru_nvcsw - before.ru_nvcsw, 0, 10);
    close(open);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN); /* as service_main() does: a server that hangs up first is an error of write() */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(metrics_are_served, setup, teardown),
        cmocka_unit_test_setup_teardown(health_and_readiness, setup, teardown),
        cmocka_unit_test_setup_teardown(unknown_paths_and_methods, setup, teardown),
        cmocka_unit_test_setup_teardown(odd_clients_do_not_disturb, setup, teardown),
        cmocka_unit_test_setup_teardown(addresses, setup, teardown),
        cmocka_unit_test_setup_teardown(it_sleeps, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
