/* One-machine mode from start to end with stand-ins for the services: this program itself, under their names.
 *
 * A stand-in answers /readyz, notes in a file when it starts and when it is told to stop, and does what the file
 * "misbehave" in its state folder says: "SERVICE exit" ends at once with 3, "SERVICE mute" never gets ready. */
#include "up.h"

#include "base/time.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#define HANG_MS 30000 /* only a hang gets there */

/* ---- the stand-in ---- */

static volatile sig_atomic_t told;

static void on_term(int signo)
{
    told = signo;
}

/* Appends "SERVICE WHAT PID" to the events file. */
static void note(const char *events, const char *service, const char *what)
{
    char line[128];
    int n = snprintf(line, sizeof(line), "%s %s %d\n", service, what, (int)getpid());
    int fd = open(events, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (fd < 0 || write(fd, line, (size_t)n) != n)
        _exit(9);
    close(fd);
}

static int admin_port(const char *config)
{
    char line[512], *at;
    int port = 0;
    FILE *f = fopen(config, "r");
    while (f && fgets(line, sizeof(line), f)) {
        if ((at = strstr(line, "admin_listen:")) && (at = strrchr(line, ':')))
            port = atoi(at + 1);
    }
    if (f)
        fclose(f);
    return port;
}

static void answer(int listener, bool ready)
{
    char request[512];
    int fd = accept(listener, NULL, NULL);
    const char *reply = ready ? "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
                              : "HTTP/1.1 503 Unavailable\r\nContent-Length: 10\r\n\r\nno snapshot";
    if (fd < 0)
        return;
    if (read(fd, request, sizeof(request)) > 0)
        (void)!write(fd, reply, strlen(reply));
    close(fd);
}

/* argv: PROGRAM --config STATE/config/SERVICE.yaml */
static int stand_in(const char *service, const char *config)
{
    char state[256], events[300], path[300], behaviour[64] = "", exits[32], mute[32];
    snprintf(state, sizeof(state), "%s", config);
    *strstr(state, "/config/") = '\0';
    snprintf(events, sizeof(events), "%s/events", state);
    snprintf(path, sizeof(path), "%s/misbehave", state);
    snprintf(exits, sizeof(exits), "%s exit", service);
    snprintf(mute, sizeof(mute), "%s mute", service);
    FILE *f = fopen(path, "r");
    if (f && fgets(behaviour, sizeof(behaviour), f) == NULL)
        *behaviour = '\0';
    if (f)
        fclose(f);
    struct sigaction act = { .sa_handler = on_term };
    sigaction(SIGTERM, &act, NULL);
    if (getenv("PILOTLIGHT_PARENT_DEATH"))
        prctl(PR_SET_PDEATHSIG, SIGKILL);
    note(events, service, "start");
    if (!strcmp(behaviour, exits)) {
        fprintf(stderr, "it went wrong here\n");
        return 3;
    }
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int on = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
    a.sin_port = htons((uint16_t)admin_port(config));
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(listener, (void *)&a, sizeof(a)) != 0 || listen(listener, 8) != 0)
        return 4;
    while (!told)
        answer(listener, strcmp(behaviour, mute) != 0);
    note(events, service, "stop");
    return 0;
}

/* ---- the tests ---- */

static char base[64], programs[96];

