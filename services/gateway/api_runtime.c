/* SageMaker Runtime: InvokeEndpoint and InvokeEndpointWithResponseStream.
 *
 * The hot path: headers are checked, the body goes on as it came, and the answer's body goes back without being copied
 * when it is large. runtime_error.c has what can go wrong upstream. */
#include "auth.h"
#include "aws_error.h"
#include "event_stream.h"
#include "gateway.h"
#include "invoke.h"
#include "rpc/rpc.h"
#include "runtime.h"
#include "services.h"
#include "text_builder.h"
#include "upstream.h"
#include "uri.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EVENT_PAYLOAD ((size_t)256 << 10)

/* ---- what is called ---- */

static const struct {
    const char *suffix;
    enum runtime_operation operation;
} paths[] = {
    { "/invocations", RUNTIME_INVOKE },
    { "/invocations-response-stream", RUNTIME_STREAM },
    { "/async-invocations", RUNTIME_ASYNC },
};

/* "/endpoints/NAME/invocations"; the name may be empty, or contain anything: it is checked later. */
static bool read_path(struct aws_call *c, struct runtime_call *out)
{
    const char *name = http_path(c->http) + strlen("/endpoints/"), *slash = strrchr(name, '/');
    size_t len;
    if (!slash)
        return false;
    for (size_t i = 0; i < PL_COUNT(paths); i++)
        if (strcmp(slash, paths[i].suffix) == 0) {
            out->operation = paths[i].operation;
            out->endpoint = uri_decode(name, (size_t)(slash - name), false, c->arena, &len);
            return true;
        }
    return false;
}

static void too_large(void *app, struct http_request *r)
{
    struct aws_call *c = *http_user(r);
    const struct gateway *g = app;
    int64_t length = http_content_length(r);
    if (length < 0)
        aws_fail(c, AWS_VALIDATION, "Request %s has oversize body. The limit is %lld bytes.", c->request_id,
                 (long long)g->config->payload_bytes);
    else
        aws_fail(c, AWS_VALIDATION, "Request %s has oversize body. It has %lld bytes, the limit is %lld bytes.",
                 c->request_id, (long long)length, (long long)g->config->payload_bytes);
}

static void begin(struct aws_call *c)
{
    struct runtime_call *call = ARENA_NEW(c->arena, struct runtime_call);
    c->state = call;
    if (!read_path(c, call))
        aws_fail(c, AWS_UNKNOWN_OPERATION, "Pilotlight does not offer %s %.200s.", http_method(c->http),
                 http_path(c->http));
    else
        http_read_body(c->http, (size_t)c->gateway->config->payload_bytes, too_large);
}

/* ---- its headers ---- */

static bool fail_constraint(struct aws_call *c, const char *value, const char *member, const char *constraint)
{
    aws_fail(c, AWS_VALIDATION, "1 validation error detected: Value '%.128s' at '%s' failed to satisfy constraint: %s",
             value, member, constraint);
    return false;
}

static bool is_name(const char *s)
{
    size_t n = strlen(s);
    if (n == 0 || !isalnum((unsigned char)s[0]) || !isalnum((unsigned char)s[n - 1]))
        return false;
    for (; *s; s++)
        if ((*s & 0x80) || (!isalnum((unsigned char)*s) && *s != '-'))
            return false;
    return true;
}

static bool check_name(struct aws_call *c, const char *value, const char *member)
{
    if (strlen(value) > 63)
        return fail_constraint(c, value, member, "Member must have length less than or equal to 63");
    if (!is_name(value))
        return fail_constraint(c, value, member,
                               "Member must satisfy regular expression pattern: ^[a-zA-Z0-9](-*[a-zA-Z0-9])*");
    return true;
}

/* Visible ASCII and blanks, 'min' to 'max' of them; absent is fine. */
static bool check_header(struct aws_call *c, const char *value, const char *member, size_t min, size_t max)
{
    if (!value)
        return true;
    if (strlen(value) < min)
        return fail_constraint(c, value, member,
                               arena_format(c->arena, "Member must have length greater than or equal to %zu", min));
    if (strlen(value) > max)
        return fail_constraint(c, value, member,
                               arena_format(c->arena, "Member must have length less than or equal to %zu", max));
    for (const char *p = value; *p; p++)
        if ((unsigned char)*p < 0x20 || (unsigned char)*p > 0x7e)
            return fail_constraint(c, "...", member, "Member must satisfy regular expression pattern: \\p{ASCII}*");
    return true;
}

static bool refuse_header(struct aws_call *c, const char *header, const char *why)
{
    if (!http_header(c->http, header))
        return true;
    aws_fail(c, AWS_VALIDATION, "%s cannot be used: %s.", header, why);
    return false;
}

static bool check_refused(struct aws_call *c)
{
    static const struct {
        const char *header, *why;
    } refused[] = {
        { "X-Amzn-SageMaker-Target-Model", "the endpoint has no multi-model container" },
        { "X-Amzn-SageMaker-Target-Container-Hostname", "the endpoint has one container" },
        { "X-Amzn-SageMaker-Enable-Explanations", "the endpoint has no explainer" },
        { "X-Amzn-SageMaker-Inference-Component", "the endpoint has no inference components" },
        { "X-Amzn-SageMaker-Session-Id", "the endpoint has no sessions" },
    };
    for (size_t i = 0; i < PL_COUNT(refused); i++)
        if (!refuse_header(c, refused[i].header, refused[i].why))
            return false;
    return true;
}

