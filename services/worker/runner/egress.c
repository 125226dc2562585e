#include "egress.h"

#include "base/mem.h"
#include "base/time.h"
#include "egress/message.h"
#include "egress_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define LOOKUP_THREADS 16
/* Of one endpoint at a time: each may hold a thread for long. */
#define LOOKUPS   4
#define COUNTS_MS 1000
/* What is refused to one instance is told so often in so long; more is only counted. */
#define LOUD_MAX 10
#define LOUD_MS  60000
/* Each has some 33 KiB. */
#define MOST_TUNNELS 8192

struct egress {
    struct loop *loop;
    struct loop_fd control;
    struct egress_rules *rules;
    int64_t connections, idle_ms;
    struct port *ports;
    unsigned tunnels, most;    /* of all ports */
    struct list looking;       /* struct lookup */
    struct egress_news counts; /* since the last ones */
    struct loop_timer tell;
    bool lost; /* the worker says what makes no sense */
};

/* ---- news ---- */

/* The worker reads, or has gone; news that do not fit are lost. */
static void send_news(const struct egress *e, const struct egress_news *news)
{
    (void)send(e->control.fd, news, sizeof(*news), MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void tell_counts(struct loop_timer *t)
{
    struct egress *e = PL_CONTAINER(t, struct egress, tell);
    uint64_t open = e->counts.open;

    send_news(e, &e->counts);
    e->counts = (struct egress_news){ .magic = EGRESS_MAGIC, .kind = EGRESS_COUNTS, .open = open };
}

static void tell_soon(struct egress *e)
{
    if (e->tell.slot == 0)
        loop_timer_set(e->loop, &e->tell, pl_now_ms() + COUNTS_MS);
}

void egress_count_tunnel(struct egress *e, int more)
{
    e->tunnels += (unsigned)more;
}

void egress_count_opened(struct egress *e)
{
    e->counts.opened++;
    e->counts.open++;
    tell_soon(e);
}

void egress_count_closed(struct egress *e, uint64_t bytes_out, uint64_t bytes_in)
{
    e->counts.open--;
    e->counts.bytes_out += bytes_out;
    e->counts.bytes_in += bytes_in;
    tell_soon(e);
}

void egress_refused(struct port *p, bool allowed, const char *why)
{
    struct egress_news news = { .magic = EGRESS_MAGIC, .kind = EGRESS_REFUSED, .id = p->id };
    int64_t now_ms = pl_now_ms();

    if (allowed)
        p->all->counts.failed++;
    else
        p->all->counts.refused++;
    tell_soon(p->all);
    if (now_ms - p->told_ms >= LOUD_MS) {
        p->told_ms = now_ms;
        p->told = 0;
    }
    if (++p->told > LOUD_MAX)
        return;
    (void)snprintf(news.text, sizeof(news.text), "%s%s", why,
                   p->told == LOUD_MAX ? " (more like it is only counted for a minute)" : "");
    send_news(p->all, &news);
}

/* ---- orders ---- */

static void read_rules(struct egress *e, const struct egress_order *order, char *text)
{
    struct pl_err err;
    char *rest = NULL;

    e->connections = order->connections;
    e->idle_ms = order->idle_ms;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        if (egress_rules_add(e->rules, line, &err) != PL_OK)
            e->lost = true;
}

static void open_port(struct egress *e, const struct egress_order *order, const char *endpoint, int fd)
{
    struct port *p = NULL;

    HASH_FIND(hh, e->ports, &order->id, sizeof(order->id), p);
    if (fd < 0 || p || fcntl(fd, F_SETFL, O_NONBLOCK) != 0 || !(p = port_open(e, order->id, endpoint, fd))) {
        pl_close_p(&fd);
        return;
    }
    HASH_ADD(hh, e->ports, id, sizeof(p->id), p);
}

static void close_port(struct egress *e, uint64_t id)
{
    struct port *p = NULL;

    HASH_FIND(hh, e->ports, &id, sizeof(id), p);
    if (!p)
        return;
    HASH_DEL(e->ports, p);
    port_close(p);
}

static void obey(struct egress *e, const struct egress_order *order, char *text, int fd)
{
    switch (order->kind) {
    case EGRESS_RULES:
        read_rules(e, order, text);
        break;
    case EGRESS_OPEN:
        open_port(e, order, text, fd);
        return; /* with the descriptor */
    case EGRESS_CLOSE:
        close_port(e, order->id);
        break;
    default:
        e->lost = true;
    }
    pl_close_p(&fd);
}

static int descriptor_of(struct msghdr *m)
{
    const struct cmsghdr *c = CMSG_FIRSTHDR(m);
    int fd = -1;

    if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof(int)))
        memcpy(&fd, CMSG_DATA(c), sizeof(int));
    return fd;
}

