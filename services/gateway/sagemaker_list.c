/* The three lists, and tags. A NextToken is control's page token: it knows the filters it was made with. */
#include "aws_error.h"
#include "sagemaker.h"
#include "sagemaker_shapes.h"
#include "upstream.h"

#include "pilotlight/v1/resource.pb-c.h"

#include <string.h>

#define DEFAULT_RESULTS 10 /* contract 1.2 */

/* ---- options ---- */

/* Control takes 0 for none. A time that is given and before all things is 'earliest' instead. */
static int64_t moment(const struct aws_call *c, const char *member, int64_t earliest)
{
    int64_t ms = 0;
    const json_t *v = json_object_get(c->input, member);
    if (!v || !aws_read_time(v, &ms))
        return 0;
    return ms > earliest ? ms : earliest;
}

static Pilotlight__V1__SortBy sort_by(const struct aws_call *c)
{
    const char *by = aws_text(c->input, "SortBy");
    return by && strcmp(by, "Name") == 0     ? PILOTLIGHT__V1__SORT_BY__SORT_BY_NAME
           : by && strcmp(by, "Status") == 0 ? PILOTLIGHT__V1__SORT_BY__SORT_BY_STATUS
                                             : PILOTLIGHT__V1__SORT_BY__SORT_BY_CREATION_TIME;
}

static void set_options(struct aws_call *c, Pilotlight__V1__ListOptions *o)
{
    const char *order = aws_text(c->input, "SortOrder"), *part = aws_text(c->input, "NameContains");
    const char *token = aws_text(c->input, "NextToken");
    int64_t size = DEFAULT_RESULTS;
    pilotlight__v1__list_options__init(o);
    (void)aws_integer(c->input, "MaxResults", &size);
    o->page_size = (int32_t)size;
    o->page_token = arena_strdup(c->arena, token ? token : "");
    o->name_contains = arena_strdup(c->arena, part ? part : "");
    o->created_from_unix_ms = moment(c, "CreationTimeAfter", 0);
    o->created_before_unix_ms = moment(c, "CreationTimeBefore", 1);
    o->updated_from_unix_ms = moment(c, "LastModifiedTimeAfter", 0);
    o->updated_before_unix_ms = moment(c, "LastModifiedTimeBefore", 1);
    o->sort_by = sort_by(c);
    o->sort_order = order && strcmp(order, "Ascending") == 0 ? PILOTLIGHT__V1__SORT_ORDER__SORT_ORDER_ASCENDING
                                                             : PILOTLIGHT__V1__SORT_ORDER__SORT_ORDER_DESCENDING;
}

static void reply_list(struct aws_call *c, const char *member, json_t *list, const char *token)
{
    json_t *v = json_pack("{s:o}", member, list);
    if (*token)
        json_object_set_new(v, "NextToken", json_string(token));
    aws_reply(c, v);
}

static bool failed(struct aws_call *c, const struct pl_err *status)
{
    if (status->code == PL_OK)
        return false;
    if (status->code == PL_INVALID && strstr(status->field, "page_token"))
        aws_fail(c, AWS_VALIDATION, "NextToken is not one of a list with the same filters and order.");
    else
        aws_fail_upstream(c, status);
    return true;
}

/* ---- the lists ---- */

static void models_listed(struct aws_call *c, const struct pl_err *status, const void *reply)
{
    const Pilotlight__V1__ListModelsResponse *r = reply;
    if (failed(c, status))
        return;
    json_t *list = json_array();
    for (size_t i = 0; i < r->n_models; i++)
        json_array_append_new(list, json_pack("{s:s, s:s, s:o}", "ModelName", r->models[i]->name, "ModelArn",
                                              sagemaker_arn(c, SAGEMAKER_MODEL, r->models[i]->name), "CreationTime",
                                              aws_time(c, r->models[i]->created_at_unix_ms)));
    reply_list(c, "Models", list, r->next_page_token);
}

void sagemaker_list_models(struct aws_call *c)
{
    Pilotlight__V1__ListModelsRequest r = PILOTLIGHT__V1__LIST_MODELS_REQUEST__INIT;
    Pilotlight__V1__ListOptions options;
    if (!shape_check(c, &shape_list_models))
        return;
    set_options(c, &options);
    r.options = &options;
    upstream_send(c, UPSTREAM_CONTROL, UPSTREAM_V1("ModelService", "ListModels"), &r.base,
                  &pilotlight__v1__list_models_response__descriptor, models_listed);
}

