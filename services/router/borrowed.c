/* One borrowed instance.
 *
 *     asked     the request is in its socket; the clock runs
 *     answered  its answer is checked as the worker checks it, and gets the time that it took; when it has printed
 *               something that nobody has read yet, the worker reads that first
 *     too late  the caller is told, the worker kills it
 *     dying     it closed its end, or lied, in which case the worker kills it: the caller hears how it died
 *     missed    it was gone before it had read the request, which goes to another one
 *     cancelled the worker kills it */
#include "borrow_private.h"

#include "base/mem.h"
#include "base/time.h"
#include "channel/answer.h"
#include "log/log.h"
#include "metrics/metrics.h"
#include "rpc/rpc.h"
#include "wire/wire.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A process that dies closes its files first; the worker's word on how it died is here well before this. */
#define DEATH_GRACE_MS 400
/* Then it is killed, which the worker knows soon. */
#define KILL_GRACE_MS 3000
/* The worker reads some lines. */
#define READ_GRACE_MS 1000
/* An answer that was sent before the end is here by then. */
#define LAST_WORDS_MS 50

/* pilotlight.internal.v1.WorkerInvokeResponse */
enum { FIELD_TIMINGS = 6, FIELD_MODEL_US = 5 };

/* ---- ends ---- */

void borrowed_free(struct borrowed *b)
{
    struct borrowing *w = b->all;

    assert(!b->done);
    loop_timer_clear(w->o.loop, &b->timer);
    channel_close(&b->channel);
    if (b->listed)
        HASH_DEL(w->by_id, b);
    list_remove(&b->link);
    free(b);
}

static bool usable(const struct borrowed *b)
{
    return b->channel.watch.fd >= 0 && b->listed && !b->condemned && !b->dead;
}

/* It has no request any more. */
static void rest(struct borrowed *b)
{
    loop_timer_clear(b->all->o.loop, &b->timer);
    if (!borrowing_connected(b->all) || !b->listed || b->dead) {
        borrowed_free(b);
        return;
    }
    if (!usable(b))
        channel_close(&b->channel);
    else
        b->request_id = 0;
    b->state = usable(b) ? BORROWED_IDLE : BORROWED_SPENT;
}

/* The request ends as has been decided. 'b' may be gone afterwards. */
static void finish(struct borrowed *b)
{
    pl_cleanup(rpc_bytes_unref_p) struct rpc_bytes *answer = pl_take(b->answer);
    enum core_outcome o = b->outcome;
    borrowed_done_fn *done = b->done;
    struct pl_err err;
    void *arg = b->arg;

    b->done = NULL;
    if (o != CORE_ANSWERED)
        err = b->err;
    rest(b);
    done(arg, o, o == CORE_ANSWERED ? NULL : &err, answer);
}

static void over(struct loop_task *t)
{
    finish(PL_CONTAINER(t, struct borrowed, over));
}

/* Where the core may be at work just now. */
static void finish_soon(struct borrowed *b)
{
    b->state = BORROWED_OVER;
    loop_later(b->all->o.loop, &b->over);
}

static void condemn(struct borrowed *b, const char *why)
{
    b->condemned = true;
    borrowing_kill(b->all, b->id, why);
}

/* How it died, or that nobody can say: then it may live, and the core stops it by way of its host. Too much memory is
 * the model's error, as one that it would have answered. */
static void decide_death(struct borrowed *b)
{
    b->outcome = b->dead || borrowing_connected(b->all) ? CORE_LOST : CORE_SUSPECT;
    if (b->dead && b->overrun) {
        b->outcome = CORE_REFUSED;
        (void)pl_fail_reason(&b->err, PL_MODEL, "MODEL_ERROR", NULL,
                             "instance %" PRIu64 " was killed while answering: %s", b->id, b->reason);
    } else if (b->dead || borrowing_connected(b->all)) {
        (void)pl_fail_reason(&b->err, PL_INTERNAL, "INSTANCE_DIED", NULL,
                             "instance %" PRIu64 " died while answering: %s", b->id, b->dead ? b->reason : b->why);
    } else {
        (void)pl_fail_reason(&b->err, PL_INTERNAL, "INSTANCE_DIED", NULL,
                             "worker host %s was lost while its instance had the request: it %s", b->all->o.host_id,
                             b->why);
    }
}

