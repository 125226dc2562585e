/* The way out of sandboxes, as its instances and their servers might treat it. It runs in a process of its own, without
 * the sandbox: orders go in by its socket, doors are listening sockets of the test's. */
#include "egress.h"

#include "base/cleanup.h"
#include "egress/message.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define PATIENCE_MS 20000

struct way {
    pid_t pid;
    int control;
};

/* In place of the C library's: a name that begins with "slow" is never found, all others are this machine. */
int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **out)
{
    struct found {
        struct addrinfo info;
        struct sockaddr_in at;
    } *f = calloc(1, sizeof(*f));

    (void)service, (void)hints;
    if (!f)
        return EAI_MEMORY;
    while (strncmp(name, "slow", 4) == 0)
        (void)poll(NULL, 0, PATIENCE_MS);
    f->at = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    f->info.ai_addr = (struct sockaddr *)&f->at;
    *out = &f->info;
    return 0;
}

void freeaddrinfo(struct addrinfo *list)
{
    free(list);
}

static struct sockaddr_in here(uint16_t port)
{
    return (
        struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = { htonl(INADDR_LOOPBACK) } };
}

static int listening(uint16_t *out_port)
{
    struct sockaddr_in at = here(0);
    socklen_t n = sizeof(at);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(fd, 128), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &n), 0);
    *out_port = ntohs(at.sin_port);
    return fd;
}

static void order(const struct way *w, enum egress_order_kind kind, uint64_t id, const char *text, int fd)
{
    struct egress_order o = {
        .magic = EGRESS_MAGIC, .kind = kind, .id = id, .connections = 1024, .idle_ms = PATIENCE_MS
    };
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } passing = { .header = { .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS } };
    struct iovec spans[] = { { &o, sizeof(o) }, { (void *)(uintptr_t)text, strlen(text) } };
    struct msghdr m = { .msg_iov = spans, .msg_iovlen = 2 };

    if (fd >= 0) {
        memcpy(CMSG_DATA(&passing.header), &fd, sizeof(int));
        m.msg_control = &passing;
        m.msg_controllen = sizeof(passing.room);
    }
    assert_true(sendmsg(w->control, &m, MSG_NOSIGNAL) > 0);
}

/* 'files': it may have so many open. */
static struct way start(const char *rules, rlim_t files)
{
    const struct rlimit limit = { files, files };
    struct way w;
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    w.pid = fork();
    assert_true(w.pid >= 0);
    if (w.pid == 0) {
        if (dup2(pair[1], 3) != 3 || close_range(4, ~0u, 0) != 0 || setrlimit(RLIMIT_NOFILE, &limit) != 0)
            _exit(1);
        _exit(egress_serve(3));
    }
    close(pair[1]);
    w.control = pair[0];
    order(&w, EGRESS_RULES, 0, rules, -1);
    return w;
}

