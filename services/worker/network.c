#include "network.h"

#include "base/list.h"
#include "base/mem.h"
#include "base/time.h"
#include "config/config.h"
#include "egress/message.h"
#include "egress/rules.h"
#include "instance_log.h"
#include "log/log.h"
#include "loop/loop.h"
#include "spawn.h"
#include "tool_run.h"
#include "worker_stats.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uthash.h>

#define FIRST_PAUSE_MS 1000
#define MAX_PAUSE_MS   60000
/* Messages that are read in one turn. */
#define NEWS_AT_ONCE 32

const char *const network_environment[NETWORK_ENVIRONMENT + 1][2] = {
    { "http_proxy", EGRESS_PROXY_URL },
    { "https_proxy", EGRESS_PROXY_URL },
    { "HTTP_PROXY", EGRESS_PROXY_URL },
    { "HTTPS_PROXY", EGRESS_PROXY_URL },
    { "no_proxy", "localhost,127.0.0.1,::1" },
    { "NO_PROXY", "localhost,127.0.0.1,::1" },
    { NULL, NULL },
};

struct network_port {
    UT_hash_handle hh;
    struct network *all;
    struct list todo; /* in all->todo while there is something to tell */
    uint64_t instance;
    char endpoint[EGRESS_ENDPOINT_MAX + 1];
    struct instance_log *log;
    struct loop_fd door; /* -1: the socket has come, or never will */
    int listener;        /* -1: not yet */
    bool told;           /* the process that runs has it */
    bool closed;
};

struct network {
    struct loop *loop;
    struct network_options o;
    struct egress_rules *rules;
    char *text; /* the same, a line each */
    struct network_port *ports;
    struct list todo;
    struct tool_run run;
    struct seat *seat;      /* its control groups; NULL: none */
    bool running;           /* there is a process, or one is being made */
    struct loop_fd control; /* -1: none */
    struct loop_timer restart;
    int64_t started_ms, pause_ms;
};

static void begin(struct network *n);

/* ---- ports ---- */

static void port_free(struct network_port *p)
{
    HASH_DEL(p->all->ports, p);
    list_remove(&p->todo);
    if (p->door.fd >= 0)
        loop_fd_remove(p->all->loop, &p->door);
    pl_close_p(&p->door.fd);
    pl_close_p(&p->listener);
    free(p);
}

/* False: it has to be tried again. */
static bool send_order(struct network *n, const struct egress_order *order, const char *text, int fd)
{
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(sizeof(int))];
    } control = { .align = { .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS } };
    struct iovec spans[] = { { (void *)(uintptr_t)order, sizeof(*order) }, { (void *)(uintptr_t)text, strlen(text) } };
    struct msghdr m = { .msg_iov = spans, .msg_iovlen = 2 };

    if (fd >= 0) {
        m.msg_control = &control;
        m.msg_controllen = sizeof(control);
        memcpy(CMSG_DATA(&control.align), &fd, sizeof(int));
    }
    return sendmsg(n->control.fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0 || errno != EAGAIN;
}

static bool tell(struct network_port *p)
{
    struct egress_order order = { .magic = EGRESS_MAGIC, .id = p->instance };

    order.kind = p->closed ? EGRESS_CLOSE : EGRESS_OPEN;
    return send_order(p->all, &order, p->closed ? "" : p->endpoint, p->closed ? -1 : p->listener);
}

/* As much as the process takes; the rest when it has read. */
static void flush(struct network *n)
{
    struct network_port *p;

    while (n->control.fd >= 0 && (p = list_first(&n->todo, struct network_port, todo))) {
        if (!tell(p)) {
            loop_fd_want(n->loop, &n->control, EPOLLIN | EPOLLOUT);
            return;
        }
        list_remove(&p->todo);
        p->told = true;
        if (p->closed)
            port_free(p);
    }
    if (n->control.fd >= 0)
        loop_fd_want(n->loop, &n->control, EPOLLIN);
}

static void wants_telling(struct network_port *p)
{
    struct network *n = p->all;

    if (list_empty(&p->todo))
        list_push_back(&n->todo, &p->todo);
    if (!n->running && n->restart.slot == 0)
        begin(n);
    else
        flush(n);
}

/* Is it what the door is for? It came from a process that runs nobody's code yet, but it costs nothing to look. */
static bool is_listener(int fd)
{
    int domain = 0, listens = 0;
    socklen_t n = sizeof(int), m = sizeof(int);

    return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &n) == 0 && domain == AF_INET &&
           getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &m) == 0 && listens;
}

static int receive_descriptor(int socket)
{
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    char byte;
    struct iovec span = { .iov_base = &byte, .iov_len = 1 };
    struct msghdr m = { .msg_iov = &span, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
    const struct cmsghdr *c;
    int fd;

    if (recvmsg(socket, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT) != 1)
        return -1;
    c = CMSG_FIRSTHDR(&m);
    if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS || c->cmsg_len != CMSG_LEN(sizeof(int)))
        return -1;
    memcpy(&fd, CMSG_DATA(c), sizeof(int));
    return fd;
}

