#include "scaling.h"

#include "base/mem.h"
#include "base/text.h"
#include "log/log.h"
#include "metric_key.h"
#include "metric_query.h"
#include "record.h"
#include "retention.h"
#include "scaling_change.h"
#include "scaling_rule.h"
#include "schedule.h"
#include "statistic.h"
#include "store_scaling.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#define MINUTE_MS  INT64_C(60000)
#define GRACE_MS   INT64_C(10000) /* routers have told of the minute by then */
#define COOLDOWN_S 300
#define RETRY_MS   INT64_C(10000) /* the endpoint is being updated */

/* When a target was last scaled; forgotten at a restart. */
struct rest {
    UT_hash_handle hh;
    char *key; /* "endpoint/variant" */
    int64_t out_ms, in_ms;
};

struct scaling {
    struct store *store;
    const struct limits *limits;
    struct scaling_ports ports;
    struct rest *rests;
};

typedef Pilotlight__V1__ScalingTarget target_message;
typedef Pilotlight__V1__ScalingPolicy policy_message;
typedef Pilotlight__V1__ScalingSchedule schedule_message;

/* ---- schedules ---- */

/* Changes the bounds, and is set to its next time. True: it did. */
static bool run_schedule(struct scaling *all, target_message *t, schedule_message *c, int64_t wall_ms)
{
    struct schedule when;
    struct pl_err err;
    if (c->next_at_unix_ms == 0 || c->next_at_unix_ms > wall_ms)
        return false;
    if (c->min_capacity >= 0)
        t->min_capacity = c->min_capacity;
    if (c->max_capacity >= 0)
        t->max_capacity = c->max_capacity;
    if (t->max_capacity < t->min_capacity)
        *(c->max_capacity >= 0 ? &t->min_capacity : &t->max_capacity) =
            c->max_capacity >= 0 ? t->max_capacity : t->min_capacity;
    int64_t next_s = -1, anchor_s = (c->from_unix_ms ? c->from_unix_ms : c->created_at_unix_ms) / 1000;
    if (schedule_parse("expression", c->expression, &when, &err) == PL_OK)
        next_s = schedule_next(&when, anchor_s, wall_ms / 1000);
    c->next_at_unix_ms = next_s < 0 || (c->until_unix_ms && next_s * 1000 > c->until_unix_ms) ? 0 : next_s * 1000;
    if (scaling_save(all->store, t, c, &err) != PL_OK) {
        log_warn("schedule_not_saved", LOG_STR("schedule", c->name), LOG_CODE(&err), LOG_ERR(&err));
        return false;
    }
    log_info("schedule_ran", LOG_STR("endpoint", t->endpoint_name), LOG_STR("variant", t->variant_name),
             LOG_STR("schedule", c->name), LOG_INT("min", t->min_capacity), LOG_INT("max", t->max_capacity));
    return true;
}

/* ---- policies ---- */

static enum pl_code read_metric(struct scaling *all, const policy_message *p, int64_t wall_ms, struct scaling_input *in,
                                struct pl_err *err)
{
    int64_t end_s = retention_floor(wall_ms - GRACE_MS, MINUTE_MS) / 1000;
    const struct metric_range range = { .start_s = end_s - SCALING_IN_MINUTES * 60, .end_s = end_s, .period_s = 60 };
    struct statistic statistic;
    pl_cleanup(metric_result_done) struct metric_result r = { 0 };
    pl_cleanup(pl_free_p) char *key = p->metric ? metric_key(p->metric->dimensions, p->metric->n_dimensions)
                                                : metric_key_of_variant(p->endpoint_name, p->variant_name);
    const char *name_space = p->metric ? p->metric->namespace_ : "AWS/SageMaker";
    const char *name = p->metric ? p->metric->name : "ServerlessProvisionedConcurrencyUtilization";
    if (!statistic_parse(*p->statistic ? p->statistic : "average", &statistic))
        return pl_fail(err, PL_DATA_LOSS, "statistic", "policy \"%s\" has no statistic", p->name);
    int unit = p->metric && *p->unit ? metric_unit(p->unit) : -1;
    if (metric_read(all->store, name_space, name, key, unit, &range, wall_ms / 1000, &r, err) != PL_OK)
        return err->code;
    in->gaps_are_zero = p->metric == NULL;
    for (size_t u = 0; u < r.unit_count; u++)
        for (size_t i = 0; i < SCALING_IN_MINUTES; i++)
            if (r.units[u].points[i].count > 0)
                in->minutes[i] = (struct scaling_point){ true, statistic_of(&statistic, &r.units[u].points[i]) };
    return PL_OK;
}

static struct rest *rest_of(struct scaling *all, const target_message *t)
{
    pl_cleanup(pl_free_p) char *key = pl_format("%s/%s", t->endpoint_name, t->variant_name);
    struct rest *r;
    HASH_FIND_STR(all->rests, key, r);
    if (!r) {
        r = PL_NEW(struct rest);
        r->key = pl_take(key);
        HASH_ADD_KEYPTR(hh, all->rests, r->key, strlen(r->key), r);
    }
    return r;
}

