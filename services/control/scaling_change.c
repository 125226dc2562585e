#include "scaling_change.h"

#include "alarm_check.h"
#include "base/mem.h"
#include "base/text.h"
#include "check.h"
#include "metric_key.h"
#include "record.h"
#include "schedule.h"
#include "statistic.h"
#include "store_scaling.h"
#include "validate.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define COOLDOWN_MAX_S 86400

#define TRY(call)                                                                                                      \
    do {                                                                                                               \
        enum pl_code try_ = (call);                                                                                    \
        if (try_ != PL_OK)                                                                                             \
            return try_;                                                                                               \
    } while (0)

/* ---- what serves ---- */

enum pl_code scaling_capacity(struct store *s, const char *endpoint, const char *variant, int32_t *out_capacity,
                              int32_t *out_most, struct pl_err *err)
{
    pl_cleanup(store_row_done) struct store_row row = { 0 };
    TRY(store_get(s, STORE_ENDPOINT, endpoint, &row, err));
    pl_cleanup(record_free_p) Pilotlight__Internal__V1__EndpointRecord *r = record_endpoint(&row, err);
    if (!r)
        return err->code;
    for (size_t i = 0; r->serving && i < r->serving->n_variants; i++) {
        const Pilotlight__V1__ProductionVariant *v = r->serving->variants[i]->variant->variant;
        if (strcmp(v->name, variant) != 0)
            continue;
        if (v->persistent)
            return pl_fail(err, PL_INVALID, "variant_name",
                           "Variant \"%s\" of endpoint \"%s\" is instance-based: it has no provisioned concurrency.",
                           variant, endpoint);
        *out_capacity = v->provisioned_concurrency;
        *out_most = v->max_concurrency;
        return PL_OK;
    }
    return pl_fail(err, PL_NOT_FOUND, "variant_name", "endpoint \"%s\" serves no variant \"%s\"", endpoint, variant);
}

static enum pl_code check_names(const struct limits *l, const char *endpoint, const char *variant, struct pl_err *err)
{
    TRY(validate_name(l, "endpoint_name", endpoint, err));
    return validate_name(l, "variant_name", variant, err);
}

static enum pl_code need_target(struct store *s, const char *endpoint, const char *variant, int64_t *out_id,
                                struct pl_err *err)
{
    TRY(store_target_find(s, endpoint, variant, out_id, err));
    if (*out_id)
        return PL_OK;
    return pl_fail(err, PL_NOT_FOUND, "variant_name", "No scalable target is registered for endpoint/%s/variant/%s.",
                   endpoint, variant);
}

/* ---- targets ---- */

static bool take_target(void *arg, const struct store_target *t)
{
    *(Pilotlight__V1__ScalingTarget **)arg = pilotlight__v1__scaling_target__unpack(NULL, t->body_len, t->body);
    return false;
}

/* Puts into 't' what the target has of a field already; 'before' NULL: it is new. */
static enum pl_code keep(const char *name, const Pilotlight__V1__ScalingTarget *before,
                         Pilotlight__V1__ScalingTarget *t, struct pl_err *err)
{
#define FIELD_OF_TARGET(name) #name, offsetof(Pilotlight__V1__ScalingTarget, name)
    static const struct {
        const char *name;
        size_t at; /* numbers and flags are of one size */
        bool needed;
    } fields[] = {
        { FIELD_OF_TARGET(min_capacity), true },         { FIELD_OF_TARGET(max_capacity), true },
        { FIELD_OF_TARGET(scale_in_suspended), false },  { FIELD_OF_TARGET(scale_out_suspended), false },
        { FIELD_OF_TARGET(schedules_suspended), false },
    };
#undef FIELD_OF_TARGET
    static const Pilotlight__V1__ScalingTarget fresh = PILOTLIGHT__V1__SCALING_TARGET__INIT;
    _Static_assert(sizeof(t->min_capacity) == sizeof(t->scale_in_suspended), "fields that can be kept");
    for (size_t i = 0; i < PL_COUNT(fields); i++) {
        if (strcmp(fields[i].name, name) != 0)
            continue;
        if (fields[i].needed && !before)
            return pl_fail(err, PL_INVALID, "kept_fields",
                           "target.%s is missing: a target that is new must have min_capacity and max_capacity", name);
        memcpy((char *)t + fields[i].at, (const char *)(before ? before : &fresh) + fields[i].at,
               sizeof(t->min_capacity));
        return PL_OK;
    }
    return pl_fail(err, PL_INVALID, "kept_fields", "kept_fields has \"%.64s\": no such field can be kept", name);
}

