#include "log_methods.h"

#include "base/mem.h"
#include "logs/store.h"
#include "pilotlight/internal/v1/worker.pb-c.h"
#include "rpc/server.h"
#include "worker.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reading {
    struct log_read read;
    struct rpc_call *call; /* NULL: the caller went away */
    const char *host_id;
};

static void reading_cancelled(void *arg)
{
    struct reading *r = arg;
    struct pl_err err;

    (void)pl_fail(&err, PL_CANCELLED, NULL, "the caller went away");
    rpc_fail(r->call, &err);
    r->call = NULL;
}

static void reading_free(struct reading *r)
{
    pl_buf_done(&r->read.lines);
    free(r->read.streams);
    free(r);
}

static struct reading *reading_new(struct rpc_call *call, const struct worker_parts *w)
{
    struct reading *r = PL_NEW(struct reading);

    r->call = call;
    r->host_id = w->host_id;
    rpc_call_on_cancel(call, reading_cancelled, r);
    return r;
}

static enum pl_code take_name(char out[LOG_NAME_MAX + 1], const char *field, const char *value, bool needed,
                              struct pl_err *err)
{
    size_t n = strlen(value);

    if (n > LOG_NAME_MAX || (needed && n == 0))
        return pl_fail(err, PL_INVALID, field, "%s: %zu bytes long; %d to %d are allowed", field, n, needed ? 1 : 0,
                       LOG_NAME_MAX);
    memcpy(out, value, n + 1);
    return PL_OK;
}

/* As InstanceService writes it. */
static char *instance_text(const struct reading *r, uint64_t id)
{
    return pl_format("%s/%" PRIu64, r->host_id, id);
}

/* ---- ReadInstanceLogs ---- */

struct line_message {
    Pilotlight__V1__LogLine m;
    char request[17];
};

static void fill_line(struct line_message *out, const struct reading *r, const struct log_line *l)
{
    pilotlight__v1__log_line__init(&out->m);
    out->m.time_unix_us = l->at_us;
    out->m.variant_name = pl_strndup(l->variant, l->variant_len);
    out->m.host = (char *)r->host_id;
    out->m.instance_id = instance_text(r, l->instance);
    out->m.text = pl_strndup(l->text, l->text_len);
    if (l->request) {
        (void)snprintf(out->request, sizeof(out->request), "%016" PRIx64, l->request);
        out->m.request_id = out->request;
    }
}

static size_t count_lines(const struct pl_buf *lines)
{
    size_t n = 0;

    for (const char *s = lines->data, *end = s + lines->len; s && s < end && (s = memchr(s, '\n', (size_t)(end - s)));
         s++)
        n++;
    return n;
}

static void reply_lines(const struct reading *r)
{
    Pilotlight__Internal__V1__ReadInstanceLogsResponse m = PILOTLIGHT__INTERNAL__V1__READ_INSTANCE_LOGS_RESPONSE__INIT;
    size_t room = count_lines(&r->read.lines);
    struct line_message *all = pl_new0(room + 1, sizeof(*all));
    const char *s = r->read.lines.data, *newline;

    m.lines = pl_new0(room + 1, sizeof(Pilotlight__V1__LogLine *));
    m.more = r->read.more;
    for (; m.n_lines < room && (newline = strchr(s, '\n')); s = newline + 1) {
        struct log_line l;

        if (!log_line_read(&l, s, (size_t)(newline - s)))
            continue;
        fill_line(&all[m.n_lines], r, &l);
        m.lines[m.n_lines] = &all[m.n_lines].m;
        m.n_lines++;
    }
    rpc_reply(r->call, &m.base);
    for (size_t i = 0; i < m.n_lines; i++) {
        free(all[i].m.variant_name);
        free(all[i].m.instance_id);
        free(all[i].m.text);
    }
    free(m.lines);
    free(all);
}

static void lines_read(struct log_read *read)
{
    struct reading *r = PL_CONTAINER(read, struct reading, read);

    if (r->call)
        reply_lines(r);
    reading_free(r);
}

static enum pl_code take_query(struct log_query *q, const Pilotlight__Internal__V1__ReadInstanceLogsRequest *m,
                               struct pl_err *err)
{
    if (take_name(q->endpoint, "endpoint_name", m->endpoint_name, true, err) != PL_OK ||
        take_name(q->variant, "variant_name", m->variant_name, false, err) != PL_OK)
        return err->code;
    if (m->limit < 1 || (unsigned)m->limit > LOG_READ_MAX_LINES)
        return pl_fail(err, PL_INVALID, "limit", "limit: %d; 1 to %u are allowed", m->limit, LOG_READ_MAX_LINES);
    q->instance = m->instance_id;
    q->after_us = m->after_unix_us;
    q->before_us = m->before_unix_us > 0 ? m->before_unix_us : INT64_MAX;
    q->limit = (unsigned)m->limit;
    q->newest = m->newest;
    return PL_OK;
}

void read_instance_logs(struct rpc_call *call, const void *message, void *service)
{
    struct worker_parts *w = service;
    struct log_query query = { 0 };
    struct reading *r;
    struct pl_err err;

    if (take_query(&query, message, &err) != PL_OK) {
        rpc_fail(call, &err);
        return;
    }
    r = reading_new(call, w);
    r->read.query = query;
    r->read.done = lines_read;
    log_store_read(w->logs, &r->read);
}

/* ---- ListInstanceLogs ---- */

static void reply_streams(const struct reading *r)
{
    Pilotlight__Internal__V1__ListInstanceLogsResponse m = PILOTLIGHT__INTERNAL__V1__LIST_INSTANCE_LOGS_RESPONSE__INIT;
    unsigned n = r->read.stream_count;
    Pilotlight__V1__LogStream *all = pl_new0(n + 1, sizeof(*all));

    m.streams = pl_new0(n + 1, sizeof(Pilotlight__V1__LogStream *));
    m.n_streams = n;
    for (unsigned i = 0; i < n; i++) {
        const struct log_stream *s = &r->read.streams[i];

        pilotlight__v1__log_stream__init(&all[i]);
        all[i].variant_name = (char *)s->variant;
        all[i].host = (char *)r->host_id;
        all[i].instance_id = instance_text(r, s->instance);
        all[i].first_unix_us = s->first_us;
        all[i].last_unix_us = s->last_us;
        all[i].bytes = s->bytes;
        m.streams[i] = &all[i];
    }
    rpc_reply(r->call, &m.base);
    for (unsigned i = 0; i < n; i++)
        free(all[i].instance_id);
    free(m.streams);
    free(all);
}

static void streams_read(struct log_read *read)
{
    struct reading *r = PL_CONTAINER(read, struct reading, read);

    if (r->call)
        reply_streams(r);
    reading_free(r);
}

void list_instance_logs(struct rpc_call *call, const void *message, void *service)
{
    const Pilotlight__Internal__V1__ListInstanceLogsRequest *m = message;
    struct worker_parts *w = service;
    struct log_query query = { 0 };
    struct reading *r;
    struct pl_err err;

    if (take_name(query.endpoint, "endpoint_name", m->endpoint_name, true, &err) != PL_OK) {
        rpc_fail(call, &err);
        return;
    }
    r = reading_new(call, w);
    r->read.query = query;
    r->read.done = streams_read;
    log_store_streams(w->logs, &r->read);
}
