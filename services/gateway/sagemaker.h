/* sagemaker - the parts of SageMaker's control plane: api_sagemaker.c has the table, one file per kind has the work.
 *
 * What AWS has and Pilotlight has not (roles, VPCs, instance types, ...) is kept in the resources' annotation "aws" as
 * JSON in AWS's own names and given back when it is described; nothing of it changes what runs. */
#ifndef GATEWAY_SAGEMAKER_H
#define GATEWAY_SAGEMAKER_H

#include "aws_call.h"
#include "base/err.h"

#include "pilotlight/v1/endpoint.pb-c.h"
#include "pilotlight/v1/endpoint_config.pb-c.h"
#include "pilotlight/v1/model.pb-c.h"

#define SAGEMAKER_ANNOTATION "aws"

/* ---- operations ---- */
void sagemaker_create_model(struct aws_call *c);
void sagemaker_describe_model(struct aws_call *c);
void sagemaker_delete_model(struct aws_call *c);
void sagemaker_create_endpoint_config(struct aws_call *c);
void sagemaker_describe_endpoint_config(struct aws_call *c);
void sagemaker_delete_endpoint_config(struct aws_call *c);
void sagemaker_create_endpoint(struct aws_call *c);
void sagemaker_describe_endpoint(struct aws_call *c);
void sagemaker_update_endpoint(struct aws_call *c);
void sagemaker_update_weights(struct aws_call *c);
void sagemaker_delete_endpoint(struct aws_call *c);
void sagemaker_list_models(struct aws_call *c);
void sagemaker_list_endpoint_configs(struct aws_call *c);
void sagemaker_list_endpoints(struct aws_call *c);
void sagemaker_add_tags(struct aws_call *c);
void sagemaker_list_tags(struct aws_call *c);
void sagemaker_delete_tags(struct aws_call *c);

/* ---- shared ---- */

enum sagemaker_kind { SAGEMAKER_MODEL, SAGEMAKER_CONFIG, SAGEMAKER_ENDPOINT };

char *sagemaker_arn(const struct aws_call *c, enum sagemaker_kind kind, const char *name);
/* True when the call has been answered because 'status' is a failure; NOT_FOUND and EXISTS speak of 'kind' and 'name'.
 */
bool sagemaker_failed(struct aws_call *c, const struct pl_err *status, enum sagemaker_kind kind, const char *name);
/* Control's refusal of a value: in AWS's words where it has some. */
void sagemaker_fail_upstream(struct aws_call *c, const struct pl_err *err);

const char *sagemaker_status(Pilotlight__V1__EndpointStatus s);

Pilotlight__V1__Tag **sagemaker_tags(struct aws_call *c, const json_t *tags, size_t *out_count);
json_t *sagemaker_tags_json(Pilotlight__V1__Tag *const *tags, size_t count);

/* Every map<string, string> of the protos has entries of this layout. */
struct sagemaker_entry {
    ProtobufCMessage base;
    char *key, *value;
};
/* A map with the one annotation "aws" = 'v' as text; 'v' is consumed. 'init' is the entry type's. */
void *sagemaker_annotation(struct aws_call *c, json_t *v, const ProtobufCMessageDescriptor *entry, size_t *out_count);
/* What it holds, or an empty object when there is none; a new reference. */
json_t *sagemaker_annotation_json(const void *entries, size_t count);

/* The runtime that runs an image, by the setting 'images'; NULL when none does. */
const char *sagemaker_runtime(struct aws_call *c, const char *image, bool has_script);

#endif
