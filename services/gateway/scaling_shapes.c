#include "scaling_shapes.h"

#include "shape_literals.h"

#include <string.h>

/* What XML may hold: of the characters below the space only line ends and tabs. */
static bool is_text(const char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s < ' ' && !strchr("\r\n\t", *s))
            return false;
    return true;
}

static bool is_printable(const char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s < ' ' || *s == 0x7F)
            return false;
    return true;
}

/* No space at the ends, no control character, none of ":/|". */
static bool is_action_name(const char *s)
{
    return is_printable(s) && !strpbrk(s, ":/|") && *s != ' ' && (!*s || s[strlen(s) - 1] != ' ');
}

static const char *const namespaces[] = { "sagemaker", NULL };
static const char *const dimensions[] = { "sagemaker:variant:DesiredProvisionedConcurrency", NULL };
static const char *const policy_types[] = { "StepScaling", "TargetTrackingScaling", "PredictiveScaling", NULL };
static const char *const statistics[] = { "Average", "Minimum", "Maximum", "SampleCount", "Sum", NULL };

static const struct shape any = { .type = SHAPE_ANY }, boolean = { .type = SHAPE_BOOL }, time_ = { .type = SHAPE_TIME },
                          number = { .type = SHAPE_NUMBER };
static const struct shape name_space = ENUM(namespaces), dimension = ENUM(dimensions), policy_type = ENUM(policy_types),
                          statistic = ENUM(statistics);
#define TEXT(lo, hi)                                                                                                   \
    {                                                                                                                  \
        .type = SHAPE_STRING, .min = (lo), .max = (hi),                                                                \
        .pattern = "[\\u0020-\\uD7FF\\uE000-\\uFFFD\\uD800\\uDC00-\\uDBFF\\uDFFF\\r\\n\\t]*", .matches = is_text       \
    }
static const struct shape resource_id = TEXT(1, 1600), text = TEXT(1, 1600), token = TEXT(0, 8192);
static const struct shape policy_name = {
    .type = SHAPE_STRING, .min = 1, .max = 256, .pattern = "\\p{Print}+", .matches = is_printable
};
static const struct shape action_name = {
    .type = SHAPE_STRING,
    .min = 1,
    .max = 256,
    .pattern = "(?!((^[ ]+.*)|(.*([\\u0000-\\u001f]|[\\u007f-\\u009f]|[:/|])+.*)|(.*[ ]+$))).+",
    .matches = is_action_name
};
static const struct shape name = STRING(1, 256), label = STRING(1, 1023);
static const struct shape capacity = { .type = SHAPE_INTEGER, .min = 0, .max = 100000 };
static const struct shape seconds = { .type = SHAPE_INTEGER, .min = 0, .max = 86400 };
static const struct shape results = { .type = SHAPE_INTEGER, .min = 1, .max = 50 };

#define KEYS                                                                                                           \
    { "ServiceNamespace", &name_space, true }, { "ResourceId", &resource_id, true },                                   \
    {                                                                                                                  \
        "ScalableDimension", &dimension, true                                                                          \
    }
#define PAGE                                                                                                           \
    { "MaxResults", &results, false },                                                                                 \
    {                                                                                                                  \
        "NextToken", &token, false                                                                                     \
    }
#define FILTERS                                                                                                        \
    { "ServiceNamespace", &name_space, true }, { "ResourceId", &resource_id, false },                                  \
    {                                                                                                                  \
        "ScalableDimension", &dimension, false                                                                         \
    }

static const struct shape tag_key = STRING(1, 128), tag_value = STRING(0, 256);
static const struct shape tags = { .type = SHAPE_MAP, .max = 50, .key = &tag_key, .element = &tag_value };
static const struct shape suspended =
    OBJECT({ "DynamicScalingInSuspended", &boolean, false }, { "DynamicScalingOutSuspended", &boolean, false },
           { "ScheduledScalingSuspended", &boolean, false });
const struct shape shape_scaling_register =
    OBJECT(KEYS, { "MinCapacity", &capacity, false }, { "MaxCapacity", &capacity, false }, { "RoleARN", &text, false },
           { "SuspendedState", &suspended, false }, { "Tags", &tags, false });
const struct shape shape_scaling_deregister = OBJECT(KEYS);

static const struct shape resource_ids = LIST(0, 50, resource_id), names = LIST(0, 50, text);
const struct shape shape_scaling_describe_targets =
    OBJECT({ "ServiceNamespace", &name_space, true }, { "ResourceIds", &resource_ids, false },
           { "ScalableDimension", &dimension, false }, PAGE);

/* ---- policies ---- */

static const char *const predefined_types[] = { "SageMakerVariantProvisionedConcurrencyUtilization", NULL };
static const struct shape predefined_type = ENUM(predefined_types);
static const struct shape predefined =
    OBJECT({ "PredefinedMetricType", &predefined_type, true }, { "ResourceLabel", &label, false });
static const struct shape metric_dimension = OBJECT({ "Name", &text, true }, { "Value", &text, true });
static const struct shape metric_dimensions = LIST(0, 30, metric_dimension);
static const struct shape customized =
    OBJECT({ "MetricName", &name, false }, { "Namespace", &name, false }, { "Dimensions", &metric_dimensions, false },
           { "Statistic", &statistic, false }, { "Unit", &text, false }, { "Metrics", &any, false });
static const struct shape tracking =
    OBJECT({ "TargetValue", &number, true }, { "PredefinedMetricSpecification", &predefined, false },
           { "CustomizedMetricSpecification", &customized, false }, { "ScaleOutCooldown", &seconds, false },
           { "ScaleInCooldown", &seconds, false }, { "DisableScaleIn", &boolean, false });
const struct shape shape_scaling_put_policy =
    OBJECT(KEYS, { "PolicyName", &policy_name, true }, { "PolicyType", &policy_type, false },
           { "StepScalingPolicyConfiguration", &any, false }, { "PredictiveScalingPolicyConfiguration", &any, false },
           { "TargetTrackingScalingPolicyConfiguration", &tracking, false });
const struct shape shape_scaling_delete_policy = OBJECT(KEYS, { "PolicyName", &text, true });
const struct shape shape_scaling_describe_policies = OBJECT(FILTERS, { "PolicyNames", &names, false }, PAGE);

/* ---- scheduled actions ---- */

static const struct shape action = OBJECT({ "MinCapacity", &capacity, false }, { "MaxCapacity", &capacity, false });
const struct shape shape_scaling_put_action = OBJECT(
    KEYS, { "ScheduledActionName", &action_name, true }, { "Schedule", &text, false }, { "Timezone", &text, false },
    { "StartTime", &time_, false }, { "EndTime", &time_, false }, { "ScalableTargetAction", &action, false });
const struct shape shape_scaling_delete_action = OBJECT(KEYS, { "ScheduledActionName", &text, true });
const struct shape shape_scaling_describe_actions = OBJECT(FILTERS, { "ScheduledActionNames", &names, false }, PAGE);
const struct shape shape_scaling_describe_activities =
    OBJECT(FILTERS, { "IncludeNotScaledActivities", &boolean, false }, PAGE);
