/* cmd_apply - manifests become resources.
 *
 * Read all manifests, read what is there, decide every step (apply_plan.c), refuse the whole when one step cannot be
 * (apply_check.c); then change in order models, endpoint configs, endpoints; then wait for the endpoints. Whatever
 * failed, applying again goes on from there. */
#include "api.h"
#include "apply_plan.h"
#include "command.h"
#include "endpoint_wait.h"
#include "manifest_load.h"
#include "message.h"

#include "pilotlight/v1/endpoint.pb-c.h"

#include <stdio.h>

struct apply {
    struct client *client;
    bool wait;
    int64_t timeout_ms;
};

/* The old one was deleted for a new one that the server does not take. */
static enum pl_code put_back(const struct apply *ap, const struct apply_step *s, struct pl_err *err)
{
    struct pl_err lost;
    if (api_create(ap->client, s->item->kind, s->live, &lost) == PL_OK)
        return pl_fail_reason(err, err->code, err->reason, err->field, "%s (the old one is there again)", err->message);
    return pl_fail_reason(err, err->code, err->reason, err->field,
                          "%s (the old one is deleted, and could not be put back: %s)", err->message, lost.message);
}

static enum pl_code create_anew(const struct apply *ap, const struct apply_step *s, struct pl_err *err)
{
    const char *name = manifest_name(s->item);
    enum pl_code code = api_delete(ap->client, s->item->kind, name, err);
    /* One that is being deleted refuses a second delete; it is waited for all the same. */
    if (code != PL_OK && code != PL_NOT_FOUND && code != PL_PRECONDITION)
        return code;
    struct endpoint_state state;
    if (s->item->kind->id == KIND_ENDPOINT &&
        endpoint_wait(ap->client, name, ENDPOINT_GONE, ap->timeout_ms, NULL, &state, err) != PL_OK)
        return err->code;
    if (api_create(ap->client, s->item->kind, s->item->message, err) == PL_OK)
        return PL_OK;
    return s->live && s->item->kind->id != KIND_ENDPOINT ? put_back(ap, s, err) : err->code;
}

/* An endpoint that is still busy with its last change settles first: control takes updates only of one that serves. */
static enum pl_code update_endpoint(const struct apply *ap, const struct apply_step *s, struct pl_err *err)
{
    const char *name = manifest_name(s->item);
    struct endpoint_state state;
    if (endpoint_wait(ap->client, name, ENDPOINT_SETTLED, ap->timeout_ms, NULL, &state, err) != PL_OK)
        return err->code;
    if (state.gone || state.status == PILOTLIGHT__V1__ENDPOINT_STATUS__ENDPOINT_STATUS_FAILED)
        return create_anew(ap, s, err);
    if (api_update_endpoint(ap->client, name, message_text(s->item->message, "endpoint_config_name"), err) != PL_OK)
        return err->code;
    return api_set_tags(ap->client, s->item->kind, s->live, s->item->message, err);
}

static enum pl_code apply_step(const struct apply *ap, const struct apply_step *s, struct pl_err *err)
{
    switch (s->action) {
    case APPLY_CREATE:
        return api_create(ap->client, s->item->kind, s->item->message, err);
    case APPLY_TAGS:
        return api_set_tags(ap->client, s->item->kind, s->live, s->item->message, err);
    case APPLY_REPLACE:
    case APPLY_RECREATE:
        return create_anew(ap, s, err);
    case APPLY_UPDATE:
        return update_endpoint(ap, s, err);
    case APPLY_NOTHING:
    case APPLY_REFUSED:
        break;
    }
    return PL_OK;
}

