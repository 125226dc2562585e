#include "local_link.h"
#include "server_private.h"

#include "base/mem.h"
#include "base/text.h"

#include <errno.h>
#include <grpc/grpc_security.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define UNIX_PREFIX "unix:"

static const char *unix_path(const char *address)
{
    return strncmp(address, UNIX_PREFIX, strlen(UNIX_PREFIX)) == 0 ? address + strlen(UNIX_PREFIX) : NULL;
}

/* The core removes whatever socket file it finds, also that of a server that lives: so ask before it does. */
enum pl_code server_unix_check(const char *address, const char *path, struct pl_err *err)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    if (strlen(path) >= sizeof(a.sun_path))
        return pl_fail(err, PL_INVALID, "listen",
                       "listen: '%s' is longer than %zu bytes, the limit for a socket's path", address,
                       sizeof(a.sun_path) - 1);
    memcpy(a.sun_path, path, strlen(path));
    struct stat st;
    if (lstat(path, &st) != 0)
        return PL_OK; /* free, or bind() will tell */
    if (!S_ISSOCK(st.st_mode))
        return pl_fail(err, PL_UNAVAILABLE, "listen", "listen: cannot bind '%s': the file exists and is no socket",
                       address);
    pl_cleanup(pl_close_p) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && (connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0 || errno == EAGAIN))
        return pl_fail(err, PL_UNAVAILABLE, "listen", "listen: cannot bind '%s': another server listens on it",
                       address);
    return PL_OK;
}

/* The core says only that it could not; the same attempt once more says why. */
static const char *bind_reason(const char *address, const char *path)
{
    if (path) {
        struct sockaddr_un a = { .sun_family = AF_UNIX };
        snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
        pl_cleanup(pl_close_p) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) != 0)
            return strerror(errno);
        unlink(path);
        return "refused by the core";
    }
    const char *colon = strrchr(address, ':');
    if (!colon || colon == address)
        return "expected HOST:PORT, [IPV6]:PORT or unix:PATH";
    bool bracketed = address[0] == '[' && colon[-1] == ']';
    pl_cleanup(pl_free_p) char *host =
        pl_strndup(address + bracketed, (size_t)(colon - address) - 2 * (size_t)bracketed);
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE }, *found = NULL;
    int failed = getaddrinfo(host, colon + 1, &hints, &found);
    if (failed)
        return gai_strerror(failed);
    int on = 1;
    pl_cleanup(pl_close_p) int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    const char *reason = "refused by the core (is the certificate or its key damaged?)";
    if (fd < 0 || bind(fd, found->ai_addr, found->ai_addrlen) != 0 || listen(fd, 1) != 0)
        reason = strerror(errno);
    freeaddrinfo(found);
    return reason;
}

static enum pl_code listen_one(grpc_server *core, const char *address, grpc_server_credentials *tcp,
                               grpc_server_credentials *local, int *out_port, struct pl_err *err)
{
    const char *path = unix_path(address);
    if (path && server_unix_check(address, path, err) != PL_OK)
        return err->code;
    mode_t before = path ? umask(0177) : 0; /* the socket is born with mode 0600 */
    int port = grpc_server_add_http2_port(core, address, path ? local : tcp);
    if (path)
        umask(before);
    if (port == 0)
        return pl_fail(err, PL_UNAVAILABLE, "listen", "listen: cannot bind '%s': %s", address,
                       bind_reason(address, path));
    *out_port = path ? 0 : port;
    return PL_OK;
}

static void credentials_release_p(grpc_server_credentials **c)
{
    if (*c)
        grpc_server_credentials_release(*c);
}

enum pl_code server_listen(struct rpc_server *s, const struct rpc_server_options *o, int *out_ports, struct pl_err *err)
{
    pl_cleanup(credentials_release_p) grpc_server_credentials *local = grpc_insecure_server_credentials_create();
    pl_cleanup(credentials_release_p) grpc_server_credentials *tls = NULL;
    if (rpc_tls_enabled(&o->tls) && !(tls = rpc_tls_server(&o->tls, err)))
        return err->code;
    for (size_t i = 0; i < o->listen_count; i++)
        if (local_path(o->listen[i])
                ? local_server_listen(s, o->listen[i], err) != PL_OK
                : listen_one(s->core, o->listen[i], tls ? tls : local, local, &out_ports[i], err) != PL_OK)
            return err->code;
    return PL_OK;
}
