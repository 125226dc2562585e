/* What a router can answer other than a prediction, as SageMaker Runtime would say it (contract 1.4, 3.8). */
#include "aws_error.h"
#include "base/mem.h"
#include "base/text.h"
#include "gateway.h"
#include "rpc/rpc.h"
#include "runtime.h"

#include <string.h>

#define MESSAGE_MAX 2048

char *runtime_flat(const struct rpc_bytes *b)
{
    struct iovec few[64], *spans = few;
    unsigned count = rpc_bytes_spans(b, few, PL_COUNT(few));
    pl_cleanup(pl_free_p) struct iovec *many = count > PL_COUNT(few) ? pl_new0(count, sizeof(*many)) : NULL;
    char *flat = pl_new0(1, rpc_bytes_len(b) + 1), *at = flat;
    if (many) {
        spans = many;
        (void)rpc_bytes_spans(b, many, count);
    }
    for (unsigned i = 0; i < count; i++) {
        memcpy(at, spans[i].iov_base, spans[i].iov_len);
        at += spans[i].iov_len;
    }
    return flat;
}

static const char *endpoint_of(const struct aws_call *c)
{
    return ((const struct runtime_call *)c->state)->endpoint;
}

/* 'status' 0: there was no answer. The message holds as much of the text as fits, cut on a character; the original all
 * of it. */
static void fail_model(struct aws_call *c, int status, const char *text, size_t len)
{
    const char *endpoint = endpoint_of(c);
    bool client = status >= 400 && status < 500;
    const char *tail =
        arena_format(c->arena,
                     "\". See https://%s.console.aws.amazon.com/cloudwatch/home?region=%s#logEventViewer:"
                     "group=/aws/sagemaker/Endpoints/%s in account %s for more information.",
                     c->region, c->region, endpoint, c->account);
    size_t room = MESSAGE_MAX - strlen(tail) - 80, n = strlen(text);
    if (n > room)
        for (n = room; n > 0 && ((unsigned char)text[n] & 0xC0) == 0x80; n--)
            continue;
    const char *message = arena_format(c->arena, "Received %s error (%d) from primary with message \"%.*s%s",
                                       client ? "client" : "server", status, (int)n, text, tail);
    json_t *members =
        json_pack("{s:s, s:i, s:s%, s:s}", "ErrorCode", client ? "CLIENT_ERROR_FROM_MODEL" : "SERVER_ERROR_FROM_MODEL",
                  "OriginalStatusCode", status, "OriginalMessage", text, len, "LogStreamArn",
                  arena_format(c->arena, "arn:aws:logs:%s:%s:log-group:/aws/sagemaker/Endpoints/%s", c->region,
                               c->account, endpoint));
    aws_fail_with(c, 424, "ModelError", message, members);
}

static void fail_without_answer(struct aws_call *c, int status, const char *text)
{
    fail_model(c, status, text, strlen(text));
}

/* JSON is UTF-8, whatever the model wrote; zero bytes would end the message. */
void runtime_fail_model(struct aws_call *c, int status, const struct rpc_bytes *said)
{
    pl_cleanup(pl_free_p) char *text = runtime_flat(said);
    size_t len = rpc_bytes_len(said);
    pl_utf8_clean(text, len);
    if (len == 0)
        fail_without_answer(c, status, "the model gave no reason");
    else
        fail_model(c, status, text, len);
}

void runtime_answer_too_large(struct aws_call *c, size_t bytes)
{
    fail_without_answer(c, 0,
                        arena_format(c->arena, "The model's answer has %zu bytes: the limit is %lld bytes.", bytes,
                                     (long long)c->gateway->config->payload_bytes));
}

static void fail_time(struct aws_call *c, const struct pl_err *err)
{
    if (strcmp(err->reason, "START_TIMEOUT") == 0)
        aws_fail_as(c, 429, "ModelNotReadyException", NULL, "%s", err->message);
    else
        fail_without_answer(
            c, 0,
            arena_format(c->arena,
                         "Your invocation timed out while waiting for a response from container primary. Review "
                         "the latency metrics for each container in Amazon CloudWatch, resolve the issue, and try "
                         "again. (%s)",
                         err->message));
}

static void fail_exhausted(struct aws_call *c, const struct pl_err *err)
{
    if (strcmp(err->reason, "PAYLOAD_TOO_LARGE") == 0)
        aws_fail(c, AWS_VALIDATION, "Request %s has oversize body. %s", c->request_id, err->message);
    else if (strcmp(err->reason, "NO_CAPACITY") == 0)
        aws_fail(c, AWS_UNAVAILABLE, "%s", err->message);
    else
        aws_fail(c, AWS_THROTTLED, "%s", err->message);
}

void runtime_fail(struct aws_call *c, const struct pl_err *err)
{
    switch (err->code) {
    case PL_MODEL:
        fail_without_answer(c, err->model_status, err->message);
        break;
    case PL_NOT_FOUND:
    case PL_PRECONDITION:
        if (strcmp(err->field, "target_variant") == 0)
            aws_fail(c, AWS_VALIDATION, "Variant %.63s of endpoint %s of account %s not found.",
                     http_header(c->http, "X-Amzn-SageMaker-Target-Variant"), endpoint_of(c), c->account);
        else
            aws_fail(c, AWS_VALIDATION, "Endpoint %s of account %s not found.", endpoint_of(c), c->account);
        break;
    case PL_INVALID:
        aws_fail(c, AWS_VALIDATION, "%s", err->message);
        break;
    case PL_EXHAUSTED:
        fail_exhausted(c, err);
        break;
    case PL_DEADLINE:
        fail_time(c, err);
        break;
    case PL_UNAVAILABLE:
    case PL_CANCELLED:
        if (strcmp(err->reason, "ARTIFACT_SOURCE") == 0) /* a cold start needs what S3 does not give */
            aws_fail_as(c, 530, "InternalDependencyException", NULL, "%s", err->message);
        else
            aws_fail(c, AWS_UNAVAILABLE, "%s", err->message);
        break;
    case PL_INTERNAL:
        if (strcmp(err->reason, "INSTANCE_DIED") == 0 || strcmp(err->reason, "START_FAILED") == 0 ||
            strcmp(err->reason, "MODEL_NOT_LOADED") == 0) {
            fail_without_answer(c, 0, err->message);
            break;
        }
        aws_fail(c, AWS_INTERNAL, "%s", err->message);
        break;
    default:
        aws_fail(c, AWS_INTERNAL, "%s", err->message);
    }
}
