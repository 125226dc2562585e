#include "operation.h"

#include "base/mem.h"
#include "log/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Pauses between attempts: doubling, so that a dead artifact source is not hammered. */
#define BACKOFF_FIRST_MS 250
#define BACKOFF_MOST_MS  10000

struct operation *operation_new(const char *name, enum operation_phase phase, int64_t deadline_ms)
{
    struct operation *op = PL_NEW(struct operation);
    (void)snprintf(op->name, sizeof(op->name), "%s", name);
    op->phase = phase;
    op->deadline_ms = deadline_ms;
    return op;
}

static void cancel_calls(struct lifecycle *l, struct operation *op)
{
    for (size_t i = 0; op->generation && i < op->generation->n_variants; i++) {
        struct preparation *p = &op->preparations[i];
        if (!p->call)
            continue;
        l->ports.cancel(l->ports.arg, pl_take(p->call));
        l->running--;
    }
}

void operation_free(struct lifecycle *l, struct operation *op)
{
    cancel_calls(l, op);
    record_free(op->generation);
    free(op->preparations);
    free(op);
}

void operation_set_generation(struct lifecycle *l, struct operation *op,
                              const Pilotlight__Internal__V1__EndpointGeneration *g)
{
    op->generation = record_copy(&g->base);
    op->preparations = pl_new0(g->n_variants ? g->n_variants : 1, sizeof(*op->preparations));
    for (size_t i = 0; i < g->n_variants; i++)
        op->preparations[i] = (struct preparation){ .lifecycle = l, .operation = op, .variant = i };
}

static const Pilotlight__Internal__V1__VariantRecord *variant_of(const struct preparation *p)
{
    return p->operation->generation->variants[p->variant];
}

/* Cut at the size of a reason, on a character. */
static void about(const struct preparation *p, const char *why, struct pl_err *out)
{
    const Pilotlight__Internal__V1__VariantRecord *v = variant_of(p);
    (void)pl_fail(out, PL_PRECONDITION, NULL, "variant \"%s\", model \"%s\": %s", v->variant->variant->name,
                  v->model->name, why);
}

/* Ends the proving: the first reason counts. */
static void fail(struct lifecycle *l, struct preparation *p, const char *why)
{
    struct operation *op = p->operation;
    struct pl_err text;
    about(p, why, &text);
    (void)snprintf(op->failure, sizeof(op->failure), "%s", text.message);
    op->phase = OPERATION_FAIL;
    cancel_calls(l, op);
}

/* What another attempt, or another host, may cure. All else is about the model. */
static bool passes_by(enum pl_code code)
{
    return code == PL_UNAVAILABLE || code == PL_EXHAUSTED || code == PL_DEADLINE || code == PL_CANCELLED ||
           code == PL_ABORTED;
}

static int64_t backoff_ms(unsigned attempts)
{
    int64_t ms = BACKOFF_FIRST_MS;
    for (; attempts > 1 && ms < BACKOFF_MOST_MS; attempts--)
        ms *= 2;
    return ms < BACKOFF_MOST_MS ? ms : BACKOFF_MOST_MS;
}

static bool is_sha256(const char *s)
{
    return strlen(s) == 64 && strspn(s, "0123456789abcdef") == 64;
}

static void pin(struct lifecycle *l, struct preparation *p, const Pilotlight__Internal__V1__PrepareModelResponse *reply)
{
    Pilotlight__Internal__V1__VariantRecord *v = p->operation->generation->variants[p->variant];
    if (!is_sha256(reply->artifact_sha256)) {
        fail(l, p, "the worker host answered without the artifact's digest");
        return;
    }
    if (*v->model->artifact_sha256 && strcmp(v->model->artifact_sha256, reply->artifact_sha256) != 0) {
        fail(l, p, "the worker host prepared an artifact with another digest than the model's artifact_sha256");
        return;
    }
    if (*reply->code_sha256 && !is_sha256(reply->code_sha256)) {
        fail(l, p, "the worker host answered without the code's digest");
        return;
    }
    record_pin(v, reply);
    p->proven = true;
    log_info("model_proven", LOG_STR("endpoint", p->operation->name), LOG_STR("variant", v->variant->variant->name),
             LOG_STR("host", p->host), LOG_STR("sha256", reply->artifact_sha256));
}

static void prepared(void *arg, const struct pl_err *status,
                     const Pilotlight__Internal__V1__PrepareModelResponse *reply)
{
    struct preparation *p = arg;
    struct lifecycle *l = p->lifecycle;
    int64_t now = l->ports.now_ms(l->ports.arg);
    p->call = NULL;
    l->running--;
    if (status->code == PL_OK) {
        pin(l, p, reply);
    } else if (passes_by(status->code)) {
        p->last = *status;
        p->next_ms = now + backoff_ms(p->attempts);
        log_warn("model_not_proven", LOG_STR("endpoint", p->operation->name), LOG_STR("host", p->host),
                 LOG_CODE(status), LOG_ERR(status), LOG_INT("attempt", p->attempts));
    } else {
        fail(l, p, status->message);
    }
    lifecycle_tick(l); /* the next step of this one, and room for others */
}

