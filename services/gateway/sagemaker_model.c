/* Models: a container definition of AWS's becomes an artifact, a runtime and an environment. */
#include "aws_error.h"
#include "sagemaker.h"
#include "sagemaker_shapes.h"
#include "upstream.h"

#include <string.h>

/* ---- create ---- */

/* The container that is run, when there is exactly one way to say which; else answered. */
static json_t *main_container(struct aws_call *c)
{
    json_t *primary = json_object_get(c->input, "PrimaryContainer"), *all = json_object_get(c->input, "Containers");
    if (primary && json_array_size(all) > 0)
        aws_fail(c, AWS_VALIDATION, "Only one of PrimaryContainer and Containers may be given.");
    else if (!primary && json_array_size(all) == 0)
        aws_fail(c, AWS_VALIDATION, "One of PrimaryContainer and Containers must be given.");
    else
        return primary ? primary : json_array_get(all, 0);
    return NULL;
}

/* NULL: answered. */
static const char *artifact_of(struct aws_call *c, const json_t *container)
{
    const char *url = aws_text(container, "ModelDataUrl");
    const json_t *source = json_object_get(json_object_get(container, "ModelDataSource"), "S3DataSource");
    const char *type = aws_text(source, "S3DataType");
    if (json_array_size(json_object_get(container, "AdditionalModelDataSources")) > 0)
        aws_fail(c, AWS_VALIDATION, "AdditionalModelDataSources are not offered: a model has one artifact.");
    else if (url && source)
        aws_fail(c, AWS_VALIDATION, "Only one of ModelDataUrl and ModelDataSource may be given.");
    else if (type && strcmp(type, "S3Prefix") == 0)
        aws_fail(c, AWS_VALIDATION,
                 "S3DataType S3Prefix is not offered: name one object, a model.tar.gz or a model file, "
                 "with S3DataType S3Object.");
    else if (!url && !source)
        aws_fail(c, AWS_VALIDATION,
                 "ModelDataUrl must be given: Pilotlight runs the model's artifact in a runtime of its "
                 "own, and not the image.");
    else
        return url ? url : aws_text(source, "S3Uri");
    return NULL;
}

static const char *runtime_of(struct aws_call *c, const json_t *container)
{
    const char *image = aws_text(container, "Image");
    if (!image) {
        aws_fail(c, AWS_VALIDATION, "Image must be given%s.",
                 aws_text(container, "ModelPackageName") ? ": model packages are not offered" : "");
        return NULL;
    }
    bool has_script = json_object_get(json_object_get(container, "Environment"), "SAGEMAKER_PROGRAM") != NULL;
    const char *runtime = sagemaker_runtime(c, image, has_script);
    if (!runtime)
        aws_fail(c, AWS_VALIDATION,
                 "Image '%s' is not one that can be run here: its name must contain sagemaker-xgboost or "
                 "sagemaker-scikit-learn, or another text of the gateway's setting 'images'.",
                 image);
    return runtime;
}

static void set_environment(struct aws_call *c, const json_t *environment, Pilotlight__V1__Model *m)
{
    size_t n = 0;
    const char *key;
    json_t *value;
    m->environment = arena_get(c->arena, (json_object_size(environment) + 1) * sizeof(*m->environment));
    json_object_foreach((json_t *)(uintptr_t)environment, key, value)
    {
        Pilotlight__V1__Model__EnvironmentEntry *e = ARENA_NEW(c->arena, Pilotlight__V1__Model__EnvironmentEntry);
        pilotlight__v1__model__environment_entry__init(e);
        e->key = arena_strdup(c->arena, key);
        e->value = arena_strdup(c->arena, json_string_value(value));
        m->environment[n++] = e;
    }
    m->n_environment = n;
}

/* The input without what the model itself holds. */
static json_t *rest_of(const struct aws_call *c)
{
    json_t *rest = json_deep_copy(c->input);
    json_t *primary = json_object_get(rest, "PrimaryContainer");
    json_object_del(rest, "ModelName");
    json_object_del(rest, "Tags");
    json_object_del(primary, "ModelDataUrl");
    json_object_del(primary, "Environment");
    return rest;
}

static void created(struct aws_call *c, const struct pl_err *status, const void *reply)
{
    const char *name = aws_text(c->input, "ModelName");
    (void)reply;
    if (!sagemaker_failed(c, status, SAGEMAKER_MODEL, name))
        aws_reply(c, json_pack("{s:s}", "ModelArn", sagemaker_arn(c, SAGEMAKER_MODEL, name)));
}

