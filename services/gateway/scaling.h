/* scaling - Application Auto Scaling for the provisioned concurrency of variants, over our ScalingService: the one
 * scalable dimension there is here. api_scaling.c has the table. */
#ifndef GATEWAY_SCALING_H
#define GATEWAY_SCALING_H

#include "aws_call.h"
#include "base/err.h"

#include "pilotlight/v1/scaling.pb-c.h"

/* ---- operations ---- */
void scaling_register_target(struct aws_call *c);
void scaling_deregister_target(struct aws_call *c);
void scaling_describe_targets(struct aws_call *c);
void scaling_put_policy(struct aws_call *c);
void scaling_delete_policy(struct aws_call *c);
void scaling_describe_policies(struct aws_call *c);
void scaling_put_scheduled_action(struct aws_call *c);
void scaling_delete_scheduled_action(struct aws_call *c);
void scaling_describe_scheduled_actions(struct aws_call *c);
void scaling_describe_activities(struct aws_call *c);

/* ---- shared ---- */

#define SCALING_NAMESPACE "sagemaker"
#define SCALING_DIMENSION "sagemaker:variant:DesiredProvisionedConcurrency"

void scaling_fail_upstream(struct aws_call *c, const struct pl_err *err);

struct scaling_resource {
    char *endpoint, *variant;
};
/* "endpoint/E/variant/V" of the input, whose shape has been checked; namespace and dimension too. False: answered. */
bool scaling_resource(struct aws_call *c, struct scaling_resource *out);
/* As it, for lists, where it may be missing: "" then. */
bool scaling_resource_filter(struct aws_call *c, struct scaling_resource *out);
char *scaling_resource_id(struct aws_call *c, const char *endpoint, const char *variant);
/* A UUID that always stands for the same texts. */
char *scaling_uuid(struct aws_call *c, const char *a, const char *b, const char *d);

/* Which part of a list a call with MaxResults and NextToken gets. */
struct scaling_page {
    size_t from, to;
    char *next; /* NULL on the last one */
};
/* False: answered. */
bool scaling_page(struct aws_call *c, size_t count, struct scaling_page *out);
/* 'list' (consumed) as 'member', with NextToken. */
void scaling_reply_list(struct aws_call *c, const char *member, json_t *list, const struct scaling_page *page);

#endif