static void configs_listed(struct aws_call *c, const struct pl_err *status, const void *reply)
{
    const Pilotlight__V1__ListEndpointConfigsResponse *r = reply;
    if (failed(c, status))
        return;
    json_t *list = json_array();
    for (size_t i = 0; i < r->n_endpoint_configs; i++) {
        const Pilotlight__V1__EndpointConfig *e = r->endpoint_configs[i];
        json_array_append_new(list, json_pack("{s:s, s:s, s:o}", "EndpointConfigName", e->name, "EndpointConfigArn",
                                              sagemaker_arn(c, SAGEMAKER_CONFIG, e->name), "CreationTime",
                                              aws_time(c, e->created_at_unix_ms)));
    }
    reply_list(c, "EndpointConfigs", list, r->next_page_token);
}

void sagemaker_list_endpoint_configs(struct aws_call *c)
{
    Pilotlight__V1__ListEndpointConfigsRequest r = PILOTLIGHT__V1__LIST_ENDPOINT_CONFIGS_REQUEST__INIT;
    Pilotlight__V1__ListOptions options;
    if (!shape_check(c, &shape_list_endpoint_configs))
        return;
    set_options(c, &options);
    r.options = &options;
    upstream_send(c, UPSTREAM_CONTROL, UPSTREAM_V1("EndpointConfigService", "ListEndpointConfigs"), &r.base,
                  &pilotlight__v1__list_endpoint_configs_response__descriptor, configs_listed);
}

static void endpoints_listed(struct aws_call *c, const struct pl_err *status, const void *reply)
{
    const Pilotlight__V1__ListEndpointsResponse *r = reply;
    if (failed(c, status))
        return;
    json_t *list = json_array();
    for (size_t i = 0; i < r->n_endpoints; i++) {
        const Pilotlight__V1__Endpoint *e = r->endpoints[i];
        json_array_append_new(list, json_pack("{s:s, s:s, s:o, s:o, s:s}", "EndpointName", e->name, "EndpointArn",
                                              sagemaker_arn(c, SAGEMAKER_ENDPOINT, e->name), "CreationTime",
                                              aws_time(c, e->created_at_unix_ms), "LastModifiedTime",
                                              aws_time(c, e->updated_at_unix_ms), "EndpointStatus",
                                              sagemaker_status(e->status)));
    }
    reply_list(c, "Endpoints", list, r->next_page_token);
}

/* False: a status that no endpoint ever has here, so the list is empty. */
static bool status_of(const struct aws_call *c, Pilotlight__V1__EndpointStatus *out)
{
    const char *name = aws_text(c->input, "StatusEquals");
    *out = PILOTLIGHT__V1__ENDPOINT_STATUS__ENDPOINT_STATUS_UNSPECIFIED;
    if (!name)
        return true;
    for (int s = PILOTLIGHT__V1__ENDPOINT_STATUS__ENDPOINT_STATUS_CREATING;
         s <= PILOTLIGHT__V1__ENDPOINT_STATUS__ENDPOINT_STATUS_FAILED; s++)
        if (strcmp(name, sagemaker_status((Pilotlight__V1__EndpointStatus)s)) == 0) {
            *out = (Pilotlight__V1__EndpointStatus)s;
            return true;
        }
    return false;
}

void sagemaker_list_endpoints(struct aws_call *c)
{
    Pilotlight__V1__ListEndpointsRequest r = PILOTLIGHT__V1__LIST_ENDPOINTS_REQUEST__INIT;
    Pilotlight__V1__ListOptions options;
    if (!shape_check(c, &shape_list_endpoints))
        return;
    if (!status_of(c, &r.status)) {
        reply_list(c, "Endpoints", json_array(), "");
        return;
    }
    set_options(c, &options);
    r.options = &options;
    upstream_send(c, UPSTREAM_CONTROL, UPSTREAM_V1("EndpointService", "ListEndpoints"), &r.base,
                  &pilotlight__v1__list_endpoints_response__descriptor, endpoints_listed);
}