static void stop(const struct way *w)
{
    int status;

    close(w->control);
    assert_int_equal(waitpid(w->pid, &status, 0), w->pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static int reach(uint16_t port)
{
    struct sockaddr_in at = here(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    return fd;
}

static void wait_for(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };

    assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
}

static void send_connect(int fd, const char *host, uint16_t server)
{
    char text[512];
    int n = snprintf(text, sizeof(text), "CONNECT %s:%u HTTP/1.1\r\n\r\n", host, server);

    assert_int_equal(send(fd, text, (size_t)n, MSG_NOSIGNAL), n);
}

static int status_of(int fd)
{
    char text[512];
    int status;
    ssize_t got;

    wait_for(fd);
    got = recv(fd, text, sizeof(text) - 1, 0);
    assert_true(got > 0);
    text[got] = '\0';
    assert_int_equal(sscanf(text, "HTTP/1.1 %d", &status), 1);
    return status;
}

/* Asks for a tunnel; the status of the answer. */
static int ask(int fd, uint16_t server)
{
    send_connect(fd, "127.0.0.1", server);
    return status_of(fd);
}

static int taken(int listener)
{
    int fd;

    wait_for(listener);
    fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

/* As much as it takes for some time. */
static void fill(int fd)
{
    static const char bytes[65536];
    struct pollfd p = { .fd = fd, .events = POLLOUT };

    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    while (poll(&p, 1, 200) == 1)
        if (send(fd, bytes, sizeof(bytes), MSG_NOSIGNAL) < 0)
            break;
}

/* Processor time that it has taken so far, in ticks. */
static unsigned long ticks(pid_t pid)
{
    char path[64], text[1024];
    unsigned long user, system;
    const char *name_end;
    pl_cleanup(pl_close_p) int fd = -1;
    ssize_t n;

    (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    n = read(fd, text, sizeof(text) - 1);
    assert_true(n > 0);
    text[n] = '\0';
    name_end = strrchr(text, ')');
    assert_int_equal(sscanf(name_end, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system), 2);
    return user + system;
}

/* It has nothing to do, which it sees sooner or later. */
static void assert_rests(const struct way *w)
{
    for (int i = 0; i < PATIENCE_MS / 500; i++) {
        unsigned long before = ticks(w->pid);

        (void)poll(NULL, 0, 500);
        if (ticks(w->pid) - before <= (unsigned long)sysconf(_SC_CLK_TCK) / 20)
            return;
    }
    fail_msg("it takes processor time without end");
}

static void a_server_that_resets_what_nobody_reads(void **state)
{
    const struct linger at_once = { .l_onoff = 1, .l_linger = 0 };
    uint16_t door_port, server_port;
    int door = listening(&door_port), outside = listening(&server_port), client, server;
    char rules[64];
    struct way w;

    (void)state;
    (void)snprintf(rules, sizeof(rules), "fraud=127.0.0.1:%u\n", server_port);
    w = start(rules, 256);
    order(&w, EGRESS_OPEN, 1, "fraud", door);
    client = reach(door_port);
    assert_int_equal(ask(client, server_port), 200);
    server = taken(outside);
    fill(server);
    fill(client);
    assert_int_equal(setsockopt(server, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), 0);
    close(server);
    assert_rests(&w);
    close(client);
    stop(&w);
    close(door);
    close(outside);
}

/* However many connections one instance has, descriptors are left for others to come and to connect. */
static void descriptors_are_shared(void **state)
{
    uint16_t ports[3], server_port;
    int doors[3], outside = listening(&server_port), clients[128], others[4];
    unsigned open = 0;
    char rules[64];
    struct way w;

    (void)state;
    (void)snprintf(rules, sizeof(rules), "*=127.0.0.1:%u\n", server_port);
    w = start(rules, 128);
    for (uint64_t i = 0; i < 3; i++)
        doors[i] = listening(&ports[i]);
    order(&w, EGRESS_OPEN, 1, "greedy", doors[0]);
    order(&w, EGRESS_OPEN, 2, "early", doors[1]);
    for (unsigned i = 0; i < 128; i++) {
        int fd = reach(ports[0]), status = ask(fd, server_port);

        if (status == 200) {
            clients[open++] = fd;
            continue;
        }
        assert_int_equal(status, 503);
        close(fd);
    }
    assert_in_range(open, 8, 60);
    order(&w, EGRESS_OPEN, 3, "late", doors[2]);
    for (unsigned i = 0; i < 4; i++) {
        others[i] = reach(ports[1 + i % 2]);
        assert_int_equal(ask(others[i], server_port), 200);
    }
    for (unsigned i = 0; i < open; i++)
        close(clients[i]);
    for (unsigned i = 0; i < 4; i++)
        close(others[i]);
    for (unsigned i = 0; i < 3; i++)
        close(doors[i]);
    stop(&w);
    close(outside);
}

/* However many instances an endpoint has, and whether its names are found or not: others' names are looked up. */
static void lookups_are_shared(void **state)
{
    uint16_t ports[13], server_port;
    int doors[13], outside = listening(&server_port), slow[24], quick;
    char rules[64];
    struct way w;

    (void)state;
    (void)snprintf(rules, sizeof(rules), "*=127.0.0.1:%u\n*=*.test:%u\n", server_port, server_port);
    w = start(rules, 256);
    for (uint64_t i = 0; i < 13; i++) {
        doors[i] = listening(&ports[i]);
        order(&w, EGRESS_OPEN, i + 1, i < 12 ? "greedy" : "modest", doors[i]);
    }
    for (unsigned i = 0; i < 24; i++)
        send_connect(slow[i] = reach(ports[i % 12]), "slow.test", server_port);
    /* Some of them go, which ends no lookup that runs. */
    for (uint64_t i = 0; i < 6; i++)
        order(&w, EGRESS_CLOSE, i + 1, "", -1);
    quick = reach(ports[12]);
    send_connect(quick, "quick.test", server_port);
    assert_int_equal(status_of(quick), 200);
    for (unsigned i = 0; i < 24; i++)
        close(slow[i]);
    for (unsigned i = 0; i < 13; i++)
        close(doors[i]);
    close(quick);
    stop(&w);
    close(outside);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_that_resets_what_nobody_reads),
        cmocka_unit_test(descriptors_are_shared),
        cmocka_unit_test(lookups_are_shared),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
