#include "endpoint_wait.h"

#include "api.h"
#include "base/time.h"
#include "get_rows.h"
#include "output.h"

#include "pilotlight/v1/endpoint.pb-c.h"

#include <string.h>
#include <time.h>

#define AGAIN_MS 200 /* between two attempts to reach control */

struct wait {
    enum endpoint_goal goal;
    const char *name;
    FILE *progress;
    int64_t started_ms;
    bool reached;
    int shown; /* status of the last progress line */
    struct endpoint_state *state;
};

static bool settled(int status)
{
    return status == PILOTLIGHT__V1__ENDPOINT_STATUS__ENDPOINT_STATUS_IN_SERVICE ||
           status == PILOTLIGHT__V1__ENDPOINT_STATUS__ENDPOINT_STATUS_FAILED;
}

static void show(struct wait *w, const char *what)
{
    char took[24];
    if (!w->progress)
        return;
    fprintf(w->progress, "  Endpoint %s: %s after %s\n", w->name, what,
            output_micros((pl_now_ms() - w->started_ms) * 1000, took));
    fflush(w->progress);
}

static bool on_change(void *arg, const ProtobufCMessage *message, bool deleted)
{
    struct wait *w = arg;
    const Pilotlight__V1__Endpoint *e = (const void *)message;
    w->state->gone = deleted;
    if (deleted) {
        show(w, "gone");
        w->reached = true;
        return false;
    }
    w->state->status = e->status;
    snprintf(w->state->config, sizeof(w->state->config), "%s", e->endpoint_config_name);
    snprintf(w->state->reason, sizeof(w->state->reason), "%s", e->failure_reason);
    if ((int)e->status != w->shown)
        show(w, get_status_text(e->status));
    w->shown = e->status;
    w->reached = w->goal == ENDPOINT_SETTLED && settled(e->status);
    return !w->reached;
}

enum pl_code endpoint_wait(struct client *c, const char *name, enum endpoint_goal goal, int64_t timeout_ms,
                           FILE *progress, struct endpoint_state *out, struct pl_err *err)
{
    *out = (struct endpoint_state){ 0 };
    struct wait w = {
        .goal = goal, .name = name, .progress = progress, .started_ms = pl_now_ms(), .shown = -1, .state = out
    };
    for (;;) {
        int64_t left = w.started_ms + timeout_ms - pl_now_ms();
        enum pl_code code = left > 0 ? api_watch_endpoint(c, name, left, on_change, &w, err)
                                     : pl_fail(err, PL_DEADLINE, NULL, "time is over");
        if (w.reached)
            return PL_OK;
        if (code == PL_NOT_FOUND) {
            out->gone = true;
            return PL_OK;
        }
        if (code == PL_DEADLINE)
            return pl_fail(err, PL_DEADLINE, NULL, "endpoint '%s' is %s still after %lld s", name,
                           get_status_text(out->status), (long long)timeout_ms / 1000);
        if (code != PL_OK && code != PL_UNAVAILABLE)
            return code;
        /* Control is away or has ended its streams: it comes back, or the time runs out. */
        nanosleep(&(struct timespec){ .tv_nsec = AGAIN_MS * 1000000L }, NULL);
    }
}

enum pl_code endpoint_verdict(const char *name, const struct endpoint_state *s, const char *config, struct pl_err *err)
{
    if (s->gone)
        return pl_fail(err, PL_NOT_FOUND, NULL, "endpoint '%s' was deleted meanwhile", name);
    if (s->status == PILOTLIGHT__V1__ENDPOINT_STATUS__ENDPOINT_STATUS_FAILED)
        return pl_fail(err, PL_PRECONDITION, NULL, "endpoint '%s' failed: %s", name, s->reason);
    if (*s->reason)
        return pl_fail(err, PL_PRECONDITION, NULL,
                       "endpoint '%s' could not be moved to '%s' and still serves what it did: %s", name, config,
                       s->reason);
    if (strcmp(s->config, config))
        return pl_fail(err, PL_ABORTED, NULL, "endpoint '%s' serves '%s' instead of '%s': somebody else updated it",
                       name, s->config, config);
    return PL_OK;
}
