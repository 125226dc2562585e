/* GetLogEvents and FilterLogEvents: lines of one stream, and lines of a group.
 *
 * Tokens of GetLogEvents are moments: "f/T" goes on with T, "b/T" with what was before it, and both work for as long as
 * the lines are kept. Those of FilterLogEvents are the router's own. */
#include "aws_error.h"
#include "base/text.h"
#include "logs.h"
#include "logs_pattern.h"
#include "upstream.h"

#include <inttypes.h>
#include <string.h>

#define US_PER_MS INT64_C(1000)
/* Year 9999 and more: times are turned into microseconds. */
#define MAX_MS    INT64_C(253402300799999)
#define NAMES_MAX 100

/* startTime and endTime; the latter is exclusive. False: answered. */
static bool read_span(struct aws_call *c, Pilotlight__V1__LogFilter *f)
{
    int64_t start_ms, end_ms;
    if (!logs_integer(c, "startTime", 0, MAX_MS, 0, &start_ms) || !logs_integer(c, "endTime", 0, MAX_MS, 0, &end_ms))
        return false;
    f->start_unix_us = start_ms * US_PER_MS;
    f->end_unix_us = end_ms * US_PER_MS;
    return true;
}

static json_t *event_json(const Pilotlight__V1__LogLine *l)
{
    return json_pack("{s:I, s:I, s:s}", "timestamp", (json_int_t)(l->time_unix_us / US_PER_MS), "ingestionTime",
                     (json_int_t)(l->time_unix_us / US_PER_MS), "message", l->text);
}

static void read_lines(struct aws_call *c, Pilotlight__V1__ReadLogsRequest *r, Pilotlight__V1__LogFilter *f,
                       void (*done)(struct aws_call *c, const struct pl_err *status, const void *reply))
{
    r->filter = f;
    upstream_send(c, UPSTREAM_ROUTER, UPSTREAM_V1("LogService", "ReadLogs"), &r->base,
                  &pilotlight__v1__read_logs_response__descriptor, done);
}

/* ---- GetLogEvents ---- */

struct get {
    int64_t forward_us, backward_us; /* where the next pages start when this one is empty */
};

static void get_reply(struct aws_call *c, json_t *events, int64_t forward_us, int64_t backward_us)
{
    aws_reply(c, json_pack("{s:o, s:s, s:s}", "events", events, "nextForwardToken",
                           arena_format(c->arena, "f/%" PRId64, forward_us), "nextBackwardToken",
                           arena_format(c->arena, "b/%" PRId64, backward_us)));
}

static void got(struct aws_call *c, const struct pl_err *status, const void *reply)
{
    const Pilotlight__V1__ReadLogsResponse *r = reply;
    const struct get *g = c->state;
    if (status->code != PL_OK) {
        aws_fail_upstream(c, status);
        return;
    }
    json_t *events = json_array();
    for (size_t i = 0; i < r->n_lines; i++)
        json_array_append_new(events, event_json(r->lines[i]));
    if (r->n_lines == 0)
        get_reply(c, events, g->forward_us, g->backward_us);
    else
        get_reply(c, events, r->lines[r->n_lines - 1]->time_unix_us + 1, r->lines[0]->time_unix_us);
}

/* "f/T" or "b/T" narrows the span and chooses the direction. False: answered. */
static bool read_token(struct aws_call *c, Pilotlight__V1__ReadLogsRequest *r, Pilotlight__V1__LogFilter *f)
{
    const char *token = aws_text(c->input, "nextToken");
    int64_t at_us;
    r->newest_first = !aws_bool(c->input, "startFromHead", false);
    if (!token)
        return true;
    if ((token[0] != 'f' && token[0] != 'b') || token[1] != '/' ||
        !pl_parse_i64(token + 2, 0, MAX_MS * US_PER_MS, &at_us)) {
        logs_invalid(c, "The specified nextToken is invalid.");
        return false;
    }
    r->newest_first = token[0] == 'b';
    if (!r->newest_first && at_us > f->start_unix_us)
        f->start_unix_us = at_us;
    if (r->newest_first && (f->end_unix_us == 0 || at_us < f->end_unix_us))
        f->end_unix_us = at_us > 0 ? at_us : 1; /* 0 would mean no end */
    return true;
}

