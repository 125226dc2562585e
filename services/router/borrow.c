#include "borrow_private.h"

#include "base/mem.h"
#include "base/time.h"
#include "log/log.h"
#include "pilotlight/internal/v1/lending.pb-c.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define AGAIN_FIRST_MS 1000
#define AGAIN_MOST_MS  60000
#define TELL_MS        1000
/* Instances in one message: each takes 24 bytes at most. */
#define TOLD_AT_ONCE 64

/* ---- to the worker ---- */

static void say(struct borrowing *w, const Pilotlight__Internal__V1__LendingRequest *m)
{
    uint8_t bytes[COURIER_MESSAGE_MAX];

    if (pilotlight__internal__v1__lending_request__get_packed_size(m) <= sizeof(bytes))
        courier_send(&w->courier, bytes, pilotlight__internal__v1__lending_request__pack(m, bytes), -1);
}

static void send_hello(struct borrowing *w)
{
    Pilotlight__Internal__V1__LendingRequest m = PILOTLIGHT__INTERNAL__V1__LENDING_REQUEST__INIT;
    Pilotlight__Internal__V1__LendingHello hello = PILOTLIGHT__INTERNAL__V1__LENDING_HELLO__INIT;

    hello.router_id = (char *)(uintptr_t)w->o.router_id;
    hello.router_epoch = w->o.router_epoch;
    hello.host_id = (char *)(uintptr_t)w->o.host_id;
    hello.host_epoch = w->host_epoch;
    m.request_case = PILOTLIGHT__INTERNAL__V1__LENDING_REQUEST__REQUEST_HELLO;
    m.hello = &hello;
    say(w, &m);
}

void borrowing_kill(struct borrowing *w, uint64_t instance_id, const char *why)
{
    Pilotlight__Internal__V1__LendingRequest m = PILOTLIGHT__INTERNAL__V1__LENDING_REQUEST__INIT;
    Pilotlight__Internal__V1__LendingKill kill = PILOTLIGHT__INTERNAL__V1__LENDING_KILL__INIT;

    kill.instance_id = instance_id;
    kill.why = (char *)(uintptr_t)why;
    m.request_case = PILOTLIGHT__INTERNAL__V1__LENDING_REQUEST__REQUEST_KILL;
    m.kill = &kill;
    say(w, &m);
}

static void send_read(struct borrowing *w, uint64_t instance_id, uint64_t request_id, bool confirm)
{
    Pilotlight__Internal__V1__LendingRequest m = PILOTLIGHT__INTERNAL__V1__LENDING_REQUEST__INIT;
    Pilotlight__Internal__V1__LendingRead read = PILOTLIGHT__INTERNAL__V1__LENDING_READ__INIT;

    read.instance_id = instance_id;
    read.request_id = request_id;
    read.confirm = confirm;
    m.request_case = PILOTLIGHT__INTERNAL__V1__LENDING_REQUEST__REQUEST_READ;
    m.read = &read;
    say(w, &m);
}

void borrowing_read_first(struct borrowing *w, uint64_t instance_id, uint64_t request_id)
{
    send_read(w, instance_id, request_id, true);
}

/* Of those from 'at' on; returns where to go on. */
static struct list *send_served(struct borrowing *w, struct list *at)
{
    Pilotlight__Internal__V1__LendingRequest m = PILOTLIGHT__INTERNAL__V1__LENDING_REQUEST__INIT;
    Pilotlight__Internal__V1__LendingServed served = PILOTLIGHT__INTERNAL__V1__LENDING_SERVED__INIT;
    Pilotlight__Internal__V1__InstanceServed items[TOLD_AT_ONCE], *list[TOLD_AT_ONCE];

    served.instances = list;
    for (; at != &w->instances && served.n_instances < TOLD_AT_ONCE; at = at->next) {
        struct borrowed *b = list_entry(at, struct borrowed, link);
        Pilotlight__Internal__V1__InstanceServed *one = &items[served.n_instances];

        if (b->untold == 0)
            continue;
        pilotlight__internal__v1__instance_served__init(one);
        one->instance_id = b->id;
        one->requests = b->untold;
        b->untold = 0;
        list[served.n_instances++] = one;
    }
    m.request_case = PILOTLIGHT__INTERNAL__V1__LENDING_REQUEST__REQUEST_SERVED;
    m.served = &served;
    if (served.n_instances > 0)
        say(w, &m);
    return at;
}

static void tell_served(struct borrowing *w)
{
    loop_timer_clear(w->o.loop, &w->tell);
    for (struct list *at = w->instances.next; at != &w->instances;)
        at = send_served(w, at);
}

static void tell_due(struct loop_timer *t)
{
    tell_served(PL_CONTAINER(t, struct borrowing, tell));
}

void borrowing_count(struct borrowed *b)
{
    struct borrowing *w = b->all;

    if (b->untold++ == 0 && w->tell.slot == 0)
        loop_timer_set(w->o.loop, &w->tell, pl_now_ms() + TELL_MS);
}

/* ---- from the worker ---- */

static struct borrowed *find(const struct borrowing *w, uint64_t instance_id)
{
    struct borrowed *b;

    HASH_FIND(hh, w->by_id, &instance_id, sizeof(instance_id), b);
    return b;
}

static void on_lent(struct borrowing *w, uint64_t instance_id, int fd)
{
    struct borrowed *old = find(w, instance_id);

    if (fd < 0)
        return;
    if (old && old->done) { /* its answer is here already, or soon */
        HASH_DEL(w->by_id, old);
        old->listed = false;
    } else if (old) {
        borrowed_free(old);
    }
    borrowed_new(w, instance_id, fd);
}

