/* How many starts? As many as there are requests that wait, and not one more; the floor may want some too.
 *
 * A request is bound to no start: it takes the first instance that becomes free or ready. So a start that nobody needs
 * any more is not broken off; its instance becomes warm stock.
 *
 * When a start fails it is repeated, the first time at once, then with growing back-off (a round of starts that were
 * under way together counts once). A request that has seen START_ATTEMPTS failures of its share gets the last one's
 * error; when more rounds than that have failed in a row already, one failure is enough. Hosts that are full are no
 * failure: the request waits for another host, or for room, up to capacity_wait, and then gets NO_CAPACITY. */
#include "state.h"

#include "base/cleanup.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define START_ATTEMPTS  3
#define BACKOFF_US      100000
#define BACKOFF_MOST_US 2000000
/* A variant that has not failed for this long begins anew. */
#define FORGIVEN_US 60000000
/* A host that refused is not asked again before; a message about its load or an instance that goes ends it early. */
#define FULL_US 500000
/* As above, for a host whose connection failed: it will be down soon, if it is. */
#define UNREACHABLE_US 200000
#define RETRY_AFTER_MS 1000

/* ---- waiting ---- */

void coldstart_wait(struct core *c, struct core_request *q, bool first_in_line)
{
    struct core_variant *v = q->variant;

    q->instance = NULL;
    if (first_in_line)
        list_push_front(&v->waiting, &q->link);
    else
        list_push_back(&v->waiting, &q->link);
    v->waiting_count++;
    due_by(c, v, q->admitted_us + v->start_timeout_us);
}

void coldstart_fail(struct core *c, struct core_request *q, const struct pl_err *err)
{
    struct core_variant *v = q->variant;

    list_remove(&q->link);
    v->waiting_count--;
    admit_leave(q, true);
    core_act(c, &(struct core_action){ .kind = CORE_FAIL, .request = q, .variant = v, .err = core_keep_err(c, err) });
}

/* ---- starting ---- */

static unsigned missing(const struct core_variant *v, int64_t now_us)
{
    unsigned starting = v->count[CORE_STARTING], alive = core_alive(v);
    unsigned wanted = v->retired ? 0 : warmth_wanted(v, now_us);
    unsigned for_requests = v->waiting_count > starting ? v->waiting_count - starting : 0;
    unsigned for_later = wanted > alive ? wanted - alive : 0;

    return for_requests > for_later ? for_requests : for_later;
}

static int64_t earlier(int64_t a_us, int64_t b_us)
{
    return a_us < b_us ? a_us : b_us;
}

/* When a full host may be asked again. */
static int64_t asked_again_us(const struct core *c, int64_t now_us)
{
    int64_t at_us = CORE_NEVER;

    list_each(it, &c->hosts)
    {
        const struct core_host *h = list_entry(it, struct core_host, link);

        if (h->up && h->full_until_us > now_us)
            at_us = earlier(at_us, h->full_until_us);
    }
    return at_us;
}

/* When this one, waiting for a host, has waited long enough. */
static int64_t starved_us(const struct core *c, const struct core_variant *v, const struct core_request *q)
{
    int64_t since_us = q->admitted_us > v->starving_since_us ? q->admitted_us : v->starving_since_us;

    return since_us + c->settings.capacity_wait_us;
}

/* It lasts until a start succeeds or none is needed: asking a host again does not end it. */
static void starve(struct core *c, struct core_variant *v, int64_t now_us)
{
    const struct core_request *q = list_first(&v->waiting, struct core_request, link);

    if (v->starving_since_us < 0)
        v->starving_since_us = now_us;
    if (list_empty(&v->starving))
        list_push_back(&c->starving, &v->starving);
    due_by(c, v, asked_again_us(c, now_us));
    if (q && v->waiting_count > v->count[CORE_STARTING])
        due_by(c, v, starved_us(c, v, q));
}