static enum pl_code apply_all(const struct apply *ap, const struct apply_plan *p, struct pl_err *err)
{
    static const char *const done[] = {
        [APPLY_NOTHING] = "unchanged",     [APPLY_CREATE] = "created",       [APPLY_TAGS] = "tags changed",
        [APPLY_REPLACE] = "replaced",      [APPLY_UPDATE] = "being updated", [APPLY_RECREATE] = "created anew",
        [APPLY_REFUSED] = "cannot change",
    };
    for (size_t i = 0; i < p->count; i++) {
        const struct apply_step *s = &p->steps[i];
        const char *name = manifest_name(s->item);
        if (apply_step(ap, s, err) != PL_OK)
            return pl_err_prefix(err, "%s:%zu: %s '%s'", s->item->source, s->item->line, s->item->kind->title, name);
        char mark = s->action == APPLY_NOTHING ? '=' : s->action == APPLY_CREATE ? '+' : '~';
        printf("%c %-14s %s %s\n", mark, s->item->kind->title, name, done[s->action]);
        fflush(stdout);
    }
    return PL_OK;
}

/* All are waited for, also when one fails; the first failure counts. */
static enum ctl_exit wait_all(const struct apply *ap, const struct apply_plan *p)
{
    enum ctl_exit first = EXIT_OK;
    for (size_t i = 0; i < p->count; i++) {
        const struct manifest_item *item = p->steps[i].item;
        if (item->kind->id != KIND_ENDPOINT)
            continue;
        struct endpoint_state state;
        struct pl_err err;
        const char *config = message_text(item->message, "endpoint_config_name"), *name = manifest_name(item);
        enum pl_code code = endpoint_wait(ap->client, name, ENDPOINT_SETTLED, ap->timeout_ms, stdout, &state, &err);
        /* An old reason of an endpoint that nothing was done to is history. */
        if (code == PL_OK && p->steps[i].action == APPLY_NOTHING &&
            state.status == PILOTLIGHT__V1__ENDPOINT_STATUS__ENDPOINT_STATUS_IN_SERVICE)
            *state.reason = '\0';
        if (code == PL_OK)
            code = endpoint_verdict(name, &state, config, &err);
        if (code == PL_OK)
            continue;
        enum ctl_exit failed = exit_report(stderr, &err) == EXIT_UNAVAILABLE ? EXIT_UNAVAILABLE : EXIT_FAILED;
        first = first ? first : failed;
    }
    return first;
}

static void print_dry_run(const struct apply_plan *p)
{
    apply_plan_print(p, stdout);
    size_t same = apply_plan_count(p, APPLY_NOTHING), created = apply_plan_count(p, APPLY_CREATE);
    size_t refused = apply_plan_count(p, APPLY_REFUSED);
    printf("dry run: %zu to create, %zu to change, %zu unchanged", created, p->count - same - created - refused, same);
    if (refused)
        printf(", %zu refused", refused);
    printf("\n");
}

static enum ctl_exit run(const struct apply *ap, const struct manifest *m, bool dry_run, bool replace)
{
    struct apply_plan plan = { 0 };
    struct pl_err err;
    if (apply_plan_make(&plan, ap->client, m, replace, &err) != PL_OK)
        return exit_report(stderr, &err);
    enum ctl_exit code = EXIT_OK;
    if (dry_run)
        print_dry_run(&plan);
    if (apply_plan_check(&plan, ap->client, &err) != PL_OK)
        code = exit_report(stderr, &err);
    else if (!dry_run && apply_all(ap, &plan, &err) != PL_OK)
        code = exit_report(stderr, &err);
    else if (!dry_run && ap->wait)
        code = wait_all(ap, &plan);
    apply_plan_done(&plan);
    return code;
}

enum ctl_exit cmd_apply(const struct args *a)
{
    struct manifest m = { 0 };
    enum ctl_exit code = manifest_load(&m, a, "apply");
    struct apply ap = { .wait = !args_flag(a, "no-wait"), .timeout_ms = args_number(a, "timeout") };
    if (code == EXIT_OK && !(ap.client = client_open(a)))
        code = EXIT_USAGE;
    if (code == EXIT_OK)
        code = run(&ap, &m, args_flag(a, "dry-run"), args_flag(a, "replace"));
    client_free(ap.client);
    manifest_done(&m);
    return code;
}
