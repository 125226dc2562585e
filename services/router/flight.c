/* The life of one request
 *
 *   router_methods.c  reads the few fields that matter from the caller's bytes (invoke_request.c) and calls
 *                     flight_start().
 *   core/admit.c      finds the endpoint, chooses the variant, and counts the request in, or refuses it at once.
 *   core/pool.c       takes the idle instance that was used last.
 *   dispatch.c        appends the hop's fields to the caller's bytes and sends them to the instance: by its own
 *                     socket on this machine, else by its worker host.
 *   core/pool.c       the answer is back: the instance takes the next request that waits, or is idle.
 *   reply.c           appends the variant and the timings to the host's bytes; they are the caller's answer.
 *   usage.c           hears what it cost.
 *
 * Cold: no instance is idle. core/coldstart.c puts the request into the variant's queue and starts as many instances as
 * requests wait and are not started for; core/placement.c says where, hosts.c does it. Whatever becomes free or ready
 * first takes the first that waits; from there all is as above.
 *
 * Cancelled: the caller left, or its deadline is over (the core of gRPC tells both alike). In the queue the request
 * just leaves. In flight the dispatch is broken off, the worker host kills the instance, and the flight stays, without
 * its call, until that is certain.
 *
 * Late: in the queue core/coldstart.c ends it (START_TIMEOUT, NO_CAPACITY); in the instance the worker host does
 * (INVOKE_TIMEOUT), and kills the instance.
 *
 * An instance that was gone before it had read the request is a miss: the request takes the next one, first in line.
 * Whenever the instance may have had it, it is not sent again: its caller is told (INSTANCE_DIED). */
#include "flight.h"

#include "act.h"
#include "base/mem.h"
#include "base/time.h"
#include "dispatch.h"
#include "hosts.h"
#include "invoke_request.h"
#include "log/log.h"
#include "reply.h"
#include "rpc/rpc.h"
#include "rpc/server.h"
#include "served.h"
#include "usage.h"
#include "wire/wire.h"

#include <assert.h>
#include <stdlib.h>

/* How the tensor protocol's messages are called where bodies have types. */
#define TENSOR_TYPE "application/vnd.open-inference.v2"
/* pilotlight.v1.InvokeRequest */
enum { FIELD_CONTENT_TYPE = 2, FIELD_BODY = 4 };
/* W3C Trace Context: "00-" 32 hex "-" 16 hex "-" 2 hex */
#define TRACEPARENT_SIZE 64

struct flight {
    struct core_request core;
    struct dispatch dispatch;
    struct list link;
    struct flights *all;
    struct rpc_call *call;           /* NULL: answered, or its caller left */
    struct core_instance *abandoned; /* its caller left: what is being killed */
    enum flight_kind kind;
    bool provisioned;       /* within the provisioned concurrency when it was dispatched */
    bool error_as_response; /* the caller takes the model's own errors as answers */
    uint64_t id;
};

struct flights {
    struct act *act;
    struct core *core;
    struct usage *usage;
    struct list list;
    unsigned count;
    uint64_t next_id;
};

static void flight_free(struct flight *f)
{
    list_remove(&f->link);
    f->all->count--;
    free(f);
}

/* ---- what it cost ---- */

/* Of the core, for it forgets them when the request ends. */
struct account {
    const struct core_variant *variant;
    struct usage_facts facts;
};

/* What the host says, cut to what is left of the time that was seen here. */
static int64_t part(int64_t said_us, int64_t *left_us)
{
    int64_t us = said_us < 0 ? 0 : said_us < *left_us ? said_us : *left_us;

    *left_us -= us;
    return us;
}

static void account_cold(struct usage_facts *f, const struct core_instance *in)
{
    int64_t left_us = in->ready_us - in->asked_us;

    f->cold = true;
    f->start_us = left_us;
    f->sandbox_us = part(in->parts.sandbox_us, &left_us);
    f->load_us = part(in->parts.load_us, &left_us);
    f->first_predict_us = part(in->parts.first_predict_us, &left_us);
}

static void account_open(struct account *a, const struct flight *f, const struct core_variant *v, int64_t now_us)
{
    const struct core_request *q = &f->core;
    const struct core_instance *in = q->instance;

    a->variant = v;
    a->facts = (struct usage_facts){ .endpoint = v->endpoint->name,
                                     .variant = v->name,
                                     .generation = v->generation,
                                     .memory_mb = v->memory_mb,
                                     .total_us = now_us - q->admitted_us };
    a->facts.reached = in != NULL;
    a->facts.provisioned = f->provisioned;
    a->facts.bytes_in = rpc_bytes_len(rpc_call_bytes(f->call));
    a->facts.queue_us = (in ? q->dispatched_us : now_us) - q->admitted_us;
    if (in && q->cold)
        account_cold(&a->facts, in);
}

static int64_t billed_ms(const struct usage_facts *f)
{
    return (f->model_us + 999) / 1000;
}

