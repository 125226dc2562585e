/* One connection: HEAD -> NAME (unless it is an address) -> CONNECT -> OPEN, or REFUSED from any of them.
 * The address that was judged is the address that is connected to: a name is looked up once. */
#include "base/mem.h"
#include "base/time.h"
#include "egress/address.h"
#include "egress_parts.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEAD_MS    10000
#define NAME_MS    30000
#define CONNECT_MS 10000
#define REFUSED_MS 2000

/* ---- what it waits for ---- */

static void limit(struct tunnel *t, int64_t ms)
{
    loop_timer_set(egress_loop(t->port->all), &t->limit, pl_now_ms() + ms);
}

/* One that nothing is wanted of is not watched at all: its end would be reported again and again. */
static void want(struct tunnel *t, struct loop_fd *f, bool *watched, bool in, bool out)
{
    struct loop *l = egress_loop(t->port->all);
    uint32_t events = (in ? EPOLLIN : 0u) | (out ? EPOLLOUT : 0u);
    struct pl_err err;

    if (events == 0) {
        if (*watched)
            loop_fd_remove(l, f);
        *watched = false;
    } else if (*watched) {
        loop_fd_want(l, f, events);
    } else {
        *watched = loop_fd_add(l, f, events, &err) == PL_OK;
    }
}

static void want_client(struct tunnel *t, bool in, bool out)
{
    want(t, &t->client, &t->client_watched, in, out);
}

static void want_server(struct tunnel *t, bool in, bool out)
{
    want(t, &t->server, &t->server_watched, in, out);
}

static void drop_server(struct tunnel *t)
{
    want_server(t, false, false);
    pl_close_p(&t->server.fd);
}

static void count(struct port *p, bool surplus, int more)
{
    if (surplus) {
        p->surplus += (unsigned)more;
        return;
    }
    p->open += (unsigned)more;
    egress_count_tunnel(p->all, more);
}

void tunnel_close(struct tunnel *t)
{
    struct port *p = t->port;

    if (t->lookup)
        lookup_forget(t->lookup);
    if (t->counted)
        egress_count_closed(p->all, t->up.passed, t->down.passed);
    loop_timer_clear(egress_loop(p->all), &t->limit);
    drop_server(t);
    want_client(t, false, false);
    pl_close_p(&t->client.fd);
    list_remove(&t->link);
    list_remove(&t->wait);
    count(p, t->surplus, -1);
    free(t);
}

/* ---- refusing ---- */

static const char *phrase(int status)
{
    return status == 403   ? "Forbidden"
           : status == 503 ? "Service Unavailable"
           : status < 500  ? "Bad Request"
                           : "Bad Gateway";
}

/* The reason is in the first line, which is all that many clients of a proxy show, and in the body. */
PL_PRINTF(3, 4) static void refuse(struct tunnel *t, int status, const char *fmt, ...)
{
    char why[EGRESS_WHY];
    va_list args;
    int n;

    va_start(args, fmt);
    (void)vsnprintf(why, sizeof(why), fmt, args);
    va_end(args);
    drop_server(t);
    n = snprintf(t->down.bytes, sizeof(t->down.bytes),
                 "HTTP/1.1 %d %s: %s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %zu\r\n"
                 "Connection: close\r\n\r\n%s\n",
                 status, phrase(status), why, strlen(why) + 1, why);
    t->down.from = 0;
    t->down.to = (size_t)n;
    t->down.ended = true;
    t->state = TUNNEL_REFUSED;
    egress_refused(t->port, status != 403, why);
    limit(t, REFUSED_MS);
    want_client(t, true, true);
}

