/* The server: libmicrohttpd on our loop, connections, and what time does to them. See http.h. */
#include "http.h"

#include "base/mem.h"
#include "base/time.h"
#include "http_linger.h"
#include "http_private.h"
#include "log/log.h"
#include "metrics/metrics.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SWEEP_MS        500
#define ACCEPTS_PER_RUN 64
/* After an answer libmicrohttpd wants two more runs until it has seen that nothing else has come on that connection.
 * Here they cost less than waking the loop's thread for them. */
#define RUNS_AT_ONCE  4
#define BACKLOG       4096
#define SLOW_AFTER_MS 10000 /* a body's rate is looked at from here on */
#define GONE_AFTER_MS 250   /* a waiting client is looked at from here on */
/* libmicrohttpd's pool of a connection holds what has been read, an entry for each header and parameter, and the head
 * of the answer. All of it is zeroed after each request, so it is no larger than that takes. */
#define POOL_ANSWER ((size_t)8 << 10)
#define POOL_ENTRY  ((size_t)64)

/* ---- running libmicrohttpd ---- */

static void arm_sweep(struct http *h)
{
    if (h->sweep.slot == 0 && (h->connections > 0 || h->accept_paused))
        loop_timer_set(h->loop, &h->sweep, pl_now_ms() + SWEEP_MS);
}

/* Something is left to do at once. */
static bool has_more(struct http *h)
{
    MHD_UNSIGNED_LONG_LONG timeout;
    return MHD_get_timeout(h->daemon, &timeout) == MHD_YES && timeout == 0;
}

static void post_more(struct http *h)
{
    if (h->more_posted)
        return;
    h->more_posted = true;
    loop_post(h->loop, &h->more);
}

void http_run(struct http *h)
{
    if (h->running) {
        h->again = true;
        return;
    }
    h->running = true;
    bool more = true;
    for (int i = 0; more && i < RUNS_AT_ONCE; i++) {
        h->again = false;
        (void)MHD_run(h->daemon);
        more = h->again || has_more(h);
    }
    h->running = false;
    if (more)
        post_more(h);
}

static void on_soon(struct loop_task *t)
{
    struct http *h = PL_CONTAINER(t, struct http, soon);
    if (!h->stopping)
        http_run(h);
}

void http_run_soon(struct http *h)
{
    if (loop_taken(h->loop))
        loop_later(h->loop, &h->soon);
    else
        http_run(h);
}

static void on_more(struct loop_task *t)
{
    struct http *h = PL_CONTAINER(t, struct http, more);
    h->more_posted = false;
    if (!h->stopping)
        http_run(h);
}

static void on_epoll(struct loop_fd *f, uint32_t events)
{
    (void)events;
    http_run(PL_CONTAINER(f, struct http, epoll));
}

/* ---- connections ---- */

void http_conn_cut(struct http_conn *c)
{
    if (c->cut)
        return;
    c->cut = true;
    (void)shutdown(c->fd, SHUT_RDWR); /* libmicrohttpd reads the end and closes it */
}

static unsigned seconds_of(int64_t ms)
{
    return (unsigned)((ms + 999) / 1000);
}

void http_conn_busy(struct http_conn *c)
{
    list_remove(&c->link);
    MHD_set_connection_option(c->mhd, MHD_CONNECTION_OPTION_TIMEOUT, seconds_of(c->http->options.stall_ms));
}

/* The timeout goes back to the daemon's own: libmicrohttpd looks at every connection with another one in each turn. */
void http_conn_idle(struct http_conn *c)
{
    MHD_set_connection_option(c->mhd, MHD_CONNECTION_OPTION_TIMEOUT, seconds_of(c->http->options.idle_ms));
    c->since_ms = pl_now_ms();
    list_push_back(&c->http->idle, &c->link);
    if (c->http->draining)
        http_conn_cut(c);
}

static void on_connection(void *arg, struct MHD_Connection *mhd, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct http *h = arg;
    struct http_conn *c = *context;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        c = PL_NEW(struct http_conn);
        c->http = h;
        c->mhd = mhd;
        c->fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
        list_init(&c->link);
        *context = c;
        h->connections++;
        http_conn_idle(c);
        arm_sweep(h);
    } else {
        list_remove(&c->link);
        h->connections--;
        free(c);
    }
    metrics_set(h->open, h->connections);
}

