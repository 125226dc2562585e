/* Who is let in, who is lent what, and what happens when there are no descriptors left: routers are this test on the
 * other end of the socket; the instances are made up. */
#include "lending.h"
#include "unit_test.h"

#include "base/mem.h"
#include "base/time.h"
#include "instance.h"
#include "loop/loop.h"
#include "pilotlight/internal/v1/lending.pb-c.h"
#include "routers.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#define HANG_MS   20000
#define INSTANCES 3
#define HOST      "host-1"
#define EPOCH     7

typedef Pilotlight__Internal__V1__LendingRequest request;
typedef Pilotlight__Internal__V1__LendingEvent event;

struct rig {
    struct loop *loop;
    struct loop_timer hang, look;
    struct routers *routers;
    struct lending *lending;
    struct instance in[INSTANCES];
    char dir[64], path[96];
    int router; /* the connection of one */
    unsigned unlent;
    uint64_t printed; /* the request that instance_printed() was told */
    char condemned[64];
    unsigned accepts;
    bool none_left; /* descriptors */
};
static struct rig *rig;

/* In the C library's place. */
int accept4(int fd, struct sockaddr *restrict a, socklen_t *restrict n, int flags)
{
    rig->accepts++;
    errno = EMFILE;
    return rig->none_left ? -1 : (int)syscall(SYS_accept4, fd, a, n, flags);
}

/* ---- in place of instances ---- */

enum pl_code instance_lend(struct instance *in, struct borrower *to, int *out_fd, struct pl_err *err)
{
    (void)err;
    assert_null(in->borrower);
    in->borrower = to;
    *out_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    return PL_OK;
}

void instance_unlend(struct instance *in)
{
    assert_non_null(in->borrower);
    in->borrower = NULL;
    rig->unlent++;
}

void instance_condemn(struct instance *in, const char *why)
{
    assert_non_null(in->borrower);
    (void)snprintf(rig->condemned, sizeof(rig->condemned), "%s", why);
}

void instance_printed(struct instance *in, uint64_t request_id)
{
    assert_non_null(in->borrower);
    rig->printed = request_id;
}

struct instance *instances_find(struct instances *all, uint64_t id)
{
    assert_ptr_equal(all, rig);
    return id >= 1 && id <= INSTANCES ? &rig->in[id - 1] : NULL;
}

void instances_each(struct instances *all, void (*visit)(struct instance *in, void *arg), void *arg)
{
    assert_ptr_equal(all, rig);
    for (unsigned i = 0; i < INSTANCES; i++)
        visit(&rig->in[i], arg);
}

/* ---- the rig ---- */

static void hangs(struct loop_timer *t)
{
    (void)t;
    fail_msg("nothing was heard");
}

static void look(struct loop_timer *t)
{
    (void)t;
    loop_stop(rig->loop);
}

static void turn(void)
{
    loop_timer_set(rig->loop, &rig->look, pl_now_ms() + 1);
    loop_run(rig->loop);
}

static int set_up(void **state)
{
    struct lending_options o = { .host_id = HOST, .host_epoch = EPOCH };
    struct pl_err err;

    (void)state;
    rig = PL_NEW(struct rig);
    rig->loop = loop_new(0);
    rig->hang.fire = hangs;
    rig->look.fire = look;
    loop_timer_set(rig->loop, &rig->hang, pl_now_ms() + HANG_MS);
    rig->routers = routers_new();
    rig->router = -1;
    for (unsigned i = 0; i < INSTANCES; i++) {
        rig->in[i].id = i + 1;
        rig->in[i].state = INSTANCE_IDLE;
        rig->in[i].router = (char *)(i < 2 ? "router-a" : "router-b");
    }
    (void)snprintf(rig->dir, sizeof(rig->dir), "/tmp/pilotlight-lending-XXXXXX");
    assert_non_null(mkdtemp(rig->dir));
    (void)snprintf(rig->path, sizeof(rig->path), "%s/direct", rig->dir);
    o.path = rig->path;
    o.instances = (struct instances *)rig;
    o.routers = rig->routers;
    assert_ok(lending_start(&rig->lending, rig->loop, &o, &err), err);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    pl_close_p(&rig->router);
    lending_free(rig->lending);
    assert_int_equal(access(rig->path, F_OK), -1);
    assert_int_equal(rmdir(rig->dir), 0);
    routers_free(rig->routers);
    loop_free(rig->loop);
    free(rig);
    return 0;
}