static bool rests(const policy_message *p, const struct rest *r, bool out, int64_t wall_ms)
{
    int64_t s = out ? (p->scale_out_cooldown_case ? p->scale_out_cooldown_s : COOLDOWN_S)
                    : (p->scale_in_cooldown_case ? p->scale_in_cooldown_s : COOLDOWN_S);
    int64_t last_ms = out ? r->out_ms : r->in_ms > r->out_ms ? r->in_ms : r->out_ms;
    return last_ms > 0 && wall_ms - last_ms < s * 1000;
}

struct wish {
    int32_t capacity;
    bool any; /* a policy said something */
    char cause[512];
};

static void ask_policy(struct scaling *all, const target_message *t, const policy_message *p, int32_t capacity,
                       int64_t wall_ms, struct wish *out)
{
    struct scaling_input in = { .target = p->target_value, .capacity = capacity };
    struct pl_err err;
    double value;
    if (read_metric(all, p, wall_ms, &in, &err) != PL_OK) {
        log_warn("policy_not_evaluated", LOG_STR("policy", p->name), LOG_CODE(&err), LOG_ERR(&err));
        return;
    }
    int32_t wanted = scaling_wanted(&in, &value);
    bool up = wanted > capacity, down = wanted < capacity;
    const struct rest *r = rest_of(all, t);
    if ((up && (t->scale_out_suspended || rests(p, r, true, wall_ms))) ||
        (down && (t->scale_in_suspended || p->scale_in_disabled || rests(p, r, false, wall_ms))))
        wanted = capacity;
    if (out->any && wanted <= out->capacity)
        return;
    *out = (struct wish){ .capacity = wanted, .any = true };
    (void)snprintf(out->cause, sizeof(out->cause), "policy \"%.200s\": the value is %.4g, its target %.4g", p->name,
                   value, p->target_value);
}

/* ---- a target ---- */

static void note(struct scaling *all, const target_message *t, int32_t capacity, const char *cause,
                 const struct pl_err *failed, int64_t wall_ms)
{
    Pilotlight__V1__ScalingActivity a = PILOTLIGHT__V1__SCALING_ACTIVITY__INIT;
    char id[40], description[64];
    struct pl_err err;
    pl_random_id("activity", id, sizeof(id));
    (void)snprintf(description, sizeof(description), "Setting provisioned concurrency to %d.", capacity);
    a.id = id;
    a.endpoint_name = t->endpoint_name;
    a.variant_name = t->variant_name;
    a.at_unix_ms = wall_ms;
    a.successful = failed == NULL;
    a.description = description;
    a.cause = (char *)(uintptr_t)cause;
    a.detail = (char *)(uintptr_t)(failed ? failed->message : "");
    log_info("scaled", LOG_STR("endpoint", t->endpoint_name), LOG_STR("variant", t->variant_name),
             LOG_INT("capacity", capacity), LOG_STR("cause", cause), LOG_STR("failed", a.detail));
    if (scaling_note(all->store, &a, &err) != PL_OK)
        log_warn("activity_not_written", LOG_CODE(&err), LOG_ERR(&err));
}

/* True: to be tried again soon. */
static bool move_to(struct scaling *all, const target_message *t, int32_t from, int32_t to, const char *cause,
                    int64_t wall_ms)
{
    struct rest *r = rest_of(all, t);
    struct pl_err err;
    enum pl_code code = all->ports.apply(all->ports.arg, t->endpoint_name, t->variant_name, to, &err);
    if (code == PL_PRECONDITION)
        return true; /* it is being updated */
    note(all, t, to, cause, code == PL_OK ? NULL : &err, wall_ms);
    if (code == PL_OK)
        *(to > from ? &r->out_ms : &r->in_ms) = wall_ms;
    return false;
}

struct rules {
    policy_message **policies;
    size_t policy_count;
    schedule_message **schedules;
    size_t schedule_count;
};

static bool belongs(const target_message *t, const char *endpoint, const char *variant)
{
    return strcmp(t->endpoint_name, endpoint) == 0 && strcmp(t->variant_name, variant) == 0;
}

static int32_t bounded(const target_message *t, int32_t capacity)
{
    return capacity < t->min_capacity ? t->min_capacity : capacity > t->max_capacity ? t->max_capacity : capacity;
}

