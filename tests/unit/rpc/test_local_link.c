/* One connection of the local transport by itself: its owner hears of a queue that shrinks, whichever way it does. */
#include "local_link.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"

#include <sys/socket.h>
#include <unistd.h>

static struct {
    struct loop *loop;
    struct local_link link;
    int peer;
    unsigned sent, freed;
} rig;

static bool on_frame(struct local_link *k, struct local_frame *f)
{
    (void)k, (void)f;
    return false;
}

static void on_closed(struct local_link *k, const char *why)
{
    (void)k, (void)why;
    fail();
}

static void on_sent(struct local_link *k)
{
    assert_int_equal(k->out_bytes, 0);
    rig.sent++;
    local_link_pause(k, false);
}

static void on_free(struct local_link *k)
{
    assert_ptr_equal(k, &rig.link);
    rig.freed++;
}

static const struct local_link_owner owner = { on_frame, on_closed, on_sent, on_free };

/* Who stops reading because much waits to be sent must hear of it when all of that leaves at the end of the callback:
 * the socket was never full, and nothing else will wake it. */
static void what_leaves_at_once_is_told_too(void **state)
{
    struct local_frame f = { .kind = LOCAL_REPLY };
    struct pl_err err;
    int ends[2];

    (void)state;
    rig.loop = loop_new(0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
    rig.peer = ends[1];
    loop_enter(rig.loop);
    assert_int_equal(local_link_open(&rig.link, rig.loop, ends[0], &owner, 1000, &err), PL_OK);
    local_link_send(&rig.link, &f, rpc_bytes_copy("answer", 6), true);
    assert_true(rig.link.out_bytes > 0);
    local_link_pause(&rig.link, true);
    assert_int_equal(rig.sent, 0); /* never from inside */
    loop_leave(rig.loop);
    assert_int_equal(rig.sent, 1);
    loop_enter(rig.loop);
    assert_false(rig.link.paused);
    local_link_unref(&rig.link);
    loop_leave(rig.loop);
    assert_int_equal(rig.freed, 1);
    close(rig.peer);
    loop_free(rig.loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(what_leaves_at_once_is_told_too) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