static void start(struct lifecycle *l, struct preparation *p, int64_t now)
{
    struct operation *op = p->operation;
    Pilotlight__Internal__V1__VariantSpec spec;
    char avoid[LIFECYCLE_HOST_SIZE];
    memcpy(avoid, p->host, sizeof(avoid));
    record_spec(l->limits, op->name, op->generation, p->variant, &spec);
    p->call = l->ports.prepare(l->ports.arg, &spec, avoid, op->deadline_ms - now, prepared, p, p->host);
    if (p->call) {
        l->running++;
        p->attempts++;
    } else {
        p->next_ms = INT64_MAX;
    }
}

static void fail_late(struct lifecycle *l, struct preparation *p)
{
    const Pilotlight__V1__Model *m = variant_of(p)->model;
    int waited_s = (int)(l->settings.prepare_ms / 1000);
    pl_cleanup(pl_free_p) char *why =
        p->attempts == 0
            ? pl_format("no worker host that offers the runtime \"%s\" came within %d s", m->runtime, waited_s)
        : p->last.code == PL_OK ? pl_format("worker host \"%s\" did not prove it within %d s", p->host, waited_s)
                                : pl_format("%s (tried %u times within %d s)", p->last.message, p->attempts, waited_s);
    fail(l, p, why);
}

enum prepare_state operation_prepare(struct lifecycle *l, struct operation *op)
{
    int64_t now = l->ports.now_ms(l->ports.arg);
    bool all = true;
    for (size_t i = 0; op->phase == OPERATION_PREPARE && i < op->generation->n_variants; i++) {
        struct preparation *p = &op->preparations[i];
        if (p->proven)
            continue;
        all = false;
        if (now >= op->deadline_ms)
            fail_late(l, p);
        else if (!p->call && p->next_ms <= now && l->running < OPERATION_PREPARES_MAX)
            start(l, p, now);
    }
    if (op->phase != OPERATION_PREPARE)
        return PREPARE_FAILED;
    return all ? PREPARE_PROVEN : PREPARE_WAITS;
}

void operation_hosts_changed(struct lifecycle *l, struct operation *op)
{
    if (op->phase != OPERATION_PREPARE)
        return;
    for (size_t i = 0; i < op->generation->n_variants; i++)
        if (op->preparations[i].next_ms == INT64_MAX)
            op->preparations[i].next_ms = l->ports.now_ms(l->ports.arg);
}

/* ---- what is in its way ---- */

static bool preparation_waits_for(const struct preparation *p, struct pl_err *out)
{
    pl_cleanup(pl_free_p) char *why = NULL;
    if (p->proven)
        return false;
    if (p->last.code != PL_OK)
        why = pl_format("%s (tried %u times)", p->last.message, p->attempts - (p->call != NULL));
    else if (p->next_ms == INT64_MAX)
        why = pl_format("no worker host offers the runtime \"%s\"", variant_of(p)->model->runtime);
    if (why)
        about(p, why, out);
    return why != NULL;
}

bool operation_waits_for(const struct lifecycle *l, const struct operation *op, struct pl_err *out)
{
    switch (op->phase) {
    case OPERATION_PREPARE:
        for (size_t i = 0; i < op->generation->n_variants; i++)
            if (preparation_waits_for(&op->preparations[i], out))
                return true;
        return false;
    case OPERATION_PUBLISH:
        if (l->ports.applied(l->ports.arg, op->version))
            return false;
        (void)pl_fail(out, PL_PRECONDITION, NULL, "not every router has taken it over");
        return true;
    case OPERATION_DRAIN:
        if (!op->serving || l->ports.drained(l->ports.arg, op->name, op->version))
            return false;
        (void)pl_fail(out, PL_PRECONDITION, NULL, "requests are in flight, or a router has not heard of it");
        return true;
    case OPERATION_FAIL:
        break;
    }
    return false;
}

/* ---- when ---- */

static bool may_start(const struct lifecycle *l, const struct preparation *p)
{
    return !p->proven && !p->call && l->running < OPERATION_PREPARES_MAX; /* else a call that ends makes room */
}

static bool prepare_is_due(const struct lifecycle *l, const struct operation *op, int64_t now_ms)
{
    bool all = true;
    for (size_t i = 0; i < op->generation->n_variants; i++) {
        const struct preparation *p = &op->preparations[i];
        all &= p->proven;
        if (may_start(l, p) && p->next_ms <= now_ms)
            return true;
    }
    return all;
}

bool operation_is_due(const struct lifecycle *l, const struct operation *op, int64_t now_ms)
{
    if (op->not_before_ms != 0)
        return op->not_before_ms <= now_ms;
    if (op->deadline_ms <= now_ms)
        return true;
    switch (op->phase) {
    case OPERATION_PREPARE:
        return prepare_is_due(l, op, now_ms);
    case OPERATION_PUBLISH:
        return l->ports.applied(l->ports.arg, op->version);
    case OPERATION_DRAIN:
        return !op->serving || l->ports.drained(l->ports.arg, op->name, op->version);
    case OPERATION_FAIL:
        break;
    }
    return true;
}

int64_t operation_wake_ms(const struct lifecycle *l, const struct operation *op, int64_t now_ms)
{
    if (op->not_before_ms > now_ms)
        return op->not_before_ms;
    int64_t at = op->deadline_ms;
    if (op->phase != OPERATION_PREPARE)
        return at;
    for (size_t i = 0; i < op->generation->n_variants; i++)
        if (may_start(l, &op->preparations[i]) && op->preparations[i].next_ms < at)
            at = op->preparations[i].next_ms;
    return at;
}
