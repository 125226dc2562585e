#include "routes.h"

#include "auth.h"
#include "aws_error.h"
#include "aws_json.h"
#include "aws_query.h"
#include "base/text.h"
#include "base/time.h"
#include "gateway.h"
#include "gunzip.h"
#include "log/log.h"
#include "metrics/metrics.h"
#include "services.h"
#include "upstream.h"
#include "uri.h"

#include <string.h>
#include <strings.h>

/* Those that are called by X-Amz-Target or by Action and Version. */
static const struct aws_service *const services[] = {
    &sagemaker_service, &monitoring_service, &scaling_service, &logs_service, &sts_service, &iam_service,
};

/* ---- which service and operation ---- */

static const struct aws_operation *find_operation(const struct aws_service *s, const char *name)
{
    for (const struct aws_operation *o = s->operations; o->name; o++)
        if (strcmp(o->name, name) == 0)
            return o;
    return NULL;
}

/* "SageMaker.CreateModel"; what does not match stays NULL. */
static void find_target(struct aws_call *c, const char *target)
{
    const char *dot = strchr(target, '.');
    c->protocol = AWS_JSON_1_1;
    for (size_t i = 0; dot && i < PL_COUNT(services); i++) {
        const struct aws_service *s = services[i];
        if (!s->target_prefix || strlen(s->target_prefix) != (size_t)(dot - target) ||
            strncmp(s->target_prefix, target, (size_t)(dot - target)) != 0)
            continue;
        c->service = s;
        c->protocol = s->json;
        c->operation = find_operation(s, dot + 1);
    }
}

static bool is_form(struct http_request *r)
{
    const char *type = http_header(r, "Content-Type");
    static const char form[] = "application/x-www-form-urlencoded";
    return type && strncasecmp(type, form, sizeof(form) - 1) == 0;
}

static bool is_post(struct http_request *r)
{
    return strcmp(http_method(r), "POST") == 0;
}

/* What the headers say. A query call has no service yet: Action and Version are in its body, or in the URL. */
static void find_service(struct aws_call *c)
{
    const char *target = http_header(c->http, "X-Amz-Target"), *path = http_path(c->http);
    bool root = strcmp(path, "/") == 0;
    if (is_post(c->http) && strncmp(path, "/endpoints/", 11) == 0) {
        c->protocol = AWS_REST_JSON;
        c->service = &runtime_service;
    } else if (target && is_post(c->http)) {
        find_target(c, target);
    } else if (root &&
               ((is_post(c->http) && is_form(c->http)) || uri_query_value(http_query(c->http), "Action", c->arena))) {
        c->protocol = AWS_QUERY;
    } else {
        c->protocol = AWS_REST_XML;
        c->service = &s3_service;
    }
}

/* Version and Action of a query call, which is 'input' by now. False: answered. */
static bool find_action(struct aws_call *c)
{
    const char *action = aws_text(c->input, "Action"), *version = aws_text(c->input, "Version");
    for (size_t i = 0; action && version && i < PL_COUNT(services); i++)
        if (services[i]->query_version && strcmp(services[i]->query_version, version) == 0) {
            c->service = services[i];
            c->operation = find_operation(c->service, action);
        }
    if (c->operation)
        return true;
    aws_fail(c, AWS_UNKNOWN_OPERATION, "Could not find operation %.64s for version %.32s", action ? action : "(none)",
             version ? version : "(none)");
    return false;
}

/* ---- the body ---- */

static void too_large(void *app, struct http_request *r)
{
    struct gateway *g = app;
    aws_fail(*http_user(r), AWS_TOO_LARGE, "The request's body is larger than %lld bytes (limits.request_bytes).",
             (long long)g->config->request_bytes);
}

/* The body, unpacked when the client has packed it. False: answered. */
static bool unpack_body(struct aws_call *c, const char **body, size_t *n)
{
    const char *encoding = http_header(c->http, "Content-Encoding");
    size_t limit = (size_t)c->gateway->config->request_bytes;
    if (!encoding || strcasecmp(encoding, "identity") == 0)
        return true;
    enum gunzip_outcome o =
        strcasecmp(encoding, "gzip") == 0 ? gunzip(*body, *n, limit, c->arena, body, n) : GUNZIP_BROKEN;
    if (o == GUNZIP_OK)
        return true;
    if (o == GUNZIP_TOO_LARGE)
        aws_fail(c, AWS_TOO_LARGE, "The request's body is larger than %zu bytes (limits.request_bytes) when unpacked.",
                 limit);
    else
        aws_fail(c, AWS_SERIALIZATION, "The request's body is not in its Content-Encoding %.32s; gzip is understood.",
                 encoding);
    return false;
}

