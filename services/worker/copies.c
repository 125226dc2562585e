#include "copies.h"

#include "asks.h"
#include "base/mem.h"
#include "base/time.h"
#include "child.h"
#include "ends.h"
#include "loop/loop.h"
#include "sandbox/model_mount.h"
#include "seats.h"
#include "spawn.h"
#include "stock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* A copy is a matter of milliseconds; one that takes this long is not coming. */
#define ANSWER_MS 5000
/* A start is over by then, or at least no longer helped by an idle processor. */
#define FILL_AFTER_MS 20

struct copies {
    struct loop *loop;
    struct copies_options o;
    struct asks asks;
    struct loop_timer fill;
    struct copy *ready; /* for the next; NULL: none */
    bool coming;        /* one that nobody waits for */
    bool told;
};

struct copy {
    struct copies *all;
    struct zygote_ask ask;
    struct ends ends;
    struct seat *seat;
    struct spawn *w;    /* NULL: it went away, or it is to be kept ready */
    struct child child; /* watched while it is */
};

static void copy_free(struct copy *k)
{
    pl_close_p(&k->ends.channel);
    pl_close_p(&k->ends.log);
    seats_give(k->all->o.seats, k->seat);
    free(k);
}

/* Without a copy. */
static void fall_back(struct copy *k)
{
    struct spawn *w = k->w;

    copy_free(k);
    if (!w)
        return;
    w->copy = NULL;
    stock_take(w->home, w);
}

/* ---- the template's end ---- */

static void no_more(struct copies *c, const char *why)
{
    struct pl_err err;

    asks_shut(&c->asks);
    loop_timer_clear(c->loop, &c->fill);
    (void)pl_fail(&err, PL_UNAVAILABLE, NULL, "%s", why);
    asks_fail(&c->asks, &err);
    if (!c->told)
        c->o.events->broken(c->o.arg, why);
    c->told = true;
}

static void broken(struct asks *a, enum asks_end why)
{
    static const char *const texts[] = { [ASKS_CLOSED] = "it closed its control socket",
                                         [ASKS_LIED] = "it said what makes no sense",
                                         [ASKS_SILENT] = "it did not answer" };

    no_more(PL_CONTAINER(a, struct copies, asks), texts[why]);
}

/* ---- one copy ---- */

/* The process that a pidfd is of; -1: none that is left. */
static pid_t pid_of(int pidfd)
{
    char path[48], text[512];
    pl_cleanup(pl_close_p) int fd = -1;
    const char *line;
    ssize_t n;
    int pid;

    (void)snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
    if (n <= 0)
        return -1;
    text[n] = '\0';
    line = strstr(text, "\nPid:");
    return line && sscanf(line, "\nPid: %d", &pid) == 1 && pid > 0 ? pid : -1;
}

/* What the template handed over: is it a child of ours that nobody else has? -1: no. */
static pid_t check(const struct copies *c, int pidfd)
{
    siginfo_t info = { 0 };
    pid_t pid = pid_of(pidfd);

    if (pid < 0 || waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG | WNOWAIT) != 0)
        return -1;
    return c->o.events->taken(c->o.arg, pid) ? -1 : pid;
}

static void hand_over(struct copy *k, pid_t pid, int pidfd)
{
    struct spawn *w = k->w;
    struct spawned p = { .pid = pid, .pidfd = pidfd, .log_fd = k->ends.log, .fd = k->ends.channel, .seat = k->seat };

    k->ends.log = k->ends.channel = -1;
    k->seat = NULL;
    copy_free(k);
    w->copy = NULL;
    w->copied = true;
    w->made(w, &p, NULL);
}

static void fill_later(struct copies *c, int64_t ms)
{
    if (c->asks.control.fd >= 0 && c->fill.slot == 0)
        loop_timer_set(c->loop, &c->fill, pl_now_ms() + ms);
}

static void ready_died(struct child *child, int status, const char *how)
{
    struct copy *k = PL_CONTAINER(child, struct copy, child);
    struct copies *c = k->all;

    (void)status;
    (void)how;
    c->ready = NULL;
    copy_free(k);
    no_more(c, "a copy of it ended before it had anything to do");
}

