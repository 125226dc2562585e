/* control_methods - every method control serves, and the functions that answer them.
 *
 * A handler validates, does its work in one transaction and answers at once; streams go on in routers.c and
 * followers.c. Threads: with the turn.  'service' is the struct control. */
#ifndef CONTROL_CONTROL_METHODS_H
#define CONTROL_CONTROL_METHODS_H

#include "base/err.h"

struct control;
struct control_config;
struct rpc_call;

/* Starts the server: on success control is reachable, health still NOT_SERVING. */
PL_MUST_CHECK enum pl_code control_listen(struct control *c, const struct control_config *config, struct pl_err *err);

#define CONTROL_HANDLER(name) void name(struct rpc_call *call, const void *message, void *service)

/* model_methods.c */
CONTROL_HANDLER(create_model);
CONTROL_HANDLER(get_model);
CONTROL_HANDLER(list_models);
CONTROL_HANDLER(delete_model);
/* config_methods.c */
CONTROL_HANDLER(create_endpoint_config);
CONTROL_HANDLER(get_endpoint_config);
CONTROL_HANDLER(list_endpoint_configs);
CONTROL_HANDLER(delete_endpoint_config);
/* endpoint_methods.c */
CONTROL_HANDLER(create_endpoint);
CONTROL_HANDLER(get_endpoint);
CONTROL_HANDLER(list_endpoints);
CONTROL_HANDLER(update_endpoint);
CONTROL_HANDLER(update_endpoint_capacity);
CONTROL_HANDLER(delete_endpoint);
CONTROL_HANDLER(watch_endpoint);
/* tag_methods.c */
CONTROL_HANDLER(add_tags);
CONTROL_HANDLER(list_tags);
CONTROL_HANDLER(delete_tags);
/* watch_methods.c */
CONTROL_HANDLER(watch);
CONTROL_HANDLER(acknowledge);
/* membership_methods.c */
CONTROL_HANDLER(heartbeat);
/* metric_methods.c */
CONTROL_HANDLER(put_metric_data);
CONTROL_HANDLER(list_metrics);
CONTROL_HANDLER(get_metric_statistics);
CONTROL_HANDLER(report);
/* alarm_methods.c */
CONTROL_HANDLER(put_alarm);
CONTROL_HANDLER(list_alarms);
CONTROL_HANDLER(delete_alarms);
CONTROL_HANDLER(set_alarm_state);
CONTROL_HANDLER(set_alarm_actions_enabled);
CONTROL_HANDLER(list_alarm_history);
/* scaling_methods.c */
CONTROL_HANDLER(put_scaling_target);
CONTROL_HANDLER(list_scaling_targets);
CONTROL_HANDLER(delete_scaling_target);
CONTROL_HANDLER(put_scaling_policy);
CONTROL_HANDLER(list_scaling_policies);
CONTROL_HANDLER(delete_scaling_policy);
CONTROL_HANDLER(put_scaling_schedule);
CONTROL_HANDLER(list_scaling_schedules);
CONTROL_HANDLER(delete_scaling_schedule);
CONTROL_HANDLER(list_scaling_activities);
/* usage_methods.c */
CONTROL_HANDLER(list_usage);
CONTROL_HANDLER(get_rates);

/* Deletes a model or a config: nothing depends on it. */
PL_MUST_CHECK enum pl_code delete_resource(struct control *c, int kind, const char *name, struct pl_err *err);

#endif
