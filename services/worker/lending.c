#include "lending.h"

#include "base/mem.h"
#include "base/time.h"
#include "channel/courier.h"
#include "instance.h"
#include "log/log.h"
#include "pilotlight/internal/v1/lending.pb-c.h"
#include "routers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* Connections that have not said who they are count, too. */
#define BORROWERS_MAX   64
#define ACCEPT_AGAIN_MS 200 /* after accept() failed for want of descriptors or memory */

struct borrower {
    struct list link;
    struct lending *all;
    struct courier courier;
    char *router_id; /* NULL: it has not said hello yet */
};

struct lending {
    struct loop *loop;
    struct lending_options o;
    char *path;
    struct loop_fd watch; /* listens; -1: not */
    struct loop_timer again;
    struct list borrowers;
    unsigned count;
    struct list parted; /* freed soon: a message of theirs may still be looked at */
    struct loop_task sweep;
};

/* ---- messages ---- */

static void tell(struct borrower *b, const Pilotlight__Internal__V1__LendingEvent *m, int fd)
{
    uint8_t bytes[COURIER_MESSAGE_MAX];

    courier_send(&b->courier, bytes, pilotlight__internal__v1__lending_event__pack(m, bytes), fd);
}

static void send_lent(struct borrower *b, uint64_t instance_id, int fd)
{
    Pilotlight__Internal__V1__LendingEvent m = PILOTLIGHT__INTERNAL__V1__LENDING_EVENT__INIT;
    Pilotlight__Internal__V1__LentInstance lent = PILOTLIGHT__INTERNAL__V1__LENT_INSTANCE__INIT;

    lent.instance_id = instance_id;
    m.event_case = PILOTLIGHT__INTERNAL__V1__LENDING_EVENT__EVENT_LENT;
    m.lent = &lent;
    tell(b, &m, fd);
}

static void send_has_read(struct borrower *b, uint64_t instance_id)
{
    Pilotlight__Internal__V1__LendingEvent m = PILOTLIGHT__INTERNAL__V1__LENDING_EVENT__INIT;

    m.event_case = PILOTLIGHT__INTERNAL__V1__LENDING_EVENT__EVENT_HAS_READ;
    m.has_read = instance_id;
    tell(b, &m, -1);
}

/* ---- a router comes and goes ---- */

static void lend(struct borrower *b, struct instance *in)
{
    struct pl_err err;
    int fd;

    if (instance_lend(in, b, &fd, &err) == PL_OK)
        send_lent(b, in->id, fd);
    else
        log_warn("instance_not_lent", LOG_STR("instance", in->id_text), LOG_ERR(&err));
}

static bool is_of(const struct borrower *b, const struct instance *in)
{
    return b->router_id && in->router && strcmp(b->router_id, in->router) == 0;
}

static void lend_if_idle(struct instance *in, void *arg)
{
    struct borrower *b = arg;

    if (in->role == INSTANCE_SERVES && is_of(b, in) && in->state == INSTANCE_IDLE && !in->borrower)
        lend(b, in);
}

static void take_back(struct instance *in, void *arg)
{
    if (in->borrower == arg)
        instance_unlend(in);
}

static void part(struct borrower *b, const char *why)
{
    struct lending *l = b->all;

    log_info("borrower_left", LOG_STR("router", b->router_id ? b->router_id : ""), LOG_STR("why", why));
    courier_close(&b->courier);
    list_remove(&b->link);
    l->count--;
    list_push_back(&l->parted, &b->link);
    loop_post(l->loop, &l->sweep);
    instances_each(l->o.instances, take_back, b);
}

static void sweep_all(struct lending *l)
{
    for (struct borrower *b; (b = list_first(&l->parted, struct borrower, link));) {
        list_remove(&b->link);
        free(b->router_id);
        free(b);
    }
}

static void sweep(struct loop_task *t)
{
    sweep_all(PL_CONTAINER(t, struct lending, sweep));
}

static struct borrower *find(const struct lending *l, const char *router_id)
{
    list_each(it, &l->borrowers)
    {
        struct borrower *b = list_entry(it, struct borrower, link);

        if (b->router_id && strcmp(b->router_id, router_id) == 0)
            return b;
    }
    return NULL;
}

static enum pl_code admit(const struct lending *l, const Pilotlight__Internal__V1__LendingHello *m, struct pl_err *err)
{
    if (strcmp(m->host_id, l->o.host_id) != 0 || m->host_epoch != l->o.host_epoch)
        return pl_fail(err, PL_PRECONDITION, "host_id", "it means host '%.64s', this is '%s'", m->host_id,
                       l->o.host_id);
    if (m->router_id[0] == '\0')
        return pl_fail(err, PL_INVALID, "router_id", "router_id is empty");
    return routers_admit(l->o.routers, m->router_id, m->router_epoch, err);
}