static void keep_ready(struct copy *k, pid_t pid, int pidfd)
{
    struct copies *c = k->all;
    struct pl_err err;

    if (c->ready || c->asks.control.fd < 0) {
        child_abandon(pid, pidfd);
        copy_free(k);
    } else if (child_watch(&k->child, c->loop, pid, pidfd, ready_died, &err) != PL_OK) {
        copy_free(k);
    } else {
        c->ready = k;
        c->o.events->ready(c->o.arg, pid);
    }
}

static void answered(struct zygote_ask *a, pid_t said, int pidfd, const struct pl_err *err)
{
    struct copy *k = PL_CONTAINER(a, struct copy, ask);
    struct copies *c = k->all;
    pid_t pid;

    (void)said;
    c->coming = c->coming && k->w;
    if (err) {
        fall_back(k);
        return;
    }
    pid = check(c, pidfd);
    if (pid < 0) {
        (void)close(pidfd);
        fall_back(k);
        no_more(c, "it gave away a process that is not its copy");
    } else if (!seat_enter(k->seat, pid)) {
        child_abandon(pid, pidfd);
        fall_back(k);
    } else if (k->w) {
        hand_over(k, pid, pidfd);
        fill_later(c, FILL_AFTER_MS);
    } else {
        keep_ready(k, pid, pidfd);
    }
}

static bool fill_request(struct copy *k)
{
    struct copies *c = k->all;
    struct zygote_ask *a = &k->ask;

    if (!ends_make(&k->ends))
        return false;
    a->fds[a->fd_count++] = k->ends.their_channel;
    a->fds[a->fd_count++] = k->ends.their_log;
    k->ends.their_channel = k->ends.their_log = -1;
    a->fds[a->fd_count] = sandbox_scratch_mount(c->o.profile);
    if (a->fds[a->fd_count] < 0)
        return false;
    a->fd_count++;
    a->request.kind = ZYGOTE_COPY;
    a->request.extra_count = 1;
    k->seat = seats_take(c->o.seats, c->o.processes);
    return k->seat && seat_limit(k->seat, c->o.memory_size_mb);
}

/* For 'w', or, when that is NULL, to be kept ready. */
static void ask(struct copies *c, struct spawn *w)
{
    struct copy *k = PL_NEW(struct copy);

    k->all = c;
    k->w = w;
    k->child.watch.fd = -1;
    k->ask.answered = answered;
    list_init(&k->ask.link);
    if (w)
        w->copy = k;
    else
        c->coming = true;
    if (c->asks.control.fd < 0 || !fill_request(k)) {
        for (unsigned i = 0; i < k->ask.fd_count; i++)
            pl_close_p(&k->ask.fds[i]);
        pl_close_p(&k->ends.their_channel);
        pl_close_p(&k->ends.their_log);
        c->coming = c->coming && w;
        fall_back(k);
        return;
    }
    asks_add(&c->asks, &k->ask);
}

static void fill(struct loop_timer *t)
{
    struct copies *c = PL_CONTAINER(t, struct copies, fill);

    if (!c->ready && !c->coming && list_empty(&c->asks.list))
        ask(c, NULL);
    else if (!c->ready && !c->coming)
        fill_later(c, FILL_AFTER_MS);
}

void copies_take(struct copies *c, struct spawn *w)
{
    struct copy *k = c->ready;
    int pidfd;
    pid_t pid;

    if (!k) {
        ask(c, w);
        return;
    }
    c->ready = NULL;
    c->o.events->ready(c->o.arg, 0);
    child_release(&k->child, &pid, &pidfd);
    k->w = w;
    hand_over(k, pid, pidfd);
    fill_later(c, FILL_AFTER_MS);
}

void copies_cancel(struct spawn *w)
{
    w->copy->w = NULL;
    w->copy = NULL;
}

/* ---- life ---- */

enum pl_code copies_open(struct copies *c, int fd, struct pl_err *err)
{
    if (asks_open(&c->asks, fd, err) != PL_OK)
        return err->code;
    fill_later(c, 0);
    return PL_OK;
}

struct copies *copies_new(struct loop *l, const struct copies_options *o)
{
    struct copies *c = PL_NEW(struct copies);

    c->loop = l;
    c->o = *o;
    c->fill.fire = fill;
    asks_init(&c->asks, l, ANSWER_MS, broken);
    return c;
}

void copies_free(struct copies *c)
{
    if (!c)
        return;
    c->told = true;
    no_more(c, "it has ended");
    if (c->ready) {
        child_end(&c->ready->child);
        copy_free(c->ready);
    }
    free(c);
}
