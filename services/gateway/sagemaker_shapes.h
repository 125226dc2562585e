/* sagemaker_shapes - the inputs of SageMaker's operations, from the service models of botocore (contract 1.2). */
#ifndef GATEWAY_SAGEMAKER_SHAPES_H
#define GATEWAY_SAGEMAKER_SHAPES_H

#include "shape.h"

extern const struct shape shape_create_model, shape_describe_model, shape_list_models;
extern const struct shape shape_create_endpoint_config, shape_describe_endpoint_config, shape_list_endpoint_configs;
extern const struct shape shape_create_endpoint, shape_describe_endpoint, shape_list_endpoints, shape_update_endpoint;
extern const struct shape shape_update_weights;
extern const struct shape shape_add_tags, shape_list_tags, shape_delete_tags;

#endif