/* An older connection of the same router is one that it does not know of any more. */
static void on_hello(struct borrower *b, const Pilotlight__Internal__V1__LendingHello *m)
{
    struct lending *l = b->all;
    struct borrower *old;
    struct pl_err err;

    if (b->router_id || admit(l, m, &err) != PL_OK) {
        part(b, b->router_id ? "said hello twice" : err.message);
        return;
    }
    old = find(l, m->router_id);
    if (old)
        part(old, "came again");
    b->router_id = pl_strdup(m->router_id);
    log_info("borrower_came", LOG_STR("router", b->router_id));
    instances_each(l->o.instances, lend_if_idle, b);
}

/* ---- what a router says ---- */

static struct instance *lent_to(const struct borrower *b, uint64_t instance_id)
{
    struct instance *in = instances_find(b->all->o.instances, instance_id);

    return in && in->borrower == b ? in : NULL;
}

static void on_kill(const struct borrower *b, const Pilotlight__Internal__V1__LendingKill *m)
{
    struct instance *in = lent_to(b, m->instance_id);

    if (in)
        instance_condemn(in, m->why);
}

/* Both sides speak first: what a router wants read before an answer goes on may cross our question about the same
 * lines, and its reply to that comes when the next request has printed. In order, so that counting tells which it is. */
static bool outdated(struct instance *in, bool confirm)
{
    if (confirm) {
        in->outdated = in->unanswered;
        return false;
    }
    if (in->unanswered > 0)
        in->unanswered--;
    if (in->outdated == 0)
        return false;
    in->outdated--;
    return true;
}

/* The instance may end here. */
static void on_read(struct borrower *b, const Pilotlight__Internal__V1__LendingRead *m)
{
    struct instance *in = lent_to(b, m->instance_id);

    if (in && !outdated(in, m->confirm))
        instance_printed(in, m->request_id);
    if (m->confirm)
        send_has_read(b, m->instance_id);
}

static void on_served(const struct borrower *b, const Pilotlight__Internal__V1__LendingServed *m)
{
    for (size_t i = 0; i < m->n_instances; i++) {
        struct instance *in = lent_to(b, m->instances[i]->instance_id);

        if (in)
            in->served += (int64_t)(m->instances[i]->requests & INT32_MAX);
    }
}

static void obey(struct borrower *b, const Pilotlight__Internal__V1__LendingRequest *m)
{
    switch (m->request_case) {
    case PILOTLIGHT__INTERNAL__V1__LENDING_REQUEST__REQUEST_HELLO:
        on_hello(b, m->hello);
        return;
    case PILOTLIGHT__INTERNAL__V1__LENDING_REQUEST__REQUEST_KILL:
        on_kill(b, m->kill);
        return;
    case PILOTLIGHT__INTERNAL__V1__LENDING_REQUEST__REQUEST_READ:
        on_read(b, m->read);
        return;
    case PILOTLIGHT__INTERNAL__V1__LENDING_REQUEST__REQUEST_SERVED:
        on_served(b, m->served);
        return;
    default:
        part(b, "said something that is no request");
    }
}

static void received(struct courier *c, const uint8_t *bytes, size_t n, int fd)
{
    struct borrower *b = PL_CONTAINER(c, struct borrower, courier);
    Pilotlight__Internal__V1__LendingRequest *m;

    pl_close_p(&fd);
    m = pilotlight__internal__v1__lending_request__unpack(NULL, n, bytes);
    if (!m) {
        part(b, "said something that is no message");
        return;
    }
    obey(b, m);
    pilotlight__internal__v1__lending_request__free_unpacked(m, NULL);
}

static void broken(struct courier *c, const char *why)
{
    part(PL_CONTAINER(c, struct borrower, courier), why);
}

static const struct courier_events events = { .received = received, .broken = broken };

/* ---- what a router hears ---- */

void lending_offer(struct lending *l, struct instance *in)
{
    struct borrower *b = l->watch.fd >= 0 && in->router ? find(l, in->router) : NULL;

    if (b)
        lend_if_idle(in, b);
}

void lending_prints(struct lending *l, struct instance *in)
{
    Pilotlight__Internal__V1__LendingEvent m = PILOTLIGHT__INTERNAL__V1__LENDING_EVENT__INIT;

    (void)l;
    m.event_case = PILOTLIGHT__INTERNAL__V1__LENDING_EVENT__EVENT_PRINTED;
    m.printed = in->id;
    in->unanswered++;
    tell(in->borrower, &m, -1);
}

