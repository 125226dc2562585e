#include "egress_pipe.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

static bool later(void)
{
    return errno == EAGAIN || errno == EINTR;
}

bool pipe_wants_in(const struct pipe *p)
{
    return !p->ended && p->to < PIPE_BYTES;
}

bool pipe_wants_out(const struct pipe *p)
{
    return p->from < p->to;
}

bool pipe_over(const struct pipe *p)
{
    return p->ended && p->shut;
}

static bool take(struct pipe *p, int source)
{
    size_t room = PIPE_BYTES - p->to;
    ssize_t n;

    if (p->left == 0) {
        p->ended = true;
        return true;
    }
    if (p->left > 0 && (uint64_t)p->left < room)
        room = (size_t)p->left;
    n = recv(source, p->bytes + p->to, room, 0);
    if (n < 0)
        return later();
    p->to += (size_t)n;
    if (p->left > 0)
        p->left -= n;
    p->ended = n == 0 || p->left == 0;
    return true;
}

static bool give(struct pipe *p, int sink)
{
    ssize_t n = send(sink, p->bytes + p->from, p->to - p->from, MSG_NOSIGNAL);

    if (n < 0)
        return later();
    p->from += (size_t)n;
    p->passed += (uint64_t)n;
    if (p->from == p->to)
        p->from = p->to = 0;
    return true;
}

/* A request that has been sent is not the end of its connection: its server may take a closed half for a client that
 * has gone. Only one whose source has closed is shut. */
static void tell_end(struct pipe *p, int sink)
{
    if (p->left != 0)
        (void)shutdown(sink, SHUT_WR);
    p->shut = true;
}

bool pipe_move(struct pipe *p, int source, int sink)
{
    if (pipe_wants_in(p) && !take(p, source))
        return false;
    if (pipe_wants_out(p) && !give(p, sink))
        return false;
    if (p->ended && !p->shut && !pipe_wants_out(p))
        tell_end(p, sink);
    return true;
}