static enum pl_code put_target(struct store *s, const Pilotlight__V1__ScalingTarget *t, struct pl_err *err)
{
    struct store_target row = { .endpoint = t->endpoint_name, .variant = t->variant_name };
    size_t len;
    pl_cleanup(pl_free_p) void *body = record_pack(&t->base, &len);
    row.body = body;
    row.body_len = len;
    return store_target_put(s, &row, err);
}

enum pl_code scaling_put_target(struct store *s, const struct limits *l,
                                const Pilotlight__V1__PutScalingTargetRequest *r, int64_t wall_ms,
                                Pilotlight__V1__ScalingTarget **out, struct pl_err *err)
{
    int32_t capacity, most;
    pl_cleanup(record_free_p) Pilotlight__V1__ScalingTarget *made = NULL, *before = NULL;
    pl_cleanup(store_end) struct store_tx tx = { 0 };
    if (!r->target)
        return pl_fail(err, PL_INVALID, "target", "target is missing: the request must carry one");
    TRY(check_names(l, r->target->endpoint_name, r->target->variant_name, err));
    TRY(store_begin(&tx, s, err));
    TRY(scaling_capacity(s, r->target->endpoint_name, r->target->variant_name, &capacity, &most, err));
    TRY(store_targets_list(s, r->target->endpoint_name, r->target->variant_name, take_target, &before, err));
    made = record_copy(&r->target->base);
    for (size_t i = 0; i < r->n_kept_fields; i++)
        TRY(keep(r->kept_fields[i], before, made, err));
    if (made->min_capacity < 0 || made->min_capacity > made->max_capacity)
        return pl_fail(err, PL_INVALID, "target.min_capacity",
                       "target.min_capacity is %d: it must be 0 to max_capacity, %d", made->min_capacity,
                       made->max_capacity);
    if (made->max_capacity > most)
        return pl_fail(err, PL_INVALID, "target.max_capacity",
                       "target.max_capacity is %d: it must be at most the variant's max concurrency, %d",
                       made->max_capacity, most);
    made->created_at_unix_ms = before ? before->created_at_unix_ms : wall_ms;
    TRY(put_target(s, made, err));
    TRY(store_commit(&tx, err));
    *out = pl_take(made);
    return PL_OK;
}

enum pl_code scaling_delete_target(struct store *s, const char *endpoint, const char *variant, struct pl_err *err)
{
    int64_t id;
    pl_cleanup(store_end) struct store_tx tx = { 0 };
    TRY(store_begin(&tx, s, err));
    TRY(need_target(s, endpoint, variant, &id, err));
    TRY(store_target_delete(s, id, err));
    return store_commit(&tx, err);
}

/* ---- policies and schedules ---- */

static enum pl_code check_rule(const struct limits *l, const char *what, const char *name, struct pl_err *err)
{
    char field[32];
    (void)snprintf(field, sizeof(field), "%s.name", what);
    return check_printable(l, LIMIT_scaling_name, field, name, err);
}

static enum pl_code put_rule(struct store *s, const struct limits *l, enum store_rule_kind kind, const char *endpoint,
                             const char *variant, const char *name, const ProtobufCMessage *m, struct pl_err *err)
{
    enum limit_id id = kind == STORE_POLICY ? LIMIT_scaling_policies : LIMIT_scaling_schedules;
    struct store_rule row = { .kind = kind, .name = name };
    size_t len;
    int64_t count;
    pl_cleanup(store_end) struct store_tx tx = { 0 };
    pl_cleanup(pl_free_p) void *body = record_pack(m, &len);
    row.body = body;
    row.body_len = len;
    TRY(store_begin(&tx, s, err));
    TRY(need_target(s, endpoint, variant, &row.target, err));
    TRY(store_rule_put(s, &row, err));
    TRY(store_rules_count(s, row.target, kind, &count, err));
    if (count > l->row[id].max)
        return pl_fail_reason(err, PL_EXHAUSTED, "SCALING_RULES", "name",
                              "endpoint/%s/variant/%s would have %lld: it must have at most %lld %s", endpoint, variant,
                              (long long)count, (long long)l->row[id].max, l->row[id].unit);
    return store_commit(&tx, err);
}

