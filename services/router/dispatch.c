#include "dispatch.h"

#include "borrow.h"
#include "rpc/client.h"
#include "wire/wire.h"

#include <string.h>

/* The worker host ends an invocation that takes too long; this much later it is the host that does not answer. */
#define HOST_GRACE_MS 5000

/* pilotlight.internal.v1.WorkerInvokeRequest, the hop's own fields */
enum { FIELD_INSTANCE_ID = 100, FIELD_REQUEST_ID = 101, FIELD_TIMEOUT_MS = 102 };

/* ---- how it ended ---- */

/* The host's own words, by reason. */
static const struct {
    const char *reason;
    enum core_outcome outcome;
} reasons[] = {
    { "INSTANCE_DIED", CORE_LOST },   { "INVOKE_TIMEOUT", CORE_LOST }, { "INSTANCE_GONE", CORE_MISSED },
    { "INSTANCE_BUSY", CORE_MISSED }, { "DRAINING", CORE_MISSED },     { "MAX_CALLS_IN_FLIGHT", CORE_MISSED },
    { RPC_NOT_SENT, CORE_MISSED }, /* the transport's */
};

/* Words of the transport, and words that we do not know: what has become of the instance is not known either. */
static enum core_outcome unexplained(const struct dispatch *d, const struct pl_err *status, struct pl_err *out)
{
    if (status->code == PL_DEADLINE) {
        (void)pl_fail_reason(out, PL_DEADLINE, "INVOKE_TIMEOUT", NULL,
                             "worker host %s did not answer within the invocation timeout of %u ms", d->host,
                             d->timeout_ms);
        return CORE_SUSPECT;
    }
    (void)pl_fail_reason(out, PL_INTERNAL, "INSTANCE_DIED", NULL,
                         "worker host %s was lost while its instance had the request: %s", d->host, status->message);
    return status->code == PL_UNAVAILABLE ? CORE_LOST : CORE_SUSPECT;
}

static enum core_outcome judge(const struct dispatch *d, const struct pl_err *status, struct pl_err *out)
{
    *out = *status;
    if (status->code == PL_MODEL)
        return CORE_REFUSED;
    for (size_t i = 0; i < PL_COUNT(reasons); i++) {
        if (strcmp(status->reason, reasons[i].reason) != 0)
            continue;
        if (reasons[i].outcome == CORE_MISSED)
            (void)pl_fail_reason(out, PL_UNAVAILABLE, "NO_CAPACITY", NULL, "instances keep vanishing: %s",
                                 status->message);
        return reasons[i].outcome;
    }
    return unexplained(d, status, out);
}

static void done(void *arg, const struct pl_err *status, const void *message, struct rpc_bytes *bytes)
{
    struct dispatch *d = arg;
    struct pl_err err;

    (void)message;
    d->sent = NULL;
    if (status->code == PL_OK)
        d->done(d, CORE_ANSWERED, NULL, bytes);
    else
        d->done(d, judge(d, status, &err), &err, NULL);
}

/* By the instance's own socket: all that is to be judged has been. */
static void done_direct(void *arg, enum core_outcome o, const struct pl_err *err, struct rpc_bytes *answer)
{
    struct dispatch *d = arg;

    d->direct = NULL;
    d->done(d, o, err, answer);
}

/* ---- out ---- */

void dispatch_start(struct dispatch *d, const struct dispatch_to *to, const struct rpc_bytes *head,
                    const struct rpc_bytes *message)
{
    uint8_t fields[3 * WIRE_MAX_HEADER], *end = fields;

    end = wire_put_varint(end, FIELD_INSTANCE_ID, to->instance_id);
    end = wire_put_varint(end, FIELD_REQUEST_ID, to->request_id);
    end = wire_put_varint(end, FIELD_TIMEOUT_MS, to->timeout_ms);
    pl_cleanup(rpc_bytes_unref_p) struct rpc_bytes *tail = rpc_bytes_copy(fields, (size_t)(end - fields));
    pl_cleanup(rpc_bytes_unref_p) struct rpc_bytes *front = head ? rpc_bytes_join(head, message) : NULL;

    struct rpc_bytes *whole = rpc_bytes_join(front ? front : message, tail);

    d->timeout_ms = to->timeout_ms;
    d->host = to->host;
    d->direct = borrowing_find(to->borrowing, to->instance_id);
    if (d->direct) {
        borrowed_ask(d->direct, whole, to->request_id, to->timeout_ms, done_direct, d);
        return;
    }
    d->sent = rpc_send(to->channel, &(struct rpc_send){
                                        .path = "/pilotlight.internal.v1.WorkerService/Invoke",
                                        .bytes = whole,
                                        .timeout_ms = (int64_t)to->timeout_ms + HOST_GRACE_MS,
                                        .traceparent = to->traceparent,
                                        .done = done,
                                        .arg = d,
                                    });
}

void dispatch_cancel(struct dispatch *d)
{
    if (d->direct)
        borrowed_cancel(d->direct);
    else
        rpc_cancel(d->sent);
}
