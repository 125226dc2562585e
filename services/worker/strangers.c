#include "strangers.h"

#include "base/mem.h"
#include "base/time.h"
#include "log/log.h"
#include "loop/loop.h"

#include <stdlib.h>
#include <sys/wait.h>

#define TWICE_MS 1000

struct strangers {
    struct loop *loop;
    struct loop_timer timer;
    pid_t seen; /* 0: none */
};

/* A dead child that has not been reaped, the same one until it has been; 0: there is none. */
static pid_t dead_child(void)
{
    siginfo_t info = { 0 };

    return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 ? info.si_pid : 0;
}

static void look(struct loop_timer *t)
{
    struct strangers *s = PL_CONTAINER(t, struct strangers, timer);
    pid_t pid = dead_child();

    if (pid > 0 && pid == s->seen && waitpid(pid, NULL, WNOHANG) == pid) {
        log_warn("stranger_buried", LOG_INT("pid", pid));
        pid = dead_child();
    }
    s->seen = pid;
    if (pid > 0)
        loop_timer_set(s->loop, t, pl_now_ms() + TWICE_MS);
}

void strangers_look(struct strangers *s)
{
    if (s->timer.slot == 0)
        loop_timer_set(s->loop, &s->timer, pl_now_ms() + TWICE_MS);
}

struct strangers *strangers_new(struct loop *l)
{
    struct strangers *s = PL_NEW(struct strangers);

    s->loop = l;
    s->timer.fire = look;
    return s;
}

void strangers_free(struct strangers *s)
{
    if (!s)
        return;
    loop_timer_clear(s->loop, &s->timer);
    free(s);
}
