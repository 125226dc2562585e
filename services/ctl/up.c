/* up - conducts one-machine mode.
 *
 * A normal run: the layout is computed (up_layout.c); the state folder is made and locked, the ports are tried, the
 * configs written (up_state.c); all services are started at once (up_child.c) and asked for readiness; when all serve,
 * "ready" is printed with the addresses. From then on nothing happens until SIGINT or SIGTERM: the gateway and the
 * router are stopped first, so that nothing new comes in while calls end, then the worker, then control, and the
 * program ends with 0.
 *
 * Otherwise: a service that ends before all have served ends the start with the end of its log; one that ends later is
 * started again. A second signal kills what is left and ends with 1.
 *
 * No gRPC in this process: it spawns as long as it lives. */
#include "up.h"

#include "base/cleanup.h"
#include "base/time.h"
#include "loop/loop.h"
#include "output.h"
#include "up_child.h"
#include "up_credentials.h"
#include "up_state.h"

#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define TRIM_EVERY_MS 30000 /* how often the size of logs is looked at */

static const enum up_service_id stop_order[] = { UP_GATEWAY, UP_ROUTER, UP_WORKER, UP_CONTROL };

struct up {
    const struct up_options *options;
    struct up_layout layout;
    struct loop *loop;
    struct up_child children[UP_SERVICE_COUNT];
    int64_t started_ms;
    bool ready; /* was announced     */
    bool stopping;
    enum ctl_exit code;
    struct loop_timer start_limit, trim;
};

/* ---- the end ---- */

/* Stops the next service in order that still lives; with none left the loop ends. */
static void stop_next(struct up *u)
{
    for (size_t i = 0; i < PL_COUNT(stop_order); i++) {
        struct up_child *c = &u->children[stop_order[i]];
        if (c->state == UP_CHILD_ENDED)
            continue;
        up_child_stop(c);
        return;
    }
    loop_stop(u->loop);
}

static void stop(struct up *u, enum ctl_exit code)
{
    if (u->stopping)
        return;
    u->stopping = true;
    u->code = code;
    loop_timer_clear(u->loop, &u->start_limit);
    stop_next(u);
}

static void on_signal(void *arg, int signo)
{
    struct up *u = arg;
    if (!u->stopping) {
        printf("stopping (%s)\n", signo == SIGINT ? "SIGINT" : "SIGTERM");
        fflush(stdout);
        stop(u, EXIT_OK);
        return;
    }
    u->code = EXIT_FAILED;
    for (int id = 0; id < UP_SERVICE_COUNT; id++)
        up_child_kill(&u->children[id]);
}

/* ---- what happens to services ---- */

static void announce(struct up *u)
{
    const struct up_service *s = u->layout.services;
    char took[24];
    u->ready = true;
    loop_timer_clear(u->loop, &u->start_limit);
    printf("ready after %s: gateway http://%s, router %s, control %s, worker %s\n",
           output_micros((pl_now_ms() - u->started_ms) * 1000, took), s[UP_GATEWAY].address, s[UP_ROUTER].address,
           s[UP_CONTROL].address, s[UP_WORKER].address);
    printf("metrics: gateway http://%s/metrics, router http://%s/metrics, control http://%s/metrics, worker "
           "http://%s/metrics\n",
           s[UP_GATEWAY].admin_address, s[UP_ROUTER].admin_address, s[UP_CONTROL].admin_address,
           s[UP_WORKER].admin_address);
    printf("access keys for AWS clients: pilotlight credentials --state %s\n", u->layout.state);
    if (u->options->port != 8080)
        printf("in another terminal: export PILOTLIGHT_SERVER=%s:%d\n", u->layout.probe_host, u->options->port);
    fflush(stdout);
}

static bool all_serve(const struct up *u)
{
    for (int id = 0; id < UP_SERVICE_COUNT; id++) {
        if (u->children[id].state != UP_CHILD_SERVING)
            return false;
    }
    return true;
}

static void on_serves(struct up *u, struct up_child *c)
{
    char took[24];
    printf("  %-8s serves, pid %d, after %s\n", c->service->name, (int)c->pid,
           output_micros((pl_now_ms() - c->spawned_ms) * 1000, took));
    fflush(stdout);
    if (!u->ready && all_serve(u))
        announce(u);
}

static void on_died(struct up *u, struct up_child *c)
{
    char pause[24];
    if (u->ready && !u->stopping) {
        printf("  %-8s %s; started again in %s\n", c->service->name, c->ending, pl_duration_text(c->pause_ms, pause));
        fflush(stdout);
        return;
    }
    if (u->stopping) { /* it went before its turn to be stopped came */
        up_child_stop(c);
        return;
    }
    fprintf(stderr, "pilotlight up: %s %s before it served\n", c->service->name, c->ending);
    if (!u->options->foreground_logs)
        up_state_print_log_end(c->service, stderr);
    stop(u, EXIT_FAILED);
}

static void on_gone(struct up *u, struct up_child *c)
{
    char took[24];
    if (c->killed) {
        fprintf(stderr, "pilotlight up: %s did not end within %s and was killed\n", c->service->name,
                pl_duration_text(UP_CHILD_STOP_MS, took));
        u->code = EXIT_FAILED;
    } else if (*c->ending) {
        printf("  %-8s %s\n", c->service->name, c->ending);
    }
    fflush(stdout);
    stop_next(u);
}

