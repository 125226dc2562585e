/* Tags of models, endpoint configs and endpoints, named by their ARNs. */
#include "aws_error.h"
#include "sagemaker.h"
#include "sagemaker_shapes.h"
#include "upstream.h"

#include "pilotlight/v1/resource.pb-c.h"

#include <string.h>

static const struct {
    const char *prefix;
    Pilotlight__V1__ResourceKind kind;
    enum sagemaker_kind words;
} kinds[] = {
    { "model/", PILOTLIGHT__V1__RESOURCE_KIND__RESOURCE_KIND_MODEL, SAGEMAKER_MODEL },
    { "endpoint-config/", PILOTLIGHT__V1__RESOURCE_KIND__RESOURCE_KIND_ENDPOINT_CONFIG, SAGEMAKER_CONFIG },
    { "endpoint/", PILOTLIGHT__V1__RESOURCE_KIND__RESOURCE_KIND_ENDPOINT, SAGEMAKER_ENDPOINT },
};

struct target {
    size_t kind; /* in 'kinds' */
    char *name;
};

/* "arn:aws:sagemaker:REGION:ACCOUNT:endpoint/NAME", whose shape has been checked. False: answered. */
static bool read_arn(struct aws_call *c)
{
    const char *arn = aws_text(c->input, "ResourceArn"), *rest = arn;
    struct target *t = ARENA_NEW(c->arena, struct target);
    c->state = t;
    for (int colon = 0; colon < 4; colon++)
        rest = strchr(rest, ':') + 1;
    bool ours = strncmp(rest, c->account, 12) == 0;
    rest += 13;
    for (t->kind = 0; ours && t->kind < PL_COUNT(kinds); t->kind++)
        if (strncmp(rest, kinds[t->kind].prefix, strlen(kinds[t->kind].prefix)) == 0) {
            t->name = arena_strdup(c->arena, rest + strlen(kinds[t->kind].prefix));
            return true;
        }
    aws_fail(c, AWS_VALIDATION, "Could not find resource \"%s\".", arn);
    return false;
}

static bool failed(struct aws_call *c, const struct pl_err *status)
{
    const struct target *t = c->state;
    return sagemaker_failed(c, status, kinds[t->kind].words, t->name);
}

static void added(struct aws_call *c, const struct pl_err *status, const void *reply)
{
    const Pilotlight__V1__AddTagsResponse *r = reply;
    if (!failed(c, status))
        aws_reply(c, json_pack("{s:o}", "Tags", sagemaker_tags_json(r->tags, r->n_tags)));
}

void sagemaker_add_tags(struct aws_call *c)
{
    Pilotlight__V1__AddTagsRequest r = PILOTLIGHT__V1__ADD_TAGS_REQUEST__INIT;
    if (!shape_check(c, &shape_add_tags) || !read_arn(c))
        return;
    const struct target *t = c->state;
    r.kind = kinds[t->kind].kind;
    r.name = t->name;
    r.tags = sagemaker_tags(c, json_object_get(c->input, "Tags"), &r.n_tags);
    upstream_send(c, UPSTREAM_CONTROL, UPSTREAM_V1("TagService", "AddTags"), &r.base,
                  &pilotlight__v1__add_tags_response__descriptor, added);
}

static void listed(struct aws_call *c, const struct pl_err *status, const void *reply)
{
    const Pilotlight__V1__ListTagsResponse *r = reply;
    if (!failed(c, status))
        aws_reply(c, json_pack("{s:o}", "Tags", sagemaker_tags_json(r->tags, r->n_tags)));
}

/* A page has 50 tags or more, and a resource at most 50: there is never a second page. */
void sagemaker_list_tags(struct aws_call *c)
{
    Pilotlight__V1__ListTagsRequest r = PILOTLIGHT__V1__LIST_TAGS_REQUEST__INIT;
    if (!shape_check(c, &shape_list_tags) || !read_arn(c))
        return;
    if (aws_text(c->input, "NextToken")) {
        aws_fail(c, AWS_VALIDATION, "NextToken is not one of this list.");
        return;
    }
    const struct target *t = c->state;
    r.kind = kinds[t->kind].kind;
    r.name = t->name;
    upstream_send(c, UPSTREAM_CONTROL, UPSTREAM_V1("TagService", "ListTags"), &r.base,
                  &pilotlight__v1__list_tags_response__descriptor, listed);
}

static void deleted(struct aws_call *c, const struct pl_err *status, const void *reply)
{
    (void)reply;
    if (!failed(c, status))
        aws_reply(c, json_object());
}

void sagemaker_delete_tags(struct aws_call *c)
{
    Pilotlight__V1__DeleteTagsRequest r = PILOTLIGHT__V1__DELETE_TAGS_REQUEST__INIT;
    if (!shape_check(c, &shape_delete_tags) || !read_arn(c))
        return;
    const struct target *t = c->state;
    const json_t *keys = json_object_get(c->input, "TagKeys");
    r.kind = kinds[t->kind].kind;
    r.name = t->name;
    r.n_keys = json_array_size(keys);
    r.keys = arena_get(c->arena, r.n_keys * sizeof(*r.keys));
    for (size_t i = 0; i < r.n_keys; i++)
        r.keys[i] = arena_strdup(c->arena, json_string_value(json_array_get(keys, i)));
    upstream_send(c, UPSTREAM_CONTROL, UPSTREAM_V1("TagService", "DeleteTags"), &r.base,
                  &pilotlight__v1__delete_tags_response__descriptor, deleted);
}