static void hear(struct borrowing *w, const Pilotlight__Internal__V1__LendingEvent *m, int fd)
{
    struct borrowed *b;

    switch (m->event_case) {
    case PILOTLIGHT__INTERNAL__V1__LENDING_EVENT__EVENT_LENT:
        w->again_ms = AGAIN_FIRST_MS;
        on_lent(w, m->lent->instance_id, pl_take_fd(fd));
        break;
    case PILOTLIGHT__INTERNAL__V1__LENDING_EVENT__EVENT_PRINTED:
        b = find(w, m->printed);
        send_read(w, m->printed, b ? b->request_id : 0, false);
        break;
    case PILOTLIGHT__INTERNAL__V1__LENDING_EVENT__EVENT_HAS_READ:
        b = find(w, m->has_read);
        if (b)
            borrowed_has_been_read(b);
        break;
    case PILOTLIGHT__INTERNAL__V1__LENDING_EVENT__EVENT_ENDED:
        b = find(w, m->ended->instance_id);
        if (b)
            borrowed_ended(b, m->ended->reason, m->ended->overrun);
        break;
    default:
        break;
    }
    pl_close_p(&fd);
}

static void received(struct courier *c, const uint8_t *bytes, size_t n, int fd)
{
    struct borrowing *w = PL_CONTAINER(c, struct borrowing, courier);
    Pilotlight__Internal__V1__LendingEvent *m = pilotlight__internal__v1__lending_event__unpack(NULL, n, bytes);

    if (m)
        hear(w, m, fd);
    else
        pl_close_p(&fd);
    if (m)
        pilotlight__internal__v1__lending_event__free_unpacked(m, NULL);
}

/* ---- the connection ---- */

static void orphan_all(struct borrowing *w)
{
    list_each_safe(it, &w->instances)
    {
        borrowed_orphaned(list_entry(it, struct borrowed, link));
    }
}

static void broken(struct courier *c, const char *why)
{
    struct borrowing *w = PL_CONTAINER(c, struct borrowing, courier);

    log_warn("borrowing_ended", LOG_STR("host", w->o.host_id), LOG_STR("why", why));
    orphan_all(w);
    loop_timer_set(w->o.loop, &w->again, pl_now_ms() + w->again_ms);
    w->again_ms = w->again_ms * 2 < AGAIN_MOST_MS ? w->again_ms * 2 : AGAIN_MOST_MS;
}

static const struct courier_events events = { .received = received, .broken = broken };

/* The descriptor, or -1 with errno. */
static int reach(const char *path)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    pl_cleanup(pl_close_p) int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    errno = ENAMETOOLONG;
    if (fd < 0 || strlen(path) >= sizeof(a.sun_path))
        return -1;
    memcpy(a.sun_path, path, strlen(path));
    if (connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0)
        return -1;
    errno = EPERM;
    return courier_same_user(fd) ? pl_take_fd(fd) : -1;
}

/* A worker on another machine has no socket here, or one that is not its own and refuses us. */
static void connect_now(struct borrowing *w)
{
    int fd = reach(w->path);
    struct pl_err err;

    if (fd < 0) {
        log_info("not_borrowing", LOG_STR("host", w->o.host_id), LOG_STR("socket", w->path),
                 LOG_STR("why", strerror(errno)));
        return;
    }
    if (courier_open(&w->courier, w->o.loop, fd, &events, &err) != PL_OK) {
        log_warn("not_borrowing", LOG_STR("host", w->o.host_id), LOG_ERR(&err));
        return;
    }
    log_info("borrowing", LOG_STR("host", w->o.host_id), LOG_STR("socket", w->path));
    send_hello(w);
}

static void again(struct loop_timer *t)
{
    connect_now(PL_CONTAINER(t, struct borrowing, again));
}

bool borrowing_connected(const struct borrowing *w)
{
    return w->courier.watch.fd >= 0;
}

void borrowing_open(struct borrowing *w, const char *path, int64_t host_epoch)
{
    borrowing_close(w);
    if (!path[0])
        return;
    w->path = pl_strdup(path);
    w->host_epoch = host_epoch;
    w->again_ms = AGAIN_FIRST_MS;
    connect_now(w);
}

void borrowing_close(struct borrowing *w)
{
    loop_timer_clear(w->o.loop, &w->again);
    tell_served(w);
    courier_close(&w->courier);
    orphan_all(w);
    free(pl_take(w->path));
}

/* What the worker has sent before its answer to a start is here by now, but may not have been heard yet. */
struct borrowed *borrowing_find(struct borrowing *w, uint64_t instance_id)
{
    struct borrowed *b = find(w, instance_id);

    if (!b && borrowing_connected(w)) {
        courier_pull(&w->courier);
        b = find(w, instance_id);
    }
    return b && b->state == BORROWED_IDLE ? b : NULL;
}

/* ---- life ---- */

struct borrowing *borrowing_new(const struct borrow_options *o)
{
    struct borrowing *w = PL_NEW(struct borrowing);

    w->o = *o;
    w->courier.watch.fd = -1;
    w->again.fire = again;
    w->tell.fire = tell_due;
    list_init(&w->instances);
    return w;
}

void borrowing_free(struct borrowing *w)
{
    if (!w)
        return;
    borrowing_close(w);
    list_each_safe(it, &w->instances)
    {
        borrowed_free(list_entry(it, struct borrowed, link));
    }
    free(w);
}