/* Makes room for a new connection. */
static void cut_longest_idle(struct http *h)
{
    struct http_conn *c = list_first(&h->idle, struct http_conn, link);
    if (!c || c->cut)
        return;
    list_remove(&c->link); /* the next one is another */
    http_conn_cut(c);
    metrics_add(h->timed_out, 1);
}

static void pause_accept(struct http *h, bool paused)
{
    h->accept_paused = paused;
    for (size_t i = 0; i < h->listener_count && h->listening; i++)
        loop_fd_want(h->loop, &h->listeners[i].fd, paused ? 0 : EPOLLIN);
}

static void on_accept(struct loop_fd *f, uint32_t events)
{
    struct http *h = PL_CONTAINER(f, struct http_listener, fd)->owner;
    (void)events;
    for (int i = 0; i < ACCEPTS_PER_RUN; i++) {
        struct sockaddr_storage from;
        socklen_t len = sizeof(from);
        int on = 1, fd = accept4(f->fd, (struct sockaddr *)&from, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
                log_warn("accept_failed", LOG_STR("error", strerror(errno)), LOG_INT("connections", h->connections));
                cut_longest_idle(h);
                pause_accept(h, true);
                arm_sweep(h);
            }
            break;
        }
        metrics_add(h->accepted, 1);
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        if (h->connections + 1 >= h->options.connection_limit) {
            cut_longest_idle(h);
            http_run(h); /* its place is free after this */
        }
        if (MHD_add_connection(h->daemon, fd, (struct sockaddr *)&from, len) != MHD_YES)
            metrics_add(h->refused, 1); /* over a limit; closed */
    }
    http_run(h);
}

/* ---- time ---- */

static void sweep_idle(struct http *h, int64_t now_ms)
{
    list_each_safe(it, &h->idle)
    {
        struct http_conn *c = list_entry(it, struct http_conn, link);
        if (c->since_ms + h->options.idle_ms > now_ms)
            break;
        list_remove(&c->link);
        http_conn_cut(c);
        metrics_add(h->timed_out, 1);
    }
}

static bool is_slow(const struct http_request *r, int64_t age_ms)
{
    return r->state == HTTP_BODY && !r->body_paused && age_ms > SLOW_AFTER_MS &&
           r->body_read * 1000 < r->http->options.body_bytes_per_s * age_ms;
}

