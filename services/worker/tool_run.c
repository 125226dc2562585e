#include "tool_run.h"

#include "base/time.h"
#include "disk_watch.h"
#include "loop/loop.h"

#include <string.h>
#include <unistd.h>

/* A pipe holds far more than a tool prints, so the process never waited for us. */
static void last_line(int fd, char out[TOOL_WORDS])
{
    char text[8192];
    ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : 0;
    char *line = text;

    while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r'))
        n--;
    text[n > 0 ? n : 0] = '\0';
    for (char *at = text; (at = strpbrk(at, "\r\n"));)
        line = ++at;
    n = (ssize_t)strnlen(line, TOOL_WORDS - 1);
    memcpy(out, line, (size_t)n);
    out[n] = '\0';
}

static void tell(struct tool_run *r, const struct pl_err *err, int status, const char *how)
{
    char words[TOOL_WORDS];
    struct tool_end e = { .err = err, .status = status, .how = how, .words = words };

    loop_timer_clear(r->loop, &r->timer);
    loop_timer_clear(r->loop, &r->gone);
    disk_watch_end(pl_take(r->watch));
    last_line(r->log_fd, words);
    pl_close_p(&r->log_fd);
    r->ended(r, &e);
}

static void exited(struct child *c, int status, const char *how)
{
    tell(PL_CONTAINER(c, struct tool_run, child), NULL, status, how);
}

void tool_run_made(void *arg, const struct spawned *p, const struct pl_err *err)
{
    struct tool_run *r = arg;
    struct pl_err failed;

    r->making = NULL;
    if (!p) {
        tell(r, err, 0, "");
        return;
    }
    r->log_fd = p->log_fd;
    if (child_watch(&r->child, r->loop, p->pid, p->pidfd, exited, &failed) != PL_OK)
        tell(r, &failed, 0, "");
}

static void gone(struct loop_timer *t)
{
    struct tool_run *r = PL_CONTAINER(t, struct tool_run, gone);
    struct pl_err err;

    (void)pl_fail(&err, PL_CANCELLED, NULL, "it was ended before it ran");
    tell(r, &err, 0, "");
}

static void stop(struct tool_run *r)
{
    if (r->making) {
        spawn_tool_cancel(pl_take(r->making));
        loop_timer_set(r->loop, &r->gone, pl_now_ms());
    } else {
        child_kill(&r->child);
    }
}

static void too_long(struct loop_timer *t)
{
    struct tool_run *r = PL_CONTAINER(t, struct tool_run, timer);

    r->timed_out = true;
    stop(r);
}

void tool_run_cancel(struct tool_run *r)
{
    r->cancelled = true;
    stop(r);
}

void tool_run_limit(struct tool_run *r, int64_t timeout_ms)
{
    loop_timer_set(r->loop, &r->timer, pl_now_ms() + timeout_ms);
}

static void too_much(void *arg)
{
    struct tool_run *r = arg;

    r->overfull = true;
    stop(r);
}

void tool_run_watch(struct tool_run *r, const char *dir, int64_t max_bytes, int64_t max_entries)
{
    r->watch = disk_watch_begin(r->loop, dir, max_bytes, max_entries, too_much, r);
}

void tool_run_init(struct tool_run *r, struct loop *l, void (*ended)(struct tool_run *r, const struct tool_end *e))
{
    *r = (struct tool_run){ .loop = l, .log_fd = -1, .ended = ended };
    r->child.watch.fd = -1;
    r->timer.fire = too_long;
    r->gone.fire = gone;
}
