/* Pages of alarms and of what happened to them. */
#include "alarm_change.h"

#include "base/mem.h"
#include "base/text.h"
#include "check.h"
#include "digest.h"
#include "metric_key.h"
#include "record.h"
#include "store_alarms.h"
#include "token.h"

#include <stdio.h>
#include <string.h>

#define ALARMS_DEFAULT 50
#define EVENTS_DEFAULT 100

static uint64_t add_text(uint64_t digest, const char *text)
{
    return digest_add(digest, text, strlen(text) + 1);
}

/* ---- alarms ---- */

struct listing {
    const Pilotlight__V1__ListAlarmsRequest *request;
    Pilotlight__V1__ListAlarmsResponse *reply;
    char *key; /* of the metric asked for, NULL = any */
    size_t size;
    bool more;
    struct pl_err *err;
};

static bool starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static bool name_wanted(const Pilotlight__V1__ListAlarmsRequest *r, const char *name)
{
    for (size_t i = 0; i < r->n_names; i++)
        if (strcmp(r->names[i], name) == 0)
            return true;
    return r->n_names == 0 && starts_with(name, r->name_prefix);
}

static bool any_starts_with(char *const *actions, size_t count, const char *prefix)
{
    for (size_t i = 0; i < count; i++)
        if (starts_with(actions[i], prefix))
            return true;
    return false;
}

static bool wanted(const struct listing *l, const Pilotlight__V1__Alarm *a)
{
    const Pilotlight__V1__ListAlarmsRequest *r = l->request;
    if (*r->action_prefix && !any_starts_with(a->ok_actions, a->n_ok_actions, r->action_prefix) &&
        !any_starts_with(a->alarm_actions, a->n_alarm_actions, r->action_prefix) &&
        !any_starts_with(a->insufficient_data_actions, a->n_insufficient_data_actions, r->action_prefix))
        return false;
    if (!r->metric)
        return true;
    pl_cleanup(pl_free_p) char *key = metric_key(a->metric->dimensions, a->metric->n_dimensions);
    return strcmp(a->metric->namespace_, r->metric->namespace_) == 0 && strcmp(a->metric->name, r->metric->name) == 0 &&
           strcmp(key, l->key) == 0;
}

static bool take_alarm(void *arg, const struct store_alarm *row)
{
    struct listing *l = arg;
    if (!name_wanted(l->request, row->name))
        return true;
    pl_cleanup(record_free_p) Pilotlight__V1__Alarm *a =
        record_unpack(&pilotlight__v1__alarm__descriptor, row->body, row->body_len, l->err);
    if (!a)
        return false;
    if (!wanted(l, a))
        return true;
    if (l->reply->n_alarms == l->size) {
        l->more = true;
        return false;
    }
    l->reply->alarms[l->reply->n_alarms++] = pl_take(a);
    return true;
}

static enum pl_code check_list(const struct limits *l, const Pilotlight__V1__ListAlarmsRequest *r, struct pl_err *err)
{
    if (check_count(l, LIMIT_alarm_name_filters, "names", r->n_names, err) != PL_OK ||
        alarm_check_state("state", (int)r->state, true, err) != PL_OK ||
        (r->metric && metric_check(l, "metric", r->metric, err) != PL_OK))
        return err->code;
    return r->page_size ? check_number(l, LIMIT_alarm_page_size, "page_size", r->page_size, err) : PL_OK;
}

static uint64_t filters_of(const Pilotlight__V1__ListAlarmsRequest *r, const char *key)
{
    int32_t state = (int32_t)r->state;
    uint64_t d = add_text(add_text(DIGEST_START, r->name_prefix), r->action_prefix);
    d = digest_add(d, &state, sizeof(state));
    for (size_t i = 0; i < r->n_names; i++)
        d = add_text(d, r->names[i]);
    return r->metric ? add_text(add_text(add_text(d, r->metric->namespace_), r->metric->name), key) : d;
}

