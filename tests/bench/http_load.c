/* http_load - sends one HTTP/1.1 request over and over on kept-alive connections and says how long the answers took.
 *
 * load.c's twin for the gateway: one thread, epoll, C connections with one request outstanding on each. The request is
 * a file with all its bytes, signed once by who made it. An answer that is not 200, or has not the expected bytes in
 * its body, ends the run with exit 1. Output: one line of JSON as load.c's; latencies from the first byte sent to the
 * last byte received. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "load_common.h"

#define ANSWER_MAX 65536

struct slot {
    int fd;
    size_t sent;
    char answer[ANSWER_MAX];
    size_t len;
    int64_t sent_ns;
};

struct load {
    const char *host;
    int port;
    struct bytes request, expected;
    unsigned concurrency;
    double seconds;
    uint64_t warmup;
    int epoll;
    uint64_t answered;
    int64_t started_ns, end_ns; /* 'started_ns' 0: warming up */
    struct latencies latencies;
};

static void die(const char *what, const char *why)
{
    fprintf(stderr, "http_load: %s: %s\n", what, why);
    exit(1);
}

/* ---- one connection ---- */

static void send_more(struct load *l, struct slot *s)
{
    while (s->sent < l->request.len) {
        ssize_t n = send(s->fd, l->request.data + s->sent, l->request.len - s->sent, MSG_NOSIGNAL);

        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0)
            die("send", strerror(errno));
        s->sent += (size_t)n;
    }
}

static void start(struct load *l, struct slot *s)
{
    s->sent = s->len = 0;
    s->sent_ns = now_ns();
    send_more(l, s);
}

/* The whole answer's length, or 0 while it is not known. */
static size_t answer_length(struct slot *s, const char **out_body)
{
    const char *end = memmem(s->answer, s->len, "\r\n\r\n", 4), *line = s->answer;
    size_t length = 0;

    if (!end)
        return 0;
    while ((line = memmem(line, (size_t)(end - line), "\r\n", 2)) && line < end) {
        line += 2;
        if (strncasecmp(line, "content-length:", 15) == 0)
            length = strtoul(line + 15, NULL, 10);
    }
    *out_body = end + 4;
    return (size_t)(end + 4 - s->answer) + length;
}

static void check(const struct load *l, const struct slot *s, const char *body)
{
    size_t n = s->len - (size_t)(body - s->answer);

    if (strncmp(s->answer, "HTTP/1.1 200", 12) != 0 || !memmem(body, n, l->expected.data, l->expected.len)) {
        fprintf(stderr, "http_load: unexpected answer:\n%.*s\n", (int)s->len, s->answer);
        exit(1);
    }
}

/* True when an answer is complete. */
static bool receive(struct load *l, struct slot *s)
{
    const char *body;
    ssize_t n = recv(s->fd, s->answer + s->len, sizeof(s->answer) - s->len - 1, 0);

    if (n < 0 && errno == EAGAIN)
        return false;
    if (n <= 0)
        die("receive", n ? strerror(errno) : "the server closed the connection");
    s->len += (size_t)n;
    s->answer[s->len] = '\0';
    size_t whole = answer_length(s, &body);
    if (whole == 0 || s->len < whole)
        return false;
    check(l, s, body);
    return true;
}

static void on_answer(struct load *l, struct slot *s)
{
    int64_t now = now_ns();

    l->answered++;
    if (!l->started_ns && l->answered >= l->warmup) {
        l->started_ns = now;
        l->end_ns = now + (int64_t)(l->seconds * 1e9);
    } else if (l->started_ns) {
        latencies_add(&l->latencies, now - s->sent_ns);
    }
}

static void open_slot(struct load *l, struct slot *s)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)l->port) };
    struct epoll_event want = { .events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = s };
    int on = 1;

    if (inet_pton(AF_INET, l->host, &to.sin_addr) != 1)
        die(l->host, "not an IPv4 address");
    s->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (s->fd < 0 || connect(s->fd, (struct sockaddr *)&to, sizeof(to)) != 0)
        die("connect", strerror(errno));
    setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (fcntl(s->fd, F_SETFL, O_NONBLOCK) != 0 || epoll_ctl(l->epoll, EPOLL_CTL_ADD, s->fd, &want) != 0)
        die("epoll", strerror(errno));
}

/* ---- a run ---- */

static int64_t run(struct load *l)
{
    struct slot *slots = calloc(l->concurrency, sizeof(*slots));
    struct epoll_event events[64];

    l->epoll = epoll_create1(0);
    for (unsigned i = 0; i < l->concurrency; i++)
        open_slot(l, &slots[i]);
    for (unsigned i = 0; i < l->concurrency; i++)
        start(l, &slots[i]);
    while (!l->started_ns || now_ns() < l->end_ns) {
        int n = epoll_wait(l->epoll, events, 64, 10000);

        if (n <= 0)
            die("epoll", n ? strerror(errno) : "no answer for ten seconds");
        for (int i = 0; i < n; i++) {
            struct slot *s = events[i].data.ptr;

            if (s->sent < l->request.len)
                send_more(l, s);
            if ((events[i].events & EPOLLIN) && receive(l, s)) {
                on_answer(l, s);
                start(l, s);
            }
        }
    }
    int64_t took = now_ns() - l->started_ns;
    free(slots);
    return took;
}

static void usage(FILE *out)
{
    fprintf(out, "usage: http_load --target HOST:PORT --request-file FILE --expect-file FILE\n"
                 "                 [--concurrency C] [--seconds S] [--warmup N]\n");
}

static void parse(struct load *l, int argc, char **argv)
{
    static const struct option options[] = {
        { "target", required_argument, NULL, 't' },
        { "request-file", required_argument, NULL, 'f' },
        { "expect-file", required_argument, NULL, 'e' },
        { "concurrency", required_argument, NULL, 'c' },
        { "seconds", required_argument, NULL, 's' },
        { "warmup", required_argument, NULL, 'w' },
        { 0 },
    };
    char *colon;

    for (int o; (o = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (o) {
        case 't':
            colon = strrchr(optarg, ':');
            if (!colon)
                die("--target", "not HOST:PORT");
            *colon = '\0';
            l->host = optarg;
            l->port = atoi(colon + 1);
            break;
        case 'f':
            l->request = read_file(optarg);
            break;
        case 'e':
            l->expected = read_file(optarg);
            break;
        case 'c':
            l->concurrency = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 's':
            l->seconds = strtod(optarg, NULL);
            break;
        case 'w':
            l->warmup = strtoull(optarg, NULL, 10);
            break;
        default:
            usage(stderr);
            exit(2);
        }
    }
    if (!l->host || !l->request.data || !l->expected.data || l->concurrency < 1 || l->concurrency > 4096) {
        usage(stderr);
        exit(2);
    }
}

int main(int argc, char **argv)
{
    struct load l = { .concurrency = 1, .seconds = 2 };

    parse(&l, argc, argv);
    latencies_report(&l.latencies, l.concurrency, run(&l));
    free(l.latencies.micros_x10);
    free(l.request.data);
    free(l.expected.data);
    return 0;
}