/* ---- a router ---- */

static int connected(void)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    (void)snprintf(a.sun_path, sizeof(a.sun_path), "%s", rig->path);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    return fd;
}

static void send_bytes(int fd, const void *bytes, size_t n)
{
    assert_int_equal(send(fd, bytes, n, MSG_NOSIGNAL), (ssize_t)n);
}

static void send_request(int fd, const request *m)
{
    uint8_t bytes[512];

    send_bytes(fd, bytes, pilotlight__internal__v1__lending_request__pack(m, bytes));
}

static void send_hello(int fd, const char *router, int64_t router_epoch, const char *host, int64_t host_epoch)
{
    request m = PILOTLIGHT__INTERNAL__V1__LENDING_REQUEST__INIT;
    Pilotlight__Internal__V1__LendingHello hello = PILOTLIGHT__INTERNAL__V1__LENDING_HELLO__INIT;

    hello.router_id = (char *)(uintptr_t)router;
    hello.router_epoch = router_epoch;
    hello.host_id = (char *)(uintptr_t)host;
    hello.host_epoch = host_epoch;
    m.request_case = PILOTLIGHT__INTERNAL__V1__LENDING_REQUEST__REQUEST_HELLO;
    m.hello = &hello;
    send_request(fd, &m);
}

static int hello(const char *router)
{
    int fd = connected();

    send_hello(fd, router, 1, HOST, EPOCH);
    return fd;
}

/* The next event, and the descriptor that came with it (-1: none). NULL: the connection has been closed. */
static event *next(int fd, int *out_fd)
{
    char control[CMSG_SPACE(sizeof(int))];
    uint8_t bytes[2048];
    struct iovec v = { bytes, sizeof(bytes) };
    struct msghdr h = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
    ssize_t n;
    event *e;

    while ((n = recvmsg(fd, &h, MSG_CMSG_CLOEXEC)) < 0) {
        h.msg_controllen = sizeof(control);
        turn();
    }
    *out_fd = -1;
    if (n == 0)
        return NULL;
    if (CMSG_FIRSTHDR(&h))
        memcpy(out_fd, CMSG_DATA(CMSG_FIRSTHDR(&h)), sizeof(int));
    e = pilotlight__internal__v1__lending_event__unpack(NULL, (size_t)n, bytes);
    assert_non_null(e);
    return e;
}

static void hears_lent(int fd, uint64_t id)
{
    int its;
    event *e = next(fd, &its);

    assert_non_null(e);
    assert_int_equal(e->event_case, PILOTLIGHT__INTERNAL__V1__LENDING_EVENT__EVENT_LENT);
    assert_int_equal(e->lent->instance_id, id);
    assert_true(its >= 0);
    (void)close(its);
    pilotlight__internal__v1__lending_event__free_unpacked(e, NULL);
}

static void is_closed(int fd)
{
    int its;

    assert_null(next(fd, &its));
}

/* Nothing more has been sent, after whatever was asked has been heard. */
static void hears_nothing(int fd)
{
    uint8_t byte;

    turn();
    turn();
    assert_int_equal(recv(fd, &byte, 1, 0), -1);
}

/* ---- tests ---- */

