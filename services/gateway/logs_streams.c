/* DescribeLogStreams: what has printed. The router gives whole lists; a token is where the next page starts. */
#include "aws_error.h"
#include "base/text.h"
#include "logs.h"
#include "upstream.h"

#include "pilotlight/v1/endpoint.pb-c.h"

#include <stdlib.h>
#include <string.h>

#define PAGE_MAX  50
#define US_PER_MS INT64_C(1000)

struct describe {
    const char *endpoint, *prefix;
    bool by_time, descending;
    int64_t from, limit;
};

struct row {
    const char *name;
    const Pilotlight__V1__LogStream *stream;
};

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct row *)a)->name, ((const struct row *)b)->name);
}

static int by_time(const void *a, const void *b)
{
    int64_t x = ((const struct row *)a)->stream->last_unix_us, y = ((const struct row *)b)->stream->last_unix_us;
    return x < y ? -1 : x > y ? 1 : by_name(a, b);
}

static json_t *stream_json(struct aws_call *c, const struct describe *d, const struct row *r)
{
    const char *arn = arena_format(c->arena, "arn:aws:logs:%s:%s:log-group:" LOGS_GROUP "%s:log-stream:%s", c->region,
                                   c->account, d->endpoint, r->name);
    json_int_t first_ms = r->stream->first_unix_us / US_PER_MS, last_ms = r->stream->last_unix_us / US_PER_MS;
    return json_pack("{s:s, s:I, s:I, s:I, s:I, s:s, s:I}", "logStreamName", r->name, "creationTime", first_ms,
                     "firstEventTimestamp", first_ms, "lastEventTimestamp", last_ms, "lastIngestionTime", last_ms,
                     "arn", arn, "storedBytes", (json_int_t)r->stream->bytes);
}

static size_t pick(struct aws_call *c, const struct describe *d, const Pilotlight__V1__ListLogStreamsResponse *r,
                   struct row *out)
{
    size_t n = 0;
    for (size_t i = 0; i < r->n_streams; i++) {
        const Pilotlight__V1__LogStream *s = r->streams[i];
        const char *name = logs_stream_name(c, s->variant_name, s->instance_id);
        if (strncmp(name, d->prefix, strlen(d->prefix)) == 0)
            out[n++] = (struct row){ .name = name, .stream = s };
    }
    if (n > 0)
        qsort(out, n, sizeof(*out), d->by_time ? by_time : by_name);
    return n;
}

/* Every endpoint has a group, whether it has printed or not. */
static void looked_for(struct aws_call *c, const struct pl_err *status, const void *reply)
{
    (void)reply;
    if (status->code == PL_NOT_FOUND || status->code == PL_INVALID)
        aws_fail_as(c, 400, "ResourceNotFoundException", NULL, "The specified log group does not exist.");
    else if (status->code != PL_OK)
        aws_fail_upstream(c, status);
    else
        aws_reply(c, json_pack("{s:[]}", "logStreams"));
}

static void look_for(struct aws_call *c, const char *endpoint)
{
    Pilotlight__V1__GetEndpointRequest r = PILOTLIGHT__V1__GET_ENDPOINT_REQUEST__INIT;
    r.name = arena_strdup(c->arena, endpoint);
    upstream_send(c, UPSTREAM_CONTROL, UPSTREAM_V1("EndpointService", "GetEndpoint"), &r.base,
                  &pilotlight__v1__get_endpoint_response__descriptor, looked_for);
}

static void listed(struct aws_call *c, const struct pl_err *status, const void *reply)
{
    const Pilotlight__V1__ListLogStreamsResponse *r = reply;
    const struct describe *d = c->state;
    if (status->code != PL_OK) {
        aws_fail_upstream(c, status);
        return;
    }
    if (r->n_streams == 0) {
        look_for(c, d->endpoint);
        return;
    }
    struct row *rows = arena_get(c->arena, r->n_streams * sizeof(*rows));
    size_t n = pick(c, d, r, rows), from = (size_t)d->from;
    json_t *list = json_array(), *result = json_pack("{s:o}", "logStreams", list);
    for (size_t i = from; i < n && i < from + (size_t)d->limit; i++)
        json_array_append_new(list, stream_json(c, d, &rows[d->descending ? n - 1 - i : i]));
    if (from + (size_t)d->limit < n)
        json_object_set_new(result, "nextToken", json_string(arena_format(c->arena, "p%zu", from + (size_t)d->limit)));
    aws_reply(c, result);
}

/* False: answered. */
static bool read_describe(struct aws_call *c, struct describe *d)
{
    const char *order = aws_text(c->input, "orderBy"), *token = aws_text(c->input, "nextToken");
    const char *prefix = aws_text(c->input, "logStreamNamePrefix");
    d->prefix = prefix ? prefix : "";
    d->by_time = order && strcmp(order, "LastEventTime") == 0;
    d->descending = aws_bool(c->input, "descending", false);
    if (order && !d->by_time && strcmp(order, "LogStreamName") != 0)
        logs_invalid(c, "orderBy must be LogStreamName or LastEventTime.");
    else if (d->by_time && prefix)
        logs_invalid(c, "Cannot order by LastEventTime with a logStreamNamePrefix.");
    else if (token && (token[0] != 'p' || !pl_parse_i64(token + 1, 0, INT32_MAX, &d->from)))
        logs_invalid(c, "The specified nextToken is invalid.");
    else
        return logs_integer(c, "limit", 1, PAGE_MAX, PAGE_MAX, &d->limit);
    return false;
}

void logs_describe_streams(struct aws_call *c)
{
    Pilotlight__V1__ListLogStreamsRequest r = PILOTLIGHT__V1__LIST_LOG_STREAMS_REQUEST__INIT;
    struct describe *d = ARENA_NEW(c->arena, struct describe);
    if (!(r.endpoint_name = logs_endpoint(c)) || !read_describe(c, d))
        return;
    d->endpoint = r.endpoint_name;
    c->state = d;
    upstream_send(c, UPSTREAM_ROUTER, UPSTREAM_V1("LogService", "ListLogStreams"), &r.base,
                  &pilotlight__v1__list_log_streams_response__descriptor, listed);
}
