#include "admin/admin.h"

#include "base/buf.h"
#include "base/mem.h"
#include "metrics/metrics.h"

#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_CONNECTIONS  64
#define IDLE_S           10 /* a slow or silent client is dropped after this */
#define CONNECTION_BYTES 8192
#define TEXT_TYPE        "text/plain; charset=utf-8"
#define METRICS_TYPE     "text/plain; version=0.0.4; charset=utf-8"

struct admin {
    struct MHD_Daemon *daemon;
    struct metrics *metrics;
    const char *(*ready)(void *arg);
    void *arg;
    int port;
};

/* ---- answers ---- */

struct answer {
    unsigned status;
    const char *type;
    struct pl_buf body;
};

static void answer_metrics(struct admin *a, struct answer *out)
{
    out->type = METRICS_TYPE;
    metrics_expose(a->metrics, &out->body);
}

static void answer_alive(struct admin *a, struct answer *out)
{
    (void)a;
    pl_buf_adds(&out->body, "ok\n");
}

static void answer_ready(struct admin *a, struct answer *out)
{
    const char *why_not = a->ready ? a->ready(a->arg) : NULL;
    out->status = why_not ? MHD_HTTP_SERVICE_UNAVAILABLE : MHD_HTTP_OK;
    pl_buf_addf(&out->body, "%s\n", why_not ? why_not : "ready");
}

static const struct {
    const char *path;
    void (*answer)(struct admin *a, struct answer *out);
} paths[] = {
    { "/metrics", answer_metrics },
    { "/healthz", answer_alive },
    { "/readyz", answer_ready },
};

static void answer_unknown(struct answer *out)
{
    out->status = MHD_HTTP_NOT_FOUND;
    pl_buf_adds(&out->body, "not found; there are");
    for (size_t i = 0; i < PL_COUNT(paths); i++)
        pl_buf_addf(&out->body, " %s", paths[i].path);
    pl_buf_addc(&out->body, '\n');
}

static void make_answer(struct admin *a, const char *path, const char *method, struct answer *out)
{
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0) {
        out->status = MHD_HTTP_METHOD_NOT_ALLOWED;
        pl_buf_adds(&out->body, "GET and HEAD only\n");
        return;
    }
    for (size_t i = 0; i < PL_COUNT(paths); i++) {
        if (strcmp(path, paths[i].path) == 0) {
            paths[i].answer(a, out);
            return;
        }
    }
    answer_unknown(out);
}

/* ---- HTTP ---- */

static enum MHD_Result send_answer(struct MHD_Connection *c, struct answer *answer)
{
    size_t len;
    char *body = pl_buf_take(&answer->body, &len);
    if (!body) {
        answer->status = MHD_HTTP_INTERNAL_SERVER_ERROR;
        answer->type = TEXT_TYPE;
        body = pl_strdup("the answer is larger than its limit\n");
        len = strlen(body);
    }
    struct MHD_Response *response = MHD_create_response_from_buffer(len, body, MHD_RESPMEM_MUST_FREE);
    if (!response) {
        free(body);
        return MHD_NO;
    }
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, answer->type);
    if (answer->status == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    enum MHD_Result result = MHD_queue_response(c, answer->status, response);
    MHD_destroy_response(response);
    return result;
}

/* Called once when the headers are there, again for each part of a body, which is thrown away, and a last time when all
 * of the request is there. */
static enum MHD_Result handle(void *arg, struct MHD_Connection *c, const char *path, const char *method,
                              const char *version, const char *upload, size_t *upload_size, void **context)
{
    static char headers_seen;
    (void)version;
    (void)upload;
    if (!*context) {
        *context = &headers_seen;
        return MHD_YES;
    }
    if (*upload_size > 0) {
        *upload_size = 0;
        return MHD_YES;
    }
    struct answer answer = { .status = MHD_HTTP_OK, .type = TEXT_TYPE };
    make_answer(arg, path, method, &answer);
    return send_answer(c, &answer);
}

/* ---- the socket ---- */

/* "127.0.0.1:9090", "[::1]:9090", ":9090" -> host and port. */
static bool split_address(const char *address, char *host, size_t host_size, char *port, size_t port_size)
{
    const char *colon = strrchr(address, ':');
    if (!colon)
        return false;
    const char *from = address, *to = colon;
    if (*from == '[') {
        if (to == from || to[-1] != ']')
            return false;
        from++;
        to--;
    } else if (memchr(from, ':', (size_t)(to - from))) {
        return false; /* an IPv6 address without its brackets */
    }
    int n = snprintf(host, host_size, "%.*s", (int)(to - from), from);
    int p = snprintf(port, port_size, "%s", colon + 1);
    return n >= 0 && (size_t)n < host_size && p > 0 && (size_t)p < port_size &&
           strspn(port, "0123456789") == strlen(port);
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

static enum pl_code listen_on(const char *address, int *out_fd, struct pl_err *err)
{
    char host[256], port[8];
    if (!split_address(address, host, sizeof(host), port, sizeof(port)))
        return pl_fail(err, PL_INVALID, "admin_listen", "admin_listen: '%s' is not HOST:PORT or [IPV6]:PORT", address);
    struct addrinfo hints = { .ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM }, *found = NULL;
    int code = getaddrinfo(*host ? host : NULL, port, &hints, &found);
    if (code != 0)
        return pl_fail(err, PL_INVALID, "admin_listen", "admin_listen: '%s': %s", address, gai_strerror(code));
    pl_cleanup(pl_close_p) int fd =
        socket(found->ai_family, found->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, found->ai_protocol);
    int one = 1;
    bool bound = fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0 &&
                 bind(fd, found->ai_addr, found->ai_addrlen) == 0 && listen(fd, MAX_CONNECTIONS) == 0;
    int why = errno;
    freeaddrinfo(found);
    if (!bound)
        return pl_fail(err, PL_UNAVAILABLE, "admin_listen", "admin_listen: cannot bind '%s': %s", address,
                       strerror(why));
    *out_fd = pl_take_fd(fd);
    return PL_OK;
}

/* ---- start and stop ---- */

enum pl_code admin_start(struct admin **out, const char *address, struct metrics *m, const char *(*ready)(void *arg),
                         void *arg, struct pl_err *err)
{
    pl_cleanup(pl_close_p) int fd = -1;
    struct pl_err own;
    if (listen_on(address, &fd, err ? err : &own) != PL_OK)
        return err ? err->code : own.code;
    struct admin *a = PL_NEW(struct admin);
    *a = (struct admin){ .metrics = m, .ready = ready, .arg = arg, .port = bound_port(fd) };
    a->daemon = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, handle, a, MHD_OPTION_LISTEN_SOCKET, fd,
                                 MHD_OPTION_CONNECTION_LIMIT, (unsigned)MAX_CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT,
                                 (unsigned)IDLE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES,
                                 MHD_OPTION_END);
    if (!a->daemon) {
        free(a);
        return pl_fail(err, PL_INTERNAL, "admin_listen", "admin_listen: cannot start an HTTP server on '%s'", address);
    }
    (void)pl_take_fd(fd); /* the daemon closes it */
    *out = a;
    return PL_OK;
}

int admin_port(const struct admin *a)
{
    return a->port;
}

void admin_stop(struct admin *a)
{
    if (!a)
        return;
    MHD_stop_daemon(a->daemon);
    free(a);
}
