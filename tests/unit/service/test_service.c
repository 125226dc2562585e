/* service_main() from the outside: each run is a process of its own, which tells through a pipe what was called and
 * leaves its output in a file. */
#include "service/service.h"

#include "base/mem.h"
#include "base/time.h"
#include "loop/loop.h"
#include "metrics/metrics.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#define PATIENCE_MS 30000

/* ---- a service that does nothing but tell ---- */

enum mode { MODE_SOON, MODE_LATER, MODE_NEVER };
static const char *const modes[] = { "soon", "later", "never", NULL };

struct toy_config {
    struct service_config base;
    char *greeting, *refuse;
    int drain; /* enum mode */
};

static const struct config_row toy_rows[] = {
    SERVICE_CONFIG_ROWS(struct toy_config, "unix:/tmp/unused.sock", ""),
    CONFIG_STRING(struct toy_config, greeting, "greeting", "hello", "what it says"),
    CONFIG_STRING(struct toy_config, refuse, "refuse", NULL, "a field that start fails on"),
    CONFIG_ENUM(struct toy_config, drain, "drain", "soon", modes, "how it drains"),
    { 0 },
};

struct toy {
    struct service *service;
    int drain;
    struct loop_timer timer;
};

static int tell_fd;

static void tell(char what)
{
    assert_int_equal(write(tell_fd, &what, 1), 1);
}

static enum pl_code toy_check(const void *config, struct pl_err *err)
{
    const struct toy_config *c = config;
    return *c->greeting ? PL_OK : pl_fail(err, PL_INVALID, "greeting", "greeting is empty");
}

static enum pl_code toy_start(struct service *s, const void *config, void **out_state, struct pl_err *err)
{
    const struct toy_config *c = config;
    if (*c->refuse)
        return pl_fail(err, PL_UNAVAILABLE, c->refuse, "%s cannot be had", c->refuse);
    if (!loop_held(service_loop(s)) || !service_rpc(s) || !service_metrics(s))
        return pl_fail(err, PL_INTERNAL, NULL, "start without the turn");
    struct toy *t = PL_NEW(struct toy);
    t->service = s;
    t->drain = c->drain;
    *out_state = t;
    tell('s');
    return PL_OK;
}

static void toy_later(struct loop_timer *timer)
{
    service_drained(PL_CONTAINER(timer, struct toy, timer)->service);
}

static void toy_drain(struct service *s, void *state)
{
    struct toy *t = state;
    tell(loop_held(service_loop(s)) ? 'd' : '!');
    t->timer.fire = toy_later;
    if (t->drain == MODE_SOON)
        service_drained(s);
    else if (t->drain == MODE_LATER)
        loop_timer_set(service_loop(s), &t->timer, pl_now_ms() + 20);
}

static void toy_stop(void *state)
{
    tell('e');
    free(state);
}

static const char *toy_ready(void *state)
{
    (void)state;
    return NULL;
}

static const struct service_def toy = {
    .name = "toy",
    .summary = "says hello",
    .rows = toy_rows,
    .config_size = sizeof(struct toy_config),
    .check = toy_check,
    .start = toy_start,
    .drain = toy_drain,
    .stop = toy_stop,
    .ready = toy_ready,
};

/* ---- running it ---- */

struct run {
    pid_t pid;
    int told_fd, output_fd;
    char *output; /* after run_wait() */
};

#define RUN(...) run_start((const char *const[]){ "pilotlight-toy", __VA_ARGS__, NULL })

static struct run run_start(const char *const *argv)
{
    struct run r = { .output_fd = memfd_create("output", MFD_CLOEXEC) };
    int told[2], argc = 0;
    assert_int_equal(pipe(told), 0);
    while (argv[argc])
        argc++;
    fflush(NULL);
    r.pid = fork();
    assert_true(r.pid >= 0);
    if (r.pid == 0) {
        tell_fd = told[1];
        close(told[0]);
        dup2(r.output_fd, 1);
        dup2(r.output_fd, 2);
        exit(service_main(argc, (char **)argv, &toy));
    }
    close(told[1]);
    r.told_fd = told[0];
    return r;
}

