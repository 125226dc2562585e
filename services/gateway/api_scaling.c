/* Application Auto Scaling: the table of operations, errors in its names, and what its calls share. */
#include "aws_error.h"
#include "aws_words.h"
#include "base/text.h"
#include "digest.h"
#include "scaling.h"
#include "services.h"

#include <string.h>

#define PAGE_DEFAULT 50

static const struct aws_operation operations[] = {
    { "RegisterScalableTarget", scaling_register_target },
    { "DeregisterScalableTarget", scaling_deregister_target },
    { "DescribeScalableTargets", scaling_describe_targets },
    { "PutScalingPolicy", scaling_put_policy },
    { "DeleteScalingPolicy", scaling_delete_policy },
    { "DescribeScalingPolicies", scaling_describe_policies },
    { "PutScheduledAction", scaling_put_scheduled_action },
    { "DeleteScheduledAction", scaling_delete_scheduled_action },
    { "DescribeScheduledActions", scaling_describe_scheduled_actions },
    { "DescribeScalingActivities", scaling_describe_activities },
    { 0 },
};

const struct aws_service scaling_service = {
    .name = "application-autoscaling",
    .signing_name = "application-autoscaling",
    .target_prefix = "AnyScaleFrontendService",
    .json = AWS_JSON_1_1,
    .operations = operations,
    .fail_upstream = scaling_fail_upstream,
};

/* Names of our protos in control's sentences, in AWS's. */
static const struct aws_word words[] = {
    { "min_capacity", "MinCapacity" },
    { "max_capacity", "MaxCapacity" },
    { "target_value", "TargetValue" },
    { "scale_in_cooldown_s", "ScaleInCooldown" },
    { "scale_out_cooldown_s", "ScaleOutCooldown" },
    { "policy.name", "PolicyName" },
    { "policy.metric.namespace", "Namespace" },
    { "policy.metric.name", "MetricName" },
    { "policy.metric.dimensions", "Dimensions" },
    { "policy.metric", "CustomizedMetricSpecification" },
    { "policy.unit", "Unit" },
    { "policy.statistic", "Statistic" },
    { "schedule.name", "ScheduledActionName" },
    { "schedule.expression", "Schedule" },
    { "from_unix_ms", "StartTime" },
    { "until_unix_ms", "EndTime" },
    { "target.", "" },
    { "policy.", "" },
    { "schedule.", "" },
    { 0 },
};

void scaling_fail_upstream(struct aws_call *c, const struct pl_err *err)
{
    switch (err->code) {
    case PL_NOT_FOUND:
        if (c->operation->handle != scaling_register_target)
            aws_fail_as(c, 400, "ObjectNotFoundException", NULL, "%s", err->message);
        else
            aws_fail(c, AWS_VALIDATION, "%s", err->message);
        break;
    case PL_INVALID:
    case PL_OUT_OF_RANGE:
        if (strcmp(err->field, "page_token") == 0)
            aws_fail_as(c, 400, "InvalidNextTokenException", NULL, "The next token is invalid.");
        else
            aws_fail(c, AWS_VALIDATION, "%s", aws_words(c->arena, err->message, words));
        break;
    case PL_EXHAUSTED:
        aws_fail_as(c, 400, "LimitExceededException", NULL, "%s", err->message);
        break;
    case PL_ABORTED:
        aws_fail_as(c, 500, "ConcurrentUpdateException", NULL, "%s", err->message);
        break;
    case PL_UNAVAILABLE:
    case PL_DEADLINE:
    case PL_CANCELLED:
        aws_fail(c, AWS_UNAVAILABLE, "%s", err->message);
        break;
    default:
        aws_fail_as(c, 500, "InternalServiceException", NULL, "%s", err->message);
        break;
    }
}

/* ---- resources ---- */

/* "endpoint/E/variant/V"; false: it is not that. */
static bool split(struct aws_call *c, const char *id, struct scaling_resource *out)
{
    static const char first[] = "endpoint/", second[] = "/variant/";
    if (strncmp(id, first, sizeof(first) - 1) != 0)
        return false;
    const char *endpoint = id + sizeof(first) - 1, *middle = strstr(endpoint, second);
    if (!middle || middle == endpoint)
        return false;
    out->endpoint = arena_strndup(c->arena, endpoint, (size_t)(middle - endpoint));
    out->variant = arena_strdup(c->arena, middle + sizeof(second) - 1);
    return *out->variant && !strchr(out->endpoint, '/') && !strchr(out->variant, '/');
}

bool scaling_resource(struct aws_call *c, struct scaling_resource *out)
{
    const char *id = aws_text(c->input, "ResourceId");
    if (split(c, id, out))
        return true;
    aws_fail(c, AWS_VALIDATION, "Unsupported resource id: %.200s; it must be endpoint/ENDPOINT/variant/VARIANT", id);
    return false;
}

bool scaling_resource_filter(struct aws_call *c, struct scaling_resource *out)
{
    *out = (struct scaling_resource){ .endpoint = arena_strdup(c->arena, ""), .variant = arena_strdup(c->arena, "") };
    return !aws_text(c->input, "ResourceId") || scaling_resource(c, out);
}

char *scaling_resource_id(struct aws_call *c, const char *endpoint, const char *variant)
{
    return arena_format(c->arena, "endpoint/%s/variant/%s", endpoint, variant);
}

char *scaling_uuid(struct aws_call *c, const char *a, const char *b, const char *d)
{
    char hex[SHA256_HEX];
    const char *text = arena_format(c->arena, "%s/%s/%s", a, b, d);
    digest_sha256_hex(text, strlen(text), hex);
    return arena_format(c->arena, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
}

/* ---- pages ---- */

/* Control gives whole lists; a token is where the next page starts. */
bool scaling_page(struct aws_call *c, size_t count, struct scaling_page *out)
{
    const char *token = aws_text(c->input, "NextToken");
    int64_t from = 0, size = PAGE_DEFAULT;
    (void)aws_integer(c->input, "MaxResults", &size);
    if (token && (token[0] != 'p' || !pl_parse_i64(token + 1, 0, INT32_MAX, &from))) {
        aws_fail_as(c, 400, "InvalidNextTokenException", NULL, "The next token is invalid.");
        return false;
    }
    *out = (struct scaling_page){ .from = (size_t)from < count ? (size_t)from : count };
    out->to = count - out->from > (size_t)size ? out->from + (size_t)size : count;
    if (out->to < count)
        out->next = arena_format(c->arena, "p%zu", out->to);
    return true;
}

void scaling_reply_list(struct aws_call *c, const char *member, json_t *list, const struct scaling_page *page)
{
    json_t *result = json_pack("{s:o}", member, list);
    if (page->next)
        json_object_set_new(result, "NextToken", json_string(page->next));
    aws_reply(c, result);
}
