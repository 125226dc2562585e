/* Whether a plan can be carried out, asked before its first step, so that a manifest with something wrong in its last
 * document makes nothing of its first. What only time tells (a model that does not load) is not known here. */
#include "apply_plan.h"

#include "api.h"
#include "message.h"

#include <stdio.h>
#include <string.h>

static bool is_planned(const struct apply_plan *p, enum kind_id kind, const char *name)
{
    for (size_t i = 0; i < p->count; i++) {
        const struct manifest_item *item = p->steps[i].item;
        if (item->kind->id == kind && !strcmp(manifest_name(item), name))
            return true;
    }
    return false;
}

/* In the plan, or there already. */
static enum pl_code check_reference(const struct apply_plan *p, struct client *c, enum kind_id kind, const char *name,
                                    const char *field, struct pl_err *err)
{
    pl_cleanup(message_free_p) ProtobufCMessage *live = NULL;
    if (is_planned(p, kind, name))
        return PL_OK;
    if (api_get(c, &kinds[kind], name, &live, err) != PL_OK)
        (void)snprintf(err->field, sizeof(err->field), "%s", field);
    return live ? PL_OK : err->code;
}

static enum pl_code check_references(const struct apply_plan *p, struct client *c, const struct apply_step *s,
                                     struct pl_err *err)
{
    const ProtobufCMessage *m = s->item->message;
    if (s->item->kind->id == KIND_ENDPOINT)
        return check_reference(p, c, KIND_ENDPOINT_CONFIG, message_text(m, "endpoint_config_name"),
                               "endpoint_config_name", err);
    if (s->item->kind->id != KIND_ENDPOINT_CONFIG)
        return PL_OK;
    ProtobufCMessage *const *variants;
    size_t count = message_list(m, "variants", &variants);
    for (size_t i = 0; i < count; i++) {
        char field[64];
        (void)snprintf(field, sizeof(field), "variants[%zu].model_name", i);
        if (check_reference(p, c, KIND_MODEL, message_text(variants[i], "model_name"), field, err) != PL_OK)
            return err->code;
    }
    return PL_OK;
}

enum pl_code apply_plan_check(const struct apply_plan *p, struct client *c, struct pl_err *err)
{
    if (apply_plan_check_refused(p, err) != PL_OK)
        return err->code;
    for (size_t i = 0; i < p->count; i++) {
        const struct apply_step *s = &p->steps[i];
        if (s->action == APPLY_NOTHING)
            continue;
        if (api_validate(c, s->item->kind, s->item->message, err) != PL_OK || check_references(p, c, s, err) != PL_OK)
            return pl_err_prefix(err, "%s:%zu: %s '%s'", s->item->source, s->item->line, s->item->kind->title,
                                 manifest_name(s->item));
    }
    return PL_OK;
}