static void on_child(struct up_child *c, enum up_child_event event)
{
    struct up *u = c->owner;
    switch (event) {
    case UP_CHILD_STARTED:
        break;
    case UP_CHILD_SERVES:
        on_serves(u, c);
        break;
    case UP_CHILD_DIED:
        on_died(u, c);
        break;
    case UP_CHILD_GONE:
        on_gone(u, c);
        break;
    }
}

static void on_sigchld(void *arg, int signo)
{
    struct up *u = arg;
    (void)signo;
    for (int id = 0; id < UP_SERVICE_COUNT; id++) {
        int status;
        if (u->children[id].pid > 0 && waitpid(u->children[id].pid, &status, WNOHANG) == u->children[id].pid)
            up_child_reaped(&u->children[id], status);
    }
}

/* ---- time ---- */

static void on_start_limit(struct loop_timer *t)
{
    struct up *u = PL_CONTAINER(t, struct up, start_limit);
    char limit[24];
    fprintf(stderr, "pilotlight up: not all services serve after %s (--start-timeout)\n",
            pl_duration_text(u->options->start_timeout_ms, limit));
    for (int id = 0; id < UP_SERVICE_COUNT; id++) {
        struct up_child *c = &u->children[id];
        if (c->state == UP_CHILD_SERVING)
            continue;
        fprintf(stderr, "%s: %s\n", c->service->name, c->unready);
        if (!u->options->foreground_logs)
            up_state_print_log_end(c->service, stderr);
    }
    stop(u, EXIT_UNAVAILABLE);
}

static void on_trim(struct loop_timer *t)
{
    struct up *u = PL_CONTAINER(t, struct up, trim);
    for (int id = 0; id < UP_SERVICE_COUNT; id++)
        up_state_trim_log(&u->layout.services[id]);
    loop_timer_set(u->loop, t, pl_now_ms() + TRIM_EVERY_MS);
}

/* ---- the start ---- */

/* A wrong --set is told by the service's own check of its config, before anything runs. */
static enum pl_code check_config(const struct up_service *s, struct pl_err *err)
{
    extern char **environ;
    char check[] = "--check-config", option[] = "--config";
    char *argv[] = { s->program, option, s->config_path, check, NULL };
    posix_spawn_file_actions_t files;
    pid_t pid;
    int status = 0;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, STDERR_FILENO, STDOUT_FILENO);
    int failed = posix_spawn(&pid, s->program, &files, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&files);
    if (failed)
        return pl_fail(err, PL_NOT_FOUND, NULL, "cannot run %s: %s", s->program, strerror(failed));
    while (waitpid(pid, &status, 0) < 0)
        continue;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return PL_OK;
    return pl_fail(err, PL_INVALID, "set",
                   "%s refused its config, see above; --set has an unknown key or a wrong value", s->name);
}

static enum pl_code prepare(struct up *u, int *out_lock, struct pl_err *err)
{
    if (up_layout_make(&u->layout, u->options, err) != PL_OK || up_state_lock(&u->layout, out_lock, err) != PL_OK ||
        up_credentials(&u->layout, err) != PL_OK || up_state_write(&u->layout, err) != PL_OK)
        return err->code;
    for (int id = 0; id < UP_SERVICE_COUNT; id++) {
        if (u->layout.services[id].has_sets && check_config(&u->layout.services[id], err) != PL_OK)
            return err->code;
    }
    return up_state_check_ports(&u->layout, u->options, err);
}

static void start_all(struct up *u)
{
    for (int id = 0; id < UP_SERVICE_COUNT; id++) {
        struct up_child *c = &u->children[id];
        up_child_init(c, u->loop, &u->layout.services[id]);
        c->on = on_child;
        c->owner = u;
        c->probe_host = u->layout.probe_host;
        c->foreground_logs = u->options->foreground_logs;
    }
    for (int id = 0; id < UP_SERVICE_COUNT; id++) {
        if (!u->stopping && !up_child_start(&u->children[id]))
            on_died(u, &u->children[id]);
    }
}

static void run(struct up *u)
{
    u->started_ms = pl_now_ms();
    u->loop = loop_new(UP_SERVICE_COUNT);
    loop_signal(u->loop, SIGCHLD, on_sigchld, u);
    loop_signal(u->loop, SIGINT, on_signal, u);
    loop_signal(u->loop, SIGTERM, on_signal, u);
    u->start_limit.fire = on_start_limit;
    u->trim.fire = on_trim;
    loop_timer_set(u->loop, &u->start_limit, u->started_ms + u->options->start_timeout_ms);
    if (!u->options->foreground_logs)
        loop_timer_set(u->loop, &u->trim, u->started_ms + TRIM_EVERY_MS);
    printf("state in %s%s\n", u->layout.state, u->options->foreground_logs ? "" : ", logs in its log/");
    fflush(stdout);
    start_all(u);
    loop_run(u->loop);
    loop_free(u->loop);
}

enum ctl_exit up_run(const struct up_options *o)
{
    struct up u = { .options = o };
    struct pl_err err;
    pl_cleanup(pl_close_p) int lock = -1;
    if (prepare(&u, &lock, &err) == PL_OK) {
        run(&u);
    } else {
        fprintf(stderr, "pilotlight up: %s\n", err.message);
        u.code = err.code == PL_INVALID ? EXIT_USAGE : EXIT_FAILED;
    }
    up_layout_done(&u.layout);
    return u.code;
}
