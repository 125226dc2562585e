/* Lists of what scaling_change.c writes. */
#include "scaling_change.h"

#include "base/mem.h"
#include "base/text.h"
#include "check.h"
#include "digest.h"
#include "record.h"
#include "store_scaling.h"
#include "token.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TARGETS_MOST       1000
#define RULES_MOST         10000 /* of one answer */
#define ACTIVITIES_DEFAULT 50

/* Messages that are put together; taken by the answer, or freed. */
struct messages {
    void **items;
    size_t count, most;
    const ProtobufCMessageDescriptor *type;
    char *const *names; /* of rules: any of these, none = all */
    size_t name_count;
    int64_t last_id;
    bool more;
    struct pl_err *err;
};

static void messages_done(struct messages *m)
{
    for (size_t i = 0; i < m->count; i++)
        record_free(m->items[i]);
    free(m->items);
}

static bool take(struct messages *m, const void *body, size_t len)
{
    if (m->count == m->most) {
        m->more = true;
        return false;
    }
    void *message = record_unpack(m->type, body, len, m->err);
    if (!message)
        return false;
    m->items = pl_grow(m->items, m->count + 1, sizeof(*m->items));
    m->items[m->count++] = message;
    return true;
}

static bool take_target(void *arg, const struct store_target *t)
{
    return take(arg, t->body, t->body_len);
}

static bool take_rule(void *arg, const struct store_rule *r)
{
    struct messages *m = arg;
    bool wanted = m->name_count == 0;
    for (size_t i = 0; i < m->name_count && !wanted; i++)
        wanted = strcmp(m->names[i], r->name) == 0;
    return !wanted || take(m, r->body, r->body_len);
}

enum pl_code scaling_targets(struct store *s, const char *endpoint, const char *variant,
                             Pilotlight__V1__ListScalingTargetsResponse **out, struct pl_err *err)
{
    pl_cleanup(messages_done) struct messages m = { .most = TARGETS_MOST,
                                                    .type = &pilotlight__v1__scaling_target__descriptor,
                                                    .err = err };
    err->code = PL_OK;
    if (store_targets_list(s, endpoint, variant, take_target, &m, err) != PL_OK || err->code != PL_OK)
        return err->code;
    *out = PL_NEW(Pilotlight__V1__ListScalingTargetsResponse);
    pilotlight__v1__list_scaling_targets_response__init(*out);
    (*out)->n_targets = m.count;
    (*out)->targets = (Pilotlight__V1__ScalingTarget **)pl_take(m.items);
    m.count = 0;
    return PL_OK;
}

static enum pl_code rules(struct store *s, enum store_rule_kind kind, const char *endpoint, const char *variant,
                          struct messages *m, struct pl_err *err)
{
    m->most = RULES_MOST;
    m->err = err;
    err->code = PL_OK;
    if (store_rules_list(s, kind, endpoint, variant, take_rule, m, err) != PL_OK)
        return err->code;
    return err->code;
}

enum pl_code scaling_policies(struct store *s, const char *endpoint, const char *variant, char *const *names,
                              size_t name_count, Pilotlight__V1__ListScalingPoliciesResponse **out, struct pl_err *err)
{
    pl_cleanup(messages_done) struct messages m = { .type = &pilotlight__v1__scaling_policy__descriptor,
                                                    .names = names,
                                                    .name_count = name_count };
    if (rules(s, STORE_POLICY, endpoint, variant, &m, err) != PL_OK)
        return err->code;
    *out = PL_NEW(Pilotlight__V1__ListScalingPoliciesResponse);
    pilotlight__v1__list_scaling_policies_response__init(*out);
    (*out)->n_policies = m.count;
    (*out)->policies = (Pilotlight__V1__ScalingPolicy **)pl_take(m.items);
    m.count = 0;
    return PL_OK;
}

enum pl_code scaling_schedules(struct store *s, const char *endpoint, const char *variant, char *const *names,
                               size_t name_count, Pilotlight__V1__ListScalingSchedulesResponse **out,
                               struct pl_err *err)
{
    pl_cleanup(messages_done) struct messages m = { .type = &pilotlight__v1__scaling_schedule__descriptor,
                                                    .names = names,
                                                    .name_count = name_count };
    if (rules(s, STORE_SCHEDULE, endpoint, variant, &m, err) != PL_OK)
        return err->code;
    *out = PL_NEW(Pilotlight__V1__ListScalingSchedulesResponse);
    pilotlight__v1__list_scaling_schedules_response__init(*out);
    (*out)->n_schedules = m.count;
    (*out)->schedules = (Pilotlight__V1__ScalingSchedule **)pl_take(m.items);
    m.count = 0;
    return PL_OK;
}

/* ---- activities ---- */

static bool take_activity(void *arg, const struct store_activity *a)
{
    struct messages *m = arg;
    if (!take(m, a->body, a->body_len))
        return false;
    m->last_id = a->id;
    return true;
}

enum pl_code scaling_activities(struct store *s, const struct limits *l,
                                const Pilotlight__V1__ListScalingActivitiesRequest *r,
                                Pilotlight__V1__ListScalingActivitiesResponse **out, struct pl_err *err)
{
    uint64_t filters = digest_add(DIGEST_START, r->endpoint_name, strlen(r->endpoint_name) + 1);
    filters = digest_add(filters, r->variant_name, strlen(r->variant_name) + 1);
    pl_cleanup(pl_free_p) char *after = NULL;
    pl_cleanup(messages_done) struct messages m = {
        .most = r->page_size ? (size_t)r->page_size : ACTIVITIES_DEFAULT,
        .type = &pilotlight__v1__scaling_activity__descriptor,
        .err = err,
    };
    int64_t before_id = 0;
    char key[24];
    if ((r->page_size && check_number(l, LIMIT_alarm_page_size, "page_size", r->page_size, err) != PL_OK) ||
        token_read(r->page_token, filters, &after, err) != PL_OK)
        return err->code;
    if (after && !pl_parse_i64(after, 1, INT64_MAX, &before_id))
        return pl_fail(err, PL_INVALID, "page_token", "page_token \"%.80s\" is not from this list", r->page_token);
    err->code = PL_OK;
    if (store_activities_list(s, r->endpoint_name, r->variant_name, before_id, (int64_t)m.most + 1, take_activity, &m,
                              err) != PL_OK ||
        err->code != PL_OK)
        return err->code;
    *out = PL_NEW(Pilotlight__V1__ListScalingActivitiesResponse);
    pilotlight__v1__list_scaling_activities_response__init(*out);
    if (m.more) {
        (void)snprintf(key, sizeof(key), "%lld", (long long)m.last_id);
        (*out)->next_page_token = token_make(filters, key);
    }
    (*out)->n_activities = m.count;
    (*out)->activities = (Pilotlight__V1__ScalingActivity **)pl_take(m.items);
    m.count = 0;
    return PL_OK;
}
