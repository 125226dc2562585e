#include "desired.h"

#include "act.h"
#include "base/mem.h"
#include "base/time.h"
#include "hosts.h"
#include "log/log.h"
#include "message.h"
#include "served.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DATABASE_ID_SIZE  128
#define TEMPLATE_VARIABLE "PILOTLIGHT_SNAPSHOT"

struct entry {
    UT_hash_handle hh;
    struct served *served;
    unsigned snapshot; /* the last one that it was in */
};

struct desired {
    struct act *act;
    struct hosts *hosts;
    struct usage *usage;
    struct entry *endpoints;
    bool known;
    unsigned snapshots; /* applied so far */
    int64_t version;
    char database_id[DATABASE_ID_SIZE];
};

/* ---- endpoints ---- */

static void forget_variant(void *arg, const struct core_action *a)
{
    (void)arg;
    served_variant_forget(a->user);
}

static struct entry *find(const struct desired *d, const char *name)
{
    struct entry *e;

    HASH_FIND_STR(d->endpoints, name, e);
    return e;
}

static bool asks_for_template(const Pilotlight__Internal__V1__ServedEndpoint *m)
{
    for (size_t i = 0; i < m->n_variants; i++)
        for (size_t k = 0; k < m->variants[i]->spec->n_environment; k++)
            if (strcmp(m->variants[i]->spec->environment[k]->key, TEMPLATE_VARIABLE) == 0)
                return true;
    return false;
}

/* Only templates are kept by hosts when no instance is left. */
static void release(struct desired *d, const struct entry *e, int64_t before_generation)
{
    const Pilotlight__Internal__V1__ServedEndpoint *m = e->served->message;

    if (asks_for_template(m))
        hosts_release(d->hosts, m->name, before_generation);
}

static void drop(struct desired *d, struct entry *e)
{
    HASH_DEL(d->endpoints, e);
    served_unref(e->served);
    free(e);
}