static void ordered(struct loop_fd *f, uint32_t events)
{
    struct egress *e = PL_CONTAINER(f, struct egress, control);
    static char text[EGRESS_RULES_TEXT + 1];
    struct egress_order order;
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec spans[] = { { &order, sizeof(order) }, { text, sizeof(text) - 1 } };
    struct msghdr m = { .msg_iov = spans, .msg_iovlen = 2, .msg_control = &control, .msg_controllen = sizeof(control) };
    ssize_t n = recvmsg(f->fd, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);

    (void)events;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n < (ssize_t)sizeof(order) || order.magic != EGRESS_MAGIC) {
        e->lost = n > 0;
        loop_stop(e->loop);
        return;
    }
    text[(size_t)n - sizeof(order)] = '\0';
    obey(e, &order, text, descriptor_of(&m));
    if (e->lost)
        loop_stop(e->loop);
}

/* ---- what others ask ---- */

struct loop *egress_loop(const struct egress *e)
{
    return e->loop;
}

const struct egress_rules *egress_rules(const struct egress *e)
{
    return e->rules;
}

int64_t egress_idle_ms(const struct egress *e)
{
    return e->idle_ms;
}

unsigned egress_connections(const struct egress *e)
{
    return (unsigned)e->connections;
}

bool egress_has_room(const struct egress *e, const struct port *p)
{
    unsigned half = e->most / 2;

    return e->tunnels < half || p->open < half / HASH_COUNT(e->ports);
}

bool egress_may_look_up(const struct egress *e, const char *endpoint)
{
    unsigned n = 0;

    list_each(l, &e->looking) n += strcmp(lookup_endpoint(l), endpoint) == 0;
    return n < LOOKUPS;
}

struct list *egress_lookups(struct egress *e)
{
    return &e->looking;
}

void egress_looked_up(struct egress *e)
{
    for (struct port *p = e->ports; p; p = p->hh.next)
        port_look_up_next(p);
}

/* A tunnel has two descriptors. A quarter of them is for doors, for lookups, and for whoever hears that there is no
 * room. */
static unsigned most_tunnels(void)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur > MOST_TUNNELS)
        return MOST_TUNNELS;
    return (unsigned)(files.rlim_cur - files.rlim_cur / 4) / 2;
}

/* ---- life ---- */

int egress_serve(int control)
{
    struct egress *e = PL_NEW(struct egress);
    struct port *p, *next;
    struct pl_err err;
    bool lost = true;

    e->loop = loop_new(LOOKUP_THREADS);
    e->rules = egress_rules_new();
    e->most = most_tunnels();
    list_init(&e->looking);
    e->counts = (struct egress_news){ .magic = EGRESS_MAGIC, .kind = EGRESS_COUNTS };
    e->tell.fire = tell_counts;
    e->control.fd = control;
    e->control.ready = ordered;
    if (loop_fd_add(e->loop, &e->control, EPOLLIN, &err) == PL_OK) {
        loop_run(e->loop);
        loop_fd_remove(e->loop, &e->control);
        lost = e->lost;
    }
    HASH_ITER(hh, e->ports, p, next)
    {
        HASH_DEL(e->ports, p);
        port_close(p);
    }
    loop_timer_clear(e->loop, &e->tell);
    if (lost)
        (void)fprintf(stderr, "pilotlight-runner: egress: cannot serve what the worker asked for\n");
    /* Lookups may still run: the process ends with them. */
    return lost ? EXIT_FAILURE : EXIT_SUCCESS;
}