/* 'model_us' -1: not known; what the instance had is then all the time since the dispatch. */
static void account_close(struct flights *all, struct account *a, enum usage_outcome o, int64_t model_us)
{
    struct usage_facts *f = &a->facts;
    struct served_variant *s = a->variant->user;
    int64_t in_instance_us = f->total_us - f->queue_us;

    f->outcome = o;
    f->model_us = model_us < 0 || model_us > in_instance_us ? in_instance_us : model_us;
    f->overhead_us = in_instance_us - f->model_us;
    f->billed_ms = billed_ms(f);
    usage_ended(all->usage, s->series, f);
    usage_gauges(s->series, a->variant);
}

/* ---- in ---- */

static void caller_left(void *arg);

static void refused(struct flights *all, struct flight *f, const struct pl_err *err)
{
    const struct core_variant *v = f->core.variant;

    if (v) {
        struct served_variant *s = v->user;
        const struct usage_facts facts = { .endpoint = v->endpoint->name,
                                           .variant = v->name,
                                           .generation = v->generation,
                                           .memory_mb = v->memory_mb,
                                           .outcome = USAGE_THROTTLED };

        usage_ended(all->usage, s->series, &facts);
    }
    rpc_fail(f->call, err);
    free(f);
}

void flight_start(struct flights *all, struct rpc_call *call, enum flight_kind kind, const struct invoke_request *r)
{
    struct flight *f = PL_NEW(struct flight);
    struct pl_err err;

    f->all = all;
    f->call = call;
    f->kind = kind;
    f->error_as_response = r->error_as_response;
    f->id = all->next_id++;
    if (core_admit(all->core, &f->core, r->endpoint, r->variant, pl_now_us(), &err) != PL_OK) {
        refused(all, f, &err);
        return;
    }
    list_push_back(&all->list, &f->link);
    all->count++;
    rpc_call_on_cancel(call, caller_left, f);
    act_flush(all->act);
}

/* ---- to an instance ---- */

static void dispatched(struct dispatch *d, enum core_outcome o, const struct pl_err *err, struct rpc_bytes *answer);

/* A tensor request travels as the body of an invocation: all fields but the body's bytes. */
static struct rpc_bytes *tensor_head(size_t body_len)
{
    uint8_t head[2 * WIRE_MAX_HEADER + sizeof(TENSOR_TYPE)], *end = head;

    end = wire_put_bytes(end, FIELD_CONTENT_TYPE, TENSOR_TYPE, sizeof(TENSOR_TYPE) - 1);
    end = wire_put_header(end, FIELD_BODY, body_len);
    return rpc_bytes_copy(head, (size_t)(end - head));
}

static void dispatch(void *arg, const struct core_action *a)
{
    struct flights *all = arg;
    struct flight *f = PL_CONTAINER(a->request, struct flight, core);
    const struct served_variant *s = a->instance->variant->user;
    char traceparent[TRACEPARENT_SIZE];
    struct dispatch_to to = { .channel = hosts_channel(a->instance->host->user),
                              .borrowing = hosts_borrowing(a->instance->host->user),
                              .host = a->instance->host->id,
                              .instance_id = a->instance->worker_id,
                              .request_id = f->id,
                              .timeout_ms = (uint32_t)s->message->spec->invoke_timeout_ms,
                              .traceparent = traceparent };
    struct rpc_bytes *message = rpc_call_bytes(f->call);
    pl_cleanup(rpc_bytes_unref_p) struct rpc_bytes *head =
        f->kind == FLIGHT_TENSOR ? tensor_head(rpc_bytes_len(message)) : NULL;

    (void)all;
    if (!rpc_call_header(f->call, "traceparent", traceparent, sizeof(traceparent)))
        traceparent[0] = '\0';
    f->dispatch.done = dispatched;
    f->provisioned = a->instance->variant->count[CORE_BUSY] <= a->instance->variant->provisioned;
    dispatch_start(&f->dispatch, &to, head, message);
    usage_gauges(s->series, a->instance->variant);
    log_debug("request_dispatched", LOG_UINT("request", f->id),
              LOG_STR("endpoint", a->instance->variant->endpoint->name), LOG_STR("variant", a->instance->variant->name),
              LOG_STR("host", to.host), LOG_UINT("instance", to.instance_id), LOG_BOOL("cold", f->core.cold));
}

/* ---- and back ---- */

static void log_ended(const struct flight *f, const struct usage_facts *facts, const struct pl_err *err)
{
    log_debug("request_ended", LOG_UINT("request", f->id), LOG_STR("code", pl_code_name(err ? err->code : PL_OK)),
              LOG_STR("error", err ? err->message : ""), LOG_INT("total_us", facts->total_us),
              LOG_INT("queue_us", facts->queue_us), LOG_INT("model_us", facts->model_us));
}

static void fail(struct flight *f, const struct pl_err *err)
{
    rpc_fail(f->call, err);
    flight_free(f);
}