static void came_through(struct loop_fd *f, uint32_t events)
{
    struct network_port *p = PL_CONTAINER(f, struct network_port, door);
    pl_cleanup(pl_close_p) int fd = receive_descriptor(f->fd);

    (void)events;
    loop_fd_remove(p->all->loop, f);
    pl_close_p(&f->fd);
    if (fd < 0 || !is_listener(fd))
        return; /* it died, or its end comes: its starter hears why */
    p->listener = pl_take_fd(fd);
    wants_telling(p);
}

struct network_port *network_open(struct network *n, const char *endpoint, uint64_t instance, struct instance_log *log,
                                  int *out_door)
{
    int pair[2];
    struct network_port *p;
    struct pl_err err;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
        log_error("network_not_opened", LOG_STR("endpoint", endpoint), LOG_STR("why", strerror(errno)));
        return NULL;
    }
    p = PL_NEW(struct network_port);
    p->all = n;
    p->instance = instance;
    (void)snprintf(p->endpoint, sizeof(p->endpoint), "%s", endpoint);
    p->log = log;
    p->listener = -1;
    p->door.fd = pair[0];
    p->door.ready = came_through;
    list_init(&p->todo);
    HASH_ADD(hh, n->ports, instance, sizeof(p->instance), p);
    if (loop_fd_add(n->loop, &p->door, EPOLLIN, &err) != PL_OK) {
        log_error("network_not_opened", LOG_STR("endpoint", endpoint), LOG_ERR(&err));
        (void)close(pl_take_fd(p->door.fd));
        (void)close(pair[1]);
        port_free(p);
        return NULL;
    }
    *out_door = pair[1];
    return p;
}

void network_close(struct network_port *p)
{
    if (!p)
        return;
    p->closed = true;
    p->log = NULL;
    if (p->told)
        wants_telling(p);
    else
        port_free(p);
}

/* ---- news ---- */

static void refused(struct network *n, const struct egress_news *news)
{
    struct network_port *p = NULL;
    char line[sizeof(news->text) + 64];

    HASH_FIND(hh, n->ports, &news->id, sizeof(news->id), p);
    if (!p || !p->log)
        return;
    log_warn("network_refused", LOG_STR("endpoint", p->endpoint), LOG_UINT("instance", p->instance),
             LOG_STR("what", news->text));
    (void)snprintf(line, sizeof(line), "pilotlight: network: %s", news->text);
    instance_log_say(p->log, line);
}

static void count(const struct network *n, const struct egress_news *news)
{
    struct worker_stats *s = n->o.stats;

    metrics_add(s->network_opened, news->opened);
    metrics_add(s->network_refused, news->refused);
    metrics_add(s->network_failed, news->failed);
    metrics_add(s->network_bytes_out, news->bytes_out);
    metrics_add(s->network_bytes_in, news->bytes_in);
    metrics_set(s->network_connections, (int64_t)(news->open & INT32_MAX));
}

/* False: there is no more now. */
static bool read_news(struct network *n)
{
    struct egress_news news;
    ssize_t got = recv(n->control.fd, &news, sizeof(news), MSG_DONTWAIT);

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (got != sizeof(news) || news.magic != EGRESS_MAGIC) { /* its end, or it has lost its mind */
        loop_fd_remove(n->loop, &n->control);
        pl_close_p(&n->control.fd);
        if (!n->run.making)
            child_kill(&n->run.child);
        return false;
    }
    news.text[sizeof(news.text) - 1] = '\0';
    if (news.kind == EGRESS_COUNTS)
        count(n, &news);
    else if (news.kind == EGRESS_REFUSED)
        refused(n, &news);
    return true;
}

static void control_ready(struct loop_fd *f, uint32_t events)
{
    struct network *n = PL_CONTAINER(f, struct network, control);

    for (int i = 0; i < NEWS_AT_ONCE && read_news(n); i++)
        continue;
    if (events & EPOLLOUT)
        flush(n);
}

/* ---- the process ---- */

static void pause_then_begin(struct network *n)
{
    if (pl_now_ms() - n->started_ms > MAX_PAUSE_MS)
        n->pause_ms = FIRST_PAUSE_MS;
    loop_timer_set(n->loop, &n->restart, pl_now_ms() + n->pause_ms);
    n->pause_ms = n->pause_ms * 2 < MAX_PAUSE_MS ? n->pause_ms * 2 : MAX_PAUSE_MS;
}

/* Whoever is there has to be told of again. */
static void ended(struct tool_run *r, const struct tool_end *e)
{
    struct network *n = PL_CONTAINER(r, struct network, run);
    struct network_port *p, *next;

    log_error("network_process_died", LOG_STR("how", e->err ? e->err->message : e->how), LOG_STR("line", e->words),
              LOG_BOOL("over_memory", spawn_over(n->o.spawner, n->seat)));
    n->seat = NULL;
    n->running = false;
    metrics_set(n->o.stats->network_connections, 0);
    if (n->control.fd >= 0)
        loop_fd_remove(n->loop, &n->control);
    pl_close_p(&n->control.fd);
    HASH_ITER(hh, n->ports, p, next)
    {
        list_remove(&p->todo);
        p->told = false;
        if (p->closed)
            port_free(p);
        else if (p->listener >= 0)
            list_push_back(&n->todo, &p->todo);
    }
    if (n->ports)
        pause_then_begin(n);
}

