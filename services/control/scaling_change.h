/* scaling_change - targets, policies and schedules: what calls write, one transaction each, and lists.
 *
 * Errors: PL_INVALID, PL_NOT_FOUND, PL_EXHAUSTED; those of store.h. Threads: with the store.
 * Memory: messages given out are freed by record_free(). */
#ifndef CONTROL_SCALING_CHANGE_H
#define CONTROL_SCALING_CHANGE_H

#include "base/err.h"

#include "pilotlight/v1/scaling.pb-c.h"

#include <stdbool.h>
#include <stdint.h>

struct limits;
struct store;

PL_MUST_CHECK enum pl_code scaling_put_target(struct store *s, const struct limits *l,
                                              const Pilotlight__V1__PutScalingTargetRequest *r, int64_t wall_ms,
                                              Pilotlight__V1__ScalingTarget **out, struct pl_err *err);
PL_MUST_CHECK enum pl_code scaling_delete_target(struct store *s, const char *endpoint, const char *variant,
                                                 struct pl_err *err);
PL_MUST_CHECK enum pl_code scaling_put_policy(struct store *s, const struct limits *l,
                                              const Pilotlight__V1__ScalingPolicy *p, int64_t wall_ms,
                                              Pilotlight__V1__ScalingPolicy **out, struct pl_err *err);
PL_MUST_CHECK enum pl_code scaling_put_schedule(struct store *s, const struct limits *l,
                                                const Pilotlight__V1__ScalingSchedule *c, int64_t wall_ms,
                                                Pilotlight__V1__ScalingSchedule **out, struct pl_err *err);
/* 'kind' as enum store_rule_kind. */
PL_MUST_CHECK enum pl_code scaling_delete_rule(struct store *s, int kind, const char *endpoint, const char *variant,
                                               const char *name, struct pl_err *err);

/* ---- lists; "" = any ---- */

PL_MUST_CHECK enum pl_code scaling_targets(struct store *s, const char *endpoint, const char *variant,
                                           Pilotlight__V1__ListScalingTargetsResponse **out, struct pl_err *err);
PL_MUST_CHECK enum pl_code scaling_policies(struct store *s, const char *endpoint, const char *variant,
                                            char *const *names, size_t name_count,
                                            Pilotlight__V1__ListScalingPoliciesResponse **out, struct pl_err *err);
PL_MUST_CHECK enum pl_code scaling_schedules(struct store *s, const char *endpoint, const char *variant,
                                             char *const *names, size_t name_count,
                                             Pilotlight__V1__ListScalingSchedulesResponse **out, struct pl_err *err);
PL_MUST_CHECK enum pl_code scaling_activities(struct store *s, const struct limits *l,
                                              const Pilotlight__V1__ListScalingActivitiesRequest *r,
                                              Pilotlight__V1__ListScalingActivitiesResponse **out, struct pl_err *err);

/* ---- for scaling.c ---- */

/* What serves now: PL_NOT_FOUND naming the endpoint or the variant; PL_INVALID when it is instance-based. */
PL_MUST_CHECK enum pl_code scaling_capacity(struct store *s, const char *endpoint, const char *variant,
                                            int32_t *out_capacity, int32_t *out_most, struct pl_err *err);
/* Replaces a target or a schedule that is there. */
PL_MUST_CHECK enum pl_code scaling_save(struct store *s, const Pilotlight__V1__ScalingTarget *t,
                                        const Pilotlight__V1__ScalingSchedule *c, struct pl_err *err);
PL_MUST_CHECK enum pl_code scaling_note(struct store *s, const Pilotlight__V1__ScalingActivity *a, struct pl_err *err);

#endif
