#include "stock.h"

#include "assignment.h"
#include "base/mem.h"
#include "base/sanitizer.h"
#include "base/time.h"
#include "child.h"
#include "ends.h"
#include "log/log.h"
#include "loop/loop.h"
#include "seats.h"
#include "spawn.h"
#include "zygote.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A start is over by then, or at least no longer helped by an idle processor. */
#define FILL_AFTER_MS 5
/* How often a start that failed through no fault of its own is tried again. */
#define MAX_FAILURES 2
/* Blanks that died in a row: filling pauses. */
#define MAX_DEATHS     3
#define DEATH_PAUSE_MS 5000
/* Before anybody has come: the smallest memory size there is. */
#define DEFAULT_MEMORY_MB 1024

struct blank {
    struct stock *stock;
    struct list link; /* in stock->coming or stock->ready */
    struct zygote_ask ask;
    struct child child; /* watched while it is in stock */
    int fd, log_fd;     /* our ends */
    struct seat *seat;
    bool special;           /* made for its model, or as a template: for no other */
    struct spawn *only_for; /* NULL: for whoever comes next; or, when special, it went away */
};

struct stock {
    struct loop *loop;
    struct stock_options o;
    struct sandbox_plan plan;
    bool by_name; /* a process is made for its model */
    struct zygote *zygote;
    struct list ready, coming; /* struct blank */
    unsigned ready_count, coming_count;
    struct list waiting; /* struct spawn */
    unsigned waiting_count;
    int memory_mb; /* what the last one was given: the next blank is prepared for the same */
    unsigned deaths;
    struct loop_timer fill;
};

static void ask_for_blank(struct stock *s, struct spawn *only_for);

/* ---- blanks ---- */

static void blank_free(struct blank *b)
{
    list_remove(&b->link);
    pl_close_p(&b->fd);
    pl_close_p(&b->log_fd);
    seats_give(b->stock->o.seats, b->seat);
    free(b);
}

static void fill_later(struct stock *s, int64_t ms)
{
    if (s->o.blanks > 0 && !s->by_name && s->fill.slot == 0)
        loop_timer_set(s->loop, &s->fill, pl_now_ms() + ms);
}

static void blank_died(struct child *c, int status, const char *how)
{
    struct blank *b = PL_CONTAINER(c, struct blank, child);
    struct stock *s = b->stock;
    char words[256];
    ssize_t n = read(b->log_fd, words, sizeof(words) - 1);

    (void)status;
    words[n > 0 ? n : 0] = '\0';
    words[strcspn(words, "\n")] = '\0';
    log_error("blank_instance_died", LOG_STR("runtime", s->o.runtime), LOG_STR("how", how), LOG_STR("line", words));
    s->ready_count--;
    blank_free(b);
    s->deaths++;
    fill_later(s, s->deaths < MAX_DEATHS ? FILL_AFTER_MS : DEATH_PAUSE_MS);
}

/* ---- handing over ---- */

static unsigned own_limit(const struct blank *b, int memory_mb)
{
    return PL_SANITIZED || (b->seat && seat_limits_memory(b->seat)) ? 0 : (unsigned)memory_mb;
}

static enum pl_code assign(struct blank *b, const struct spawn *w, struct pl_err *err)
{
    const struct stock *s = b->stock;
    struct assignment a = { .model = s->by_name ? NULL : w->model,
                            .code = w->code,
                            .door_fd = w->door_fd,
                            .exec_model = s->o.exec_model,
                            .memory_size_mb = w->memory_size_mb,
                            .rlimit_mb = own_limit(b, w->memory_size_mb) };

    if (b->seat && !seat_limit(b->seat, w->memory_size_mb))
        return pl_fail_reason(err, PL_UNAVAILABLE, "SPAWN_FAILED", NULL, "cannot set the limit of %d MB of memory: %s",
                              w->memory_size_mb, strerror(errno));
    return assignment_send(b->fd, &s->plan, &a, err);
}

/* Tries again for somebody whose process did not come, or tells. */
static void failed(struct stock *s, struct spawn *w, const struct pl_err *err)
{
    w->blank = NULL;
    if (err->code == PL_UNAVAILABLE && !w->for_template && ++w->failures < MAX_FAILURES) {
        stock_take(s, w);
        return;
    }
    w->stock = NULL;
    w->made(w, NULL, err);
}

/* 'b' is over; its process is the receiver's, or ends with its channel and is reaped here. */
static void hand_over(struct blank *b, struct spawn *w, pid_t pid, int pidfd)
{
    struct stock *s = b->stock;
    struct spawned p = { .pid = pid, .pidfd = pidfd, .log_fd = b->log_fd, .fd = b->fd, .seat = b->seat };
    struct pl_err err;

    w->blank = NULL;
    w->stock = NULL;
    s->memory_mb = w->memory_size_mb;
    fill_later(s, FILL_AFTER_MS);
    if (assign(b, w, &err) != PL_OK) {
        child_abandon(pid, pidfd);
        blank_free(b);
        failed(s, w, &err);
        return;
    }
    s->deaths = 0;
    b->fd = b->log_fd = -1;
    b->seat = NULL;
    blank_free(b);
    w->made(w, &p, NULL);
}

static struct spawn *first_waiting(struct stock *s)
{
    struct spawn *w = list_first(&s->waiting, struct spawn, link);

    if (w) {
        list_remove(&w->link);
        s->waiting_count--;
    }
    return w;
}

