/* CloudWatch Logs: the table of operations, errors in its names, groups and streams. */
#include "aws_error.h"
#include "logs.h"
#include "services.h"

#include <stdarg.h>
#include <string.h>

static const struct aws_operation operations[] = {
    { "GetLogEvents", logs_get_events },
    { "FilterLogEvents", logs_filter_events },
    { "DescribeLogStreams", logs_describe_streams },
    { "DescribeLogGroups", logs_describe_groups },
    { 0 },
};

const struct aws_service logs_service = {
    .name = "logs",
    .signing_name = "logs",
    .target_prefix = "Logs_20140328",
    .json = AWS_JSON_1_1,
    .operations = operations,
    .fail_upstream = logs_fail_upstream,
};

void logs_fail_upstream(struct aws_call *c, const struct pl_err *err)
{
    switch (err->code) {
    case PL_INVALID:
    case PL_OUT_OF_RANGE:
        logs_invalid(c, "%s", err->message);
        break;
    case PL_UNAVAILABLE:
    case PL_DEADLINE:
    case PL_CANCELLED:
        aws_fail_as(c, 503, "ServiceUnavailableException", NULL, "%s", err->message);
        break;
    default:
        aws_fail(c, AWS_INTERNAL, "%s", err->message);
        break;
    }
}

void logs_invalid(struct aws_call *c, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    const char *message = arena_vformat(c->arena, fmt, args);
    va_end(args);
    aws_fail_as(c, 400, "InvalidParameterException", NULL, "%s", message);
}

/* ---- groups ---- */

/* "arn:aws:logs:REGION:ACCOUNT:log-group:NAME" or with ":*" behind it: NAME. */
static const char *without_arn(struct aws_call *c, const char *group)
{
    static const char middle[] = ":log-group:";
    const char *at = strncmp(group, "arn:", 4) == 0 ? strstr(group, middle) : NULL;
    if (!at)
        return group;
    at += sizeof(middle) - 1;
    return arena_strndup(c->arena, at, strcspn(at, ":"));
}

char *logs_endpoint(struct aws_call *c)
{
    const char *name = aws_text(c->input, "logGroupName"), *id = aws_text(c->input, "logGroupIdentifier");
    size_t n = sizeof(LOGS_GROUP) - 1;
    if ((name != NULL) == (id != NULL)) {
        logs_invalid(c, "Exactly one of logGroupName and logGroupIdentifier must be given.");
        return NULL;
    }
    name = name ? name : without_arn(c, id);
    if (strncmp(name, LOGS_GROUP, n) == 0 && name[n] && !strchr(name + n, '/'))
        return arena_strdup(c->arena, name + n);
    aws_fail_as(c, 400, "ResourceNotFoundException", NULL, "The specified log group does not exist.");
    return NULL;
}

/* ---- streams ---- */

char *logs_stream_name(struct aws_call *c, const char *variant, const char *instance_id)
{
    return arena_format(c->arena, "%s/%s", variant, instance_id);
}

bool logs_stream_read(struct aws_call *c, const char *name, Pilotlight__V1__LogFilter *out)
{
    const char *first = strchr(name, '/'), *last = strrchr(name, '/');
    if (!first || first == name || last <= first + 1 || strchr(first + 1, '/') != last || !last[1] ||
        strspn(last + 1, "0123456789") != strlen(last + 1))
        return false;
    out->variant_name = arena_strndup(c->arena, name, (size_t)(first - name));
    out->instance_id = arena_strdup(c->arena, first + 1);
    return true;
}

/* ---- members ---- */

bool logs_integer(struct aws_call *c, const char *member, int64_t min, int64_t max, int64_t fallback, int64_t *out)
{
    *out = fallback;
    if (!json_object_get(c->input, member))
        return true;
    if (aws_integer(c->input, member, out) && *out >= min && *out <= max)
        return true;
    logs_invalid(c, "%s must be an integer between %lld and %lld.", member, (long long)min, (long long)max);
    return false;
}