/* False: answered. */
static bool read_headers(struct aws_call *c, struct invoke_call *out)
{
    const struct runtime_call *call = c->state;
    struct http_request *r = c->http;
    out->endpoint = call->endpoint;
    out->content_type = http_header(r, "Content-Type");
    out->accept = http_header(r, call->operation == RUNTIME_STREAM ? "X-Amzn-SageMaker-Accept" : "Accept");
    out->custom_attributes = http_header(r, "X-Amzn-SageMaker-Custom-Attributes");
    out->inference_id = http_header(r, "X-Amzn-SageMaker-Inference-Id");
    out->target_variant = http_header(r, "X-Amzn-SageMaker-Target-Variant");
    return check_name(c, out->endpoint, "endpointName") && check_refused(c) &&
           check_header(c, out->content_type, "contentType", 0, 1024) &&
           check_header(c, out->accept, "accept", 0, 1024) &&
           check_header(c, out->custom_attributes, "customAttributes", 0, 1024) &&
           check_header(c, out->inference_id, "inferenceId", 1, 64) &&
           (!out->target_variant || check_name(c, out->target_variant, "targetVariant"));
}

/* ---- the answer ---- */

static void add_timing(struct text *out, const char *name, int64_t us)
{
    char digits[24], *at = digits + sizeof(digits);
    uint64_t left = us < 0 ? 0 : (uint64_t)us; /* a clock of somebody else's */
    do
        *--at = (char)('0' + left % 10);
    while (left /= 10);
    text_adds(out, out->len > 0 ? "; " : "");
    text_adds(out, name);
    text_addc(out, '=');
    text_add(out, at, (size_t)(digits + sizeof(digits) - at));
}

/* Ours, beside AWS's: where the time went. */
static void set_timings(struct aws_call *c, const struct invoke_timings *t)
{
    struct text out = { .arena = c->arena };
    add_timing(&out, "cold", t->cold);
    add_timing(&out, "queue_us", t->queue_us);
    add_timing(&out, "start_us", t->start_us);
    add_timing(&out, "sandbox_us", t->sandbox_us);
    add_timing(&out, "load_us", t->load_us);
    add_timing(&out, "first_predict_us", t->first_predict_us);
    add_timing(&out, "model_us", t->model_us);
    add_timing(&out, "overhead_us", t->overhead_us);
    add_timing(&out, "total_us", t->total_us);
    http_set_header(c->http, "X-Pilotlight-Timings", text_take(&out));
}

/* The whole answer as events; models answer in one piece, so there is nothing to wait for. */
static void answer_stream(struct aws_call *c, const struct invoke_answer *a)
{
    static const struct event_header headers[] = { { ":event-type", "PayloadPart" },
                                                   { ":content-type", "application/octet-stream" },
                                                   { ":message-type", "event" } };
    size_t n = rpc_bytes_len(a->body), len;
    struct pl_buf out = PL_BUF_INIT(n + (n / EVENT_PAYLOAD + 1) * 256);
    bool good = true;
    for (size_t at = 0; at < n && good; at += len) {
        len = n - at < EVENT_PAYLOAD ? n - at : EVENT_PAYLOAD;
        pl_cleanup(rpc_bytes_unref_p) struct rpc_bytes *part = rpc_bytes_sub(a->body, at, len);
        pl_cleanup(pl_free_p) char *flat = runtime_flat(part);
        good = event_stream_add(&out, headers, PL_COUNT(headers), flat, len);
    }
    rpc_bytes_unref(a->body);
    http_set_header(c->http, "X-Amzn-SageMaker-Content-Type", a->content_type);
    http_answer_take(c->http, 200, "application/vnd.amazon.eventstream", out.data, out.len);
}

static void answered(struct aws_call *c, const struct pl_err *status, struct rpc_bytes *reply)
{
    struct runtime_call *call = c->state;
    struct invoke_answer a;
    if (status->code != PL_OK) {
        runtime_fail(c, status);
        return;
    }
    if (!invoke_response(reply, c->arena, &a)) {
        aws_fail(c, AWS_INTERNAL, "the router's answer is malformed");
        return;
    }
    set_timings(c, &a.timings);
    if (a.model_status >= 400) {
        runtime_fail_model(c, (int)a.model_status, a.body);
        rpc_bytes_unref(a.body);
        return;
    }
    if ((int64_t)rpc_bytes_len(a.body) > c->gateway->config->payload_bytes) {
        runtime_answer_too_large(c, rpc_bytes_len(a.body));
        rpc_bytes_unref(a.body);
        return;
    }
    if (*a.variant)
        http_set_header(c->http, "x-Amzn-Invoked-Production-Variant", a.variant);
    if (*a.custom_attributes)
        http_set_header(c->http, "X-Amzn-SageMaker-Custom-Attributes", a.custom_attributes);
    if (call->operation == RUNTIME_STREAM)
        answer_stream(c, &a);
    else
        http_answer_bytes(c->http, 200, *a.content_type ? a.content_type : NULL, a.body);
}

static void ready(struct aws_call *c)
{
    const struct runtime_call *call = c->state;
    struct invoke_call invoke = { 0 };
    if (!auth_verify_body(c))
        return;
    if (call->operation == RUNTIME_ASYNC) {
        aws_fail(c, AWS_VALIDATION,
                 "Endpoint %.63s is not asynchronous: InvokeEndpointAsync needs an endpoint whose "
                 "configuration has an AsyncInferenceConfig, which is not offered. Use InvokeEndpoint.",
                 call->endpoint);
        return;
    }
    if (!read_headers(c, &invoke))
        return;
    invoke.body = http_take_body(c->http, &invoke.body_len);
    upstream_send_bytes(c, UPSTREAM_ROUTER, UPSTREAM_V1("InferenceService", "Invoke"), invoke_request(&invoke),
                        c->gateway->config->invoke_timeout_ms, answered);
}

const struct aws_service runtime_service = {
    .name = "runtime",
    .signing_name = "sagemaker",
    .begin = begin,
    .ready = ready,
};