static enum pl_code check_policy(const struct limits *l, const Pilotlight__V1__ScalingPolicy *p, struct pl_err *err)
{
    struct statistic statistic;
    if (!p)
        return pl_fail(err, PL_INVALID, "policy", "policy is missing: the request must carry one");
    TRY(check_names(l, p->endpoint_name, p->variant_name, err));
    TRY(check_rule(l, "policy", p->name, err));
    if (!isfinite(p->target_value) || p->target_value <= 0)
        return pl_fail(err, PL_INVALID, "policy.target_value", "policy.target_value is %g: it must be a number above 0",
                       p->target_value);
    if (!p->metric && p->target_value > 1)
        return pl_fail(err, PL_INVALID, "policy.target_value",
                       "policy.target_value is %g: a used share must be at most 1 (100 %%)", p->target_value);
    if (p->metric)
        TRY(metric_check(l, "policy.metric", p->metric, err));
    TRY(metric_check_unit("policy.unit", p->unit, err));
    if (*p->high_alarm_name)
        TRY(alarm_check_name(l, "policy.high_alarm_name", p->high_alarm_name, err));
    if (*p->low_alarm_name)
        TRY(alarm_check_name(l, "policy.low_alarm_name", p->low_alarm_name, err));
    if (*p->alarm_action)
        TRY(check_length(l, LIMIT_alarm_action, "policy.alarm_action", p->alarm_action, err));
    if (*p->statistic && (!statistic_parse(p->statistic, &statistic) || statistic_is_extended(&statistic)))
        return pl_fail(err, PL_INVALID, "policy.statistic",
                       "policy.statistic \"%.40s\" must be average, minimum, maximum, sum or sample_count",
                       p->statistic);
    const int32_t cooldowns[] = { p->scale_out_cooldown_case ? p->scale_out_cooldown_s : 0,
                                  p->scale_in_cooldown_case ? p->scale_in_cooldown_s : 0 };
    for (size_t i = 0; i < PL_COUNT(cooldowns); i++)
        if (cooldowns[i] < 0 || cooldowns[i] > COOLDOWN_MAX_S)
            return pl_fail(err, PL_INVALID, i ? "policy.scale_in_cooldown_s" : "policy.scale_out_cooldown_s",
                           "policy.scale_%s_cooldown_s is %d: it must be 0 to %d s", i ? "in" : "out", cooldowns[i],
                           COOLDOWN_MAX_S);
    return PL_OK;
}

enum pl_code scaling_put_policy(struct store *s, const struct limits *l, const Pilotlight__V1__ScalingPolicy *p,
                                int64_t wall_ms, Pilotlight__V1__ScalingPolicy **out, struct pl_err *err)
{
    TRY(check_policy(l, p, err));
    pl_cleanup(record_free_p) Pilotlight__V1__ScalingPolicy *made = record_copy(&p->base);
    made->created_at_unix_ms = wall_ms;
    TRY(put_rule(s, l, STORE_POLICY, made->endpoint_name, made->variant_name, made->name, &made->base, err));
    *out = pl_take(made);
    return PL_OK;
}

static enum pl_code check_schedule(const struct limits *l, const Pilotlight__V1__ScalingSchedule *c,
                                   struct schedule *out, struct pl_err *err)
{
    if (!c)
        return pl_fail(err, PL_INVALID, "schedule", "schedule is missing: the request must carry one");
    TRY(check_names(l, c->endpoint_name, c->variant_name, err));
    TRY(check_rule(l, "schedule", c->name, err));
    TRY(schedule_parse("schedule.expression", c->expression, out, err));
    int64_t most = l->row[LIMIT_provisioned_concurrency].max;
    if (c->min_capacity < -1 || c->max_capacity < -1 || c->min_capacity > most || c->max_capacity > most ||
        (c->min_capacity == -1 && c->max_capacity == -1) ||
        (c->max_capacity != -1 && c->min_capacity > c->max_capacity))
        return pl_fail(
            err, PL_INVALID, "schedule.min_capacity",
            "schedule.min_capacity is %d, max_capacity %d: they must be 0 to %lld, the lower one first, and not "
            "both -1",
            c->min_capacity, c->max_capacity, (long long)most);
    if (c->from_unix_ms < 0 || c->until_unix_ms < 0 || (c->until_unix_ms && c->until_unix_ms <= c->from_unix_ms))
        return pl_fail(err, PL_INVALID, "schedule.until_unix_ms",
                       "schedule.until_unix_ms is %lld: it must be after from_unix_ms, %lld",
                       (long long)c->until_unix_ms, (long long)c->from_unix_ms);
    return PL_OK;
}

