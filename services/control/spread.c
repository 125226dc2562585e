#include "spread.h"

#include "base/mem.h"
#include "base/time.h"
#include "hosts.h"
#include "log/log.h"
#include "loop/loop.h"
#include "record.h"
#include "rpc/client.h"
#include "store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#define SOON_MS      20
#define SHARE        10 /* looking takes at most one part in so many of the time, however many endpoints there are */
#define RETRY_MS     30000
#define RETRY_MAX_MS 3600000
#define TIMEOUT_MS   900000
/* Of all hosts together: what is loaded ahead shall not starve what is called now. */
#define CALLS_MAX 8
#define KEY_SIZE  320

/* Lives until its answer, also when nobody waits for it any more. */
struct teaching {
    struct rpc_request *request;
    struct lesson *lesson; /* NULL: nobody */
};

/* A host, in one of its lives, and a model. */
struct lesson {
    UT_hash_handle hh;
    char key[KEY_SIZE];
    char host[STORE_NAME_SIZE];
    char endpoint[STORE_NAME_SIZE], variant[STORE_NAME_SIZE]; /* for whom it was learned first: for logs */
    struct spread *spread;
    struct teaching *call; /* NULL: none is running */
    bool learned;
    int64_t next_ms; /* not before */
    int64_t pause_ms;
    unsigned walk; /* the last one that wanted it */
};

struct spread {
    struct loop *loop;
    struct store *store;
    const struct limits *limits;
    struct hosts *hosts;
    struct lesson *lessons;
    struct loop_timer look;
    unsigned walk, calls;
    struct lesson *running[CALLS_MAX]; /* those with a call */
    int64_t wake_ms;                   /* of this walk: when the next lesson is due */
    int64_t rested_ms;                 /* not before */
    int64_t known_epoch;               /* the life of the only host in which it has nothing to learn; 0: none */
};

static void look_at(struct spread *s, int64_t at_ms)
{
    at_ms = at_ms > s->rested_ms ? at_ms : s->rested_ms;
    if (s->look.slot == 0 || at_ms < s->look.at_ms)
        loop_timer_set(s->loop, &s->look, at_ms);
}

/* ---- lessons ---- */

static void call_started(struct lesson *lesson, struct teaching *call)
{
    lesson->call = call;
    lesson->spread->running[lesson->spread->calls++] = lesson;
}

static void call_ended(struct lesson *lesson)
{
    struct spread *s = lesson->spread;
    size_t i = 0;
    while (s->running[i] != lesson)
        i++;
    s->running[i] = s->running[--s->calls];
    lesson->call = NULL;
}

static struct lesson *lesson_of(struct spread *s, const Pilotlight__Internal__V1__WorkerHost *host, const char *sha256,
                                const char *code_sha256, const char *runtime)
{
    char key[KEY_SIZE];
    struct lesson *lesson;
    (void)snprintf(key, sizeof(key), "%s %lld %s %s %s", host->id, (long long)hosts_epoch(s->hosts, host->id), sha256,
                   code_sha256, runtime);
    HASH_FIND_STR(s->lessons, key, lesson);
    if (lesson)
        return lesson;
    lesson = PL_NEW(struct lesson);
    memcpy(lesson->key, key, sizeof(key));
    (void)snprintf(lesson->host, sizeof(lesson->host), "%s", host->id);
    lesson->spread = s;
    lesson->pause_ms = RETRY_MS;
    HASH_ADD_STR(s->lessons, key, lesson);
    return lesson;
}

static void forget(struct lesson *lesson)
{
    HASH_DEL(lesson->spread->lessons, lesson);
    free(lesson);
}