static void others_may_not_even_connect(void **state)
{
    struct stat st;

    (void)state;
    assert_int_equal(stat(rig->path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_string_equal(lending_path(rig->lending), rig->path);
}

static void a_router_gets_its_idle_instances_and_no_others(void **state)
{
    (void)state;
    rig->in[1].state = INSTANCE_BUSY;
    assert_false(lending_to(rig->lending, "router-a"));
    rig->router = hello("router-a");
    hears_lent(rig->router, 1);
    hears_nothing(rig->router);
    assert_true(lending_to(rig->lending, "router-a"));
    assert_int_equal(lending_borrowers(rig->lending), 1);
    assert_null(rig->in[2].borrower);

    rig->in[1].state = INSTANCE_IDLE; /* later it has the time */
    lending_offer(rig->lending, &rig->in[1]);
    hears_lent(rig->router, 2);
    lending_offer(rig->lending, &rig->in[1]); /* lent already */
    lending_offer(rig->lending, &rig->in[2]); /* its router is not here */
    hears_nothing(rig->router);
}

static void trials_are_not_lent(void **state)
{
    (void)state;
    rig->in[0].role = INSTANCE_TRIAL;
    rig->in[1].role = INSTANCE_TEMPLATE;
    rig->router = hello("router-a");
    hears_nothing(rig->router);
}

static void when_it_goes_all_is_taken_back(void **state)
{
    (void)state;
    rig->router = hello("router-a");
    hears_lent(rig->router, 1);
    hears_lent(rig->router, 2);
    pl_close_p(&rig->router);
    while (rig->unlent < 2)
        turn();
    assert_int_equal(lending_borrowers(rig->lending), 0);
    rig->router = hello("router-a");
    hears_lent(rig->router, 1);
    hears_lent(rig->router, 2);
}

static void one_that_comes_again_replaces_itself(void **state)
{
    int old = hello("router-a");

    (void)state;
    hears_lent(old, 1);
    hears_lent(old, 2);
    rig->router = hello("router-a");
    is_closed(old);
    hears_lent(rig->router, 1);
    hears_lent(rig->router, 2);
    assert_int_equal(rig->unlent, 2);
    assert_int_equal(lending_borrowers(rig->lending), 1);
    (void)close(old);
}

/* One for another host, or another life of this one; an older process of the same router; one without a name; one that
 * says it twice. */
static void hellos_that_are_refused(void **state)
{
    static const struct {
        const char *router;
        int64_t router_epoch;
        const char *host;
        int64_t host_epoch;
    } wrong[] = {
        { "router-a", 2, "host-2", EPOCH },
        { "router-a", 2, HOST, EPOCH - 1 },
        { "router-a", 1, HOST, EPOCH },
        { "", 2, HOST, EPOCH },
    };
    struct pl_err err;

    (void)state;
    assert_ok(routers_admit(rig->routers, "router-a", 2, &err), err);
    for (size_t i = 0; i < PL_COUNT(wrong); i++) {
        int fd = connected();

        send_hello(fd, wrong[i].router, wrong[i].router_epoch, wrong[i].host, wrong[i].host_epoch);
        is_closed(fd);
        (void)close(fd);
    }
    assert_null(rig->in[0].borrower);
    rig->router = hello("router-b");
    hears_lent(rig->router, 3);
    send_hello(rig->router, "router-b", 1, HOST, EPOCH);
    is_closed(rig->router);
    assert_int_equal(rig->unlent, 1);
}

static void what_is_no_message_ends_the_connection(void **state)
{
    static const char *const lies[] = { "\xff\xff", "\x0a\x7f", "" };

    (void)state;
    for (size_t i = 0; i < PL_COUNT(lies); i++) {
        int fd = connected();

        send_bytes(fd, lies[i], strlen(lies[i]));
        is_closed(fd);
        (void)close(fd);
    }
    assert_int_equal(lending_borrowers(rig->lending), 0);
}

static void send_kill(uint64_t id)
{
    request m = PILOTLIGHT__INTERNAL__V1__LENDING_REQUEST__INIT;
    Pilotlight__Internal__V1__LendingKill kill = PILOTLIGHT__INTERNAL__V1__LENDING_KILL__INIT;

    kill.instance_id = id;
    kill.why = (char *)"it hangs";
    m.request_case = PILOTLIGHT__INTERNAL__V1__LENDING_REQUEST__REQUEST_KILL;
    m.kill = &kill;
    send_request(rig->router, &m);
}

static void a_router_condemns_only_what_it_was_lent(void **state)
{
    (void)state;
    rig->router = hello("router-a");
    hears_lent(rig->router, 1);
    hears_lent(rig->router, 2);
    send_kill(3);
    send_kill(99);
    hears_nothing(rig->router);
    assert_string_equal(rig->condemned, "");
    send_kill(1);
    while (!rig->condemned[0])
        turn();
    assert_string_equal(rig->condemned, "it hangs");
}

static void send_served(uint64_t id, uint64_t requests)
{
    request m = PILOTLIGHT__INTERNAL__V1__LENDING_REQUEST__INIT;
    Pilotlight__Internal__V1__LendingServed served = PILOTLIGHT__INTERNAL__V1__LENDING_SERVED__INIT;
    Pilotlight__Internal__V1__InstanceServed item = PILOTLIGHT__INTERNAL__V1__INSTANCE_SERVED__INIT, *list = &item;

    item.instance_id = id;
    item.requests = requests;
    served.n_instances = 1;
    served.instances = &list;
    m.request_case = PILOTLIGHT__INTERNAL__V1__LENDING_REQUEST__REQUEST_SERVED;
    m.served = &served;
    send_request(rig->router, &m);
}

static void what_they_served_is_counted(void **state)
{
    (void)state;
    rig->router = hello("router-a");
    hears_lent(rig->router, 1);
    hears_lent(rig->router, 2);
    send_served(1, 40);
    send_served(3, 1); /* another router's */
    send_served(99, 1);
    send_served(1, 2);
    hears_nothing(rig->router);
    assert_int_equal(rig->in[0].served, 42);
    assert_int_equal(rig->in[1].served + rig->in[2].served, 0);
}

/* Whose a line is: asked, answered, and confirmed when that was wished for, also of what is not there any more. */
static void whose_a_line_is(void **state)
{
    request m = PILOTLIGHT__INTERNAL__V1__LENDING_REQUEST__INIT;
    Pilotlight__Internal__V1__LendingRead read = PILOTLIGHT__INTERNAL__V1__LENDING_READ__INIT;
    event *e;
    int its;

    (void)state;
    rig->router = hello("router-b");
    hears_lent(rig->router, 3);
    lending_prints(rig->lending, &rig->in[2]);
    e = next(rig->router, &its);
    assert_int_equal(e->event_case, PILOTLIGHT__INTERNAL__V1__LENDING_EVENT__EVENT_PRINTED);
    assert_int_equal(e->printed, 3);
    pilotlight__internal__v1__lending_event__free_unpacked(e, NULL);

    m.request_case = PILOTLIGHT__INTERNAL__V1__LENDING_REQUEST__REQUEST_READ;
    m.read = &read;
    read.confirm = true;
    for (uint64_t id = 3; id <= 4; id++) {
        read.instance_id = id;
        read.request_id = 1000 + id;
        send_request(rig->router, &m);
        e = next(rig->router, &its);
        assert_int_equal(e->event_case, PILOTLIGHT__INTERNAL__V1__LENDING_EVENT__EVENT_HAS_READ);
        assert_int_equal(e->has_read, id);
        pilotlight__internal__v1__lending_event__free_unpacked(e, NULL);
    }
    assert_int_equal(rig->printed, 1003);
}

/* A reply that was overtaken by 'confirm' is about lines that have been read: those that are there now are another's. */
static void a_reply_that_comes_too_late(void **state)
{
    request m = PILOTLIGHT__INTERNAL__V1__LENDING_REQUEST__INIT;
    Pilotlight__Internal__V1__LendingRead read = PILOTLIGHT__INTERNAL__V1__LENDING_READ__INIT;
    static const struct {
        uint64_t request_id;
        bool confirm;
    } said[] = { { 11, true }, { 11, false }, { 12, true }, { 12, false }, { 13, true } };
    static const uint64_t heard[] = { 11, 0, 12, 12, 13 };
    int its;

    (void)state;
    rig->router = hello("router-b");
    hears_lent(rig->router, 3);
    m.request_case = PILOTLIGHT__INTERNAL__V1__LENDING_REQUEST__REQUEST_READ;
    m.read = &read;
    read.instance_id = 3;
    for (size_t i = 0; i < PL_COUNT(said); i++) {
        /* The first question crosses what is said first; the second does not. */
        if (i == 0 || i == 3) {
            lending_prints(rig->lending, &rig->in[2]);
            pilotlight__internal__v1__lending_event__free_unpacked(next(rig->router, &its), NULL);
        }
        rig->printed = 0;
        read.request_id = said[i].request_id;
        read.confirm = said[i].confirm;
        send_request(rig->router, &m);
        if (read.confirm) {
            pilotlight__internal__v1__lending_event__free_unpacked(next(rig->router, &its), NULL);
        } else { /* what is said next is heard after it */
            read.instance_id = 4;
            read.confirm = true;
            send_request(rig->router, &m);
            pilotlight__internal__v1__lending_event__free_unpacked(next(rig->router, &its), NULL);
            read.instance_id = 3;
        }
        assert_int_equal(rig->printed, heard[i]);
    }
}

static void its_end_is_told(void **state)
{
    event *e;
    int its;

    (void)state;
    rig->router = hello("router-b");
    hears_lent(rig->router, 3);
    rig->in[2].overrun = true;
    lending_ended(rig->lending, &rig->in[2], "memory limit");
    e = next(rig->router, &its);
    assert_int_equal(e->event_case, PILOTLIGHT__INTERNAL__V1__LENDING_EVENT__EVENT_ENDED);
    assert_int_equal(e->ended->instance_id, 3);
    assert_string_equal(e->ended->reason, "memory limit");
    assert_true(e->ended->overrun);
    pilotlight__internal__v1__lending_event__free_unpacked(e, NULL);
}

/* Who knocks waits, and costs nothing meanwhile. */
static void no_descriptors_left(void **state)
{
    int64_t end_ms = pl_now_ms() + 50;

    (void)state;
    rig->none_left = true;
    rig->router = hello("router-b");
    while (pl_now_ms() < end_ms)
        turn();
    assert_in_range(rig->accepts, 1, 3);
    rig->none_left = false;
    hears_lent(rig->router, 3);
}

static void nothing_is_lent_after_it_has_shut(void **state)
{
    (void)state;
    rig->in[1].state = INSTANCE_BUSY;
    rig->router = hello("router-a");
    hears_lent(rig->router, 1);
    lending_shut(rig->lending);
    rig->in[1].state = INSTANCE_IDLE;
    lending_offer(rig->lending, &rig->in[1]);
    hears_nothing(rig->router);
    assert_false(lending_to(rig->lending, "router-a"));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(others_may_not_even_connect),
        CASE(a_router_gets_its_idle_instances_and_no_others),
        CASE(trials_are_not_lent),
        CASE(when_it_goes_all_is_taken_back),
        CASE(one_that_comes_again_replaces_itself),
        CASE(hellos_that_are_refused),
        CASE(what_is_no_message_ends_the_connection),
        CASE(a_router_condemns_only_what_it_was_lent),
        CASE(what_they_served_is_counted),
        CASE(whose_a_line_is),
        CASE(a_reply_that_comes_too_late),
        CASE(its_end_is_told),
        CASE(no_descriptors_left),
        CASE(nothing_is_lent_after_it_has_shut),
    };

    return cmocka_run_group_tests_name("worker/lending", tests, NULL, NULL);
}