/* Has the client closed a connection that is suspended, and so unseen by libmicrohttpd? */
static bool is_gone(const struct http_request *r)
{
    char byte;
    ssize_t n = recv(r->conn->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

static void sweep_requests(struct http *h, int64_t now_us)
{
    list_each_safe(it, &h->requests)
    {
        struct http_request *r = list_entry(it, struct http_request, link);
        int64_t age_ms = (now_us - r->started_us) / 1000;
        if (age_ms < GONE_AFTER_MS)
            break;
        if (is_slow(r, age_ms)) {
            http_conn_cut(r->conn);
            metrics_add(h->timed_out, 1);
        } else if (r->suspended && !r->answered && !r->gone_told && is_gone(r)) {
            http_request_tell_gone(r);
        }
    }
}

static void on_sweep(struct loop_timer *t)
{
    struct http *h = PL_CONTAINER(t, struct http, sweep);
    if (h->accept_paused)
        pause_accept(h, false);
    sweep_idle(h, pl_now_ms());
    sweep_requests(h, pl_now_us());
    http_run(h); /* its own clock: stalled connections */
    arm_sweep(h);
}

/* ---- starting ---- */

static void on_log(void *arg, const char *fmt, va_list args)
{
    char line[512];
    (void)arg;
    (void)vsnprintf(line, sizeof(line), fmt, args);
    line[strcspn(line, "\n")] = '\0';
    log_debug("http", LOG_STR("text", line));
}

static size_t keep_escapes(void *arg, struct MHD_Connection *mhd, char *text)
{
    (void)arg, (void)mhd;
    return strlen(text); /* signatures are made over what was sent */
}

static char *read_pem(const char *path, struct pl_err *err)
{
    char *text = NULL;
    pl_cleanup(pl_close_p) int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = -1;
    if (fd >= 0) {
        text = pl_new0(1, (1 << 20) + 1);
        n = read(fd, text, 1 << 20);
    }
    if (n > 0)
        return text;
    (void)pl_fail(err, PL_INVALID, "tls", "cannot read %s: %s", path, n == 0 ? "it is empty" : strerror(errno));
    free(text);
    return NULL;
}

static size_t pool_bytes(const struct http_options *o)
{
    return (size_t)o->header_bytes + ((size_t)o->header_count + HTTP_PARAMETERS_MAX) * POOL_ENTRY + POOL_ANSWER;
}

static enum pl_code start_daemon(struct http *h, struct pl_err *err)
{
    const struct http_options *o = &h->options;
    bool tls = http_secure(h);
    pl_cleanup(pl_free_p) char *cert = tls ? read_pem(o->tls_cert_file, err) : NULL;
    pl_cleanup(pl_free_p) char *key = tls && cert ? read_pem(o->tls_key_file, err) : NULL;
    if (tls && !key)
        return err->code;
    if (tls && MHD_is_feature_supported(MHD_FEATURE_TLS) != MHD_YES)
        return pl_fail(err, PL_INVALID, "tls", "this libmicrohttpd has no TLS");
    struct MHD_OptionItem items[] = {
        { MHD_OPTION_HTTPS_MEM_CERT, 0, cert },
        { MHD_OPTION_HTTPS_MEM_KEY, 0, key },
        { MHD_OPTION_END, 0, NULL },
    };
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ERROR_LOG;
    h->daemon = MHD_start_daemon(
        flags | (tls ? MHD_USE_TLS : 0), 0, NULL, NULL, http_on_request, h, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,
        MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL, MHD_OPTION_URI_LOG_CALLBACK, http_on_target, h,
        MHD_OPTION_NOTIFY_COMPLETED, http_on_completed, h, MHD_OPTION_NOTIFY_CONNECTION, on_connection, h,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, pool_bytes(o), MHD_OPTION_CONNECTION_LIMIT, (unsigned)o->connection_limit,
        MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned)o->connections_per_address, MHD_OPTION_CONNECTION_TIMEOUT,
        seconds_of(o->idle_ms), MHD_OPTION_STRICT_FOR_CLIENT, 0, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_ARRAY,
        tls ? items : items + 2, MHD_OPTION_END);
    if (!h->daemon)
        return pl_fail(err, tls ? PL_INVALID : PL_INTERNAL, tls ? "tls" : NULL, "the HTTP server does not start%s",
                       tls ? ": is the certificate the key's, and PEM?" : "");
    h->epoll.fd = MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    h->epoll.ready = on_epoll;
    return loop_fd_add(h->loop, &h->epoll, EPOLLIN, err);
}

/* "[::1]:80" or "127.0.0.1:80" -> host and port, in 'text'. */
static bool split_address(char *text, char **out_host, char **out_port)
{
    char *colon = strrchr(text, ':');
    if (!colon || colon == text || !colon[1])
        return false;
    *colon = '\0';
    *out_port = colon + 1;
    *out_host = text;
    size_t n = strlen(text);
    if (text[0] == '[' && text[n - 1] == ']') {
        text[n - 1] = '\0';
        *out_host = text + 1;
    }
    return true;
}

static int bound_port(int fd)
{
    struct sockaddr_storage a;
    socklen_t len = sizeof(a);
    if (getsockname(fd, (struct sockaddr *)&a, &len) != 0)
        return 0;
    return ntohs(a.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&a)->sin6_port
                                         : ((struct sockaddr_in *)&a)->sin_port);
}

static enum pl_code listen_on(struct http *h, const char *address, struct http_listener *out, struct pl_err *err)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV }, *found = NULL;
    pl_cleanup(pl_free_p) char *copy = pl_strdup(address);
    char *host, *port;
    if (!split_address(copy, &host, &port) || getaddrinfo(host, port, &hints, &found) != 0)
        return pl_fail(err, PL_INVALID, "listen", "listen: '%s' is not HOST:PORT", address);
    int on = 1, fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (fd < 0 || bind(fd, found->ai_addr, found->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0) {
        (void)pl_fail(err, PL_UNAVAILABLE, "listen", "cannot listen on %s: %s", address, strerror(errno));
        freeaddrinfo(found);
        if (fd >= 0)
            close(fd);
        return err->code;
    }
    freeaddrinfo(found);
    *out = (struct http_listener){ .fd = { .ready = on_accept, .fd = fd }, .owner = h, .port = bound_port(fd) };
    if (loop_fd_add(h->loop, &out->fd, EPOLLIN, err) == PL_OK)
        return PL_OK;
    close(fd);
    return err->code;
}