/* The host's answer as the caller's; NULL with 'err': it is not one. */
static struct rpc_bytes *make_reply(const struct flight *f, const struct rpc_bytes *answer, const struct usage_facts *u,
                                    struct pl_err *err)
{
    const struct reply_timings t = { .cold = u->cold,
                                     .queue_us = u->queue_us,
                                     .start_us = u->start_us,
                                     .sandbox_us = u->sandbox_us,
                                     .load_us = u->load_us,
                                     .first_predict_us = u->first_predict_us,
                                     .model_us = u->model_us,
                                     .overhead_us = u->overhead_us,
                                     .total_us = u->total_us };
    struct rpc_bytes *reply = f->kind == FLIGHT_TENSOR ? reply_tensor(answer) : reply_invoke(answer, u->variant, &t);

    if (!reply)
        (void)pl_fail_reason(err, PL_INTERNAL, "INSTANCE_DIED", NULL, "the worker host's answer is malformed");
    return reply;
}

static void answered(struct flight *f, const struct rpc_bytes *answer)
{
    struct flights *all = f->all;
    int64_t now_us = pl_now_us();
    struct rpc_bytes *reply = NULL;
    struct reply_facts said;
    struct account a;
    struct pl_err err;
    bool refused = reply_read(answer, &said) && said.model_status >= 400;

    account_open(&a, f, f->core.variant, now_us);
    if (!refused)
        a.facts.bytes_out = rpc_bytes_len(answer);
    a.facts.model_status = refused ? said.model_status : 200;
    core_replied(all->core, &f->core, refused ? CORE_REFUSED : CORE_ANSWERED, NULL, now_us);
    account_close(all, &a, refused ? USAGE_MODEL_ERROR : USAGE_ANSWERED, said.model_us);
    if (refused && !f->error_as_response)
        reply_error(answer, &err);
    else
        reply = make_reply(f, answer, &a.facts, &err);
    log_ended(f, &a.facts, reply ? NULL : &err);
    if (reply) {
        rpc_reply_bytes(f->call, reply);
        flight_free(f);
    } else {
        fail(f, &err);
    }
    act_flush(all->act);
}

static void failed(struct flight *f, enum core_outcome o, const struct pl_err *err)
{
    struct flights *all = f->all;
    int64_t now_us = pl_now_us();
    struct account a;

    if (o != CORE_MISSED) {
        account_open(&a, f, f->core.variant, now_us);
        a.facts.model_status = o == CORE_REFUSED ? err->model_status : 0;
    }
    core_replied(all->core, &f->core, o, err, now_us);
    if (o != CORE_MISSED) {
        account_close(all, &a, o == CORE_REFUSED ? USAGE_MODEL_ERROR : USAGE_FAILED, -1);
        log_ended(f, &a.facts, err);
        fail(f, err);
    }
    act_flush(all->act);
}

static void dispatched(struct dispatch *d, enum core_outcome o, const struct pl_err *err, struct rpc_bytes *answer)
{
    struct flight *f = PL_CONTAINER(d, struct flight, dispatch);
    struct flights *all = f->all;

    if (f->abandoned) {
        core_abandoned(all->core, f->abandoned, pl_now_us());
        flight_free(f);
        act_flush(all->act);
    } else if (o == CORE_ANSWERED) {
        answered(f, answer);
    } else {
        failed(f, o, err);
    }
}

/* The core gave it up while it waited. */
static void given_up(void *arg, const struct core_action *a)
{
    struct flight *f = PL_CONTAINER(a->request, struct flight, core);
    struct account account;

    account_open(&account, f, a->variant, pl_now_us());
    account_close(arg, &account, USAGE_FAILED, 0);
    log_ended(f, &account.facts, a->err);
    fail(f, a->err);
}

/* ---- its caller left ---- */

static void caller_left(void *arg)
{
    struct flight *f = arg;
    struct flights *all = f->all;
    int64_t now_us = pl_now_us();
    struct account a;
    struct pl_err err;

    (void)pl_fail(&err, PL_CANCELLED, NULL, "the caller went away");
    account_open(&a, f, f->core.variant, now_us);
    f->abandoned = core_cancel(all->core, &f->core, now_us);
    account_close(all, &a, USAGE_CANCELLED, f->abandoned ? -1 : 0);
    log_ended(f, &a.facts, &err);
    rpc_fail(f->call, &err);
    f->call = NULL;
    if (f->abandoned)
        dispatch_cancel(&f->dispatch);
    else
        flight_free(f);
    act_flush(all->act);
}

/* ---- all of them ---- */

struct flights *flights_new(struct act *a, struct usage *u, int64_t router_epoch)
{
    struct flights *all = PL_NEW(struct flights);

    all->act = a;
    all->core = act_core(a);
    all->usage = u;
    all->next_id = ((uint64_t)router_epoch << 24) + 1;
    list_init(&all->list);
    act_hand(a, CORE_DISPATCH, dispatch, all);
    act_hand(a, CORE_FAIL, given_up, all);
    return all;
}

void flights_free(struct flights *all)
{
    if (!all)
        return;
    assert(list_empty(&all->list));
    free(all);
}

unsigned flights_count(const struct flights *all)
{
    return all->count;
}
