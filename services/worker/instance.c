#include "instance_private.h"

#include "base/mem.h"
#include "base/time.h"
#include "cache.h"
#include "log/log.h"
#include "network.h"
#include "rpc/rpc.h"
#include "spawn.h"

#include <assert.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

/* A process that dies closes its files first; the kernel's word on how it died is here well before this. */
#define DEATH_GRACE_MS 200

/* ---- states ---- */

#define TO(s) (1u << INSTANCE_##s)
static const struct {
    const char *name;
    unsigned next;
} states[] = {
    [INSTANCE_STARTING] = { "starting", TO(LOADING) | TO(STOPPING) | TO(DEAD) },
    [INSTANCE_LOADING] = { "loading", TO(IDLE) | TO(STOPPING) | TO(DEAD) },
    [INSTANCE_IDLE] = { "idle", TO(BUSY) | TO(STOPPING) | TO(DEAD) },
    [INSTANCE_BUSY] = { "busy", TO(IDLE) | TO(STOPPING) | TO(DEAD) },
    [INSTANCE_STOPPING] = { "stopping", TO(DEAD) },
    [INSTANCE_DEAD] = { "dead", 0 },
};

static const char *const roles[] = {
    [INSTANCE_SERVES] = "serves", [INSTANCE_TRIAL] = "trial", [INSTANCE_TEMPLATE] = "template"
};

const char *instance_state_name(enum instance_state s)
{
    return states[s].name;
}

void instance_move(struct instance *in, enum instance_state to, const char *why)
{
    struct instances *all = in->all;
    bool busy_or_not = to == INSTANCE_BUSY || (in->state == INSTANCE_BUSY && to == INSTANCE_IDLE);

    assert(states[in->state].next & (1u << to));
    log_debug("instance_state", LOG_STR("endpoint", in->endpoint), LOG_STR("variant", in->variant),
              LOG_STR("instance", in->id_text), LOG_STR("from", states[in->state].name), LOG_STR("to", states[to].name),
              LOG_STR("why", why));
    all->counts[in->state]--;
    all->counts[to]++;
    in->state = to;
    in->since_ms = pl_now_ms();
    list_remove(&in->link);
    list_push_front(&all->by_state[to], &in->link);
    if (all->observer.changed && !busy_or_not)
        all->observer.changed(all->observer.arg);
}

/* ---- ends ---- */

/* Answers the starter, at most once. */
static void tell_started(struct instance *in, const struct pl_err *err)
{
    instance_started_fn *done = in->start.done;

    in->start.done = NULL;
    if (done)
        done(in->start.arg, err ? NULL : in, err);
}

/* Answers the request in flight, if there is one. */
static void tell_invoked(struct instance *in, uint8_t *payload, size_t len, const struct pl_err *err)
{
    instance_invoked_fn *done = in->request.done;

    in->request.done = NULL;
    if (done)
        done(in->request.arg, payload, len, err);
    else
        free(payload);
}

void instance_kill(struct instance *in, const char *why)
{
    if (in->why_killed[0] == '\0')
        (void)snprintf(in->why_killed, sizeof(in->why_killed), "%s", why);
    loop_timer_clear(in->all->loop, &in->timer);
    channel_close(&in->channel);
    if (in->state != INSTANCE_STOPPING)
        instance_move(in, INSTANCE_STOPPING, why);
    if (in->making)
        instance_never_was(in);
    else
        child_kill(&in->child);
}

void instance_let_exit(struct instance *in)
{
    channel_close(&in->channel);
    loop_timer_set(in->all->loop, &in->timer, pl_now_ms() + in->exit_grace_ms);
}

static void release(struct instance *in)
{
    HASH_DELETE(hh, in->all->by_id, in);
    list_remove(&in->link);
    in->all->counts[in->state]--;
    if (in->memory.used_bytes > 0)
        in->all->measured_bytes -= in->memory.used_bytes;
    else
        in->all->estimated_bytes -= in->estimate_bytes;
    if (in->all->observer.changed)
        in->all->observer.changed(in->all->observer.arg);
    cache_give(in->model);
    cache_give(in->code);
    rpc_bytes_unref(in->start.load);
    network_close(in->port);
    pl_close_p(&in->direct_fd);
    free(in->how);
    free(in->router);
    free(in->endpoint);
    free(in->variant);
    free(in);
}