void lending_ended(struct lending *l, struct instance *in, const char *reason)
{
    Pilotlight__Internal__V1__LendingEvent m = PILOTLIGHT__INTERNAL__V1__LENDING_EVENT__INIT;
    Pilotlight__Internal__V1__LentInstanceEnded ended = PILOTLIGHT__INTERNAL__V1__LENT_INSTANCE_ENDED__INIT;

    (void)l;
    ended.instance_id = in->id;
    ended.reason = (char *)(uintptr_t)reason;
    ended.overrun = in->overrun;
    m.event_case = PILOTLIGHT__INTERNAL__V1__LENDING_EVENT__EVENT_ENDED;
    m.ended = &ended;
    tell(in->borrower, &m, -1);
}

/* ---- the door ---- */

static void accepted(struct lending *l, int fd)
{
    struct borrower *b;
    struct pl_err err;

    if (l->count == BORROWERS_MAX || !courier_same_user(fd)) {
        log_warn("borrower_refused", LOG_UINT("borrowers", l->count));
        (void)close(fd);
        return;
    }
    b = PL_NEW(struct borrower);
    b->all = l;
    if (courier_open(&b->courier, l->loop, fd, &events, &err) != PL_OK) {
        log_warn("borrower_refused", LOG_ERR(&err));
        free(b);
        return;
    }
    list_push_back(&l->borrowers, &b->link);
    l->count++;
}

static void knocks(struct loop_fd *f, uint32_t events_seen)
{
    struct lending *l = PL_CONTAINER(f, struct lending, watch);
    int fd;

    (void)events_seen;
    while (l->watch.fd >= 0 && (fd = accept4(l->watch.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
        accepted(l, fd);
    if (l->watch.fd < 0 || errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
        return;
    loop_fd_want(l->loop, f, 0); /* or it would knock without end */
    loop_timer_set(l->loop, &l->again, pl_now_ms() + ACCEPT_AGAIN_MS);
}

static void listen_again(struct loop_timer *t)
{
    struct lending *l = PL_CONTAINER(t, struct lending, again);

    loop_fd_want(l->loop, &l->watch, EPOLLIN);
}

/* Whatever socket lies there is of a worker that is gone: the cache, which only one uses at a time, is ours by now. */
static enum pl_code listen_at(struct lending *l, struct pl_err *err)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    pl_cleanup(pl_close_p) int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct stat st;
    mode_t before;
    bool bound;

    if (strlen(l->path) >= sizeof(a.sun_path))
        return pl_fail(err, PL_INVALID, "direct_socket",
                       "direct_socket: '%s' is longer than %zu bytes, the limit for a socket's path", l->path,
                       sizeof(a.sun_path) - 1);
    memcpy(a.sun_path, l->path, strlen(l->path));
    if (lstat(l->path, &st) == 0 && S_ISSOCK(st.st_mode))
        (void)unlink(l->path);
    before = umask(0177);
    bound = fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0;
    (void)umask(before);
    if (!bound || listen(fd, BORROWERS_MAX) != 0)
        return pl_fail(err, PL_UNAVAILABLE, "direct_socket", "direct_socket: cannot listen at '%s': %s", l->path,
                       strerror(errno));
    l->watch.fd = fd;
    if (loop_fd_add(l->loop, &l->watch, EPOLLIN, err) != PL_OK) {
        l->watch.fd = -1;
        return err->code;
    }
    (void)pl_take_fd(fd);
    return PL_OK;
}

enum pl_code lending_start(struct lending **out, struct loop *loop, const struct lending_options *o, struct pl_err *err)
{
    struct lending *l = PL_NEW(struct lending);

    l->loop = loop;
    l->o = *o;
    l->path = pl_strdup(o->path);
    l->watch = (struct loop_fd){ .fd = -1, .ready = knocks };
    list_init(&l->borrowers);
    list_init(&l->parted);
    l->sweep.run = sweep;
    l->again.fire = listen_again;
    *out = l;
    return l->path[0] ? listen_at(l, err) : PL_OK;
}

void lending_shut(struct lending *l)
{
    if (l->watch.fd < 0)
        return;
    loop_timer_clear(l->loop, &l->again);
    loop_fd_remove(l->loop, &l->watch);
    pl_close_p(&l->watch.fd);
    (void)unlink(l->path);
}

void lending_free(struct lending *l)
{
    if (!l)
        return;
    lending_shut(l);
    for (struct borrower *b; (b = list_first(&l->borrowers, struct borrower, link));)
        part(b, "the worker ends");
    sweep_all(l);
    free(l->path);
    free(l);
}

const char *lending_path(const struct lending *l)
{
    return l->watch.fd >= 0 ? l->path : "";
}

unsigned lending_borrowers(const struct lending *l)
{
    return l->count;
}

bool lending_to(const struct lending *l, const char *router_id)
{
    return l->watch.fd >= 0 && find(l, router_id);
}