void sagemaker_create_model(struct aws_call *c)
{
    Pilotlight__V1__Model m = PILOTLIGHT__V1__MODEL__INIT;
    Pilotlight__V1__CreateModelRequest r = PILOTLIGHT__V1__CREATE_MODEL_REQUEST__INIT;
    const char *artifact, *runtime;
    json_t *container;
    if (!shape_check(c, &shape_create_model) || !(container = main_container(c)) ||
        !(artifact = artifact_of(c, container)) || !(runtime = runtime_of(c, container)))
        return;
    m.name = arena_strdup(c->arena, aws_text(c->input, "ModelName"));
    m.artifact_uri = arena_strdup(c->arena, artifact);
    m.runtime = arena_strdup(c->arena, runtime);
    set_environment(c, json_object_get(container, "Environment"), &m);
    m.tags = sagemaker_tags(c, json_object_get(c->input, "Tags"), &m.n_tags);
    m.annotations =
        sagemaker_annotation(c, rest_of(c), &pilotlight__v1__model__annotations_entry__descriptor, &m.n_annotations);
    r.model = &m;
    upstream_send(c, UPSTREAM_CONTROL, UPSTREAM_V1("ModelService", "CreateModel"), &r.base,
                  &pilotlight__v1__create_model_response__descriptor, created);
}

/* ---- describe ---- */

static json_t *environment_json(const Pilotlight__V1__Model *m)
{
    json_t *v = json_object();
    for (size_t i = 0; i < m->n_environment; i++)
        json_object_set_new(v, m->environment[i]->key, json_string(m->environment[i]->value));
    return v;
}

/* One that came by gRPC has no container definition: it is given the one that would have made it. */
static void complete_container(json_t *v, const Pilotlight__V1__Model *m)
{
    json_t *primary = json_object_get(v, "PrimaryContainer");
    if (json_object_get(v, "Containers"))
        return;
    if (!primary) {
        primary = json_pack("{s:s+}", "Image", "pilotlight/", m->runtime);
        json_object_set_new(v, "PrimaryContainer", primary);
    }
    if (!json_object_get(primary, "ModelDataSource"))
        json_object_set_new(primary, "ModelDataUrl", json_string(m->artifact_uri));
    if (!json_object_get(primary, "Mode"))
        json_object_set_new(primary, "Mode", json_string("SingleModel"));
    json_object_set_new(primary, "Environment", environment_json(m));
}

static void described(struct aws_call *c, const struct pl_err *status, const void *reply)
{
    const Pilotlight__V1__GetModelResponse *r = reply;
    if (sagemaker_failed(c, status, SAGEMAKER_MODEL, aws_text(c->input, "ModelName")))
        return;
    json_t *v = sagemaker_annotation_json(r->model->annotations, r->model->n_annotations);
    complete_container(v, r->model);
    json_object_set_new(v, "ModelName", json_string(r->model->name));
    json_object_set_new(v, "ModelArn", json_string(sagemaker_arn(c, SAGEMAKER_MODEL, r->model->name)));
    json_object_set_new(v, "CreationTime", aws_time(c, r->model->created_at_unix_ms));
    if (!json_object_get(v, "EnableNetworkIsolation"))
        json_object_set_new(v, "EnableNetworkIsolation", json_false());
    aws_reply(c, v);
}

void sagemaker_describe_model(struct aws_call *c)
{
    Pilotlight__V1__GetModelRequest r = PILOTLIGHT__V1__GET_MODEL_REQUEST__INIT;
    if (!shape_check(c, &shape_describe_model))
        return;
    r.name = arena_strdup(c->arena, aws_text(c->input, "ModelName"));
    upstream_send(c, UPSTREAM_CONTROL, UPSTREAM_V1("ModelService", "GetModel"), &r.base,
                  &pilotlight__v1__get_model_response__descriptor, described);
}

/* ---- delete ---- */

static void deleted(struct aws_call *c, const struct pl_err *status, const void *reply)
{
    (void)reply;
    if (!sagemaker_failed(c, status, SAGEMAKER_MODEL, aws_text(c->input, "ModelName")))
        aws_reply_empty(c);
}

void sagemaker_delete_model(struct aws_call *c)
{
    Pilotlight__V1__DeleteModelRequest r = PILOTLIGHT__V1__DELETE_MODEL_REQUEST__INIT;
    if (!shape_check(c, &shape_describe_model))
        return;
    r.name = arena_strdup(c->arena, aws_text(c->input, "ModelName"));
    upstream_send(c, UPSTREAM_CONTROL, UPSTREAM_V1("ModelService", "DeleteModel"), &r.base,
                  &pilotlight__v1__delete_model_response__descriptor, deleted);
}