static bool send_rules(struct network *n)
{
    const struct egress_order order = {
        .magic = EGRESS_MAGIC, .kind = EGRESS_RULES, .connections = n->o.connections, .idle_ms = n->o.idle_ms
    };

    return send_order(n, &order, n->text, -1);
}

static void begin(struct network *n)
{
    struct pl_err err = { 0 };
    int pair[2];

    n->started_ms = pl_now_ms();
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
        log_error("network_process_not_made", LOG_STR("why", strerror(errno)));
        pause_then_begin(n);
        return;
    }
    n->control.fd = pair[0];
    tool_run_init(&n->run, n->loop, ended);
    if (loop_fd_add(n->loop, &n->control, EPOLLIN, &err) != PL_OK) {
        (void)close(pair[1]);
        pl_close_p(&n->control.fd);
    } else if (spawn_egress(n->o.spawner, pair[1], n->o.memory_size_mb, tool_run_made, &n->run, &n->run.making,
                            &n->seat, &err) == PL_OK) {
        n->running = true;
        (void)send_rules(n); /* nothing is in front of them, and they fit */
        flush(n);
        return;
    } else {
        loop_fd_remove(n->loop, &n->control);
        pl_close_p(&n->control.fd);
    }
    log_error("network_process_not_made", LOG_ERR(&err));
    pause_then_begin(n);
}

static void restart(struct loop_timer *t)
{
    struct network *n = PL_CONTAINER(t, struct network, restart);

    if (n->ports && !n->running)
        begin(n);
}

/* ---- life ---- */

bool network_permits(const struct network *n, const char *endpoint, const char *runtime)
{
    return egress_rules_concern(n->rules, endpoint) && !spawn_why_no_network(n->o.spawner, runtime);
}

static enum pl_code read_rules(struct egress_rules *rules, const struct config_strings *allow, struct pl_err *err)
{
    size_t bytes = 0;

    for (size_t i = 0; i < allow->count; i++) {
        bytes += strlen(allow->items[i]) + 1;
        if (egress_rules_add(rules, allow->items[i], err) != PL_OK)
            return err->code;
    }
    if (bytes > EGRESS_RULES_TEXT)
        return pl_fail(err, PL_INVALID, "network.allow",
                       "network.allow: its entries are %zu bytes long together; at "
                       "most %d are allowed",
                       bytes, EGRESS_RULES_TEXT);
    return PL_OK;
}

enum pl_code network_check(const struct config_strings *allow, struct pl_err *err)
{
    struct egress_rules *rules = egress_rules_new();
    enum pl_code code = read_rules(rules, allow, err);

    egress_rules_free(rules);
    return code;
}

static char *joined(const struct config_strings *allow)
{
    char *text = pl_strdup("");

    for (size_t i = 0; i < allow->count; i++) {
        char *longer = pl_format("%s%s\n", text, allow->items[i]);

        free(text);
        text = longer;
        log_info("network_allowed", LOG_STR("entry", allow->items[i]));
    }
    return text;
}

struct network *network_new(struct loop *l, const struct network_options *o)
{
    struct network *n = PL_NEW(struct network);
    struct pl_err err;

    n->loop = l;
    n->o = *o;
    n->o.allow = NULL;
    n->rules = egress_rules_new();
    (void)read_rules(n->rules, o->allow, &err); /* network_check() has been here */
    n->text = joined(o->allow);
    n->control.fd = n->run.child.watch.fd = n->run.log_fd = -1;
    n->control.ready = control_ready;
    n->restart.fire = restart;
    n->pause_ms = FIRST_PAUSE_MS;
    list_init(&n->todo);
    return n;
}

static void end_process(struct network *n)
{
    if (!n->running)
        return;
    if (n->run.making)
        spawn_tool_cancel(n->run.making);
    else
        child_end(&n->run.child);
    loop_timer_clear(n->loop, &n->run.timer);
    loop_timer_clear(n->loop, &n->run.gone);
    pl_close_p(&n->run.log_fd);
    (void)spawn_over(n->o.spawner, pl_take(n->seat));
}

void network_free(struct network *n)
{
    struct network_port *p, *next;

    if (!n)
        return;
    loop_timer_clear(n->loop, &n->restart);
    HASH_ITER(hh, n->ports, p, next)
    port_free(p);
    if (n->control.fd >= 0)
        loop_fd_remove(n->loop, &n->control);
    pl_close_p(&n->control.fd);
    end_process(n);
    egress_rules_free(n->rules);
    free(n->text);
    free(n);
}
