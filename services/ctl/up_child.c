#include "up_child.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/time.h"
#include "up_layout.h"
#include "up_probe.h"

#include <assert.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAUSE_FIRST_MS   100
#define PAUSE_MAX_MS     5000
#define SERVED_WELL_MS   10000 /* after this long a new start begins with the first pause again */
#define PROBE_EVERY_MS   20
#define PROBE_TIMEOUT_MS 1000

extern char **environ;

#define TO(s) (1u << UP_CHILD_##s)
static const unsigned next_states[] = {
    [UP_CHILD_DOWN] = TO(STARTING) | TO(ENDED) | TO(DOWN),
    [UP_CHILD_STARTING] = TO(SERVING) | TO(STOPPING) | TO(DOWN),
    [UP_CHILD_SERVING] = TO(STOPPING) | TO(DOWN),
    [UP_CHILD_STOPPING] = TO(ENDED),
    [UP_CHILD_ENDED] = 0,
};

static void move(struct up_child *c, enum up_child_state state)
{
    assert(next_states[c->state] & (1u << state));
    c->state = state;
    c->since_ms = pl_now_ms();
}

int64_t up_child_next_pause(int64_t pause_ms, int64_t served_ms)
{
    if (pause_ms == 0 || served_ms >= SERVED_WELL_MS)
        return PAUSE_FIRST_MS;
    return pause_ms * 2 > PAUSE_MAX_MS ? PAUSE_MAX_MS : pause_ms * 2;
}

/* ---- starting a process ---- */

/* Ours, with PILOTLIGHT_PARENT_DEATH=1. The array is the caller's to free, its strings are not. */
static char **child_environment(void)
{
    static char parent_death[] = "PILOTLIGHT_PARENT_DEATH=1";
    size_t count = 0, kept = 0;
    while (environ[count])
        count++;
    char **out = pl_new0(count + 2, sizeof(*out));
    for (size_t i = 0; i < count; i++) {
        if (strncmp(environ[i], "PILOTLIGHT_PARENT_DEATH=", 24))
            out[kept++] = environ[i];
    }
    out[kept] = parent_death;
    return out;
}

static int spawn(struct up_child *c)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (!c->foreground_logs)
        posix_spawn_file_actions_addopen(&files, STDERR_FILENO, c->service->log_path, O_WRONLY | O_CREAT | O_APPEND,
                                         0600);
    posix_spawn_file_actions_adddup2(&files, STDERR_FILENO, STDOUT_FILENO);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setpgroup(&attributes, 0);
    char option[] = "--config";
    char *argv[] = { c->service->program, option, c->service->config_path, NULL };
    pl_cleanup(pl_free_p) char **environment = child_environment();
    int failed = posix_spawn(&c->pid, c->service->program, &files, &attributes, argv, environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    return failed;
}

bool up_child_start(struct up_child *c)
{
    loop_timer_clear(c->loop, &c->timer);
    int failed = spawn(c);
    if (failed) {
        c->pid = 0;
        snprintf(c->ending, sizeof(c->ending), "cannot be run: %s", strerror(failed));
        return false;
    }
    c->spawned_ms = pl_now_ms();
    move(c, UP_CHILD_STARTING);
    c->on(c, UP_CHILD_STARTED);
    loop_timer_set(c->loop, &c->timer, pl_now_ms() + PROBE_EVERY_MS);
    return true;
}

/* ---- does it serve? ---- */

static void probe_work(struct loop_job *job)
{
    struct up_child *c = PL_CONTAINER(job, struct up_child, probe);
    c->probe_ok = up_probe(c->probe_host, c->service->admin_port, PROBE_TIMEOUT_MS, c->probe_why, sizeof(c->probe_why));
}

static void probe_done(struct loop_job *job)
{
    struct up_child *c = PL_CONTAINER(job, struct up_child, probe);
    c->probing = false;
    if (c->state != UP_CHILD_STARTING)
        return;
    memcpy(c->unready, c->probe_why, sizeof(c->unready));
    if (c->probe_ok && c->probed_pid == c->pid) {
        move(c, UP_CHILD_SERVING);
        c->on(c, UP_CHILD_SERVES);
        return;
    }
    loop_timer_set(c->loop, &c->timer, pl_now_ms() + PROBE_EVERY_MS);
}

/* What the timer means depends on the state: the pause is over, ask again, or it took too long to end. */
static void on_timer(struct loop_timer *t)
{
    struct up_child *c = PL_CONTAINER(t, struct up_child, timer);
    switch (c->state) {
    case UP_CHILD_DOWN:
        if (!up_child_start(c)) {
            c->pause_ms = up_child_next_pause(c->pause_ms, 0);
            loop_timer_set(c->loop, &c->timer, pl_now_ms() + c->pause_ms);
            c->on(c, UP_CHILD_DIED);
        }
        break;
    case UP_CHILD_STARTING:
        if (!c->probing) {
            c->probing = true;
            c->probed_pid = c->pid;
            *c->probe_why = '\0';
            loop_job(c->loop, &c->probe);
        }
        break;
    case UP_CHILD_STOPPING:
        c->killed = true;
        up_child_kill(c);
        break;
    case UP_CHILD_SERVING:
    case UP_CHILD_ENDED:
        break;
    }
}

void up_child_init(struct up_child *c, struct loop *l, const struct up_service *s)
{
    c->loop = l;
    c->service = s;
    c->state = UP_CHILD_DOWN;
    c->timer.fire = on_timer;
    c->probe.work = probe_work;
    c->probe.done = probe_done;
}

/* ---- the end of a process ---- */

void up_child_kill(struct up_child *c)
{
    if (c->pid > 0)
        (void)kill(c->pid, SIGKILL);
}

void up_child_stop(struct up_child *c)
{
    if (c->state == UP_CHILD_ENDED || c->state == UP_CHILD_STOPPING)
        return;
    loop_timer_clear(c->loop, &c->timer);
    if (c->state == UP_CHILD_DOWN) {
        move(c, UP_CHILD_ENDED);
        c->on(c, UP_CHILD_GONE);
        return;
    }
    move(c, UP_CHILD_STOPPING);
    (void)kill(c->pid, SIGTERM);
    loop_timer_set(c->loop, &c->timer, pl_now_ms() + UP_CHILD_STOP_MS);
}

void up_child_reaped(struct up_child *c, int status)
{
    int64_t served_ms = c->state == UP_CHILD_SERVING ? pl_now_ms() - c->since_ms : 0;
    bool asked = c->state == UP_CHILD_STOPPING;
    if (WIFSIGNALED(status))
        snprintf(c->ending, sizeof(c->ending), "killed by signal %d (%s)", WTERMSIG(status),
                 strsignal(WTERMSIG(status)));
    else
        snprintf(c->ending, sizeof(c->ending), "ended with exit code %d", WEXITSTATUS(status));
    c->pid = 0;
    loop_timer_clear(c->loop, &c->timer);
    move(c, asked ? UP_CHILD_ENDED : UP_CHILD_DOWN);
    if (!asked) {
        c->pause_ms = up_child_next_pause(c->pause_ms, served_ms);
        loop_timer_set(c->loop, &c->timer, pl_now_ms() + c->pause_ms);
    }
    c->on(c, asked ? UP_CHILD_GONE : UP_CHILD_DIED);
}