void logs_get_events(struct aws_call *c)
{
    Pilotlight__V1__ReadLogsRequest r = PILOTLIGHT__V1__READ_LOGS_REQUEST__INIT;
    Pilotlight__V1__LogFilter f = PILOTLIGHT__V1__LOG_FILTER__INIT;
    const char *stream = aws_text(c->input, "logStreamName");
    int64_t limit;
    if (!(f.endpoint_name = logs_endpoint(c)) || !read_span(c, &f) ||
        !logs_integer(c, "limit", 1, LOGS_MAX_EVENTS, LOGS_MAX_EVENTS, &limit) || !read_token(c, &r, &f))
        return;
    if (!stream) {
        logs_invalid(c, "logStreamName must be given.");
        return;
    }
    if (!logs_stream_read(c, stream, &f)) {
        aws_fail_as(c, 400, "ResourceNotFoundException", NULL, "The specified log stream does not exist.");
        return;
    }
    struct get *g = ARENA_NEW(c->arena, struct get);
    g->forward_us = f.start_unix_us;
    g->backward_us = f.end_unix_us ? f.end_unix_us : f.start_unix_us;
    c->state = g;
    r.limit = (int32_t)limit;
    read_lines(c, &r, &f, got);
}

/* ---- FilterLogEvents ---- */

struct filter {
    struct logs_pattern pattern;
    const json_t *names; /* NULL: any */
    const char *prefix;
};

static bool wanted(const struct filter *f, const char *stream, const Pilotlight__V1__LogLine *l)
{
    const json_t *name;
    bool found = !f->names;
    size_t i;
    json_array_foreach(f->names, i, name) found = found || strcmp(json_string_value(name), stream) == 0;
    return found && strncmp(stream, f->prefix, strlen(f->prefix)) == 0 && logs_pattern_matches(&f->pattern, l->text);
}

static void filtered(struct aws_call *c, const struct pl_err *status, const void *reply)
{
    const Pilotlight__V1__ReadLogsResponse *r = reply;
    if (status->code != PL_OK) {
        aws_fail_upstream(c, status);
        return;
    }
    json_t *events = json_array();
    for (size_t i = 0; i < r->n_lines; i++) {
        const Pilotlight__V1__LogLine *l = r->lines[i];
        const char *stream = logs_stream_name(c, l->variant_name, l->instance_id);
        if (!wanted(c->state, stream, l))
            continue;
        json_t *event = event_json(l);
        json_object_set_new(event, "logStreamName", json_string(stream));
        json_object_set_new(event, "eventId",
                            json_string(arena_format(c->arena, "%s/%" PRId64, l->host, l->time_unix_us)));
        json_array_append_new(events, event);
    }
    json_t *result = json_pack("{s:o, s:[]}", "events", events, "searchedLogStreams");
    if (r->more)
        json_object_set_new(result, "nextToken", json_string(r->next_page_token));
    aws_reply(c, result);
}

static bool names_are_good(const json_t *names)
{
    const json_t *name;
    size_t i;
    if (!json_is_array(names) || json_array_size(names) == 0 || json_array_size(names) > NAMES_MAX)
        return false;
    json_array_foreach(names, i, name) if (!json_is_string(name)) return false;
    return true;
}

/* False: answered. */
static bool read_filter(struct aws_call *c, struct filter *f)
{
    const char *pattern = aws_text(c->input, "filterPattern"), *prefix = aws_text(c->input, "logStreamNamePrefix");
    const char *why = logs_pattern_read(&f->pattern, pattern ? pattern : "");
    f->names = json_object_get(c->input, "logStreamNames");
    f->prefix = prefix ? prefix : "";
    if (why)
        logs_invalid(c, "Invalid filter pattern: %s.", why);
    else if (f->names && prefix)
        logs_invalid(c, "logStreamNames and logStreamNamePrefix cannot both be given.");
    else if (f->names && !names_are_good(f->names))
        logs_invalid(c, "logStreamNames must be a list of 1 to %d names.", NAMES_MAX);
    else
        return true;
    return false;
}

void logs_filter_events(struct aws_call *c)
{
    Pilotlight__V1__ReadLogsRequest r = PILOTLIGHT__V1__READ_LOGS_REQUEST__INIT;
    Pilotlight__V1__LogFilter f = PILOTLIGHT__V1__LOG_FILTER__INIT;
    struct filter *filter = ARENA_NEW(c->arena, struct filter);
    const char *token = aws_text(c->input, "nextToken");
    int64_t limit;
    if (!(f.endpoint_name = logs_endpoint(c)) || !read_span(c, &f) || !read_filter(c, filter) ||
        !logs_integer(c, "limit", 1, LOGS_MAX_EVENTS, LOGS_MAX_EVENTS, &limit))
        return;
    /* One stream is looked up by its name; several are picked from all. */
    if (filter->names && json_array_size(filter->names) == 1)
        (void)logs_stream_read(c, json_string_value(json_array_get(filter->names, 0)), &f);
    c->state = filter;
    r.limit = (int32_t)limit;
    r.page_token = arena_strdup(c->arena, token ? token : "");
    read_lines(c, &r, &f, filtered);
}