static void judge(struct lesson *lesson, const struct pl_err *status)
{
    lesson->learned = status->code == PL_OK;
    if (lesson->learned) {
        log_info("model_learned", LOG_STR("host", lesson->host), LOG_STR("endpoint", lesson->endpoint),
                 LOG_STR("variant", lesson->variant));
        return;
    }
    log_warn("model_not_learned", LOG_STR("host", lesson->host), LOG_STR("endpoint", lesson->endpoint),
             LOG_STR("variant", lesson->variant), LOG_CODE(status), LOG_ERR(status));
    lesson->next_ms = pl_now_ms() + lesson->pause_ms;
    lesson->pause_ms = lesson->pause_ms * 2 < RETRY_MAX_MS ? lesson->pause_ms * 2 : RETRY_MAX_MS;
}

static void answered(void *arg, const struct pl_err *status, const void *message, struct rpc_bytes *bytes)
{
    struct teaching *t = arg;
    struct lesson *lesson = t->lesson;
    (void)message;
    (void)bytes;
    free(t);
    if (!lesson)
        return;
    call_ended(lesson);
    judge(lesson, status);
    look_at(lesson->spread, pl_now_ms());
}

static void teach(struct lesson *lesson, const char *endpoint, const Pilotlight__Internal__V1__VariantSpec *spec)
{
    struct spread *s = lesson->spread;
    Pilotlight__Internal__V1__PrepareModelRequest request = PILOTLIGHT__INTERNAL__V1__PREPARE_MODEL_REQUEST__INIT;
    request.spec = (Pilotlight__Internal__V1__VariantSpec *)(uintptr_t)spec;
    (void)snprintf(lesson->endpoint, sizeof(lesson->endpoint), "%s", endpoint);
    (void)snprintf(lesson->variant, sizeof(lesson->variant), "%s", spec->variant_name);
    call_started(lesson, PL_NEW(struct teaching));
    lesson->call->lesson = lesson;
    lesson->call->request = rpc_send(hosts_channel(s->hosts, lesson->host),
                                     &(struct rpc_send){
                                         .path = "/pilotlight.internal.v1.WorkerService/PrepareModel",
                                         .message = &request.base,
                                         .reply = &pilotlight__internal__v1__prepare_model_response__descriptor,
                                         .timeout_ms = TIMEOUT_MS,
                                         .done = answered,
                                         .arg = lesson->call,
                                     });
}

/* ---- looking ---- */

static bool is_busy(const struct spread *s, const char *host)
{
    for (unsigned i = 0; i < s->calls; i++)
        if (strcmp(s->running[i]->host, host) == 0)
            return true;
    return false;
}

static void look_at_host(struct spread *s, const Pilotlight__Internal__V1__WorkerHost *host, const char *endpoint,
                         const Pilotlight__Internal__V1__VariantSpec *spec)
{
    struct lesson *lesson;
    if (!hosts_offers(host, spec->runtime))
        return;
    lesson = lesson_of(s, host, spec->artifact_sha256, spec->code_sha256, spec->runtime);
    lesson->walk = s->walk;
    if (lesson->learned || lesson->call)
        return;
    if (lesson->next_ms > pl_now_ms()) {
        s->wake_ms = lesson->next_ms < s->wake_ms ? lesson->next_ms : s->wake_ms;
        return;
    }
    if (s->calls < CALLS_MAX && !is_busy(s, host->id)) /* else the end of a call brings us here again */
        teach(lesson, endpoint, spec);
}

static void look_at_generation(struct spread *s, const char *endpoint,
                               const Pilotlight__Internal__V1__EndpointGeneration *g)
{
    size_t count;
    pl_cleanup(pl_free_p) Pilotlight__Internal__V1__WorkerHost **list = hosts_list(s->hosts, &count);
    for (size_t i = 0; i < g->n_variants; i++) {
        Pilotlight__Internal__V1__VariantSpec spec;
        record_spec(s->limits, endpoint, g, i, &spec);
        for (size_t j = 0; spec.artifact_sha256[0] && j < count; j++)
            look_at_host(s, list[j], endpoint, &spec);
    }
}

