/* The door at which routers of this machine knock: who is let in, and what happens when there are no descriptors left.
 */
#include "lending.h"
#include "unit_test.h"

#include "base/mem.h"
#include "base/time.h"
#include "instance.h"
#include "loop/loop.h"
#include "pilotlight/internal/v1/lending.pb-c.h"
#include "routers.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#define HANG_MS 20000

static struct {
    struct loop *loop;
    struct instances *instances;
    struct routers *routers;
    struct lending *lending;
    char dir[32], path[64];
    int router;
    unsigned accepts;
    bool none_left; /* descriptors */
} rig;

/* In the C library's place. */
int accept4(int fd, struct sockaddr *restrict a, socklen_t *restrict n, int flags)
{
    rig.accepts++;
    errno = EMFILE;
    return rig.none_left ? -1 : (int)syscall(SYS_accept4, fd, a, n, flags);
}

static void stop(struct loop_timer *t)
{
    (void)t;
    loop_stop(rig.loop);
}

static void run_for(int64_t ms)
{
    struct loop_timer t = { .fire = stop };

    loop_timer_set(rig.loop, &t, pl_now_ms() + ms);
    loop_run(rig.loop);
}

static void run_until(bool (*yes)(void))
{
    int64_t until_ms = pl_now_ms() + HANG_MS;

    while (!yes()) {
        assert_true(pl_now_ms() < until_ms);
        run_for(5);
    }
}

static void knock(void)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };

    (void)snprintf(a.sun_path, sizeof(a.sun_path), "%s", rig.path);
    rig.router = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(rig.router, (struct sockaddr *)&a, sizeof(a)), 0);
}

static void say_hello(const char *host_id, int64_t host_epoch, int64_t router_epoch)
{
    Pilotlight__Internal__V1__LendingRequest m = PILOTLIGHT__INTERNAL__V1__LENDING_REQUEST__INIT;
    Pilotlight__Internal__V1__LendingHello hello = PILOTLIGHT__INTERNAL__V1__LENDING_HELLO__INIT;
    uint8_t bytes[512];
    size_t n;

    hello.router_id = (char *)(uintptr_t) "r1";
    hello.router_epoch = router_epoch;
    hello.host_id = (char *)(uintptr_t)host_id;
    hello.host_epoch = host_epoch;
    m.request_case = PILOTLIGHT__INTERNAL__V1__LENDING_REQUEST__REQUEST_HELLO;
    m.hello = &hello;
    n = pilotlight__internal__v1__lending_request__pack(&m, bytes);
    assert_int_equal(send(rig.router, bytes, n, MSG_NOSIGNAL), n);
}

static bool is_in(void)
{
    return lending_borrowers(rig.lending) == 1;
}

static bool is_known(void)
{
    return lending_to(rig.lending, "r1");
}

static bool is_out(void)
{
    return lending_borrowers(rig.lending) == 0;
}

static int set_up(void **state)
{
    struct pl_err err;

    (void)state;
    memset(&rig, 0, sizeof(rig));
    rig.router = -1;
    rig.loop = loop_new(0);
    rig.instances = instances_new(rig.loop, NULL, NULL, 1);
    rig.routers = routers_new();
    (void)snprintf(rig.dir, sizeof(rig.dir), "/tmp/pl-lending-XXXXXX");
    assert_non_null(mkdtemp(rig.dir));
    (void)snprintf(rig.path, sizeof(rig.path), "%s/direct.sock", rig.dir);
    assert_ok(lending_start(&rig.lending, rig.loop,
                            &(struct lending_options){ .path = rig.path,
                                                       .instances = rig.instances,
                                                       .routers = rig.routers,
                                                       .host_id = "host-1",
                                                       .host_epoch = 9 },
                            &err),
              err);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    lending_free(rig.lending);
    routers_free(rig.routers);
    instances_free(rig.instances);
    loop_free(rig.loop);
    pl_close_p(&rig.router);
    assert_int_equal(access(rig.path, F_OK), -1);
    rmdir(rig.dir);
    return 0;
}

static void a_router_comes_and_goes(void **state)
{
    (void)state;
    knock();
    run_until(is_in);
    assert_false(is_known());
    say_hello("host-1", 9, 5);
    run_until(is_known);
    pl_close_p(&rig.router);
    run_until(is_out);
    assert_false(is_known());
}

static void is_refused(const char *host_id, int64_t host_epoch, int64_t router_epoch)
{
    struct pollfd p;

    knock();
    run_until(is_in);
    say_hello(host_id, host_epoch, router_epoch);
    run_until(is_out);
    p = (struct pollfd){ .fd = rig.router, .events = POLLIN };
    assert_int_equal(poll(&p, 1, HANG_MS), 1);
    assert_int_equal(recv(rig.router, &(char){ 0 }, 1, 0), 0);
    pl_close_p(&rig.router);
}

static void who_means_another_life_is_refused(void **state)
{
    struct pl_err err;

    (void)state;
    is_refused("host-2", 9, 5);
    is_refused("host-1", 8, 5);
    assert_ok(routers_admit(rig.routers, "r1", 6, &err), err);
    is_refused("host-1", 9, 5);
}

/* Who knocks waits, and costs nothing meanwhile. */
static void no_descriptors_left(void **state)
{
    (void)state;
    rig.none_left = true;
    knock();
    run_for(50);
    assert_in_range(rig.accepts, 1, 3);
    rig.none_left = false;
    run_until(is_in);
    say_hello("host-1", 9, 5);
    run_until(is_known);
}

#define L(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        L(a_router_comes_and_goes),
        L(who_means_another_life_is_refused),
        L(no_descriptors_left),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