/* The next thing told, or 0 at the end of the process. */
static char run_told(struct run *r)
{
    char c = 0;
    struct pollfd p = { .fd = r->told_fd, .events = POLLIN };
    assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
    return read(r->told_fd, &c, 1) == 1 ? c : 0;
}

/* Exit code, or 1000 + the signal that killed it. */
static int run_wait(struct run *r)
{
    int status;
    assert_int_equal(waitpid(r->pid, &status, 0), r->pid);
    off_t n = lseek(r->output_fd, 0, SEEK_END);
    r->output = pl_new0((size_t)n + 1, 1);
    assert_int_equal(pread(r->output_fd, r->output, (size_t)n, 0), n);
    close(r->output_fd);
    close(r->told_fd);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

/* It ends by itself with that code and says so. */
static void assert_ends(struct run r, int code, const char *says)
{
    int got = run_wait(&r);
    if (got != code || !strstr(r.output, says))
        fail_msg("exit %d: %s", got, r.output);
    free(r.output);
}

static char *write_config(const char *yaml)
{
    char *path = pl_strdup("/tmp/pl-service-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, yaml, strlen(yaml)), strlen(yaml));
    close(fd);
    return path;
}

static void drop_config(char *path)
{
    unlink(path);
    free(path);
}

/* ---- options and config ---- */

static void options_that_tell(void **state)
{
    (void)state;
    assert_ends(RUN("--version"), 0, "pilotlight-toy " PL_VERSION "\n");
    assert_ends(RUN("--help"), 0, "pilotlight-toy: says hello\n");
    assert_ends(RUN("-h"), 0, "PILOTLIGHT_TOY_LOG_LEVEL=debug");
    assert_ends(RUN("--check-config"), 0, "pilotlight-toy: the configuration is right\n");
    assert_ends(RUN("--print-config"), 0, "\n# what it says\ngreeting: \"hello\"\n");
    assert_ends(RUN("--check-config", "--help"), 0, "Usage:");
}

static void wrong_usage_exits_2(void **state)
{
    (void)state;
    assert_ends(RUN("--nonsense"), 2, "pilotlight-toy: unknown option '--nonsense' (try --help)\n");
    assert_ends(RUN("word"), 2, "unknown argument 'word'");
    assert_ends(RUN("--config"), 2, "--config needs a file");
    assert_ends(RUN("--config", "/no/such/file"), 2, "cannot open '/no/such/file'");
    assert_ends(RUN("--config=/no/such/file", "--print-config"), 2, "cannot open '/no/such/file'");
}

static void wrong_config_exits_2(void **state)
{
    static const struct {
        const char *yaml, *says;
    } wrong[] = {
        { "greting: x\n", ":1:1: unknown key 'greting': did you mean 'greeting'?\n" },
        { "greeting: ''\n", ": greeting is empty\n" }, /* by the service's own check; the file is named */
        { "listen: []\n", "listen is empty" },
        { "listen: [localhost]\n",
          "listen has 'localhost': it must be HOST:PORT, [IPV6]:PORT, unix:PATH or unix-frames:PATH" },
        { "listen: ['127.0.0.1:1', '127.0.0.1:70000']\n", "listen has '127.0.0.1:70000'" },
        { "listen: ['::1:8080']\n", "listen has '::1:8080'" },
        { "listen: [':8080']\n", "listen has ':8080'" },
        { "listen: ['127.0.0.1:-1']\n", "listen has '127.0.0.1:-1'" },
        { "listen: ['unix:']\n", "listen has 'unix:'" },
        { "admin_listen: '9090'\n", "admin_listen is '9090': it must be HOST:PORT or [IPV6]:PORT" },
        { "admin_listen: '127.0.0.1:http'\n", "admin_listen is '127.0.0.1:http'" },
        { "tls: {cert_file: a}\n", "tls.cert_file and tls.key_file must be given together" },
        { "tls: {key_file: a}\n", "tls.cert_file and tls.key_file must be given together" },
        { "tls: {ca_file: a}\n", "tls.ca_file is given without tls.cert_file" },
        { "log: {level: loud}\n", "log.level is 'loud': it must be debug, info, warn or error" },
    };
    (void)state;
    for (size_t i = 0; i < PL_COUNT(wrong); i++) {
        char *path = write_config(wrong[i].yaml);
        assert_ends(RUN("--config", path), 2, wrong[i].says);
        assert_ends(RUN("--check-config", "--config", path), 2, path);
        drop_config(path);
    }
}

static void environment_wins(void **state)
{
    char *path = write_config("greeting: from file\ndrain: never\n");
    (void)state;
    setenv("PILOTLIGHT_TOY_GREETING", "from environment", 1);
    assert_ends(RUN("--print-config", "--config", path), 0, "greeting: \"from environment\"");
    unsetenv("PILOTLIGHT_TOY_GREETING");
    assert_ends(RUN("--print-config", "--config", path), 0, "greeting: \"from file\"");
    drop_config(path);
}

/* ---- a life ---- */

static void assert_life(const char *yaml, int signo)
{
    char *path = write_config(yaml);
    struct run r = RUN("--config", path);
    assert_int_equal(run_told(&r), 's');
    kill(r.pid, signo);
    assert_int_equal(run_told(&r), 'd');
    assert_int_equal(run_told(&r), 'e');
    assert_int_equal(run_told(&r), 0);
    int code = run_wait(&r);
    if (code != 0 || !strstr(r.output, " stopped"))
        fail_msg("exit %d: %s", code, r.output);
    free(r.output);
    drop_config(path);
}

static void a_signal_drains_and_exits_0(void **state)
{
    (void)state;
    assert_life("drain: soon\n", SIGTERM);
    assert_life("drain: later\n", SIGINT);
}

static void a_second_signal_ends_at_once_with_1(void **state)
{
    char *path = write_config("drain: never\n");
    struct run r = RUN("--config", path);
    (void)state;
    assert_int_equal(run_told(&r), 's');
    kill(r.pid, SIGTERM);
    assert_int_equal(run_told(&r), 'd');
    kill(r.pid, SIGTERM);
    assert_int_equal(run_told(&r), 0); /* not stopped in order */
    assert_ends(r, 1, "stopped_at_once");
    drop_config(path);
}

static void a_failed_start_exits_1_and_names_the_field(void **state)
{
    char *path = write_config("refuse: the_disk\n");
    struct run r = RUN("--config", path);
    (void)state;
    assert_int_equal(run_told(&r), 0);
    assert_ends(r, 1, "start_failed code=\"UNAVAILABLE\" field=\"the_disk\" error=\"the_disk cannot be had\"");
    drop_config(path);
}

static void logs_are_as_configured(void **state)
{
    char *path = write_config("refuse: x\nlog: {format: json, level: error}\n");
    (void)state;
    assert_ends(RUN("--config", path), 1, "\"service\":\"toy\",\"event\":\"start_failed\"");
    drop_config(path);
}

/* ---- the admin port ---- */

static int bound_socket(int *out_port)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    *out_port = ntohs(a.sin_port);
    return fd;
}

static void a_taken_admin_port_is_no_start(void **state)
{
    int port, fd = bound_socket(&port);
    (void)state;
    assert_int_equal(listen(fd, 1), 0);
    char *yaml = pl_format("admin_listen: 127.0.0.1:%d\n", port);
    char *path = write_config(yaml);
    struct run r = RUN("--config", path);
    assert_int_equal(run_told(&r), 0); /* neither 's' nor 'e' */
    assert_ends(r, 1, "admin_listen: cannot bind '127.0.0.1:");
    free(yaml);
    drop_config(path);
    close(fd);
}

/* Asks until the port is there; the answer is the caller's. */
static char *get(int port, const char *path)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    struct pl_buf in = { 0 };
    for (int64_t end = pl_now_ms() + PATIENCE_MS; pl_now_ms() < end; poll(NULL, 0, 5)) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0) {
            dprintf(fd, "GET %s HTTP/1.0\r\n\r\n", path);
            for (ssize_t n; (n = read(fd, pl_buf_room(&in, 4096), 4096)) > 0;)
                in.len += (size_t)n;
            close(fd);
            break;
        }
        close(fd);
    }
    pl_buf_addc(&in, '\0');
    return pl_buf_take(&in, NULL);
}

