/* How an instance is lent to a router on this machine, and taken back.
 *
 *     lend      a socketpair: one end goes to the instance with ATTACH (or went with LOAD already), the other is the
 *               router's
 *     unlend    DETACH: the instance finishes what it has, lets go of its end, and says DETACHED
 *
 * While it is lent the worker does not see its requests, so whose lines it prints is asked of its borrower before they
 * are read; also the last ones, which a process that is dead has left. */
#include "instance_private.h"

#include "base/mem.h"
#include "base/time.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

/* A borrower answers in far less. */
#define LAST_LINES_MS 500

bool instance_make_direct(int *out_ours, int *out_its)
{
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return false;
    (void)fcntl(ends[0], F_SETFL, O_NONBLOCK);
    *out_ours = ends[0];
    *out_its = ends[1];
    return true;
}

enum pl_code instance_lend(struct instance *in, struct borrower *to, int *out_fd, struct pl_err *err)
{
    int its;

    assert(in->state == INSTANCE_IDLE && !in->borrower && !in->take_back);
    if (in->direct_fd < 0) {
        if (!instance_make_direct(&in->direct_fd, &its))
            return pl_fail(err, PL_UNAVAILABLE, NULL, "cannot make a socket: %s", strerror(errno));
        if (!channel_tell(&in->channel, FRAME_ATTACH, its)) {
            pl_close_p(&in->direct_fd);
            return pl_fail(err, PL_UNAVAILABLE, NULL, "instance %s does not take it", in->id_text);
        }
    }
    in->borrower = to;
    in->unanswered = in->outdated = 0;
    *out_fd = pl_take_fd(in->direct_fd);
    return PL_OK;
}

/* ---- taken back ---- */

void instance_take_back(struct instance *in)
{
    instance_move(in, INSTANCE_BUSY, "taken back");
    loop_timer_set(in->all->loop, &in->timer, pl_now_ms() + in->invoke_timeout_ms);
    channel_ask(&in->channel, FRAME_DETACH, ++in->questions, NULL);
}

void instance_unlend(struct instance *in)
{
    if (!in->borrower)
        return;
    in->borrower = NULL;
    in->take_back = true;
    if (in->how) {
        instance_printed(in, 0);
        return;
    }
    if (in->state == INSTANCE_IDLE)
        instance_take_back(in);
    instance_log_resume(&in->log);
}

void instance_let_go(struct instance *in, size_t len)
{
    if (len > 0) {
        instance_lied(in, "it ", "let go of its socket with more words than that takes");
        return;
    }
    in->take_back = false;
    if (in->state == INSTANCE_STOPPING) {
        instance_let_exit(in);
        return;
    }
    loop_timer_clear(in->all->loop, &in->timer);
    instance_free_again(in, "taken back");
}

/* ---- what it prints ---- */

static void ask(struct instance *in)
{
    in->all->observer.prints(in->all->observer.arg, in);
}

static bool has_to_ask(const struct instance *in)
{
    return in->borrower && in->all->observer.prints && !in->request.done;
}

bool instance_asks_whose(struct instance_log *g)
{
    struct instance *in = PL_CONTAINER(g, struct instance, log);

    if (!has_to_ask(in))
        return false;
    ask(in);
    return true;
}

bool instance_ask_for_last_lines(struct instance *in, const char *how)
{
    int waiting = 0;

    if (!has_to_ask(in) || in->log.watch.fd < 0 || ioctl(in->log.watch.fd, FIONREAD, &waiting) != 0 || waiting == 0)
        return false;
    in->how = pl_strdup(how);
    if (in->state != INSTANCE_STOPPING)
        instance_move(in, INSTANCE_STOPPING, how);
    loop_timer_set(in->all->loop, &in->timer, pl_now_ms() + LAST_LINES_MS);
    ask(in);
    return true;
}

void instance_printed(struct instance *in, uint64_t request_id)
{
    pl_cleanup(pl_free_p) char *how = pl_take(in->how);
    uint64_t seen = in->log.request;

    in->log.request = request_id;
    instance_log_catch_up(&in->log);
    in->log.request = seen;
    if (how) {
        loop_timer_clear(in->all->loop, &in->timer);
        instance_over(in, how);
        return;
    }
    instance_log_resume(&in->log);
}

void instance_condemn(struct instance *in, const char *why)
{
    if (in->state != INSTANCE_DEAD && !in->how)
        instance_kill(in, why);
}
