#include "host_link.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define FIRST_CAPACITY ((size_t)64 << 10)
#define KEEP_CAPACITY  ((size_t)1 << 20)

void host_link_init(struct host_link *l, int fd)
{
    *l = (struct host_link){ .fd = fd };
}

void host_link_done(struct host_link *l)
{
    free(l->in);
    pl_buf_done(&l->out);
    *l = (struct host_link){ .fd = -1 };
}

/* What came after the last frame moves to the front. */
static void drop_taken(struct host_link *l)
{
    l->in_len -= l->taken;
    if (l->in_len > 0 && l->taken > 0)
        memmove(l->in, l->in + l->taken, l->in_len);
    l->taken = 0;
    if (l->in_len == 0 && l->in_cap > KEEP_CAPACITY) {
        free(l->in);
        l->in = NULL;
        l->in_cap = 0;
    }
}

static bool reserve(struct host_link *l, size_t need)
{
    uint8_t *bigger;

    if (need <= l->in_cap)
        return true;
    if (need < FIRST_CAPACITY)
        need = FIRST_CAPACITY;
    bigger = realloc(l->in, need);
    if (!bigger)
        return false;
    l->in = bigger;
    l->in_cap = need;
    return true;
}

bool host_link_warm(struct host_link *l)
{
    if (!reserve(l, FIRST_CAPACITY))
        return false;
    /* As much as a load, or a call of some rows, will touch. */
    memset(l->in, 0, 2 * 4096);
    return true;
}

/* Sleeps in poll(), not in recv(): when the host reads our answer, its end of the socketpair wakes whoever waits on
 * ours (there is room to write again), and only poll() knows that this is not what we wait for. In recv() that would be
 * a second wake-up for each request, for nothing. */
static void await_bytes(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };

    if (fd >= 0)               /* poll() would wait for ever on what is no descriptor */
        (void)poll(&p, 1, -1); /* whatever it says, recv() tells more */
}

/* Receives until 'need' bytes are there; more may come along. */
static enum link_event fill(struct host_link *l, size_t need)
{
    if (!reserve(l, need))
        return LINK_BROKEN;
    while (l->in_len < need) {
        ssize_t n;

        await_bytes(l->fd);
        n = recv(l->fd, l->in + l->in_len, l->in_cap - l->in_len, 0);
        if (n > 0)
            l->in_len += (size_t)n;
        else if (n == 0 || errno == ECONNRESET)
            return l->in_len == 0 ? LINK_END : LINK_BROKEN;
        else if (errno != EINTR)
            return LINK_BROKEN;
    }
    return LINK_FRAME;
}

enum link_event host_link_receive(struct host_link *l, struct frame_header *out, const uint8_t **out_payload)
{
    enum link_event event;

    drop_taken(l);
    event = fill(l, FRAME_HEADER_SIZE);
    if (event != LINK_FRAME)
        return event;
    if (!frame_decode(l->in, out) || fill(l, FRAME_HEADER_SIZE + out->length) != LINK_FRAME)
        return LINK_BROKEN;
    l->taken = FRAME_HEADER_SIZE + out->length;
    *out_payload = l->in + FRAME_HEADER_SIZE;
    return LINK_FRAME;
}

void host_link_begin(struct host_link *l, size_t limit)
{
    static const uint8_t headroom[LINK_HEADROOM];

    if (l->out.cap > KEEP_CAPACITY)
        pl_buf_done(&l->out);
    pl_buf_clear(&l->out);
    l->out.failed = false;
    l->out.limit = LINK_HEADROOM + limit;
    (void)pl_buf_add(&l->out, headroom, sizeof(headroom));
}

static bool send_all(int fd, const uint8_t *bytes, size_t n)
{
    while (n > 0) {
        ssize_t sent = send(fd, bytes, n, MSG_NOSIGNAL);

        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return false;
        bytes += sent;
        n -= (size_t)sent;
    }
    return true;
}

bool host_link_send(struct host_link *l, enum frame_kind kind, uint64_t id, const uint8_t *prefix, size_t n)
{
    size_t payload = l->out.len - LINK_HEADROOM + n;
    uint8_t *start = (uint8_t *)l->out.data + LINK_HEADROOM - n - FRAME_HEADER_SIZE;
    struct frame_header h = { .length = (uint32_t)payload, .kind = kind, .id = id };

    assert(n <= LINK_HEADROOM - FRAME_HEADER_SIZE && !l->out.failed && payload <= FRAME_MAX_PAYLOAD);
    frame_encode(&h, start);
    if (n > 0)
        memcpy(start + FRAME_HEADER_SIZE, prefix, n);
    return send_all(l->fd, start, FRAME_HEADER_SIZE + payload);
}