static bool look_at_endpoint(void *arg, const struct store_row *row)
{
    struct spread *s = arg;
    struct pl_err err;
    pl_cleanup(record_free_p) Pilotlight__Internal__V1__EndpointRecord *r = record_endpoint(row, &err);
    if (r && r->serving && row->status != PILOTLIGHT__V1__ENDPOINT_STATUS__ENDPOINT_STATUS_DELETING)
        look_at_generation(s, row->name, r->serving);
    return true;
}

/* Of hosts that have gone, or been started again, and of endpoints that have. */
static void forget_unwanted(struct spread *s)
{
    struct lesson *lesson, *next;
    HASH_ITER(hh, s->lessons, lesson, next)
    {
        if (lesson->walk != s->walk && !lesson->call)
            forget(lesson);
    }
}

/* The epoch of the only host; 0: there are none, or more. */
static int64_t only_host(const struct spread *s)
{
    size_t count;
    pl_cleanup(pl_free_p) Pilotlight__Internal__V1__WorkerHost **list = hosts_list(s->hosts, &count);
    return count == 1 ? hosts_epoch(s->hosts, list[0]->id) : 0;
}

/* Whatever comes to a host that is alone is proven on it: only what was there before it began is news to it. */
static bool has_pupils(const struct spread *s)
{
    return s->lessons || hosts_count(s->hosts) > 1 || only_host(s) != s->known_epoch;
}

static bool all_learned(const struct spread *s)
{
    struct lesson *lesson, *next;
    HASH_ITER(hh, s->lessons, lesson, next)
    {
        if (!lesson->learned)
            return false;
    }
    return true;
}

/* Whoever is alone and knows everything needs no list of it. */
static void close_book(struct spread *s)
{
    struct lesson *lesson, *next;
    s->known_epoch = all_learned(s) ? only_host(s) : 0;
    if (s->known_epoch == 0)
        return;
    HASH_ITER(hh, s->lessons, lesson, next)
    forget(lesson);
}

static void look(struct loop_timer *t)
{
    struct spread *s = PL_CONTAINER(t, struct spread, look);
    const struct store_query all = {
        .kind = STORE_ENDPOINT, .sort = STORE_BY_NAME, .name_contains = "", .after_name = "", .limit = INT64_MAX
    };
    struct pl_err err;
    int64_t began_ms = pl_now_ms();
    s->walk++;
    s->wake_ms = INT64_MAX;
    if (has_pupils(s)) {
        if (store_list(s->store, &all, look_at_endpoint, s, &err) != PL_OK) {
            log_warn("spread_cannot_read", LOG_CODE(&err), LOG_ERR(&err));
            s->wake_ms = pl_now_ms() + RETRY_MS;
        } else {
            forget_unwanted(s);
            close_book(s);
        }
    }
    int64_t now_ms = pl_now_ms();
    s->rested_ms = now_ms + (now_ms - began_ms) * (SHARE - 1);
    if (s->wake_ms != INT64_MAX)
        look_at(s, s->wake_ms);
}

/* ---- door ---- */

void spread_changed(struct spread *s)
{
    /* A host that has just come begins with what there is now. */
    look_at(s, pl_now_ms() + (only_host(s) == s->known_epoch ? SOON_MS : 0));
}

struct spread *spread_new(struct loop *loop, struct store *store, const struct limits *l, struct hosts *h)
{
    struct spread *s = PL_NEW(struct spread);
    s->loop = loop;
    s->store = store;
    s->limits = l;
    s->hosts = h;
    s->look.fire = look;
    return s;
}

void spread_free(struct spread *s)
{
    struct lesson *lesson, *next;
    if (!s)
        return;
    loop_timer_clear(s->loop, &s->look);
    HASH_ITER(hh, s->lessons, lesson, next)
    {
        if (lesson->call) {
            lesson->call->lesson = NULL;
            rpc_cancel(lesson->call->request);
        }
        forget(lesson);
    }
    free(s);
}