/* True: to be tried again soon. */
static bool look_at(struct scaling *all, target_message *t, const struct rules *rules, int64_t wall_ms)
{
    struct wish wish = { 0 };
    char by_schedule[320];
    const char *cause = "its bounds changed";
    int32_t capacity, most;
    struct pl_err err;
    for (size_t i = 0; i < rules->schedule_count; i++) {
        schedule_message *c = rules->schedules[i];
        if (!belongs(t, c->endpoint_name, c->variant_name) || t->schedules_suspended ||
            !run_schedule(all, t, c, wall_ms))
            continue;
        (void)snprintf(by_schedule, sizeof(by_schedule), "schedule \"%.256s\" changed its bounds", c->name);
        cause = by_schedule;
    }
    if (scaling_capacity(all->store, t->endpoint_name, t->variant_name, &capacity, &most, &err) != PL_OK) {
        log_debug("target_serves_nothing", LOG_STR("endpoint", t->endpoint_name), LOG_ERR(&err));
        return false;
    }
    for (size_t i = 0; i < rules->policy_count; i++)
        if (belongs(t, rules->policies[i]->endpoint_name, rules->policies[i]->variant_name))
            ask_policy(all, t, rules->policies[i], capacity, wall_ms, &wish);
    int32_t wanted = bounded(t, wish.any ? wish.capacity : capacity);
    wanted = wanted > most ? most : wanted;
    if (wanted == capacity)
        return false;
    if (wish.any && bounded(t, capacity) == capacity)
        cause = wish.cause;
    return move_to(all, t, capacity, wanted, cause, wall_ms);
}

/* ---- the clock ---- */

static int64_t next_wake(const struct rules *rules, int64_t wall_ms, bool again)
{
    int64_t at = again ? wall_ms + RETRY_MS : INT64_MAX;
    int64_t minute = retention_floor(wall_ms - GRACE_MS, MINUTE_MS) + MINUTE_MS + GRACE_MS;
    if (rules->policy_count > 0 && minute < at)
        at = minute;
    for (size_t i = 0; i < rules->schedule_count; i++) {
        int64_t next = rules->schedules[i]->next_at_unix_ms;
        if (next > 0 && next < at)
            at = next > wall_ms ? next : wall_ms + RETRY_MS;
    }
    return at;
}

void scaling_tick(struct scaling *all)
{
    int64_t wall_ms = all->ports.wall_ms(all->ports.arg);
    pl_cleanup(record_free_p) Pilotlight__V1__ListScalingTargetsResponse *targets = NULL;
    pl_cleanup(record_free_p) Pilotlight__V1__ListScalingPoliciesResponse *policies = NULL;
    pl_cleanup(record_free_p) Pilotlight__V1__ListScalingSchedulesResponse *schedules = NULL;
    struct pl_err err;
    bool again = false;
    if (scaling_targets(all->store, "", "", &targets, &err) != PL_OK ||
        scaling_policies(all->store, "", "", NULL, 0, &policies, &err) != PL_OK ||
        scaling_schedules(all->store, "", "", NULL, 0, &schedules, &err) != PL_OK) {
        log_warn("targets_unreadable", LOG_CODE(&err), LOG_ERR(&err));
        all->ports.wake_at(all->ports.arg, wall_ms + RETRY_MS);
        return;
    }
    const struct rules rules = { policies->policies, policies->n_policies, schedules->schedules,
                                 schedules->n_schedules };
    for (size_t i = 0; i < targets->n_targets; i++)
        again |= look_at(all, targets->targets[i], &rules, wall_ms);
    all->ports.wake_at(all->ports.arg, next_wake(&rules, wall_ms, again));
}

void scaling_changed(struct scaling *all)
{
    all->ports.wake_at(all->ports.arg, all->ports.wall_ms(all->ports.arg));
}

static void forget_rests(struct scaling *all, const char *endpoint)
{
    struct rest *r, *next;
    size_t n = strlen(endpoint);
    HASH_ITER(hh, all->rests, r, next)
    {
        if (strncmp(r->key, endpoint, n) != 0 || r->key[n] != '/')
            continue;
        HASH_DEL(all->rests, r);
        free(r->key);
        free(r);
    }
}

void scaling_endpoint_gone(struct scaling *all, const char *endpoint)
{
    struct pl_err err;
    forget_rests(all, endpoint);
    pl_cleanup(store_end) struct store_tx tx = { 0 };
    if (store_begin(&tx, all->store, &err) != PL_OK ||
        store_targets_delete_endpoint(all->store, endpoint, &err) != PL_OK || store_commit(&tx, &err) != PL_OK)
        log_warn("targets_not_deleted", LOG_STR("endpoint", endpoint), LOG_CODE(&err), LOG_ERR(&err));
}

struct scaling *scaling_new(struct store *s, const struct limits *l, const struct scaling_ports *ports)
{
    struct scaling *all = PL_NEW(struct scaling);
    all->store = s;
    all->limits = l;
    all->ports = *ports;
    return all;
}

void scaling_free(struct scaling *all)
{
    struct rest *r, *next;
    if (!all)
        return;
    HASH_ITER(hh, all->rests, r, next)
    {
        HASH_DEL(all->rests, r);
        free(r->key);
        free(r);
    }
    free(all);
}