void coldstart_balance(struct core *c, struct core_variant *v, int64_t now_us)
{
    unsigned n = missing(v, now_us);

    if (n == 0 && v->waiting_count == 0)
        v->starving_since_us = -1;
    if (n > 0 && now_us < v->start_after_us) {
        due_by(c, v, v->start_after_us);
        return;
    }
    for (; n > 0; n--) {
        struct core_host *h = placement_choose(c, v, now_us);
        struct core_instance *in;

        if (!h) {
            starve(c, v, now_us);
            return;
        }
        in = pool_add(c, v, h, CORE_STARTING, now_us);
        in->asked_us = now_us;
        core_act(c, &(struct core_action){ .kind = CORE_START, .instance = in });
    }
    list_remove(&v->starving);
}

void coldstart_capacity(struct core *c, int64_t now_us)
{
    list_each_safe(it, &c->starving)
    {
        coldstart_balance(c, list_entry(it, struct core_variant, starving), now_us);
    }
}

void coldstart_succeeded(struct core_variant *v)
{
    v->tally->instances_started++;
    v->failed_rounds = 0;
    v->start_after_us = 0;
    v->starving_since_us = -1;
}

/* ---- failing ---- */

/* The caller's words for what a host said. */
static void explain(const struct core_variant *v, const struct pl_err *said, struct pl_err *out)
{
    enum pl_code code = said->code == PL_UNAVAILABLE || said->code == PL_DEADLINE ? said->code : PL_INTERNAL;
    static const char *const kept[] = { "MODEL_NOT_LOADED", "START_TIMEOUT", "ARTIFACT_SOURCE" };
    const char *reason = "START_FAILED";

    for (size_t i = 0; i < PL_COUNT(kept); i++)
        if (strcmp(said->reason, kept[i]) == 0)
            reason = said->reason;
    (void)pl_fail_reason(out, code, reason, NULL, "endpoint \"%s\", variant \"%s\": no instance could be started: %s",
                         v->endpoint->name, v->name, said->message);
}

/* Whoever has seen the fewest failures, the longest waiting first. */
static struct core_request *share_of(struct core_variant *v)
{
    struct core_request *fewest = NULL;

    list_each(it, &v->waiting)
    {
        struct core_request *q = list_entry(it, struct core_request, link);

        if (!fewest || q->start_failures < fewest->start_failures)
            fewest = q;
    }
    return fewest;
}

static void blame(struct core *c, struct core_variant *v, const struct pl_err *said)
{
    struct core_request *q = v->waiting_count > v->count[CORE_STARTING] ? share_of(v) : NULL;
    struct pl_err err;

    if (!q || (++q->start_failures < START_ATTEMPTS && v->failed_rounds <= START_ATTEMPTS && said->code != PL_DEADLINE))
        return;
    explain(v, said, &err);
    coldstart_fail(c, q, &err);
}

static void back_off(struct core_variant *v, int64_t asked_us, int64_t now_us)
{
    int64_t pause_us;

    if (v->failed_rounds > 0 && asked_us < v->round_began_us)
        return;
    if (now_us - v->round_began_us > FORGIVEN_US)
        v->failed_rounds = 0;
    v->failed_rounds++;
    if (v->failed_rounds == 1) {
        pause_us = 0;
    } else {
        unsigned doublings = v->failed_rounds - 2;

        pause_us = doublings < 4 ? (int64_t)BACKOFF_US << doublings : BACKOFF_MOST_US;
    }
    v->start_after_us = now_us + pause_us;
    v->round_began_us = v->start_after_us;
}

/* A status without a reason of a host's is the transport's: the host did not answer, or was never asked. */
static bool is_unreachable(const struct pl_err *err)
{
    static const char *const reasons[] = { "DRAINING", "STALE_EPOCH", "NOT_SENT" };

    if (err->code == PL_CANCELLED || (err->code == PL_UNAVAILABLE && !err->reason[0]))
        return true;
    for (size_t i = 0; i < PL_COUNT(reasons); i++)
        if (strcmp(err->reason, reasons[i]) == 0)
            return true;
    return false;
}

