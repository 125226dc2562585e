/* scaling_shapes - the inputs of Application Auto Scaling's operations, as its service model has them. */
#ifndef GATEWAY_SCALING_SHAPES_H
#define GATEWAY_SCALING_SHAPES_H

#include "shape.h"

extern const struct shape shape_scaling_register, shape_scaling_deregister, shape_scaling_describe_targets,
    shape_scaling_put_policy, shape_scaling_delete_policy, shape_scaling_describe_policies, shape_scaling_put_action,
    shape_scaling_delete_action, shape_scaling_describe_actions, shape_scaling_describe_activities;

#endif
