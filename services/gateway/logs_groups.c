/* DescribeLogGroups: one group for each endpoint that there is, in order of their names. A page has what control's page
 * has of the prefix, which may be less than the limit. */
#include "aws_error.h"
#include "logs.h"
#include "upstream.h"

#include "pilotlight/v1/endpoint.pb-c.h"

#include <string.h>

#define PAGE_MAX       50
#define CONTAINS_MAX   63
#define GROUP_TEXT_MAX 512

struct describe {
    const char *prefix;  /* of whole names; "" = any */
    const char *pattern; /* somewhere in them; "" = any */
};

static json_t *group_json(struct aws_call *c, const char *name, int64_t created_ms)
{
    const char *arn = arena_format(c->arena, "arn:aws:logs:%s:%s:log-group:%s", c->region, c->account, name);

    return json_pack("{s:s, s:I, s:i, s:s, s:s}", "logGroupName", name, "creationTime", (json_int_t)created_ms,
                     "metricFilterCount", 0, "arn", arena_format(c->arena, "%s:*", arn), "logGroupArn", arn);
}

static void listed(struct aws_call *c, const struct pl_err *status, const void *reply)
{
    const Pilotlight__V1__ListEndpointsResponse *r = reply;
    const struct describe *d = c->state;
    json_t *list, *result;

    if (status->code != PL_OK) {
        aws_fail_upstream(c, status);
        return;
    }
    list = json_array();
    result = json_pack("{s:o}", "logGroups", list);
    for (size_t i = 0; i < r->n_endpoints; i++) {
        const char *name = arena_format(c->arena, LOGS_GROUP "%s", r->endpoints[i]->name);

        if (strncmp(name, d->prefix, strlen(d->prefix)) == 0 && strstr(name, d->pattern))
            json_array_append_new(list, group_json(c, name, r->endpoints[i]->created_at_unix_ms));
    }
    if (r->next_page_token[0])
        json_object_set_new(result, "nextToken", json_string(r->next_page_token));
    aws_reply(c, result);
}

/* What control can look for: what the prefix has behind the part that all groups begin with. NULL: no group has it. */
static const char *endpoint_part(const char *prefix)
{
    size_t n = sizeof(LOGS_GROUP) - 1, given = strlen(prefix);

    if (given <= n)
        return strncmp(prefix, LOGS_GROUP, given) == 0 ? "" : NULL;
    return strncmp(prefix, LOGS_GROUP, n) == 0 ? prefix + n : NULL;
}

/* False: answered. */
static bool read_describe(struct aws_call *c, struct describe *d, int64_t *out_limit)
{
    const char *prefix = aws_text(c->input, "logGroupNamePrefix");
    const char *pattern = aws_text(c->input, "logGroupNamePattern");

    if (prefix && pattern)
        logs_invalid(c, "logGroupNamePrefix and logGroupNamePattern are mutually exclusive.");
    else if ((prefix && strlen(prefix) > GROUP_TEXT_MAX) || (pattern && strlen(pattern) > GROUP_TEXT_MAX))
        logs_invalid(c, "logGroupNamePrefix and logGroupNamePattern are at most %d characters long.", GROUP_TEXT_MAX);
    else {
        d->prefix = prefix ? prefix : "";
        d->pattern = pattern ? pattern : "";
        return logs_integer(c, "limit", 1, PAGE_MAX, PAGE_MAX, out_limit);
    }
    return false;
}

void logs_describe_groups(struct aws_call *c)
{
    Pilotlight__V1__ListEndpointsRequest r = PILOTLIGHT__V1__LIST_ENDPOINTS_REQUEST__INIT;
    Pilotlight__V1__ListOptions o = PILOTLIGHT__V1__LIST_OPTIONS__INIT;
    struct describe *d = ARENA_NEW(c->arena, struct describe);
    const char *token = aws_text(c->input, "nextToken"), *part;
    int64_t limit;

    if (!read_describe(c, d, &limit))
        return;
    part = endpoint_part(d->prefix);
    if (!part || strlen(part) > CONTAINS_MAX) {
        aws_reply(c, json_pack("{s:[]}", "logGroups"));
        return;
    }
    o.page_size = (int32_t)limit;
    o.page_token = token ? arena_strdup(c->arena, token) : o.page_token;
    o.name_contains = arena_strdup(c->arena, part);
    o.sort_by = PILOTLIGHT__V1__SORT_BY__SORT_BY_NAME;
    o.sort_order = PILOTLIGHT__V1__SORT_ORDER__SORT_ORDER_ASCENDING;
    r.options = &o;
    c->state = d;
    upstream_send(c, UPSTREAM_CONTROL, UPSTREAM_V1("EndpointService", "ListEndpoints"), &r.base,
                  &pilotlight__v1__list_endpoints_response__descriptor, listed);
}