static int make_base(void **state)
{
    char self[256];
    (void)state;
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    strcpy(base, "/tmp/pl-uprun-XXXXXX");
    if (n <= 0 || !mkdtemp(base))
        return -1;
    self[n] = '\0';
    snprintf(programs, sizeof(programs), "%s/programs", base);
    mkdir(programs, 0700);
    for (int id = 0; id < UP_SERVICE_COUNT; id++) {
        char path[160];
        snprintf(path, sizeof(path), "%s/pilotlight-%s", programs, up_service_names[id]);
        if (symlink(self, path) != 0)
            return -1;
    }
    return 0;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static int remove_base(void **state)
{
    (void)state;
    return nftw(base, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* A base whose eight ports are free now. */
static int free_base_port(void)
{
    for (int attempt = 0; attempt < 100; attempt++) {
        struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t len = sizeof(a);
        int fds[8], ok = 1, port = 0;
        static const int offsets[] = { 0, 1, 2, 3, 10, 11, 12, 13 };
        for (int i = 0; i < 8; i++) {
            fds[i] = socket(AF_INET, SOCK_STREAM, 0);
            a.sin_port = port ? htons((uint16_t)(port + offsets[i])) : 0;
            ok &= bind(fds[i], (void *)&a, sizeof(a)) == 0;
            if (i == 0 && ok && getsockname(fds[i], (void *)&a, &len) == 0)
                port = ntohs(a.sin_port) - offsets[0];
        }
        for (int i = 0; i < 8; i++)
            close(fds[i]);
        if (ok && port < 65000)
            return port;
    }
    return 0;
}

struct session {
    char state[128], out[160], events[160];
    int port;
    pid_t pid; /* of the process that runs up_run() */
};

static char text[65536];

static const char *read_file(const char *path)
{
    FILE *f = fopen(path, "r");
    size_t n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;
    text[n] = '\0';
    if (f)
        fclose(f);
    return text;
}

static void set_up(struct session *s, const char *name, const char *misbehave)
{
    char path[160];
    snprintf(s->state, sizeof(s->state), "%s/%s", base, name);
    snprintf(s->out, sizeof(s->out), "%s.out", s->state);
    snprintf(s->events, sizeof(s->events), "%s/events", s->state);
    mkdir(s->state, 0700);
    s->port = free_base_port();
    snprintf(path, sizeof(path), "%s/misbehave", s->state);
    FILE *f = fopen(path, "w");
    fputs(misbehave, f);
    fclose(f);
}

/* up_run() in a process of its own, which has no thread yet and so may be forked. */
static void run(struct session *s, int64_t start_timeout_ms)
{
    fflush(NULL);
    unlink(s->out); /* what an earlier run said must not be taken for this one's */
    s->pid = fork();
    if (s->pid)
        return;
    int fd = open(s->out, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    dup2(fd, STDOUT_FILENO);
    dup2(fd, STDERR_FILENO);
    struct up_options o = { .state = s->state,
                            .listen = "127.0.0.1",
                            .port = s->port,
                            .program_dir = programs,
                            .start_timeout_ms = start_timeout_ms };
    enum ctl_exit code = up_run(&o);
    fflush(NULL);
    _exit(code);
}

static int end(struct session *s)
{
    int status;
    for (int64_t until = pl_now_ms() + HANG_MS; pl_now_ms() < until;) {
        if (waitpid(s->pid, &status, WNOHANG) == s->pid)
            return WIFEXITED(status) ? WEXITSTATUS(status) : 100 + WTERMSIG(status);
        nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
    }
    kill(s->pid, SIGKILL);
    fail_msg("it does not end:\n%s", read_file(s->out));
    return -1;
}

static void wait_for(struct session *s, const char *path, const char *part)
{
    for (int64_t until = pl_now_ms() + HANG_MS; pl_now_ms() < until;) {
        if (strstr(read_file(path), part))
            return;
        nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
    }
    kill(s->pid, SIGKILL);
    fail_msg("'%s' does not come:\n%s", part, read_file(s->out));
}

/* The pid in the last line "SERVICE start PID" of the events. */
static pid_t last_start(struct session *s, const char *service)
{
    char word[32], *last = NULL;
    snprintf(word, sizeof(word), "%s start ", service);
    for (char *at = (char *)(uintptr_t)read_file(s->events); (at = strstr(at, word)); at++)
        last = at + strlen(word);
    assert_non_null(last);
    return atoi(last);
}

/* Gone, or dead and only not reaped by whoever inherited it. */
static bool is_gone(pid_t pid)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    const char *stat = read_file(path), *state = strrchr(stat, ')');
    return !*stat || !state || state[2] == 'Z';
}

static void services_start_serve_and_stop_in_order(void **state)
{
    struct session s;
    char ready[160];
    (void)state;
    set_up(&s, "order", "");
    run(&s, HANG_MS);
    snprintf(ready, sizeof(ready),
             ": gateway http://127.0.0.1:%d, router 127.0.0.1:%d, control 127.0.0.1:%d, worker 127.0.0.1:%d\n", s.port,
             s.port + 1, s.port + 2, s.port + 3);
    wait_for(&s, s.out, ready);
    assert_non_null(strstr(text, "\nready after "));
    kill(s.pid, SIGTERM);
    assert_int_equal(end(&s), EXIT_OK);
    const char *events = read_file(s.events);
    const char *gateway = strstr(events, "gateway stop"), *router = strstr(events, "router stop"),
               *worker = strstr(events, "worker stop"), *control = strstr(events, "control stop");
    assert_true(gateway && router && worker && control && gateway < router && router < worker && worker < control);
    run(&s, HANG_MS); /* the same state folder again */
    wait_for(&s, s.out, ready);
    kill(s.pid, SIGINT);
    assert_int_equal(end(&s), EXIT_OK);
}

static void a_service_that_dies_is_started_again(void **state)
{
    struct session s;
    (void)state;
    set_up(&s, "again", "");
    run(&s, HANG_MS);
    wait_for(&s, s.out, "\nready after ");
    pid_t first = last_start(&s, "worker");
    kill(first, SIGKILL);
    wait_for(&s, s.out, "worker   killed by signal 9 (Killed); started again in 100ms\n");
    char *after = strstr(text, "started again");
    while (!strstr(after, "worker   serves, pid ")) {
        wait_for(&s, s.out, "started again");
        after = strstr(text, "started again");
    }
    assert_int_not_equal(last_start(&s, "worker"), first);
    kill(s.pid, SIGTERM);
    assert_int_equal(end(&s), EXIT_OK);
}

static void a_service_that_cannot_start_ends_it_with_its_log(void **state)
{
    struct session s;
    (void)state;
    set_up(&s, "broken", "worker exit");
    run(&s, HANG_MS);
    assert_int_equal(end(&s), EXIT_FAILED);
    read_file(s.out);
    assert_non_null(strstr(text, "worker ended with exit code 3 before it served"));
    assert_non_null(strstr(text, "it went wrong here\n"));
    assert_null(strstr(text, "\nready"));
}

static void a_service_that_does_not_get_ready_is_named(void **state)
{
    struct session s;
    (void)state;
    set_up(&s, "mute", "router mute");
    run(&s, 4500); /* with sanitizers, too, the others serve by then */
    assert_int_equal(end(&s), EXIT_UNAVAILABLE);
    read_file(s.out);
    assert_non_null(strstr(text, "not all services serve after 4500ms"));
    assert_non_null(strstr(text, "router: no snapshot"));
    assert_null(strstr(text, "worker: "));
}

static void two_cannot_share_a_state_folder(void **state)
{
    struct session s, second;
    (void)state;
    set_up(&s, "shared", "");
    run(&s, HANG_MS);
    wait_for(&s, s.out, "\nready after ");
    second = s;
    snprintf(second.out, sizeof(second.out), "%s.second.out", s.state);
    run(&second, HANG_MS);
    assert_int_equal(end(&second), EXIT_FAILED);
    assert_non_null(strstr(read_file(second.out), "uses the state folder"));
    kill(s.pid, SIGTERM);
    assert_int_equal(end(&s), EXIT_OK);
}

static void killed_it_takes_its_services_along_and_comes_back(void **state)
{
    struct session s;
    (void)state;
    set_up(&s, "killed", "");
    run(&s, HANG_MS);
    wait_for(&s, s.out, "\nready after ");
    pid_t worker = last_start(&s, "worker");
    kill(s.pid, SIGKILL);
    assert_int_equal(end(&s), 109);
    for (int64_t until = pl_now_ms() + HANG_MS; !is_gone(worker) && pl_now_ms() < until;)
        nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
    assert_true(is_gone(worker));
    run(&s, HANG_MS);
    wait_for(&s, s.out, "\nready after ");
    kill(s.pid, SIGTERM);
    assert_int_equal(end(&s), EXIT_OK);
}

int main(int argc, char **argv)
{
    const char *role = strstr(argv[0], "/pilotlight-");
    if (role && argc > 2)
        return stand_in(role + strlen("/pilotlight-"), argv[2]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(services_start_serve_and_stop_in_order),
        cmocka_unit_test(a_service_that_dies_is_started_again),
        cmocka_unit_test(a_service_that_cannot_start_ends_it_with_its_log),
        cmocka_unit_test(a_service_that_does_not_get_ready_is_named),
        cmocka_unit_test(two_cannot_share_a_state_folder),
        cmocka_unit_test(killed_it_takes_its_services_along_and_comes_back),
    };
    return cmocka_run_group_tests(tests, make_base, remove_base);
}