static void into_stock(struct blank *b, pid_t pid, int pidfd)
{
    struct stock *s = b->stock;
    struct pl_err err;

    /* Whom it was made for went away, and there are enough already. */
    if (s->ready_count >= s->o.blanks) {
        child_abandon(pid, pidfd);
        blank_free(b);
        return;
    }
    if (child_watch(&b->child, s->loop, pid, pidfd, blank_died, &err) != PL_OK) {
        blank_free(b);
        return;
    }
    list_push_back(&s->ready, &b->link);
    s->ready_count++;
    fill_later(s, 0);
}

static void answered(struct zygote_ask *a, pid_t pid, int pidfd, const struct pl_err *err)
{
    struct blank *b = PL_CONTAINER(a, struct blank, ask);
    struct stock *s = b->stock;
    struct spawn *w = b->only_for;

    list_remove(&b->link);
    s->coming_count--;
    if (!b->special)
        w = first_waiting(s);
    if (err) {
        blank_free(b);
        if (w)
            failed(s, w, err);
    } else if (w) {
        hand_over(b, w, pid, pidfd);
    } else if (b->special) { /* its starter went away */
        child_abandon(pid, pidfd);
        blank_free(b);
    } else {
        into_stock(b, pid, pidfd);
    }
}

/* ---- making ---- */

static const char *folder_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static bool fill_request(struct stock *s, struct blank *b)
{
    struct zygote_ask *a = &b->ask;
    struct ends ends;
    bool good = ends_make(&ends);
    int count = 0;

    b->fd = ends.channel;
    b->log_fd = ends.log;
    a->fds[a->fd_count++] = ends.their_channel;
    a->fds[a->fd_count++] = ends.their_log;
    if (b->only_for && b->only_for->for_template) {
        a->request.kind = ZYGOTE_TEMPLATE;
        a->request.extra_count = 1;
        a->fds[a->fd_count++] = pl_take_fd(b->only_for->template_fd);
    }
    b->seat = good ? seats_take(s->o.seats, s->o.processes) : NULL;
    if (b->seat)
        good = seat_limit(b->seat, s->memory_mb);
    if (good && b->seat)
        count = seat_entrances(b->seat, a->fds + a->fd_count);
    if (count > 0) {
        a->request.cgroup_count = (uint32_t)count;
        a->fd_count += (unsigned)count;
    }
    if (s->by_name && b->only_for)
        (void)snprintf(a->request.model, sizeof(a->request.model), "%s", folder_name(b->only_for->model));
    if (s->by_name && b->only_for && b->only_for->code)
        (void)snprintf(a->request.code, sizeof(a->request.code), "%s", folder_name(b->only_for->code));
    return good && count >= 0;
}

static void ask_for_blank(struct stock *s, struct spawn *only_for)
{
    struct blank *b = PL_NEW(struct blank);

    b->stock = s;
    b->only_for = only_for;
    b->special = only_for != NULL;
    b->fd = b->log_fd = b->child.watch.fd = -1;
    b->ask.answered = answered;
    list_init(&b->ask.link);
    if (only_for)
        only_for->blank = b;
    list_push_back(&s->coming, &b->link);
    s->coming_count++;
    if (!fill_request(s, b))
        zygote_refuse(s->zygote, &b->ask, "cannot make descriptors or a control group for an instance: %s",
                      strerror(errno));
    else
        zygote_ask(s->zygote, &b->ask);
}

static void fill(struct loop_timer *t)
{
    struct stock *s = PL_CONTAINER(t, struct stock, fill);

    if (s->waiting_count == 0 && s->ready_count + s->coming_count < s->o.blanks)
        ask_for_blank(s, NULL);
}

/* ---- door ---- */

void stock_fill(struct stock *s)
{
    zygote_wake(s->zygote);
    fill_later(s, 0);
}

static bool take_ready(struct stock *s, struct spawn *w)
{
    struct blank *b = list_first(&s->ready, struct blank, link);
    int pidfd;
    pid_t pid;

    if (!b)
        return false;
    list_remove(&b->link);
    s->ready_count--;
    child_release(&b->child, &pid, &pidfd);
    hand_over(b, w, pid, pidfd);
    return true;
}

void stock_take(struct stock *s, struct spawn *w)
{
    w->stock = s;
    w->blank = NULL;
    if (s->by_name || w->for_template) {
        ask_for_blank(s, w);
        return;
    }
    if (take_ready(s, w))
        return;
    list_push_back(&s->waiting, &w->link);
    s->waiting_count++;
    if (s->coming_count < s->waiting_count)
        ask_for_blank(s, NULL);
}

void stock_cancel(struct stock *s, struct spawn *w)
{
    if (w->blank) {
        w->blank->only_for = NULL;
    } else {
        list_remove(&w->link);
        s->waiting_count--;
    }
    w->blank = NULL;
    w->stock = NULL;
}

struct stock *stock_new(struct loop *l, const struct stock_options *o)
{
    struct stock *s = PL_NEW(struct stock);

    s->loop = l;
    s->o = *o;
    s->plan = *o->plan;
    s->o.plan = &s->plan;
    s->by_name = assignment_by_name(&s->plan);
    s->zygote = zygote_new(l, o->runtime, o->argv, &s->plan);
    list_init(&s->ready);
    list_init(&s->coming);
    list_init(&s->waiting);
    s->fill.fire = fill;
    s->memory_mb = DEFAULT_MEMORY_MB;
    return s;
}

void stock_free(struct stock *s)
{
    if (!s)
        return;
    assert(s->waiting_count == 0);
    loop_timer_clear(s->loop, &s->fill);
    zygote_free(s->zygote);
    for (struct blank *b; (b = list_first(&s->coming, struct blank, link));)
        blank_free(b);
    for (struct blank *b; (b = list_first(&s->ready, struct blank, link));) {
        child_end(&b->child);
        blank_free(b);
    }
    free(s);
}
