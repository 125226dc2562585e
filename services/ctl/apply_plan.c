#include "apply_plan.h"

#include "api.h"
#include "base/mem.h"
#include "message.h"

#include "pilotlight/v1/endpoint.pb-c.h"

#include <stdlib.h>
#include <string.h>

/* A step of this plan that replaces the resource of that kind and name. */
static bool is_replaced(const struct apply_plan *p, enum kind_id kind, const char *name)
{
    for (size_t i = 0; i < p->count; i++) {
        const struct apply_step *s = &p->steps[i];
        if (s->action == APPLY_REPLACE && s->item->kind->id == kind && !strcmp(manifest_name(s->item), name))
            return true;
    }
    return false;
}

static const struct apply_step *find_config(const struct apply_plan *p, const char *name)
{
    for (size_t i = 0; i < p->count; i++) {
        const struct apply_step *s = &p->steps[i];
        if (s->item->kind->id == KIND_ENDPOINT_CONFIG && !strcmp(manifest_name(s->item), name))
            return s;
    }
    return NULL;
}

static bool uses_replaced(const struct apply_plan *p, const ProtobufCMessage *endpoint)
{
    const char *config = message_text(endpoint, "endpoint_config_name");
    if (is_replaced(p, KIND_ENDPOINT_CONFIG, config))
        return true;
    const struct apply_step *s = find_config(p, config);
    ProtobufCMessage *const *variants;
    size_t count = s ? message_list(s->item->message, "variants", &variants) : 0;
    for (size_t i = 0; i < count; i++) {
        if (is_replaced(p, KIND_MODEL, message_text(variants[i], "model_name")))
            return true;
    }
    return false;
}

static enum apply_action decide_endpoint(const struct apply_step *s)
{
    const Pilotlight__V1__Endpoint *live = (const void *)s->live;
    size_t config_changes = 0;
    for (size_t i = 0; i < s->diff.count; i++)
        config_changes += !strcmp(s->diff.changes[i].path, "endpoint_config_name");
    if (live->status == PILOTLIGHT__V1__ENDPOINT_STATUS__ENDPOINT_STATUS_FAILED ||
        live->status == PILOTLIGHT__V1__ENDPOINT_STATUS__ENDPOINT_STATUS_DELETING)
        return APPLY_RECREATE;
    if (diff_count_spec(&s->diff) > config_changes)
        return APPLY_REFUSED; /* annotations: there is no call that changes them */
    if (config_changes || s->renewed)
        return APPLY_UPDATE;
    return s->diff.count ? APPLY_TAGS : APPLY_NOTHING;
}

static enum apply_action decide(const struct apply_step *s, bool replace)
{
    if (!s->live)
        return APPLY_CREATE;
    if (s->item->kind->id == KIND_ENDPOINT)
        return decide_endpoint(s);
    if (diff_count_spec(&s->diff))
        return replace ? APPLY_REPLACE : APPLY_REFUSED;
    return s->diff.count ? APPLY_TAGS : APPLY_NOTHING;
}

/* Steps are in the order of application, so what an endpoint uses is decided before it. */
void apply_plan_decide(struct apply_plan *p, bool replace)
{
    for (size_t i = 0; i < p->count; i++) {
        struct apply_step *s = &p->steps[i];
        if (s->live)
            diff_resources(s->item->kind, s->live, s->item->message, &s->diff);
        if (s->item->kind->id == KIND_ENDPOINT)
            s->renewed = uses_replaced(p, s->item->message);
        s->action = decide(s, replace);
    }
}

enum pl_code apply_plan_make(struct apply_plan *out, struct client *c, const struct manifest *m, bool replace,
                             struct pl_err *err)
{
    struct apply_plan p = { .steps = pl_new0(m->count, sizeof(*p.steps)), .count = m->count };
    for (size_t i = 0; i < m->count; i++) {
        struct apply_step *s = &p.steps[i];
        s->item = &m->items[i];
        enum pl_code code = api_get(c, s->item->kind, manifest_name(s->item), &s->live, err);
        if (code != PL_OK && code != PL_NOT_FOUND) {
            apply_plan_done(&p);
            if (code == PL_INVALID) /* the name: it is in the manifest */
                (void)pl_err_prefix(err, "%s:%zu: %s", m->items[i].source, m->items[i].line, m->items[i].kind->title);
            return code;
        }
    }
    apply_plan_decide(&p, replace);
    *out = p;
    return PL_OK;
}

void apply_plan_done(struct apply_plan *p)
{
    for (size_t i = 0; i < p->count; i++) {
        message_free(p->steps[i].live);
        diff_done(&p->steps[i].diff);
    }
    free(p->steps);
    *p = (struct apply_plan){ 0 };
}

size_t apply_plan_count(const struct apply_plan *p, enum apply_action action)
{
    size_t count = 0;
    for (size_t i = 0; i < p->count; i++)
        count += p->steps[i].action == action;
    return count;
}

void apply_plan_print(const struct apply_plan *p, FILE *out)
{
    static const struct {
        char mark;
        const char *note;
    } shown[] = {
        [APPLY_NOTHING] = { '=', "" },
        [APPLY_CREATE] = { '+', "" },
        [APPLY_TAGS] = { '~', "" },
        [APPLY_REPLACE] = { '~', "  (deleted and created again)" },
        [APPLY_UPDATE] = { '~', "" },
        [APPLY_RECREATE] = { '~', "  (failed or being deleted: created anew)" },
        [APPLY_REFUSED] = { '!', "  (cannot change)" },
    };
    for (size_t i = 0; i < p->count; i++) {
        const struct apply_step *s = &p->steps[i];
        bool same_config = s->action == APPLY_UPDATE && s->renewed && !diff_count_spec(&s->diff);
        fprintf(out, "%c %-14s %s%s\n", shown[s->action].mark, s->item->kind->title, manifest_name(s->item),
                same_config ? "  (what it uses is replaced)" : shown[s->action].note);
        for (size_t k = 0; k < s->diff.count; k++) {
            const struct diff_change *c = &s->diff.changes[k];
            fprintf(out, "    %s: %s -> %s\n", c->path, c->old_value ? c->old_value : "(none)",
                    c->new_value ? c->new_value : "(none)");
        }
    }
}

enum pl_code apply_plan_check_refused(const struct apply_plan *p, struct pl_err *err)
{
    for (size_t i = 0; i < p->count; i++) {
        const struct apply_step *s = &p->steps[i];
        if (s->action != APPLY_REFUSED)
            continue;
        const struct diff_change *c = &s->diff.changes[0];
        for (size_t k = 0; k < s->diff.count && diff_is_tag(c); k++)
            c = &s->diff.changes[k];
        const char *name = manifest_name(s->item), *title = s->item->kind->title;
        const char *old_value = c->old_value ? c->old_value : "(none)",
                   *new_value = c->new_value ? c->new_value : "(none)";
        if (s->item->kind->id == KIND_ENDPOINT)
            return pl_fail(err, PL_PRECONDITION, c->path,
                           "%s '%s' exists and its annotations cannot change (%s: %s -> %s); delete it first, or leave "
                           "them as they "
                           "are",
                           title, name, c->path, old_value, new_value);
        return pl_fail(
            err, PL_PRECONDITION, c->path,
            "%s '%s' exists with another spec, and it never changes once created (%s: %s -> %s). Give the new one "
            "another name ('%s-2') and let what uses it name that; or repeat with --replace to delete it and create it "
            "again",
            title, name, c->path, old_value, new_value, name);
    }
    return PL_OK;
}