enum pl_code scaling_put_schedule(struct store *s, const struct limits *l, const Pilotlight__V1__ScalingSchedule *c,
                                  int64_t wall_ms, Pilotlight__V1__ScalingSchedule **out, struct pl_err *err)
{
    struct schedule when;
    TRY(check_schedule(l, c, &when, err));
    pl_cleanup(record_free_p) Pilotlight__V1__ScalingSchedule *made = record_copy(&c->base);
    made->created_at_unix_ms = wall_ms;
    int64_t after_ms = c->from_unix_ms > wall_ms ? c->from_unix_ms - 1 : wall_ms;
    int64_t next_s = schedule_next(&when, (c->from_unix_ms ? c->from_unix_ms : wall_ms) / 1000, after_ms / 1000);
    if (when.kind == SCHEDULE_AT && next_s < 0)
        return pl_fail(err, PL_INVALID, "schedule.expression", "schedule.expression \"%s\" is in the past",
                       c->expression);
    made->next_at_unix_ms = next_s < 0 ? 0 : next_s * 1000;
    TRY(put_rule(s, l, STORE_SCHEDULE, made->endpoint_name, made->variant_name, made->name, &made->base, err));
    *out = pl_take(made);
    return PL_OK;
}

enum pl_code scaling_delete_rule(struct store *s, int kind, const char *endpoint, const char *variant, const char *name,
                                 struct pl_err *err)
{
    int64_t target;
    bool found;
    pl_cleanup(store_end) struct store_tx tx = { 0 };
    TRY(store_begin(&tx, s, err));
    TRY(need_target(s, endpoint, variant, &target, err));
    TRY(store_rule_delete(s, target, (enum store_rule_kind)kind, name, &found, err));
    if (!found)
        return pl_fail(err, PL_NOT_FOUND, "name", "No scaling %s \"%.80s\" was found for endpoint/%s/variant/%s.",
                       kind == STORE_POLICY ? "policy" : "schedule", name, endpoint, variant);
    return store_commit(&tx, err);
}

/* ---- for scaling.c ---- */

enum pl_code scaling_save(struct store *s, const Pilotlight__V1__ScalingTarget *t,
                          const Pilotlight__V1__ScalingSchedule *c, struct pl_err *err)
{
    struct store_rule row = { .kind = STORE_SCHEDULE, .name = c ? c->name : "" };
    size_t len = 0;
    pl_cleanup(store_end) struct store_tx tx = { 0 };
    pl_cleanup(pl_free_p) void *body = c ? record_pack(&c->base, &len) : NULL;
    row.body = body;
    row.body_len = len;
    TRY(store_begin(&tx, s, err));
    TRY(put_target(s, t, err));
    if (c) {
        TRY(need_target(s, t->endpoint_name, t->variant_name, &row.target, err));
        TRY(store_rule_put(s, &row, err));
    }
    return store_commit(&tx, err);
}

enum pl_code scaling_note(struct store *s, const Pilotlight__V1__ScalingActivity *a, struct pl_err *err)
{
    struct store_activity row = { .endpoint = a->endpoint_name, .variant = a->variant_name, .at_ms = a->at_unix_ms };
    size_t len;
    pl_cleanup(store_end) struct store_tx tx = { 0 };
    pl_cleanup(pl_free_p) void *body = record_pack(&a->base, &len);
    row.body = body;
    row.body_len = len;
    TRY(store_begin(&tx, s, err));
    TRY(store_activity_add(s, &row, err));
    return store_commit(&tx, err);
}