/* Its words are read to the end, or the reset that unread ones cause could overtake ours. */
static void on_refused(struct tunnel *t)
{
    bool broken = !pipe_move(&t->down, -1, t->client.fd);
    ssize_t n = recv(t->client.fd, t->up.bytes, sizeof(t->up.bytes), 0);

    if (broken || n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        tunnel_close(t);
    else
        want_client(t, true, pipe_wants_out(&t->down));
}

/* ---- open ---- */

/* What nobody takes any more is dropped, or its socket would be ready for it without end. The answer may be there
 * already. */
static void give_up_sending(struct tunnel *t)
{
    t->up.ended = t->up.shut = true;
    t->up.from = t->up.to = 0;
}

static void on_traffic(struct tunnel *t)
{
    if (!pipe_move(&t->up, t->client.fd, t->server.fd))
        give_up_sending(t);
    if (!pipe_move(&t->down, t->server.fd, t->client.fd) ||
        (pipe_over(&t->down) && (pipe_over(&t->up) || !t->head.tunnel))) {
        tunnel_close(t);
        return;
    }
    limit(t, egress_idle_ms(t->port->all));
    want_client(t, pipe_wants_in(&t->up), pipe_wants_out(&t->down));
    want_server(t, pipe_wants_in(&t->down), pipe_wants_out(&t->up));
}

/* What came behind the head goes after it. */
static bool forward_head(struct tunnel *t)
{
    size_t rest = t->up.to - t->head.size, n;
    char *head = pl_new0(t->head.size + EGRESS_HEAD_EXTRA, 1);

    if (t->head.body >= 0 && (int64_t)rest > t->head.body)
        rest = (size_t)t->head.body;
    n = egress_head_forward(&t->head, t->up.bytes, head, t->head.size + EGRESS_HEAD_EXTRA);
    if (n == 0 || n + rest > PIPE_BYTES) {
        free(head);
        return false;
    }
    memmove(t->up.bytes + n, t->up.bytes + t->head.size, rest);
    memcpy(t->up.bytes, head, n);
    free(head);
    t->up.from = 0;
    t->up.to = n + rest;
    t->up.left = t->head.body < 0 ? -1 : t->head.body - (int64_t)rest;
    return true;
}

static void connected(struct tunnel *t)
{
    static const char yes[] = "HTTP/1.1 200 Connection established\r\n\r\n";

    t->up.left = t->down.left = -1;
    if (t->head.tunnel) {
        memcpy(t->down.bytes, yes, sizeof(yes) - 1);
        t->down.to = sizeof(yes) - 1;
        t->up.from = t->head.size;
    } else if (!forward_head(t)) {
        refuse(t, 431, "the head of this request and what came with it are too long together");
        return;
    }
    t->state = TUNNEL_OPEN;
    t->counted = true;
    egress_count_opened(t->port->all);
    on_traffic(t);
}

/* ---- connecting ---- */

static void connect_next(struct tunnel *t, int last_error)
{
    struct sockaddr_storage to;
    socklen_t n;

    for (drop_server(t); t->at < t->count; drop_server(t)) {
        n = egress_address_socket(&t->addresses[t->at++], t->head.port, &to);
        t->server.fd = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (t->server.fd < 0 || (connect(t->server.fd, (const struct sockaddr *)&to, n) != 0 && errno != EINPROGRESS)) {
            last_error = errno;
            continue;
        }
        limit(t, CONNECT_MS);
        want_server(t, false, true);
        return;
    }
    refuse(t, last_error == ETIMEDOUT ? 504 : 502, "cannot reach %s:%u: %s", t->head.host, t->head.port,
           strerror(last_error));
}

static void on_connect(struct tunnel *t)
{
    int error = 0;
    socklen_t n = sizeof(error);

    if (getsockopt(t->server.fd, SOL_SOCKET, SO_ERROR, &error, &n) != 0)
        error = errno;
    if (error)
        connect_next(t, error);
    else
        connected(t);
}

/* ---- judging ---- */

/* Whatever can be bound to is this host's. */
static bool is_own(const struct in6_addr *address)
{
    struct sockaddr_storage at;
    socklen_t n = egress_address_socket(address, 0, &at);
    pl_cleanup(pl_close_p) int fd = socket(at.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    return fd < 0 || bind(fd, (const struct sockaddr *)&at, n) == 0 || errno != EADDRNOTAVAIL;
}

/* NULL, or why an entry must have this very address. */
static const char *guarded(const struct tunnel *t, const struct in6_addr *address)
{
    const char *what = egress_address_special(address);

    if (!what && is_own(address))
        what = "an address of this host";
    if (what && egress_rules_name_address(egress_rules(t->port->all), t->port->endpoint, address, t->head.port))
        return NULL;
    return what;
}

static void judge_addresses(struct tunnel *t, const struct in6_addr *addresses, unsigned count)
{
    char text[INET6_ADDRSTRLEN] = "";
    const char *what = NULL;

    for (unsigned i = 0; i < count; i++) {
        const char *found = guarded(t, &addresses[i]);

        if (!found) {
            t->addresses[t->count++] = addresses[i];
        } else if (!what) {
            what = found;
            (void)inet_ntop(AF_INET6, &addresses[i], text, sizeof(text));
        }
    }
    t->state = TUNNEL_CONNECT;
    if (t->count > 0)
        connect_next(t, EHOSTUNREACH);
    else
        refuse(t, 403, "'%s' may not reach %s:%u: %s is %s, and no entry of network.allow has this very address",
               t->port->endpoint, t->head.host, t->head.port, strncmp(text, "::ffff:", 7) == 0 ? text + 7 : text, what);
}

static void looked_up(struct tunnel *t, const struct in6_addr *addresses, unsigned count, const char *why)
{
    if (count > 0)
        judge_addresses(t, addresses, count);
    else
        refuse(t, 502, "cannot find %s: %s", t->head.host, why);
}

void tunnel_look_up(struct tunnel *t)
{
    list_remove(&t->wait);
    t->lookup = lookup_start(t, looked_up);
}

static void judge(struct tunnel *t)
{
    struct port *p = t->port;
    struct in6_addr address;

    if (!egress_rules_permit(egress_rules(p->all), p->endpoint, t->head.host, t->head.port)) {
        refuse(t, 403, "'%s' may not reach %s:%u: no entry of network.allow says so", p->endpoint, t->head.host,
               t->head.port);
    } else if (egress_address_read(t->head.host, &address)) {
        judge_addresses(t, &address, 1);
    } else {
        t->state = TUNNEL_NAME;
        limit(t, NAME_MS);
        list_push_back(&p->waiting, &t->wait);
        port_look_up_next(p);
    }
}

static void on_head(struct tunnel *t)
{
    ssize_t n = recv(t->client.fd, t->up.bytes + t->up.to, sizeof(t->up.bytes) - t->up.to, 0);
    enum egress_progress progress;

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        tunnel_close(t);
        return;
    }
    t->up.to += (size_t)n;
    progress = egress_head_read(&t->head, t->up.bytes, t->up.to);
    if (progress == EGRESS_MORE)
        return;
    want_client(t, false, false);
    if (progress == EGRESS_BAD)
        refuse(t, t->head.status, "%s", t->head.wrong);
    else
        judge(t);
}

/* ---- events ---- */

static void client_ready(struct loop_fd *f, uint32_t events)
{
    struct tunnel *t = PL_CONTAINER(f, struct tunnel, client);

    (void)events;
    if (t->state == TUNNEL_HEAD)
        on_head(t);
    else if (t->state == TUNNEL_REFUSED)
        on_refused(t);
    else
        on_traffic(t);
}

static void server_ready(struct loop_fd *f, uint32_t events)
{
    struct tunnel *t = PL_CONTAINER(f, struct tunnel, server);

    (void)events;
    if (t->state == TUNNEL_CONNECT)
        on_connect(t);
    else
        on_traffic(t);
}

static void too_long(struct loop_timer *timer)
{
    struct tunnel *t = PL_CONTAINER(timer, struct tunnel, limit);

    if (t->state == TUNNEL_NAME) {
        list_remove(&t->wait);
        if (t->lookup)
            lookup_forget(t->lookup);
        t->lookup = NULL;
        refuse(t, 504, "cannot find %s: no answer within %d s", t->head.host, NAME_MS / 1000);
    } else if (t->state == TUNNEL_CONNECT) {
        connect_next(t, ETIMEDOUT);
    } else {
        tunnel_close(t);
    }
}

void tunnel_start(struct port *p, int fd)
{
    struct tunnel *t = PL_NEW(struct tunnel);
    bool full = p->open >= egress_connections(p->all);

    t->port = p;
    t->client.fd = fd;
    t->client.ready = client_ready;
    t->server.fd = -1;
    t->server.ready = server_ready;
    t->limit.fire = too_long;
    t->up.left = t->down.left = -1;
    list_init(&t->wait);
    list_push_back(&p->tunnels, &t->link);
    t->surplus = full || !egress_has_room(p->all, p);
    count(p, t->surplus, 1);
    if (full) {
        refuse(t, 503, "this instance has %u connections already, which is network.connections",
               egress_connections(p->all));
    } else if (t->surplus) {
        refuse(t, 503, "the instances of this host have as many connections as it can lead out");
    } else {
        limit(t, HEAD_MS);
        want_client(t, true, false);
    }
}
