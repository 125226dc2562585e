#include "channel/channel.h"

#include "base/cleanup.h"
#include "rpc/rpc.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- out ---- */

static void question_done(struct channel *ch)
{
    rpc_bytes_unref(ch->question);
    ch->question = NULL;
    pl_close_p(&ch->passed);
    if (ch->spans != ch->few)
        free(ch->spans);
    ch->spans = ch->few;
    ch->span = ch->span_count = 0;
}

static bool all_sent(const struct channel *ch)
{
    return ch->span == ch->span_count;
}

/* 'n' bytes have left. */
static void advance(struct channel *ch, size_t n)
{
    while (!all_sent(ch) && n >= ch->spans[ch->span].iov_len)
        n -= ch->spans[ch->span++].iov_len;
    if (n > 0) {
        struct iovec *s = &ch->spans[ch->span];

        s->iov_base = (char *)s->iov_base + n;
        s->iov_len -= n;
    }
}

union passing {
    struct cmsghdr header;
    char room[CMSG_SPACE(sizeof(int))];
};

static void pass(struct msghdr *m, union passing *room, int fd)
{
    memset(room, 0, sizeof(*room));
    m->msg_control = room;
    m->msg_controllen = sizeof(room->room);
    room->header =
        (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
    memcpy(CMSG_DATA(&room->header), &fd, sizeof(fd));
}

static ssize_t send_some(struct channel *ch)
{
    unsigned left = ch->span_count - ch->span;
    struct msghdr m = { .msg_iov = &ch->spans[ch->span], .msg_iovlen = left < IOV_MAX ? left : IOV_MAX };
    union passing passing;
    ssize_t n;

    if (ch->passed >= 0)
        pass(&m, &passing, ch->passed);
    n = sendmsg(ch->watch.fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n > 0)
        pl_close_p(&ch->passed);
    return n;
}

/* As much as the socket takes. A peer that is gone is noticed by reading. */
static void push(struct channel *ch)
{
    while (!all_sent(ch)) {
        ssize_t n = send_some(ch);

        if (n >= 0)
            advance(ch, (size_t)n);
        else if (errno != EINTR)
            break;
    }
    if (all_sent(ch)) {
        question_done(ch);
        if (ch->watch.events != EPOLLIN)
            loop_fd_want(ch->loop, &ch->watch, EPOLLIN);
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
        if (ch->watch.events == EPOLLIN)
            loop_fd_want(ch->loop, &ch->watch, EPOLLIN | EPOLLOUT);
    } else if (ch->watch.events != EPOLLIN) {
        loop_fd_want(ch->loop, &ch->watch, EPOLLIN);
    }
}

static void lay_out(struct channel *ch, const struct frame_header *h, struct rpc_bytes *payload, int fd)
{
    unsigned n = payload ? rpc_bytes_spans(payload, ch->few + 1, CHANNEL_SPANS - 1) : 0;

    if (n > CHANNEL_SPANS - 1) {
        ch->spans = calloc(n + 1, sizeof(*ch->spans));
        if (!ch->spans)
            pl_die("out of memory");
        (void)rpc_bytes_spans(payload, ch->spans + 1, n);
    }
    frame_encode(h, ch->header);
    ch->spans[0] = (struct iovec){ .iov_base = ch->header, .iov_len = sizeof(ch->header) };
    ch->span = 0;
    ch->span_count = n + 1;
    ch->question = payload;
    ch->passed = fd;
}

void channel_ask_with(struct channel *ch, enum frame_kind kind, uint64_t id, struct rpc_bytes *payload, int fd)
{
    struct frame_header h = { .length = payload ? (uint32_t)rpc_bytes_len(payload) : 0, .kind = kind, .id = id };

    assert(!ch->asked && ch->watch.fd >= 0 && all_sent(ch) &&
           (!payload || rpc_bytes_len(payload) <= FRAME_MAX_PAYLOAD));
    ch->asked = true;
    ch->id = id;
    ch->kind = kind;
    lay_out(ch, &h, payload, fd);
    push(ch);
}

void channel_ask(struct channel *ch, enum frame_kind kind, uint64_t id, struct rpc_bytes *payload)
{
    channel_ask_with(ch, kind, id, payload, -1);
}

bool channel_tell(struct channel *ch, enum frame_kind kind, int fd)
{
    struct frame_header h = { .kind = kind };
    bool sent;

    assert(!ch->asked && ch->watch.fd >= 0 && all_sent(ch));
    lay_out(ch, &h, NULL, fd);
    push(ch);
    sent = all_sent(ch);
    question_done(ch);
    return sent;
}

/* ---- in ---- */

static void break_off(struct channel *ch, bool lie, const char *why)
{
    channel_close(ch);
    ch->events->broken(ch, lie, why);
}

static bool answers(enum frame_kind question, enum frame_kind answer)
{
    if (question == FRAME_LOAD)
        return answer == FRAME_LOADED || answer == FRAME_FAILED;
    if (question == FRAME_DETACH)
        return answer == FRAME_DETACHED;
    return answer == FRAME_RESULT || answer == FRAME_ERROR;
}

/* NULL when the header is what was asked for. */
static const char *header_wrong(const struct channel *ch, const struct frame_header *h)
{
    if (h->id != ch->id)
        return "answered a question that was not asked (other id)";
    if (!answers(ch->kind, h->kind))
        return "answered with a frame of a kind that is no answer";
    return NULL;
}

/* Hands the answer over; the channel may be gone afterwards. */
static void deliver(struct channel *ch)
{
    uint8_t *payload = ch->payload;

    ch->payload = NULL;
    ch->first_len = 0;
    ch->asked = false;
    ch->events->answered(ch, ch->answer.kind, payload, ch->answer.length);
}

/* Bytes behind the answer have been asked for by nobody. Those that come later are found when they do. */
static bool nothing_follows(const struct channel *ch)
{
    return ch->first_len <= FRAME_HEADER_SIZE + (size_t)ch->answer.length;
}

static void on_header(struct channel *ch)
{
    const char *wrong;
    size_t have = ch->first_len - FRAME_HEADER_SIZE;

    if (!frame_decode(ch->first, &ch->answer)) {
        break_off(ch, true, "sent something that is no frame");
        return;
    }
    wrong = header_wrong(ch, &ch->answer);
    if (!wrong && !nothing_follows(ch))
        wrong = "sent more than its answer";
    if (wrong) {
        break_off(ch, true, wrong);
        return;
    }
    ch->payload = malloc((size_t)ch->answer.length + CHANNEL_TAIL_ROOM);
    if (!ch->payload) {
        break_off(ch, true, "sent an answer that this host has no memory for");
        return;
    }
    memcpy(ch->payload, ch->first + FRAME_HEADER_SIZE, have);
    ch->payload_len = have;
}

static bool whole(const struct channel *ch)
{
    return ch->payload && ch->payload_len == ch->answer.length;
}

/* Where the next bytes go. */
static void next_room(struct channel *ch, uint8_t **out, size_t *out_size)
{
    if (ch->payload) {
        *out = ch->payload + ch->payload_len;
        *out_size = ch->answer.length - ch->payload_len;
    } else {
        *out = ch->first + ch->first_len;
        *out_size = sizeof(ch->first) - ch->first_len;
    }
}

/* 'n' bytes came. False: the channel is broken. */
static bool took(struct channel *ch, size_t n)
{
    if (!ch->asked || !all_sent(ch)) {
        break_off(ch, true,
                  ch->asked ? "answered before it had the whole question" : "sent bytes that nobody asked for");
        return false;
    }
    if (ch->payload) {
        ch->payload_len += n;
        return true;
    }
    ch->first_len += n;
    if (ch->first_len >= FRAME_HEADER_SIZE)
        on_header(ch);
    return ch->watch.fd >= 0;
}

/* A unix socket whose owner goes tells so by ECONNRESET when there is something in it that has not been read. */
static void closed(struct channel *ch, bool reset)
{
    ch->unread = ch->asked && ch->first_len == 0 && (reset || !all_sent(ch));
    break_off(ch, false, "closed its connection");
}

static void pull(struct channel *ch)
{
    for (;;) {
        uint8_t *room;
        size_t size;
        ssize_t n;

        next_room(ch, &room, &size);
        n = recv(ch->watch.fd, room, size, MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return;
        if (n <= 0) {
            closed(ch, n < 0 && errno == ECONNRESET);
            return;
        }
        if (!took(ch, (size_t)n))
            return;
        if (whole(ch)) {
            deliver(ch);
            return;
        }
    }
}

static void ready(struct loop_fd *f, uint32_t events)
{
    struct channel *ch = PL_CONTAINER(f, struct channel, watch);

    if ((events & EPOLLOUT) && !all_sent(ch))
        push(ch);
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        pull(ch);
}

/* ---- life ---- */

enum pl_code channel_open(struct channel *ch, struct loop *l, int fd, const struct channel_events *events,
                          struct pl_err *err)
{
    *ch = (struct channel){ .loop = l, .watch = { .fd = fd, .ready = ready }, .events = events, .passed = -1 };
    ch->spans = ch->few;
    if (loop_fd_add(l, &ch->watch, EPOLLIN, err) == PL_OK)
        return PL_OK;
    (void)close(fd);
    ch->watch.fd = -1;
    return err->code;
}

void channel_close(struct channel *ch)
{
    if (ch->watch.fd < 0)
        return;
    loop_fd_remove(ch->loop, &ch->watch);
    (void)close(ch->watch.fd);
    ch->watch.fd = -1;
    question_done(ch);
    free(ch->payload);
    ch->payload = NULL;
    ch->asked = false;
}