/* What our own program in it said last; never what the model's code said, which may be another caller's. NULL: nothing.
 */
static const char *runner_words(const struct instance *in)
{
    static const char ours[] = "pilotlight-runner: ";
    size_t n = sizeof(ours) - 1;

    return strncmp(in->log.last, ours, n) == 0 ? in->log.last + n : NULL;
}

/* How it died, in words for its caller: what we did it for, else what it said of its end, else what the kernel says,
 * and its last words when it had not come up yet. */
static void death_reason(const struct instance *in, const char *how, char *out, size_t size)
{
    bool early = in->start.done != NULL && in->log.last[0] != '\0';

    if (in->overrun)
        (void)snprintf(out, size, "memory limit %d MB", in->memory_size_mb);
    else if (in->why_killed[0])
        (void)snprintf(out, size, "%s", in->why_killed);
    else if (runner_words(in))
        (void)snprintf(out, size, "%s", runner_words(in));
    else if (early)
        (void)snprintf(out, size, "%s; its last line: %s", how, in->log.last);
    else
        (void)snprintf(out, size, "%s", how);
}

static void tell_starter_of_death(struct instance *in, const char *reason)
{
    struct pl_err err = in->start.failed;

    if (err.code == PL_OK)
        (void)pl_fail_reason(&err, PL_PRECONDITION, "MODEL_NOT_LOADED", NULL, "model did not load: instance %s%s",
                             in->overrun ? "was killed: " : "died: ", reason);
    tell_started(in, &err);
}

/* Before the request: no matter of its caller. Too much memory: an error of the model, as if it had answered it. */
static void tell_caller_of_death(struct instance *in, const char *reason)
{
    struct pl_err err;

    if (in->channel.unread)
        (void)pl_fail_reason(&err, PL_NOT_FOUND, "INSTANCE_GONE", "instance_id",
                             "instance %s died before it had the request: %s", in->id_text, reason);
    else if (in->overrun)
        (void)pl_fail_reason(&err, PL_MODEL, "MODEL_ERROR", NULL, "instance %s was killed while answering: %s",
                             in->id_text, reason);
    else
        (void)pl_fail_reason(&err, PL_INTERNAL, "INSTANCE_DIED", NULL, "instance %s died while answering: %s",
                             in->id_text, reason);
    tell_invoked(in, NULL, 0, &err);
}

static void tell_of_death(struct instance *in, const char *reason)
{
    bool news = !in->told && in->role == INSTANCE_SERVES && !in->start.done;

    if (in->start.done)
        tell_starter_of_death(in, reason);
    if (in->request.done)
        tell_caller_of_death(in, reason);
    if (in->borrower && in->all->observer.ended)
        in->all->observer.ended(in->all->observer.arg, in, reason);
    if (news && in->all->observer.died)
        in->all->observer.died(in->all->observer.arg, in, reason);
    for (struct instance_stop *s; (s = list_first(&in->stops, struct instance_stop, link));) {
        list_remove(&s->link);
        s->stopped(s);
    }
}

static void log_end(const struct instance *in, const char *reason)
{
    if (in->told)
        log_info("instance_stopped", LOG_STR("endpoint", in->endpoint), LOG_STR("variant", in->variant),
                 LOG_STR("instance", in->id_text), LOG_STR("how", reason), LOG_INT("served", in->served));
    else
        log_warn("instance_died", LOG_STR("endpoint", in->endpoint), LOG_STR("variant", in->variant),
                 LOG_STR("instance", in->id_text), LOG_STR("how", reason), LOG_INT("served", in->served));
}

void instance_end(struct instance *in, const char *reason)
{
    log_end(in, reason);
    instance_move(in, INSTANCE_DEAD, reason);
    tell_of_death(in, reason);
    release(in);
}

void instance_over(struct instance *in, const char *how)
{
    char reason[512];

    instance_log_close(&in->log);
    if (in->role == INSTANCE_TEMPLATE)
        spawn_clear(in->all->spawner, in->seat);
    in->overrun = spawn_over(in->all->spawner, in->seat) && in->why_killed[0] == '\0';
    in->seat = NULL;
    death_reason(in, how, reason, sizeof(reason));
    instance_end(in, reason);
}