static void lied(struct borrowed *b, const char *who, const char *what)
{
    (void)snprintf(b->why, sizeof(b->why), "killed: %s%s", who, what);
    channel_close(&b->channel);
    condemn(b, b->why);
    b->state = BORROWED_DYING;
    loop_timer_set(b->all->o.loop, &b->timer, pl_now_ms() + KILL_GRACE_MS);
}

static void too_late(struct borrowed *b)
{
    char why[96];

    (void)snprintf(why, sizeof(why), "killed: no answer within the invocation timeout of %u ms", b->timeout_ms);
    (void)pl_fail_reason(&b->err, PL_DEADLINE, "INVOKE_TIMEOUT", NULL,
                         "the model did not answer within the invocation timeout of %u ms", b->timeout_ms);
    b->outcome = borrowing_connected(b->all) ? CORE_LOST : CORE_SUSPECT; /* nobody else has it killed */
    channel_close(&b->channel);
    condemn(b, why);
    finish(b);
}

static void missed(struct borrowed *b)
{
    b->outcome = CORE_MISSED;
    (void)pl_fail_reason(&b->err, PL_UNAVAILABLE, "NO_CAPACITY", NULL,
                         "instances keep vanishing: instance %" PRIu64 " died before it had the request", b->id);
    finish(b);
}

/* Nothing more was heard of it. */
static void waited_long_enough(struct borrowed *b)
{
    if (b->dead || b->condemned || !borrowing_connected(b->all)) {
        decide_death(b);
        finish(b);
        return;
    }
    condemn(b, "killed: it closed its connection");
    loop_timer_set(b->all->o.loop, &b->timer, pl_now_ms() + KILL_GRACE_MS);
}

static void time_over(struct loop_timer *t)
{
    struct borrowed *b = PL_CONTAINER(t, struct borrowed, timer);

    if (b->state == BORROWED_ANSWERED)
        finish(b);
    else if (b->state == BORROWED_DYING || b->dead)
        waited_long_enough(b);
    else if (b->state == BORROWED_ASKED)
        too_late(b);
}

/* ---- answers ---- */

/* RESULT's or ERROR's fields as they came, and behind them the time that it took: as the worker does it. */
static struct rpc_bytes *with_timing(uint8_t *payload, size_t len, int64_t model_us)
{
    uint8_t timing[WIRE_MAX_HEADER];
    uint8_t *timing_end = wire_put_varint(timing, FIELD_MODEL_US, (uint64_t)model_us);
    uint8_t *end = wire_put_bytes(payload + len, FIELD_TIMINGS, timing, (size_t)(timing_end - timing));

    assert((size_t)(end - (payload + len)) <= CHANNEL_TAIL_ROOM);
    return rpc_bytes_wrap(payload, (size_t)(end - payload), free, payload);
}

/* NULL, or the lie in it. 'payload' is taken over. An error of the model's own is an answer, too. */
static const char *judge(struct borrowed *b, enum frame_kind kind, uint8_t *payload, size_t len)
{
    pl_cleanup(pl_free_p) uint8_t *owned = payload;
    const char *wrong;
    enum answer_verdict v = kind == FRAME_RESULT                       ? answer_check_result(payload, len, &wrong)
                            : answer_check_error(payload, len, &wrong) ? ANSWER_GOOD
                                                                       : ANSWER_LIE;

    switch (v) {
    case ANSWER_GOOD:
        b->outcome = CORE_ANSWERED;
        b->answer = with_timing(pl_take(owned), len, pl_now_us() - b->sent_us);
        return NULL;
    case ANSWER_TOO_LARGE:
        b->outcome = CORE_REFUSED;
        (void)pl_fail_reason(&b->err, PL_MODEL, "MODEL_ERROR", NULL,
                             "the model's answer is larger than the payload limit of %zu bytes", ANSWER_MAX_BODY);
        b->err.model_status = 500;
        return NULL;
    case ANSWER_LIE:
        break;
    }
    return wrong;
}

static void answered(struct channel *ch, enum frame_kind kind, uint8_t *payload, size_t len)
{
    struct borrowed *b = PL_CONTAINER(ch, struct borrowed, channel);
    bool printed = ch->answer.printed;
    const char *wrong = judge(b, kind, payload, len);

    if (!wrong)
        borrowing_count(b);
    if (wrong) {
        lied(b, "", wrong);
    } else if (printed && borrowing_connected(b->all)) {
        b->state = BORROWED_ANSWERED;
        loop_timer_set(b->all->o.loop, &b->timer, pl_now_ms() + READ_GRACE_MS);
        borrowing_read_first(b->all, b->id, b->request_id);
    } else {
        finish(b);
    }
}