enum pl_code alarm_list(struct store *s, const struct limits *l, const Pilotlight__V1__ListAlarmsRequest *r,
                        Pilotlight__V1__ListAlarmsResponse **out, struct pl_err *err)
{
    pl_cleanup(pl_free_p) char *after = NULL, *key = NULL;
    pl_cleanup(record_free_p) Pilotlight__V1__ListAlarmsResponse *reply = NULL;
    if (check_list(l, r, err) != PL_OK)
        return err->code;
    if (r->metric)
        key = metric_key(r->metric->dimensions, r->metric->n_dimensions);
    uint64_t filters = filters_of(r, key);
    if (token_read(r->page_token, filters, &after, err) != PL_OK)
        return err->code;
    reply = PL_NEW(Pilotlight__V1__ListAlarmsResponse);
    pilotlight__v1__list_alarms_response__init(reply);
    struct listing listing = { .request = r,
                               .reply = reply,
                               .key = key,
                               .size = r->page_size ? (size_t)r->page_size : ALARMS_DEFAULT,
                               .err = err };
    reply->alarms = pl_new0(listing.size, sizeof(*reply->alarms));
    err->code = PL_OK;
    if (store_alarms_list(s, after ? after : "", (int)r->state, take_alarm, &listing, err) != PL_OK ||
        err->code != PL_OK)
        return err->code;
    if (listing.more)
        reply->next_page_token = token_make(filters, reply->alarms[reply->n_alarms - 1]->name);
    *out = pl_take(reply);
    return PL_OK;
}

/* ---- history ---- */

struct events {
    Pilotlight__V1__ListAlarmHistoryResponse *reply;
    size_t size;
    int64_t last_id;
    bool more;
};

static void take_event(void *arg, const struct store_alarm_event *e)
{
    struct events *l = arg;
    if (l->reply->n_entries == l->size) {
        l->more = true;
        return;
    }
    Pilotlight__V1__AlarmHistoryEntry *m = PL_NEW(Pilotlight__V1__AlarmHistoryEntry);
    pilotlight__v1__alarm_history_entry__init(m);
    m->alarm_name = pl_strdup(e->alarm);
    m->at_unix_ms = e->at_ms;
    m->event = (Pilotlight__V1__AlarmEvent)e->event;
    m->summary = pl_strdup(e->summary);
    m->data = pl_strdup(e->data);
    l->last_id = e->id;
    l->reply->entries[l->reply->n_entries++] = m;
}

static enum pl_code check_history(const struct limits *l, const Pilotlight__V1__ListAlarmHistoryRequest *r,
                                  struct pl_err *err)
{
    if (*r->alarm_name && alarm_check_name(l, "alarm_name", r->alarm_name, err) != PL_OK)
        return err->code;
    if (!protobuf_c_enum_descriptor_get_value(&pilotlight__v1__alarm_event__descriptor, (int)r->event))
        return pl_fail(err, PL_INVALID, "event", "event is %d: it must be one of AlarmEvent", (int)r->event);
    return r->page_size ? check_number(l, LIMIT_alarm_page_size, "page_size", r->page_size, err) : PL_OK;
}

enum pl_code alarm_history(struct store *s, const struct limits *l, const Pilotlight__V1__ListAlarmHistoryRequest *r,
                           Pilotlight__V1__ListAlarmHistoryResponse **out, struct pl_err *err)
{
    const int64_t numbers[] = { r->event, r->from_unix_ms, r->before_unix_ms, r->oldest_first };
    uint64_t filters = digest_add(add_text(DIGEST_START, r->alarm_name), numbers, sizeof(numbers));
    pl_cleanup(pl_free_p) char *after = NULL;
    pl_cleanup(record_free_p) Pilotlight__V1__ListAlarmHistoryResponse *reply = NULL;
    struct store_alarm_event_query q = {
        .alarm = r->alarm_name,
        .event = (int)r->event,
        .from_ms = r->from_unix_ms,
        .before_ms = r->before_unix_ms ? r->before_unix_ms : INT64_MAX,
        .oldest_first = r->oldest_first,
    };
    char key[24];
    if (check_history(l, r, err) != PL_OK || token_read(r->page_token, filters, &after, err) != PL_OK)
        return err->code;
    if (after && !pl_parse_i64(after, 1, INT64_MAX, &q.after_id))
        return pl_fail(err, PL_INVALID, "page_token", "page_token \"%.80s\" is not from this list", r->page_token);
    reply = PL_NEW(Pilotlight__V1__ListAlarmHistoryResponse);
    pilotlight__v1__list_alarm_history_response__init(reply);
    struct events events = { .reply = reply, .size = r->page_size ? (size_t)r->page_size : EVENTS_DEFAULT };
    q.limit = (int64_t)events.size + 1;
    reply->entries = pl_new0(events.size, sizeof(*reply->entries));
    if (store_alarm_events_list(s, &q, take_event, &events, err) != PL_OK)
        return err->code;
    if (events.more) {
        (void)snprintf(key, sizeof(key), "%lld", (long long)events.last_id);
        reply->next_page_token = token_make(filters, key);
    }
    *out = pl_take(reply);
    return PL_OK;
}