void instance_exited(struct child *c, int status, const char *how)
{
    struct instance *in = PL_CONTAINER(c, struct instance, child);

    (void)status;
    loop_timer_clear(in->all->loop, &in->timer);
    channel_close(&in->channel);
    if (!instance_ask_for_last_lines(in, how))
        instance_over(in, how);
}

/* ---- limits in time ---- */

static void start_too_long(struct instance *in)
{
    struct pl_err err;

    in->told = true; /* its starter hears it here */
    (void)pl_fail_reason(&err, PL_DEADLINE, "START_TIMEOUT", NULL,
                         "model did not load within start_timeout_ms %d: the instance was killed",
                         in->start.timeout_ms);
    instance_kill(in, "killed: did not come up in time");
    tell_started(in, &err);
}

static void request_too_long(struct instance *in)
{
    struct pl_err err;
    char why[96];

    (void)snprintf(why, sizeof(why), "killed: no answer within the invocation timeout of %u ms",
                   in->request.timeout_ms);
    (void)pl_fail_reason(&err, PL_DEADLINE, "INVOKE_TIMEOUT", NULL,
                         "the model did not answer within the invocation timeout of %u ms", in->request.timeout_ms);
    instance_kill(in, why);
    tell_invoked(in, NULL, 0, &err);
}

void instance_time_over(struct loop_timer *t)
{
    struct instance *in = PL_CONTAINER(t, struct instance, timer);

    if (in->how)
        instance_printed(in, 0);
    else if (in->closed_itself)
        instance_kill(in, "killed: it closed its connection");
    else if (in->state == INSTANCE_BUSY && !in->request.done)
        instance_kill(in, "killed: it kept the request of a router that went away");
    else if (in->start.done)
        start_too_long(in);
    else if (in->request.done && pl_now_ms() >= in->request.deadline_ms)
        request_too_long(in);
    else if (in->request.done)
        instance_kill(in, "killed: told to stop, and its request took longer than the grace time");
    else
        instance_kill(in, "killed: did not exit when told to stop");
}

/* ---- answers ---- */

static void become_ready(struct instance *in)
{
    loop_timer_clear(in->all->loop, &in->timer);
    in->start_us = pl_now_us() - in->start.asked_us;
    instance_free_again(in, "loaded");
    log_info("instance_started", LOG_STR("endpoint", in->endpoint), LOG_STR("variant", in->variant),
             LOG_STR("instance", in->id_text), LOG_INT("pid", in->child.pid), LOG_INT("start_us", in->start_us),
             LOG_INT("load_us", in->facts.load_us), LOG_STR("role", roles[in->role]));
    tell_started(in, NULL);
}

void instance_lied(struct instance *in, const char *who, const char *what)
{
    char why[192];

    (void)snprintf(why, sizeof(why), "killed: %s%s", who, what);
    instance_kill(in, why);
}

static void on_failed(struct instance *in, const uint8_t *payload, size_t len)
{
    struct pl_err said, err;
    const char *wrong;

    if (!answer_read_error(payload, len, &said, &wrong)) {
        instance_lied(in, "", wrong);
        return;
    }
    (void)pl_fail_reason(&err, PL_PRECONDITION, "MODEL_NOT_LOADED", NULL, "model did not load: %.960s", said.message);
    if (strcmp(said.reason, ANSWER_FOREST_DAMAGED) == 0)
        cache_drop_forests(in->model);
    in->told = true;
    instance_move(in, INSTANCE_STOPPING, err.message);
    instance_let_exit(in);
    tell_started(in, &err);
}

static void on_loaded(struct instance *in, const uint8_t *payload, size_t len)
{
    const char *wrong;

    if (!answer_read_loaded(payload, len, &in->facts, &wrong)) {
        instance_lied(in, "", wrong);
        return;
    }
    if (in->facts.forest_damaged)
        cache_drop_forests(in->model);
    become_ready(in);
}