/* The channel is closed by now. */
static void broken(struct channel *ch, bool lie, const char *why)
{
    struct borrowed *b = PL_CONTAINER(ch, struct borrowed, channel);

    if (lie && b->state == BORROWED_ASKED) {
        lied(b, "it ", why);
    } else if (b->state == BORROWED_ASKED && ch->unread) {
        missed(b);
    } else if (b->state == BORROWED_ASKED) {
        (void)snprintf(b->why, sizeof(b->why), "%s", why);
        b->state = BORROWED_DYING;
        if (b->dead || !borrowing_connected(b->all))
            waited_long_enough(b);
        else
            loop_timer_set(b->all->o.loop, &b->timer, pl_now_ms() + DEATH_GRACE_MS);
    } else {
        if (lie) {
            (void)snprintf(b->why, sizeof(b->why), "killed: it %s", why);
            condemn(b, b->why);
        }
        if (b->state == BORROWED_IDLE)
            b->state = BORROWED_SPENT;
    }
}

static const struct channel_events events = { .answered = answered, .broken = broken };

/* ---- the worker's word ---- */

void borrowed_has_been_read(struct borrowed *b)
{
    if (b->state == BORROWED_ANSWERED)
        finish_soon(b);
}

void borrowed_ended(struct borrowed *b, const char *reason, bool overrun)
{
    b->dead = true;
    b->overrun = overrun;
    (void)snprintf(b->reason, sizeof(b->reason), "%s", reason);
    if (!b->done) {
        borrowed_free(b);
    } else if (b->state == BORROWED_DYING) {
        decide_death(b);
        finish_soon(b);
    } else if (b->state == BORROWED_ASKED) {
        (void)snprintf(b->why, sizeof(b->why), "closed its connection");
        loop_timer_set(b->all->o.loop, &b->timer, pl_now_ms() + LAST_WORDS_MS);
    }
}

void borrowed_orphaned(struct borrowed *b)
{
    if (!b->done) {
        borrowed_free(b);
    } else if (b->state == BORROWED_ANSWERED) {
        finish_soon(b);
    } else if (b->state == BORROWED_DYING) {
        decide_death(b);
        finish_soon(b);
    }
}

/* ---- a request ---- */

void borrowed_ask(struct borrowed *b, struct rpc_bytes *message, uint64_t request_id, uint32_t timeout_ms,
                  borrowed_done_fn *done, void *arg)
{
    assert(b->state == BORROWED_IDLE && !b->done);
    b->state = BORROWED_ASKED;
    b->done = done;
    b->arg = arg;
    b->request_id = request_id;
    b->timeout_ms = timeout_ms;
    b->sent_us = pl_now_us();
    metrics_add(b->all->o.requests, 1);
    loop_timer_set(b->all->o.loop, &b->timer, b->sent_us / 1000 + timeout_ms);
    channel_ask(&b->channel, FRAME_INVOKE, ++b->questions, message);
}

void borrowed_cancel(struct borrowed *b)
{
    if (b->state == BORROWED_ASKED) {
        condemn(b, "killed: its caller went away");
        channel_close(&b->channel);
        b->outcome = CORE_LOST;
        (void)pl_fail(&b->err, PL_CANCELLED, NULL, "the caller went away");
        finish_soon(b);
    } else if (b->state == BORROWED_ANSWERED) {
        finish_soon(b);
    }
}

void borrowed_new(struct borrowing *w, uint64_t instance_id, int fd)
{
    struct borrowed *b = PL_NEW(struct borrowed);
    struct pl_err err;

    b->all = w;
    b->id = instance_id;
    b->timer.fire = time_over;
    b->over.run = over;
    if (channel_open(&b->channel, w->o.loop, fd, &events, &err) != PL_OK) {
        log_warn("instance_not_borrowed", LOG_UINT("instance", instance_id), LOG_ERR(&err));
        free(b);
        return;
    }
    b->listed = true;
    list_push_back(&w->instances, &b->link);
    HASH_ADD(hh, w->by_id, id, sizeof(b->id), b);
}
