/* aws_call - one call of an AWS client, whatever its service and protocol: what handlers get.
 *
 * routes.c finds out which service and operation is meant, auth.c who calls, aws_json.c or aws_query.c what was said. A
 * handler (api_*.c) then translates 'input' into messages for upstream.h, and their replies into one answer:
 *
 *     aws_reply()         an object, written as JSON or as a query result in XML, as the client's protocol wants it
 *     aws_reply_empty()   an operation without output
 *     aws_fail...()       an error in the shape of the protocol (aws_error.h)
 *
 * Exactly one of them, at once or from a callback of upstream_send(). Everything of a call is freed after its answer
 * was sent; strings made with c->arena or found in c->input live as long. */
#ifndef GATEWAY_AWS_CALL_H
#define GATEWAY_AWS_CALL_H

#include "arena.h"
#include "http.h"
#include "sigv4.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct aws_call;
struct gateway;
struct kept;
struct pl_err;
struct rpc_bytes;
struct rpc_request;
struct upstream_wait;

enum aws_protocol {
    AWS_JSON_1_1,  /* SageMaker, Application Auto Scaling       */
    AWS_JSON_1_0,  /* CloudWatch of newer clients               */
    AWS_REST_JSON, /* SageMaker Runtime                         */
    AWS_QUERY,     /* CloudWatch of older clients, STS, IAM     */
    AWS_REST_XML,  /* S3                                        */
};

struct aws_operation {
    const char *name; /* "CreateModel"; NULL ends a table */
    void (*handle)(struct aws_call *c);
};

struct aws_service {
    const char *name;            /* for logs and metrics: "sagemaker"                                            */
    const char *signing_name;    /* in the credential scope                                                      */
    const char *target_prefix;   /* X-Amz-Target: PREFIX.Operation; NULL = does not speak JSON                   */
    enum aws_protocol json;      /* which, when it does                                                          */
    const char *query_version;   /* Version=; NULL = does not speak query                                        */
    const char *xmlns;           /* of query results                                                             */
    const char *error_namespace; /* in front of __type: "com.amazonaws.cloudwatch#"; NULL = none                 */
    const struct aws_operation *operations;
    /* REST services only, instead of 'operations': who reads the body and what is meant are one question there. 'begin'
     * calls http_read_body() or http_stream_body(), or answers; 'ready' has the caller verified for read bodies. */
    void (*begin)(struct aws_call *c);
    void (*ready)(struct aws_call *c);
    void (*ended)(struct aws_call *c); /* may be NULL */
    /* Errors of upstream in this service's names; NULL: aws_fail_upstream()'s own table. */
    void (*fail_upstream)(struct aws_call *c, const struct pl_err *err);
};

struct aws_call {
    struct gateway *gateway;
    struct http_request *http;
    struct arena *arena;
    const struct aws_service *service;
    const struct aws_operation *operation;
    enum aws_protocol protocol;
    char request_id[37]; /* UUID; in every answer */
    struct sigv4_claim claim;
    bool signed_by_key; /* false: unauthenticated use is allowed and was made */
    const char *region; /* of the scope, else the setting */
    const char *account;
    json_t *input;                       /* JSON and query: an object, never NULL; else NULL */
    void *state;                         /* the handler's own, between its callbacks         */
    struct rpc_request *upstream;        /* in flight                                        */
    struct upstream_wait *upstream_wait; /* for its connection; NULL = it is there    */
    void (*upstream_done)(struct aws_call *c, const struct pl_err *status, const void *reply);
    void (*upstream_bytes_done)(struct aws_call *c, const struct pl_err *status, struct rpc_bytes *reply);
    bool client_gone;
    struct kept *kept;         /* of aws_keep() */
    const char *soft_failures; /* of shape_check() */
};

void aws_call_done(struct aws_call *c);

/* A JSON value that lives as long as the call. */
json_t *aws_keep(struct aws_call *c, json_t *v);

/* 'result' is consumed. An empty one is written as {} or as an empty result. */
void aws_reply(struct aws_call *c, json_t *result);
/* HTTP 200 without a body; as query, an empty result. */
void aws_reply_empty(struct aws_call *c);

/* A moment as the protocol writes it: epoch seconds with a fraction, or ISO 8601 text. */
json_t *aws_time(const struct aws_call *c, int64_t unix_ms);
/* An object (consumed) as a map from names to values, which XML writes in another way than a structure. */
json_t *aws_map(const struct aws_call *c, json_t *object);
/* Reads either form, and epoch numbers as text; false: neither. */
bool aws_read_time(const json_t *v, int64_t *out_ms);

/* Members of 'input' or of an object in it. Query values are all text, so numbers and booleans may be text too.
 * Missing or of another type: NULL, the fallback. */
const char *aws_text(const json_t *object, const char *member);
bool aws_number(const json_t *object, const char *member, double *out);
bool aws_integer(const json_t *object, const char *member, int64_t *out);
/* For a field of 32 bits that control checks: what does not fit is the nearest that does, and as wrong. */
static inline int32_t aws_narrow(int64_t n)
{
    return n > INT32_MAX ? INT32_MAX : n < INT32_MIN ? INT32_MIN : (int32_t)n;
}
bool aws_bool(const json_t *object, const char *member, bool fallback);

/* "arn:aws:sagemaker:REGION:ACCOUNT:KIND/NAME" */
char *aws_arn(const struct aws_call *c, const char *service, const char *kind_and_name);

#endif