static bool read_input(struct aws_call *c)
{
    size_t n;
    const char *body = http_body(c->http, &n), *why = "";
    if (!unpack_body(c, &body, &n))
        return false;
    bool in_url = c->protocol == AWS_QUERY && !is_post(c->http);
    c->input = c->protocol != AWS_QUERY ? aws_json_read(body, n, c->arena, &why)
               : in_url ? aws_query_read(http_query(c->http), strlen(http_query(c->http)), c->arena, &why)
                        : aws_query_read(body, n, c->arena, &why);
    if (c->input)
        return true;
    aws_fail(c, AWS_SERIALIZATION, "%s", why);
    return false;
}

/* ---- the handlers of http.h ---- */

/* Random bytes for many ids are fetched at once. */
static void make_request_id(struct gateway *g, char out[37])
{
    static const struct {
        size_t from, len;
    } groups[] = { { 0, 8 }, { 8, 4 }, { 12, 4 }, { 16, 4 }, { 20, 12 } };
    unsigned char *b;
    char hex[33];
    if (g->ids_left == 0) {
        pl_random(g->ids, sizeof(g->ids));
        g->ids_left = PL_COUNT(g->ids);
    }
    b = g->ids[--g->ids_left];
    b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
    b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
    pl_hex(b, sizeof(g->ids[0]), hex);
    for (size_t i = 0; i < PL_COUNT(groups); i++) {
        memcpy(out, hex + groups[i].from, groups[i].len);
        out += groups[i].len;
        *out++ = i + 1 < PL_COUNT(groups) ? '-' : '\0';
    }
}

/* RPC v2 CBOR, which some SDKs can speak beside JSON: refused in its own form, so that they show the reason. */
static bool refuse_cbor(struct http_request *r)
{
#define WHY "Pilotlight does not speak RPC v2 CBOR: choose the protocol json or query here."
    _Static_assert(sizeof(WHY) - 1 == 0x4e, "its length is in the message");
    /* {"__type": ..., "message": WHY} */
    static const char body[] = "\xa2\x66__type\x78\x19UnknownOperationException\x67message\x78\x4e" WHY;
#undef WHY
    const char *protocol = http_header(r, "smithy-protocol");
    if (!protocol || strcmp(protocol, "rpc-v2-cbor") != 0)
        return false;
    http_set_header(r, "smithy-protocol", "rpc-v2-cbor");
    http_answer(r, 400, "application/cbor", body, sizeof(body) - 1);
    return true;
}

static void begin(void *app, struct http_request *r)
{
    struct gateway *g = app;
    struct aws_call *c = ARENA_NEW(http_arena(r), struct aws_call);
    *http_user(r) = c;
    c->gateway = g;
    c->http = r;
    c->arena = http_arena(r);
    c->account = g->config->account_id;
    make_request_id(g, c->request_id);
    metrics_add(g->calls, 1);
    if (refuse_cbor(r))
        return;
    find_service(c);
    http_set_header(r, c->protocol == AWS_REST_XML ? "x-amz-request-id" : "x-amzn-RequestId", c->request_id);
    if (!auth_begin(c) || (c->service && !auth_check_service(c)))
        return;
    if (c->service && c->service->begin)
        c->service->begin(c);
    else
        http_read_body(r, (size_t)g->config->request_bytes, too_large);
}

static void ready(void *app, struct http_request *r)
{
    struct aws_call *c = *http_user(r);
    (void)app;
    if (c->service && c->service->ready) {
        c->service->ready(c);
        return;
    }
    if (!auth_verify_body(c))
        return;
    if (c->protocol != AWS_QUERY && !c->operation) {
        aws_fail(c, AWS_UNKNOWN_OPERATION, "Pilotlight does not offer the operation %.128s.",
                 http_header(r, "X-Amz-Target"));
        return;
    }
    if (!read_input(c) || (c->protocol == AWS_QUERY && (!find_action(c) || !auth_check_service(c))))
        return;
    c->operation->handle(c);
}

static void gone(void *app, struct http_request *r)
{
    struct aws_call *c = *http_user(r);
    (void)app;
    c->client_gone = true;
    upstream_cancel(c);
}

static void ended(void *app, struct http_request *r)
{
    struct gateway *g = app;
    struct aws_call *c = *http_user(r);
    if (!c)
        return; /* not well framed: it never began */
    int64_t took_us = pl_now_us() - http_started_us(r);
    metrics_observe_us(g->seconds, took_us);
    log_debug("call", LOG_STR("service", c->service ? c->service->name : ""),
              LOG_STR("operation", c->operation ? c->operation->name : ""), LOG_STR("path", http_path(r)),
              LOG_STR("request_id", c->request_id), LOG_INT("took_us", took_us));
    if (c->service && c->service->ended)
        c->service->ended(c);
    aws_call_done(c);
}

const struct http_handlers routes_handlers = { .begin = begin, .ready = ready, .gone = gone, .ended = ended };