void coldstart_failed(struct core *c, struct core_variant *v, struct core_host *h, int64_t asked_us,
                      const struct pl_err *err, int64_t now_us)
{
    if (err->code == PL_EXHAUSTED) {
        h->full_until_us = now_us + FULL_US;
        (void)snprintf(h->full_why, sizeof(h->full_why), "%.*s", CORE_FULL_WHY_MAX - 1, err->message);
        if (!placement_choose(c, v, now_us))
            (void)warmth_evict(c, h, now_us);
    } else if (is_unreachable(err)) {
        h->full_until_us = now_us + UNREACHABLE_US;
    } else {
        v->tally->instances_failed++;
        back_off(v, asked_us, now_us);
        blame(c, v, err);
    }
}

static void no_capacity(const struct core *c, const struct core_variant *v, struct pl_err *out)
{
    const struct core_host *full = NULL; /* one of those that have said why */
    unsigned up = 0, offered = 0;

    list_each(it, &c->hosts)
    {
        const struct core_host *h = list_entry(it, struct core_host, link);

        up += h->up;
        for (size_t i = 0; h->up && i < h->runtime_count; i++)
            offered += strcmp(h->runtimes[i], v->runtime) == 0;
        if (h->up && h->full_why[0])
            full = h;
    }
    if (up == 0)
        (void)pl_fail_reason(out, PL_UNAVAILABLE, "NO_CAPACITY", NULL,
                             "endpoint \"%s\", variant \"%s\": no worker host is connected", v->endpoint->name,
                             v->name);
    else if (offered == 0)
        (void)pl_fail_reason(out, PL_UNAVAILABLE, "NO_CAPACITY", NULL,
                             "endpoint \"%s\", variant \"%s\": none of the %u worker hosts offers the runtime '%s'",
                             v->endpoint->name, v->name, up, v->runtime);
    else
        (void)pl_fail_reason(
            out, PL_UNAVAILABLE, "NO_CAPACITY", NULL,
            "endpoint \"%s\", variant \"%s\": none of the %u worker hosts can take an instance of %d MB now%s%s",
            v->endpoint->name, v->name, offered, v->memory_mb, full ? ": " : "", full ? full->full_why : "");
    out->retry_after_ms = RETRY_AFTER_MS;
}

void coldstart_expire(struct core *c, struct core_variant *v, int64_t now_us)
{
    struct core_request *q;
    struct pl_err err;

    while ((q = list_first(&v->waiting, struct core_request, link)) && q->admitted_us + v->start_timeout_us <= now_us) {
        (void)pl_fail_reason(
            &err, PL_DEADLINE, "START_TIMEOUT", NULL,
            "endpoint \"%s\", variant \"%s\": no instance was ready within its start_timeout_ms of %lld",
            v->endpoint->name, v->name, (long long)(v->start_timeout_us / 1000));
        coldstart_fail(c, q, &err);
    }
}

void coldstart_expire_starved(struct core *c, struct core_variant *v, int64_t now_us)
{
    struct core_request *q;
    struct pl_err err;

    while (!list_empty(&v->starving) && v->waiting_count > v->count[CORE_STARTING] &&
           (q = list_first(&v->waiting, struct core_request, link)) && starved_us(c, v, q) <= now_us) {
        no_capacity(c, v, &err);
        coldstart_fail(c, q, &err);
    }
}

/* ---- time ---- */

int64_t coldstart_due_us(const struct core *c, const struct core_variant *v, int64_t now_us)
{
    const struct core_request *q = list_first(&v->waiting, struct core_request, link);
    int64_t due_us = q ? q->admitted_us + v->start_timeout_us : CORE_NEVER;

    if (missing(v, now_us) > 0 && v->start_after_us > now_us)
        due_us = earlier(due_us, v->start_after_us);
    if (!list_empty(&v->starving)) {
        due_us = earlier(due_us, asked_again_us(c, now_us));
        if (q && v->waiting_count > v->count[CORE_STARTING])
            due_us = earlier(due_us, starved_us(c, v, q));
    }
    return due_us;
}

void coldstart_forget(struct core_variant *v)
{
    assert(list_empty(&v->waiting));
    list_remove(&v->starving);
}
