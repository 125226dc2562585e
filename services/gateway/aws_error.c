#include "aws_error.h"

#include "aws_json.h"
#include "aws_xml.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

struct error_row {
    int status;
    const char *json, *runtime, *query;
    int s3_status;
    const char *s3;
};

static const struct error_row rows[AWS_ERROR_COUNT] = {
#define E(id, status, json, runtime, query, s3_status, s3) [AWS_##id] = { status, json, runtime, query, s3_status, s3 },
    AWS_ERRORS(E)
#undef E
};

/* What was quoted from a request may be anything; JSON and XML are UTF-8. */
static const char *as_utf8(struct aws_call *c, const char *message)
{
    if (pl_utf8_valid(message, strlen(message)))
        return message;
    char *copy = arena_strdup(c->arena, message);
    for (char *p = copy; *p; p++)
        if (*p & 0x80)
            *p = '?';
    return copy;
}

static void fail_json(struct aws_call *c, int status, const char *shape, const char *query_code, const char *message)
{
    const char *space = c->service && c->service->error_namespace ? c->service->error_namespace : "";
    json_t *body = json_pack("{s:s+, s:s}", "__type", space, shape, "message", message);
    if (c->protocol == AWS_JSON_1_0)
        http_set_header(c->http, "x-amzn-query-error",
                        arena_format(c->arena, "%s;%s", query_code, status < 500 ? "Sender" : "Receiver"));
    aws_send_json(c, status, body);
}

void aws_fail_with(struct aws_call *c, int status, const char *shape, const char *message, json_t *members)
{
    json_t *body = members ? members : json_object();
    json_object_set_new(body, "Message", json_string(message));
    http_set_header(c->http, "x-amzn-ErrorType", shape);
    aws_send_json(c, status, body);
}

static void fail_query(struct aws_call *c, int status, const char *code, const char *message)
{
    struct text xml = { .arena = c->arena };
    text_adds(&xml, "<ErrorResponse xmlns=\"");
    xml_add_escaped(&xml, c->service && c->service->xmlns ? c->service->xmlns : "");
    text_addf(&xml, "\"><Error><Type>%s</Type>", status < 500 ? "Sender" : "Receiver");
    xml_element(&xml, "Code", code);
    xml_element(&xml, "Message", message);
    text_adds(&xml, "</Error>");
    xml_element(&xml, "RequestId", c->request_id);
    text_adds(&xml, "</ErrorResponse>");
    http_answer(c->http, status, "text/xml", xml.data, xml.len);
}

static void fail_s3(struct aws_call *c, int status, const char *code, const char *message)
{
    struct text xml = { .arena = c->arena };
    text_adds(&xml, XML_DECLARATION "<Error>");
    xml_element(&xml, "Code", code);
    xml_element(&xml, "Message", message);
    xml_element(&xml, "Resource", as_utf8(c, http_path(c->http)));
    xml_element(&xml, "RequestId", c->request_id);
    text_adds(&xml, "</Error>");
    if (strcmp(http_method(c->http), "HEAD") == 0)
        http_answer_head(c->http, status, "application/xml", 0);
    else
        http_answer(c->http, status, "application/xml", xml.data, xml.len);
}

static void fail(struct aws_call *c, int status, const char *shape, const char *query_code, const char *message)
{
    message = as_utf8(c, message);
    switch (c->protocol) {
    case AWS_JSON_1_1:
    case AWS_JSON_1_0:
        fail_json(c, status, shape, query_code, message);
        break;
    case AWS_REST_JSON:
        aws_fail_with(c, status, shape, message, NULL);
        break;
    case AWS_QUERY:
        fail_query(c, status, query_code, message);
        break;
    case AWS_REST_XML:
        fail_s3(c, status, query_code, message);
        break;
    }
}

void aws_fail(struct aws_call *c, enum aws_error id, const char *fmt, ...)
{
    const struct error_row *row = &rows[id];
    va_list args;
    va_start(args, fmt);
    const char *message = arena_vformat(c->arena, fmt, args);
    va_end(args);
    if (c->protocol == AWS_REST_XML)
        fail(c, row->s3_status, row->s3, row->s3, message);
    else
        fail(c, c->protocol == AWS_REST_JSON && id == AWS_TOO_LARGE ? 400 : row->status,
             c->protocol == AWS_REST_JSON ? row->runtime : row->json, row->query, message);
}

void aws_fail_as(struct aws_call *c, int status, const char *shape, const char *query_code, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    const char *message = arena_vformat(c->arena, fmt, args);
    va_end(args);
    fail(c, status, shape, query_code ? query_code : shape, message);
}

/* What a code means to somebody who knows nothing of the service. */
static enum aws_error error_of(enum pl_code code)
{
    switch (code) {
    case PL_INVALID:
    case PL_NOT_FOUND:
    case PL_EXISTS:
    case PL_PRECONDITION:
    case PL_OUT_OF_RANGE:
        return AWS_VALIDATION;
    case PL_DENIED:
    case PL_UNAUTHENTICATED:
        return AWS_DENIED;
    case PL_EXHAUSTED:
        return AWS_LIMIT_EXCEEDED;
    case PL_ABORTED:
        return AWS_THROTTLED;
    case PL_UNIMPLEMENTED:
        return AWS_UNKNOWN_OPERATION;
    case PL_UNAVAILABLE:
    case PL_DEADLINE:
    case PL_CANCELLED:
        return AWS_UNAVAILABLE;
    default:
        return AWS_INTERNAL;
    }
}

void aws_fail_upstream(struct aws_call *c, const struct pl_err *err)
{
    if (c->service && c->service->fail_upstream)
        c->service->fail_upstream(c, err);
    else
        aws_fail(c, error_of(err->code), "%s", err->message);
}
