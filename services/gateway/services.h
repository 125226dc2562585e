/* services - the AWS services that the gateway speaks; each defined in its api_*.c. */
#ifndef GATEWAY_SERVICES_H
#define GATEWAY_SERVICES_H

#include "aws_call.h"

extern const struct aws_service sagemaker_service;
extern const struct aws_service runtime_service;    /* REST-JSON */
extern const struct aws_service monitoring_service; /* CloudWatch */
extern const struct aws_service scaling_service;    /* Application Auto Scaling */
extern const struct aws_service logs_service;       /* CloudWatch Logs */
extern const struct aws_service sts_service;
extern const struct aws_service iam_service;
extern const struct aws_service s3_service; /* REST-XML */

#endif