void instance_free_again(struct instance *in, const char *why)
{
    struct instances_observer *o = &in->all->observer;

    instance_move(in, INSTANCE_IDLE, why);
    if (in->take_back)
        instance_take_back(in);
    else if (!in->borrower && !in->start.done && o->idle)
        o->idle(o->arg, in);
}

/* The request is over and the instance is fit for another, unless it was told to stop meanwhile. */
static void request_over(struct instance *in)
{
    in->model_us = pl_now_us() - in->request.sent_us;
    in->served++;
    if (in->prints)
        instance_log_catch_up(&in->log);
    in->log.request = 0;
    if (in->state == INSTANCE_STOPPING) {
        instance_let_exit(in);
        return;
    }
    loop_timer_clear(in->all->loop, &in->timer);
    instance_free_again(in, "answered");
}

/* True: 'payload' has been handed on. */
static bool on_error(struct instance *in, uint8_t *payload, size_t len)
{
    const char *wrong;

    if (!answer_check_error(payload, len, &wrong)) {
        instance_lied(in, "", wrong);
        return false;
    }
    in->refused = true;
    request_over(in);
    tell_invoked(in, payload, len, NULL);
    return true;
}

/* The same. */
static bool on_result(struct instance *in, uint8_t *payload, size_t len)
{
    struct pl_err err;
    const char *wrong;

    switch (answer_check_result(payload, len, &wrong)) {
    case ANSWER_GOOD:
        in->refused = false;
        request_over(in);
        tell_invoked(in, payload, len, NULL);
        return true;
    case ANSWER_TOO_LARGE:
        request_over(in);
        (void)pl_fail_reason(&err, PL_MODEL, "MODEL_ERROR", NULL,
                             "the model's answer is larger than the payload limit of %zu bytes", ANSWER_MAX_BODY);
        err.model_status = 500;
        tell_invoked(in, NULL, 0, &err);
        return false;
    case ANSWER_LIE:
        instance_lied(in, "", wrong);
        return false;
    }
    return false;
}

static void channel_answered(struct channel *ch, enum frame_kind kind, uint8_t *payload, size_t len)
{
    struct instance *in = PL_CONTAINER(ch, struct instance, channel);
    bool handed_on = false;

    if (kind == FRAME_LOADED)
        on_loaded(in, payload, len);
    else if (kind == FRAME_FAILED)
        on_failed(in, payload, len);
    else if (kind == FRAME_ERROR)
        handed_on = on_error(in, payload, len);
    else if (kind == FRAME_DETACHED)
        instance_let_go(in, len);
    else
        handed_on = on_result(in, payload, len);
    if (!handed_on)
        free(payload);
}

/* End of file is how most deaths are seen first: the kernel's word on how it died follows, and nobody hears of it
 * before. One that has closed its connection and lives on is killed. */
static void channel_broken(struct channel *ch, bool lie, const char *why)
{
    struct instance *in = PL_CONTAINER(ch, struct instance, channel);

    if (lie) {
        instance_lied(in, "it ", why);
        return;
    }
    in->closed_itself = true;
    loop_timer_set(in->all->loop, &in->timer, pl_now_ms() + DEATH_GRACE_MS);
    if (in->state != INSTANCE_STOPPING)
        instance_move(in, INSTANCE_STOPPING, why);
}

const struct channel_events instance_channel_events = { .answered = channel_answered, .broken = channel_broken };

/* ---- invoke ---- */

enum pl_code instance_invoke(struct instance *in, struct rpc_bytes *message, uint64_t request_id, uint32_t timeout_ms,
                             instance_invoked_fn *done, void *arg, struct pl_err *err)
{
    if (in->state == INSTANCE_STOPPING)
        return pl_fail_reason(err, PL_NOT_FOUND, "INSTANCE_GONE", "instance_id", "instance %s is stopping",
                              in->id_text);
    if (in->state != INSTANCE_IDLE)
        return pl_fail_reason(err, PL_PRECONDITION, "INSTANCE_BUSY", "instance_id", "instance %s is %s, not idle",
                              in->id_text, states[in->state].name);
    in->request.done = done;
    in->request.arg = arg;
    in->request.request_id = in->log.request = request_id;
    in->request.timeout_ms = timeout_ms;
    in->request.sent_us = pl_now_us();
    in->request.deadline_ms = in->request.sent_us / 1000 + timeout_ms;
    instance_move(in, INSTANCE_BUSY, "request");
    loop_timer_set(in->all->loop, &in->timer, in->request.deadline_ms);
    channel_ask(&in->channel, FRAME_INVOKE, ++in->questions, message);
    return PL_OK;
}

