/* A server that takes connections and calls and never answers, as one that is stopped or hangs: the client's own clock
 * has to end its calls, over both kinds of channel. And one that dies: who called hears whether it may have been heard.
 */
#include "rig.h"

#include "base/cleanup.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct deaf {
    int listener;
    const char *until; /* hangs up when it has read this; NULL: never */
    pthread_t thread;
    char address[32];
};

/* As much of HTTP/2 as makes a client believe that it is connected: an empty SETTINGS frame. */
static void *be_deaf(void *arg)
{
    static const char settings[] = { 0, 0, 0, 4, 0, 0, 0, 0, 0 };
    const struct deaf *d = arg;
    char ignored[4096];
    pl_cleanup(pl_close_p) int fd = accept(d->listener, NULL, NULL);
    if (fd < 0 || write(fd, settings, sizeof(settings)) != (ssize_t)sizeof(settings))
        return NULL;
    for (ssize_t n; (n = read(fd, ignored, sizeof(ignored))) > 0;)
        if (d->until && memmem(ignored, (size_t)n, d->until, strlen(d->until)))
            break;
    return NULL;
}

static void deaf_start(struct deaf *d)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(a);
    d->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(d->listener, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(listen(d->listener, 1), 0);
    assert_int_equal(getsockname(d->listener, (struct sockaddr *)&a, &len), 0);
    snprintf(d->address, sizeof(d->address), "127.0.0.1:%d", ntohs(a.sin_port));
    assert_int_equal(pthread_create(&d->thread, NULL, be_deaf, d), 0);
}

static void deaf_stop(struct deaf *d)
{
    shutdown(d->listener, SHUT_RDWR);
    pthread_join(d->thread, NULL);
    close(d->listener);
}

static void ends_at_its_deadline(bool internal)
{
    static struct rig g;
    struct deaf d = { .until = NULL };
    struct result r;
    deaf_start(&d);
    rig_up(&g);
    snprintf(g.address, sizeof(g.address), "%s", d.address);
    rig_connect(&g, &(struct rpc_channel_options){ .internal = internal });
    for (int i = 0; i < 2; i++) { /* while it connects, and when it is connected */
        rig_send(&g, ECHO, 500, &r);
        wait_event(&r.over);
        assert_int_equal(r.status.code, PL_DEADLINE);
        result_done(&r);
    }
    rig_down(&g);
    deaf_stop(&d);
}

static void test_public_channel(void **state)
{
    (void)state;
    ends_at_its_deadline(false);
}

static void test_internal_channel(void **state)
{
    (void)state;
    ends_at_its_deadline(true);
}

static void may_have_been_sent(bool internal)
{
    static struct rig g;
    struct deaf d = { .until = "ping" };
    struct result r;
    deaf_start(&d);
    rig_up(&g);
    snprintf(g.address, sizeof(g.address), "%s", d.address);
    rig_connect(&g, &(struct rpc_channel_options){ .internal = internal });
    rig_send(&g, ECHO, 20000, &r);
    wait_event(&r.over);
    assert_int_equal(r.status.code, PL_UNAVAILABLE);
    assert_string_equal(r.status.reason, "");
    result_done(&r);
    rig_down(&g);
    deaf_stop(&d);
    rig_up(&g);
    snprintf(g.address, sizeof(g.address), "%s", d.address); /* where nobody listens any more */
    rig_connect(&g, &(struct rpc_channel_options){ .internal = internal });
    rig_send(&g, ECHO, 20000, &r);
    wait_event(&r.over);
    assert_int_equal(r.status.code, PL_UNAVAILABLE);
    assert_string_equal(r.status.reason, RPC_NOT_SENT);
    result_done(&r);
    rig_down(&g);
}

static void test_dead_public(void **state)
{
    (void)state;
    may_have_been_sent(false);
}

static void test_dead_internal(void **state)
{
    (void)state;
    may_have_been_sent(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dead_public),
        cmocka_unit_test(test_dead_internal),
        cmocka_unit_test(test_public_channel),
        cmocka_unit_test(test_internal_channel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