/* The port is there before the service is. */
static char *get_ready(int port)
{
    char *answer = get(port, "/readyz");
    for (int64_t end = pl_now_ms() + PATIENCE_MS; strstr(answer, "starting\n") && pl_now_ms() < end; poll(NULL, 0, 5)) {
        free(answer);
        answer = get(port, "/readyz");
    }
    return answer;
}

static void readiness_ends_when_draining_begins(void **state)
{
    int port, fd = bound_socket(&port);
    (void)state;
    close(fd);
    char *yaml = pl_format("admin_listen: 127.0.0.1:%d\ndrain: never\n", port);
    char *path = write_config(yaml);
    struct run r = RUN("--config", path);
    assert_int_equal(run_told(&r), 's');
    char *before = get_ready(port);
    char *metrics = get(port, "/metrics");
    kill(r.pid, SIGTERM);
    assert_int_equal(run_told(&r), 'd');
    char *after = get(port, "/readyz");
    char *alive = get(port, "/healthz");
    kill(r.pid, SIGTERM);
    assert_ends(r, 1, "draining");
    assert_non_null(strstr(before, " 200 "));
    assert_non_null(strstr(metrics, "\nprocess_resident_memory_bytes "));
    assert_non_null(strstr(after, " 503 "));
    assert_non_null(strstr(after, "\r\n\r\ndraining\n"));
    assert_non_null(strstr(alive, " 200 "));
    free(before);
    free(metrics);
    free(after);
    free(alive);
    free(yaml);
    drop_config(path);
}