void instance_cancel_invoke(struct instance *in)
{
    if (!in->request.done)
        return;
    in->request.done = NULL;
    instance_kill(in, "killed: its caller went away");
}

/* ---- stop ---- */

void instance_hear_end(struct instance *in, struct instance_stop *s)
{
    list_push_back(&in->stops, &s->link);
}

void instance_stop(struct instance *in, const char *reason, int64_t grace_ms, struct instance_stop *s)
{
    if (s)
        list_push_back(&in->stops, &s->link);
    if (in->state == INSTANCE_STOPPING || in->state == INSTANCE_DEAD)
        return;
    in->told = true;
    if (in->role == INSTANCE_TEMPLATE) { /* it waits elsewhere, and has nothing to finish */
        instance_kill(in, reason);
    } else if (in->state == INSTANCE_IDLE) {
        instance_move(in, INSTANCE_STOPPING, reason);
        instance_let_exit(in);
    } else if (in->state == INSTANCE_BUSY) {
        int64_t until_ms = pl_now_ms() + grace_ms;

        instance_move(in, INSTANCE_STOPPING, reason);
        if (until_ms < in->timer.at_ms)
            loop_timer_set(in->all->loop, &in->timer, until_ms);
    } else {
        instance_kill(in, "killed: told to stop before it was ready");
    }
}

/* ---- memory ---- */

void instance_measured(struct instance *in, int64_t used_bytes, int64_t own_bytes)
{
    struct instances *all = in->all;

    if (in->memory.used_bytes > 0)
        all->measured_bytes -= in->memory.used_bytes;
    else
        all->estimated_bytes -= in->estimate_bytes;
    in->memory.used_bytes = used_bytes > 0 ? used_bytes : 1;
    in->memory.own_bytes = own_bytes;
    in->memory.at_ms = pl_now_ms();
    in->memory.served = in->served;
    all->measured_bytes += in->memory.used_bytes;
    cache_item_learn(in->model, own_bytes);
}

int64_t instances_used_bytes(const struct instances *all, int64_t *out_estimated)
{
    *out_estimated = all->estimated_bytes;
    return all->measured_bytes + all->estimated_bytes;
}

/* ---- all of them ---- */

struct instances *instances_new(struct loop *l, struct spawner *s, struct log_store *logs, int64_t host_epoch)
{
    struct instances *all = PL_NEW(struct instances);

    all->loop = l;
    all->spawner = s;
    all->logs = logs;
    all->next_id = ((uint64_t)host_epoch << INSTANCE_EPOCH_SHIFT) + 1;
    for (int i = 0; i < INSTANCE_STATE_COUNT; i++)
        list_init(&all->by_state[i]);
    return all;
}

void instances_free(struct instances *all)
{
    if (!all)
        return;
    assert(!all->by_id);
    free(all);
}

void instances_observe(struct instances *all, const struct instances_observer *o)
{
    all->observer = *o;
}

struct instance *instances_find_any(struct instances *all, uint64_t id)
{
    struct instance *in = NULL;

    HASH_FIND(hh, all->by_id, &id, sizeof(id), in);
    return in;
}

struct instance *instances_find(struct instances *all, uint64_t id)
{
    struct instance *in = instances_find_any(all, id);

    return in && in->role == INSTANCE_SERVES ? in : NULL;
}

unsigned instances_count(const struct instances *all)
{
    return HASH_COUNT(all->by_id);
}

unsigned instances_count_in(const struct instances *all, enum instance_state state)
{
    return all->counts[state];
}

void instances_each(struct instances *all, void (*visit)(struct instance *in, void *arg), void *arg)
{
    struct instance *in, *next;

    HASH_ITER(hh, all->by_id, in, next)
    visit(in, arg);
}