enum pl_code http_start(struct http **out, struct loop *l, struct metrics *m, const struct http_options *o,
                        struct pl_err *err)
{
    struct http *h = PL_NEW(struct http);
    h->options = *o;
    h->loop = l;
    h->sweep.fire = on_sweep;
    h->more.run = on_more;
    h->soon.run = on_soon;
    list_init(&h->soon.link);
    list_init(&h->idle);
    list_init(&h->requests);
    h->linger = linger_new(l);
    h->accepted = metrics_counter(m, "http_connections_accepted_total", NULL, "Connections accepted");
    h->refused = metrics_counter(m, "http_connections_refused_total", NULL, "Connections over a limit");
    h->timed_out = metrics_counter(m, "http_connections_timed_out_total", NULL,
                                   "Connections closed by us: idle, slow, or to make room");
    h->open = metrics_gauge(m, "http_connections", NULL, "Connections open now");
    h->listeners = pl_new0(o->listen_count, sizeof(*h->listeners));
    h->listening = true;
    enum pl_code code = start_daemon(h, err);
    for (size_t i = 0; i < o->listen_count && code == PL_OK; i++) {
        code = listen_on(h, o->listen[i], &h->listeners[i], err);
        h->listener_count += code == PL_OK;
    }
    if (code != PL_OK) {
        http_stop(h);
        return code;
    }
    *out = h;
    return PL_OK;
}

int http_port(const struct http *h, size_t i)
{
    return i < h->listener_count ? h->listeners[i].port : 0;
}

bool http_secure(const struct http *h)
{
    return h->options.tls_cert_file && *h->options.tls_cert_file;
}

/* ---- ending ---- */

static void stop_listening(struct http *h)
{
    for (size_t i = 0; i < h->listener_count && h->listening; i++) {
        loop_fd_remove(h->loop, &h->listeners[i].fd);
        close(h->listeners[i].fd.fd);
    }
    h->listening = false;
    h->accept_paused = false;
}

static void check_drained(struct http *h)
{
    if (!h->draining || h->request_count > 0 || !h->drained)
        return;
    void (*drained)(void *arg) = h->drained;
    h->drained = NULL;
    loop_timer_clear(h->loop, &h->grace);
    drained(h->drained_arg);
}

void http_request_over(struct http *h)
{
    h->request_count--;
    check_drained(h);
}

static void on_grace(struct loop_timer *t)
{
    struct http *h = PL_CONTAINER(t, struct http, grace);
    list_each_safe(it, &h->requests)
    {
        struct http_request *r = list_entry(it, struct http_request, link);
        if (r->suspended && !r->answered && !r->gone_told)
            http_request_tell_gone(r);
        else if (!r->suspended)
            http_conn_cut(r->conn); /* it does not send, or does not read */
    }
    http_run(h);
}

void http_drain(struct http *h, int64_t grace_ms, void (*drained)(void *arg), void *arg)
{
    h->draining = true;
    h->drained = drained;
    h->drained_arg = arg;
    h->grace.fire = on_grace;
    stop_listening(h);
    list_each_safe(it, &h->idle) http_conn_cut(list_entry(it, struct http_conn, link));
    loop_timer_set(h->loop, &h->grace, pl_now_ms() + grace_ms);
    http_run(h);
    check_drained(h);
}

void http_stop(struct http *h)
{
    if (!h)
        return;
    h->stopping = true;
    list_remove(&h->soon.link);
    stop_listening(h);
    loop_timer_clear(h->loop, &h->sweep);
    loop_timer_clear(h->loop, &h->grace);
    list_each_safe(it, &h->requests)
    {
        struct http_request *r = list_entry(it, struct http_request, link);
        http_conn_cut(r->conn);
        if (r->suspended)
            MHD_resume_connection(r->conn->mhd); /* libmicrohttpd wants none suspended when it stops */
        r->suspended = false;
    }
    if (h->daemon) {
        if (h->epoll.ready)
            loop_fd_remove(h->loop, &h->epoll);
        MHD_stop_daemon(h->daemon);
    }
    linger_free(h->linger);
    free(h->listeners);
    free(h);
}