/* FNV-1a. Equal digests, equal artifacts; a variant that is not pinned shares with none. */
static uint64_t artifact_number(const Pilotlight__Internal__V1__VariantSpec *s)
{
    const char *text = *s->artifact_sha256 ? s->artifact_sha256 : s->artifact_uri;
    uint64_t n = UINT64_C(0xcbf29ce484222325);

    for (; *text; text++)
        n = (n ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    return n;
}

static unsigned not_negative(int32_t n)
{
    return n > 0 ? (unsigned)n : 0;
}

static struct core_variant_spec variant_spec(struct served_variant *v)
{
    const Pilotlight__Internal__V1__ServedVariant *m = v->message;

    return (struct core_variant_spec){ .name = m->spec->variant_name,
                                       .runtime = m->spec->runtime,
                                       .max_concurrency = not_negative(m->max_concurrency),
                                       .provisioned = not_negative(m->provisioned_concurrency),
                                       .weight = m->weight,
                                       .keep_alive_us = m->keep_alive_ms < 0 ? -1 : m->keep_alive_ms * 1000,
                                       .start_timeout_us = (int64_t)m->spec->start_timeout_ms * 1000,
                                       .memory_mb = m->spec->memory_size_mb,
                                       .artifact = artifact_number(m->spec),
                                       .user = v };
}

static void set_endpoint(struct desired *d, const Pilotlight__Internal__V1__ServedEndpoint *m)
{
    struct entry *e = find(d, m->name);
    struct core_variant_spec *variants;

    if (e && e->served->message->generation == m->generation)
        return;
    if (e) {
        release(d, e, m->generation);
        drop(d, e);
    }
    e = PL_NEW(struct entry);
    e->served = served_new(m, d->usage);
    HASH_ADD_KEYPTR(hh, d->endpoints, e->served->message->name, strlen(m->name), e);
    variants = pl_new0(m->n_variants + 1, sizeof(*variants));
    for (size_t i = 0; i < m->n_variants; i++)
        variants[i] = variant_spec(&e->served->variants[i]);
    log_info("endpoint_served", LOG_STR("endpoint", m->name), LOG_INT("generation", m->generation),
             LOG_UINT("variants", m->n_variants));
    core_endpoint_set(
        act_core(d->act),
        &(struct core_endpoint_spec){
            .name = m->name, .generation = m->generation, .variants = variants, .variant_count = m->n_variants },
        pl_now_us());
    free(variants);
}

static void remove_endpoint(struct desired *d, const char *name)
{
    struct entry *e = find(d, name);

    if (!e)
        return;
    log_info("endpoint_removed", LOG_STR("endpoint", name));
    core_endpoint_remove(act_core(d->act), name, pl_now_us());
    release(d, e, INT64_MAX);
    drop(d, e);
}

/* ---- messages ---- */

/* What is not in it has gone. */
static void apply_snapshot(struct desired *d, const Pilotlight__Internal__V1__WatchSnapshot *s)
{
    struct entry *e, *next;

    d->snapshots++;
    for (size_t i = 0; i < s->n_endpoints; i++)
        if ((e = find(d, s->endpoints[i]->name)))
            e->snapshot = d->snapshots;
    HASH_ITER(hh, d->endpoints, e, next)
    {
        if (e->snapshot != d->snapshots) {
            core_endpoint_remove(act_core(d->act), e->served->message->name, pl_now_us());
            release(d, e, INT64_MAX);
            drop(d, e);
        }
    }
    for (size_t i = 0; i < s->n_endpoints; i++)
        set_endpoint(d, s->endpoints[i]);
    hosts_keep(d->hosts, s->hosts, s->n_hosts);
    for (size_t i = 0; i < s->n_hosts; i++)
        hosts_set(d->hosts, s->hosts[i]);
}

void desired_apply(struct desired *d, const Pilotlight__Internal__V1__WatchResponse *m)
{
    switch (m->event_case) {
    case PILOTLIGHT__INTERNAL__V1__WATCH_RESPONSE__EVENT_SNAPSHOT:
        apply_snapshot(d, m->snapshot);
        d->known = true;
        break;
    case PILOTLIGHT__INTERNAL__V1__WATCH_RESPONSE__EVENT_ENDPOINT:
        set_endpoint(d, m->endpoint);
        break;
    case PILOTLIGHT__INTERNAL__V1__WATCH_RESPONSE__EVENT_ENDPOINT_REMOVED:
        remove_endpoint(d, m->endpoint_removed);
        break;
    case PILOTLIGHT__INTERNAL__V1__WATCH_RESPONSE__EVENT_HOST:
        hosts_set(d->hosts, m->host);
        break;
    case PILOTLIGHT__INTERNAL__V1__WATCH_RESPONSE__EVENT_HOST_REMOVED:
        hosts_remove(d->hosts, m->host_removed);
        break;
    default:
        break;
    }
    d->version = m->version;
    (void)snprintf(d->database_id, sizeof(d->database_id), "%s", m->database_id);
    act_flush(d->act);
}

void *desired_pack(const struct desired *d, size_t *out_len)
{
    Pilotlight__Internal__V1__WatchResponse m = PILOTLIGHT__INTERNAL__V1__WATCH_RESPONSE__INIT;
    Pilotlight__Internal__V1__WatchSnapshot s = PILOTLIGHT__INTERNAL__V1__WATCH_SNAPSHOT__INIT;
    struct entry *e, *next;
    void *bytes;

    s.endpoints = pl_new0(HASH_COUNT(d->endpoints) + 1, sizeof(Pilotlight__Internal__V1__ServedEndpoint *));
    HASH_ITER(hh, d->endpoints, e, next)
    {
        s.endpoints[s.n_endpoints++] = e->served->message;
    }
    s.hosts = hosts_list(d->hosts, &s.n_hosts);
    m.version = d->version;
    m.database_id = (char *)(uintptr_t)d->database_id;
    m.event_case = PILOTLIGHT__INTERNAL__V1__WATCH_RESPONSE__EVENT_SNAPSHOT;
    m.snapshot = &s;
    bytes = message_pack(&m.base, out_len);
    free(s.endpoints);
    free(s.hosts);
    return bytes;
}

/* ---- life ---- */

struct desired *desired_new(struct act *a, struct hosts *h, struct usage *u)
{
    struct desired *d = PL_NEW(struct desired);

    d->act = a;
    d->hosts = h;
    d->usage = u;
    act_hand(a, CORE_FORGET_VARIANT, forget_variant, d);
    return d;
}

static void forget_all(struct list *variants)
{
    list_each(it, variants)
    {
        served_variant_forget(list_entry(it, struct core_variant, link)->user);
    }
}

/* What the core still serves it will not give back any more: it goes next. */
void desired_free(struct desired *d)
{
    struct entry *e, *next;

    if (!d)
        return;
    for (struct core_endpoint *c = core_endpoints(act_core(d->act)); c; c = c->hh.next) {
        forget_all(&c->variants);
        forget_all(&c->retired);
    }
    HASH_ITER(hh, d->endpoints, e, next)
    {
        drop(d, e);
    }
    free(d);
}

bool desired_known(const struct desired *d)
{
    return d->known;
}

int64_t desired_version(const struct desired *d)
{
    return d->version;
}

const char *desired_database_id(const struct desired *d)
{
    return d->database_id;
}

const Pilotlight__Internal__V1__ServedEndpoint *desired_endpoint(const struct desired *d, const char *name)
{
    struct entry *e = find(d, name);

    return e ? e->served->message : NULL;
}
