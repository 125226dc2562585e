#include "up_probe.h"

#include "base/cleanup.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static int dial(const char *host, int port, int timeout_ms)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV }, *found;
    struct timeval limit = { .tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000 };
    char service[16];
    snprintf(service, sizeof(service), "%d", port);
    if (getaddrinfo(host, service, &hints, &found) != 0)
        return -1;
    pl_cleanup(pl_close_p) int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0) {
        /* The send limit bounds connect() too. */
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    }
    bool connected = fd >= 0 && connect(fd, found->ai_addr, found->ai_addrlen) == 0;
    freeaddrinfo(found);
    return connected ? pl_take_fd(fd) : -1;
}

bool up_probe(const char *host, int port, int timeout_ms, char *why, size_t size)
{
    char text[2048];
    size_t len = 0;
    pl_cleanup(pl_close_p) int fd = dial(host, port, timeout_ms);
    if (fd < 0) {
        snprintf(why, size, "does not listen yet");
        return false;
    }
    int n = snprintf(text, sizeof(text), "GET /readyz HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", host);
    if (send(fd, text, (size_t)n, MSG_NOSIGNAL) != n) {
        snprintf(why, size, "closed the connection");
        return false;
    }
    ssize_t got;
    while (len < sizeof(text) - 1 && (got = recv(fd, text + len, sizeof(text) - 1 - len, 0)) > 0)
        len += (size_t)got;
    text[len] = '\0';
    if (!strncmp(text, "HTTP/1.1 200", 12))
        return true;
    const char *body = strstr(text, "\r\n\r\n");
    snprintf(why, size, "%.*s", body ? (int)strcspn(body + 4, "\r\n") : 0, body ? body + 4 : "");
    if (!*why)
        snprintf(why, size, "does not answer yet");
    return false;
}
