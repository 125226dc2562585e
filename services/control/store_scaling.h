/* store_scaling - targets, their policies and schedules, and what was scaled. As store.h. */
#ifndef CONTROL_STORE_SCALING_H
#define CONTROL_STORE_SCALING_H

#include "store.h"

struct store_target {
    int64_t id;
    const char *endpoint, *variant;
    const void *body; /* pilotlight.v1.ScalingTarget */
    size_t body_len;
};
/* Inserts, or replaces by endpoint and variant. In a transaction. */
PL_MUST_CHECK enum pl_code store_target_put(struct store *s, const struct store_target *t, struct pl_err *err);
/* '*out_id' 0: there is none. */
PL_MUST_CHECK enum pl_code store_target_find(struct store *s, const char *endpoint, const char *variant,
                                             int64_t *out_id, struct pl_err *err);
/* By endpoint and variant; "" = any. 'each' as in store_list(). */
PL_MUST_CHECK enum pl_code store_targets_list(struct store *s, const char *endpoint, const char *variant,
                                              bool (*each)(void *arg, const struct store_target *t), void *arg,
                                              struct pl_err *err);
/* With its rules. */
PL_MUST_CHECK enum pl_code store_target_delete(struct store *s, int64_t id, struct pl_err *err);
PL_MUST_CHECK enum pl_code store_targets_delete_endpoint(struct store *s, const char *endpoint, struct pl_err *err);

enum store_rule_kind { STORE_POLICY = 1, STORE_SCHEDULE = 2 };
struct store_rule {
    int64_t target;
    enum store_rule_kind kind;
    const char *name;
    const void *body; /* pilotlight.v1.ScalingPolicy, pilotlight.v1.ScalingSchedule */
    size_t body_len;
};
/* Inserts, or replaces by target, kind and name. In a transaction. */
PL_MUST_CHECK enum pl_code store_rule_put(struct store *s, const struct store_rule *r, struct pl_err *err);
PL_MUST_CHECK enum pl_code store_rules_count(struct store *s, int64_t target, enum store_rule_kind kind, int64_t *out,
                                             struct pl_err *err);
/* '*out_found' false: there was none. */
PL_MUST_CHECK enum pl_code store_rule_delete(struct store *s, int64_t target, enum store_rule_kind kind,
                                             const char *name, bool *out_found, struct pl_err *err);
/* By endpoint, variant and name; "" = any. */
PL_MUST_CHECK enum pl_code store_rules_list(struct store *s, enum store_rule_kind kind, const char *endpoint,
                                            const char *variant, bool (*each)(void *arg, const struct store_rule *r),
                                            void *arg, struct pl_err *err);

#define STORE_ACTIVITIES_MS   ((int64_t)42 * 86400000)
#define STORE_ACTIVITIES_KEPT 1000 /* of one variant; the oldest go */

struct store_activity {
    int64_t id;
    const char *endpoint, *variant;
    int64_t at_ms;
    const void *body; /* pilotlight.v1.ScalingActivity */
    size_t body_len;
};
/* Forgets what is too old or too much, too. In a transaction. */
PL_MUST_CHECK enum pl_code store_activity_add(struct store *s, const struct store_activity *a, struct pl_err *err);
/* Newest first, before 'before_id' (0 = all). */
PL_MUST_CHECK enum pl_code store_activities_list(struct store *s, const char *endpoint, const char *variant,
                                                 int64_t before_id, int64_t limit,
                                                 bool (*each)(void *arg, const struct store_activity *a), void *arg,
                                                 struct pl_err *err);

#endif
