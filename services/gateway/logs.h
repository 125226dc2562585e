/* logs - CloudWatch Logs over our LogService, for reading only. api_logs.c has the table.
 *
 *     log group     /aws/sagemaker/Endpoints/ENDPOINT
 *     log stream    VARIANT/HOST/NUMBER: what one instance printed; HOST/NUMBER is the instance's id
 *     event         one line; its id is its time in microseconds, which no other line of its host has */
#ifndef GATEWAY_LOGS_H
#define GATEWAY_LOGS_H

#include "aws_call.h"
#include "base/err.h"

#include "pilotlight/v1/log.pb-c.h"

#define LOGS_GROUP      "/aws/sagemaker/Endpoints/"
#define LOGS_MAX_EVENTS 10000

/* ---- operations ---- */
void logs_get_events(struct aws_call *c);
void logs_filter_events(struct aws_call *c);
void logs_describe_streams(struct aws_call *c);
void logs_describe_groups(struct aws_call *c);

/* ---- shared ---- */

void logs_fail_upstream(struct aws_call *c, const struct pl_err *err);
void logs_invalid(struct aws_call *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The endpoint of logGroupName, or of logGroupIdentifier, which may be an ARN. NULL: answered. */
char *logs_endpoint(struct aws_call *c);
char *logs_stream_name(struct aws_call *c, const char *variant, const char *instance_id);
/* Fills variant and instance of 'out'; false: it is no such name, so nothing was ever printed there. */
bool logs_stream_read(struct aws_call *c, const char *name, Pilotlight__V1__LogFilter *out);
/* A member between 'min' and 'max', 'fallback' when it is missing. False: answered. */
bool logs_integer(struct aws_call *c, const char *member, int64_t min, int64_t max, int64_t fallback, int64_t *out);

#endif