/* ---- systemd ---- */

static void the_supervisor_is_told(void **state)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    char text[64];
    (void)state;
    snprintf(a.sun_path, sizeof(a.sun_path), "/tmp/pl-notify-%d", (int)getpid());
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    setenv("NOTIFY_SOCKET", a.sun_path, 1);
    struct run r = RUN("--config", "/dev/null");
    unsetenv("NOTIFY_SOCKET");
    memset(text, 0, sizeof(text));
    assert_true(recv(fd, text, sizeof(text) - 1, 0) > 0);
    assert_string_equal(text, "READY=1");
    kill(r.pid, SIGTERM);
    memset(text, 0, sizeof(text));
    assert_true(recv(fd, text, sizeof(text) - 1, 0) > 0);
    assert_string_equal(text, "STOPPING=1");
    assert_ends(r, 0, "stopped");
    close(fd);
    unlink(a.sun_path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_that_tell),
        cmocka_unit_test(wrong_usage_exits_2),
        cmocka_unit_test(wrong_config_exits_2),
        cmocka_unit_test(environment_wins),
        cmocka_unit_test(a_signal_drains_and_exits_0),
        cmocka_unit_test(a_second_signal_ends_at_once_with_1),
        cmocka_unit_test(a_failed_start_exits_1_and_names_the_field),
        cmocka_unit_test(logs_are_as_configured),
        cmocka_unit_test(a_taken_admin_port_is_no_start),
        cmocka_unit_test(readiness_ends_when_draining_begins),
        cmocka_unit_test(the_supervisor_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
