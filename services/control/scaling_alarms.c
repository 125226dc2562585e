#include "scaling_alarms.h"

#include "alarm_change.h"
#include "alarms.h"
#include "base/time.h"
#include "control.h"
#include "log/log.h"
#include "metric_key.h"
#include "record.h"
#include "scaling_rule.h"

#include <stdio.h>
#include <string.h>

#define TEXT(s) ((char *)(uintptr_t)(s)) /* packed or copied, never written */

static void put(struct control *c, Pilotlight__V1__Alarm *a)
{
    struct pl_err err;
    pl_cleanup(record_free_p) Pilotlight__V1__Alarm *made = NULL;
    if (alarm_put(c->store, &c->limits, alarms_rules(c->alarms), a, pl_wall_ms(), &made, &err) == PL_OK)
        alarms_changed(c->alarms, made->name, made->period_s);
    else
        log_warn("policy_alarm_not_written", LOG_STR("alarm", a->name), LOG_CODE(&err), LOG_ERR(&err));
}

/* A used share that was not measured was 0: low, and not high. */
static void put_both(struct control *c, const Pilotlight__V1__ScalingPolicy *p, Pilotlight__V1__Metric *m)
{
    Pilotlight__V1__Alarm a = PILOTLIGHT__V1__ALARM__INIT;
    char description[400];
    char *actions[] = { p->alarm_action };
    (void)snprintf(description, sizeof(description), "Of the scaling policy \"%.300s\"; it goes with the policy.",
                   p->name);
    a.description = description;
    a.metric = m;
    a.statistic = *p->statistic ? p->statistic : TEXT("average");
    a.unit = p->metric ? p->unit : TEXT("");
    a.period_s = 60;
    a.alarm_actions = actions;
    a.n_alarm_actions = *p->alarm_action ? 1 : 0;
    a.name = p->high_alarm_name;
    a.evaluation_periods = SCALING_OUT_MINUTES;
    a.threshold = p->target_value;
    a.comparison = PILOTLIGHT__V1__ALARM_COMPARISON__ALARM_COMPARISON_GREATER;
    a.missing_data = p->metric ? PILOTLIGHT__V1__MISSING_DATA__MISSING_DATA_MISSING
                               : PILOTLIGHT__V1__MISSING_DATA__MISSING_DATA_NOT_BREACHING;
    if (*a.name)
        put(c, &a);
    a.name = p->low_alarm_name;
    a.evaluation_periods = SCALING_IN_MINUTES;
    a.threshold = p->target_value * SCALING_IN_SHARE;
    a.comparison = PILOTLIGHT__V1__ALARM_COMPARISON__ALARM_COMPARISON_LESS;
    if (!p->metric)
        a.missing_data = PILOTLIGHT__V1__MISSING_DATA__MISSING_DATA_BREACHING;
    if (*a.name)
        put(c, &a);
}

static void drop(struct control *c, char *name)
{
    struct pl_err err;
    if (!*name)
        return;
    if (alarm_delete(c->store, &c->limits, &name, 1, pl_wall_ms(), &err) == PL_OK)
        alarms_deleted(c->alarms, name);
    else if (err.code != PL_NOT_FOUND) /* it may have been deleted by hand */
        log_warn("policy_alarm_not_deleted", LOG_STR("alarm", name), LOG_CODE(&err), LOG_ERR(&err));
}

void scaling_alarms_put(struct control *c, const Pilotlight__V1__ScalingPolicy *p,
                        const Pilotlight__V1__ScalingPolicy *before)
{
    if (before && strcmp(before->high_alarm_name, p->high_alarm_name) != 0)
        drop(c, before->high_alarm_name);
    if (before && strcmp(before->low_alarm_name, p->low_alarm_name) != 0)
        drop(c, before->low_alarm_name);
    if (p->metric) {
        put_both(c, p, p->metric);
        return;
    }
    pl_cleanup(pl_free_p) char *key = metric_key_of_variant(p->endpoint_name, p->variant_name);
    pl_cleanup(record_free_p) Pilotlight__V1__Metric *m =
        metric_message("AWS/SageMaker", "ServerlessProvisionedConcurrencyUtilization", key);
    put_both(c, p, m);
}

void scaling_alarms_delete(struct control *c, const Pilotlight__V1__ListScalingPoliciesResponse *policies)
{
    for (size_t i = 0; i < policies->n_policies; i++) {
        drop(c, policies->policies[i]->high_alarm_name);
        drop(c, policies->policies[i]->low_alarm_name);
    }
}
