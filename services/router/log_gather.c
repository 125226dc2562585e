#include "log_gather.h"

#include "base/mem.h"
#include "base/text.h"
#include "host.h"
#include "log/log.h"
#include "message.h"
#include "pilotlight/internal/v1/worker.pb-c.h"

#include <stdlib.h>
#include <string.h>

#define TIMEOUT_MS 5000
#define SERVICE    "/pilotlight.internal.v1.WorkerService/"

/* What one host answered. */
struct part {
    struct log_gather *gather;
    struct host *host;
    char *host_id;
    struct rpc_request *sent; /* NULL: answered */
    ProtobufCMessage *answer; /* NULL: none */
};

struct log_gather {
    struct hosts *hosts;
    struct log_want want;
    log_gathered_fn *done; /* NULL: cancelled, or streams are asked for */
    log_streams_gathered_fn *streams_done;
    void *arg;
    struct part *parts;
    size_t count, open;
    struct loop_task soon; /* when there is no host to wait for */
};

/* ---- the end ---- */

static void gather_free(struct log_gather *g)
{
    for (size_t i = 0; i < g->count; i++) {
        if (g->parts[i].answer)
            protobuf_c_message_free_unpacked(g->parts[i].answer, NULL);
        free(g->parts[i].host_id);
        host_unref(g->parts[i].host);
    }
    free(g->parts);
    free(g);
}

/* The texts stay the parts'. */
static char **list_missing(const struct log_gather *g, size_t *out_count)
{
    char **missing = pl_new0(g->count + 1, sizeof(*missing));

    *out_count = 0;
    for (size_t i = 0; i < g->count; i++)
        if (!g->parts[i].answer)
            missing[(*out_count)++] = g->parts[i].host_id;
    return missing;
}

/* ---- lines ---- */

static const Pilotlight__Internal__V1__ReadInstanceLogsResponse *lines_of(const struct part *p)
{
    return (const Pilotlight__Internal__V1__ReadInstanceLogsResponse *)p->answer;
}

static int by_time(const void *a, const void *b)
{
    const Pilotlight__V1__LogLine *x = *(Pilotlight__V1__LogLine *const *)a;
    const Pilotlight__V1__LogLine *y = *(Pilotlight__V1__LogLine *const *)b;

    if (x->time_unix_us != y->time_unix_us)
        return x->time_unix_us < y->time_unix_us ? -1 : 1;
    return strcmp(x->host, y->host);
}

/* Where a host's part was cut, what others have beyond that must wait. */
static int64_t horizon(const struct log_gather *g)
{
    int64_t at_us = g->want.newest ? 0 : INT64_MAX;

    for (size_t i = 0; i < g->count; i++) {
        const Pilotlight__Internal__V1__ReadInstanceLogsResponse *m = lines_of(&g->parts[i]);
        int64_t edge_us;

        if (!m || !m->more || m->n_lines == 0)
            continue;
        edge_us = m->lines[g->want.newest ? 0 : m->n_lines - 1]->time_unix_us;
        if (g->want.newest ? edge_us > at_us : edge_us < at_us)
            at_us = edge_us;
    }
    return at_us;
}

/* All lines that need not wait, by time. */
static Pilotlight__V1__LogLine **merge(const struct log_gather *g, size_t *out_count, bool *out_more)
{
    Pilotlight__V1__LogLine **all;
    int64_t edge_us = horizon(g);
    size_t room = 0, n = 0;

    for (size_t i = 0; i < g->count; i++)
        room += g->parts[i].answer ? lines_of(&g->parts[i])->n_lines : 0;
    all = pl_new0(room + 1, sizeof(Pilotlight__V1__LogLine *));
    for (size_t i = 0; i < g->count; i++) {
        const Pilotlight__Internal__V1__ReadInstanceLogsResponse *m = lines_of(&g->parts[i]);

        *out_more = *out_more || (m && m->more);
        for (size_t k = 0; m && k < m->n_lines; k++) {
            int64_t at_us = m->lines[k]->time_unix_us;

            if (g->want.newest ? at_us >= edge_us : at_us <= edge_us)
                all[n++] = m->lines[k];
        }
    }
    *out_more = *out_more || n < room;
    qsort(all, n, sizeof(*all), by_time);
    *out_count = n;
    return all;
}

/* Every host goes on where its last line on this page was; newest first, before its first. */
static void move_cursor(struct log_gather *g, Pilotlight__V1__LogLine *const *lines, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const Pilotlight__V1__LogLine *l = lines[g->want.newest ? count - 1 - i : i];

        log_cursor_set(g->want.cursor, l->host, l->time_unix_us);
    }
}

static void note_last(const struct log_gather *g, struct log_cursor *out)
{
    for (size_t i = 0; i < g->count; i++) {
        const Pilotlight__Internal__V1__ReadInstanceLogsResponse *m = lines_of(&g->parts[i]);

        if (m && m->n_lines > 0)
            log_cursor_set(out, g->parts[i].host_id, m->lines[m->n_lines - 1]->time_unix_us);
    }
}

static void finish_lines(struct log_gather *g)
{
    pl_cleanup(log_cursor_done) struct log_cursor last = { 0 };
    struct log_page page = { .last = &last };
    Pilotlight__V1__LogLine **all = merge(g, &page.count, &page.more);
    size_t limit = (size_t)g->want.limit;
    char **missing = list_missing(g, &page.missing_count);

    page.lines = all;
    if (page.count > limit) {
        page.more = true;
        if (g->want.newest)
            page.lines += page.count - limit;
        page.count = limit;
    }
    page.missing = missing;
    move_cursor(g, page.lines, page.count);
    note_last(g, &last);
    g->done(g->arg, &page);
    free(missing);
    free(all);
}

/* ---- streams ---- */

static int newer_first(const void *a, const void *b)
{
    const Pilotlight__V1__LogStream *x = *(Pilotlight__V1__LogStream *const *)a;
    const Pilotlight__V1__LogStream *y = *(Pilotlight__V1__LogStream *const *)b;

    return (x->last_unix_us < y->last_unix_us) - (x->last_unix_us > y->last_unix_us);
}

static void finish_streams(struct log_gather *g)
{
    struct log_streams_page page = { 0 };
    size_t room = 0;

    for (size_t i = 0; i < g->count; i++) {
        const Pilotlight__Internal__V1__ListInstanceLogsResponse *m = (const void *)g->parts[i].answer;

        room += m ? m->n_streams : 0;
    }
    page.streams = pl_new0(room + 1, sizeof(Pilotlight__V1__LogStream *));
    for (size_t i = 0; i < g->count; i++) {
        const Pilotlight__Internal__V1__ListInstanceLogsResponse *m = (const void *)g->parts[i].answer;

        for (size_t k = 0; m && k < m->n_streams; k++)
            page.streams[page.count++] = m->streams[k];
    }
    qsort(page.streams, page.count, sizeof(*page.streams), newer_first);
    page.missing = list_missing(g, &page.missing_count);
    g->streams_done(g->arg, &page);
    free(page.missing);
    free(page.streams);
}

static void finish(struct log_gather *g)
{
    if (g->done)
        finish_lines(g);
    else if (g->streams_done)
        finish_streams(g);
    gather_free(g);
}

/* ---- asking ---- */

static void answered(void *arg, const struct pl_err *status, const void *message, struct rpc_bytes *bytes)
{
    struct part *p = arg;
    struct log_gather *g = p->gather;

    (void)bytes;
    p->sent = NULL;
    if (message && (g->done || g->streams_done))
        p->answer = message_copy(message);
    else if (status->code != PL_OK && status->code != PL_CANCELLED)
        log_warn("logs_missing", LOG_STR("host", p->host_id), LOG_CODE(status), LOG_ERR(status));
    if (--g->open == 0)
        finish(g);
}

static void ask(struct part *p, const char *path, const ProtobufCMessage *m, const ProtobufCMessageDescriptor *reply)
{
    p->gather->open++;
    p->sent = rpc_send(
        p->host->channel,
        &(struct rpc_send){
            .path = path, .message = m, .reply = reply, .timeout_ms = TIMEOUT_MS, .done = answered, .arg = p });
}

/* "host-1/73014444033" -> 73014444033 on host-1 only; 0 = any. False: on another host. */
static bool instance_on(const char *instance, const char *host, uint64_t *out)
{
    size_t n = strlen(host);

    *out = 0;
    if (!*instance)
        return true;
    return strncmp(instance, host, n) == 0 && instance[n] == '/' && pl_parse_u64(instance + n + 1, UINT64_MAX, out);
}

static void ask_for_lines(struct part *p)
{
    const struct log_want *w = &p->gather->want;
    Pilotlight__Internal__V1__ReadInstanceLogsRequest m = PILOTLIGHT__INTERNAL__V1__READ_INSTANCE_LOGS_REQUEST__INIT;

    m.endpoint_name = (char *)w->endpoint;
    m.variant_name = (char *)w->variant;
    (void)instance_on(w->instance, p->host_id, &m.instance_id);
    m.after_unix_us = w->start_us > 0 ? w->start_us - 1 : 0;
    m.before_unix_us = w->end_us;
    if (w->newest)
        m.before_unix_us = log_cursor_get(w->cursor, p->host_id, m.before_unix_us);
    else
        m.after_unix_us = log_cursor_get(w->cursor, p->host_id, m.after_unix_us);
    m.limit = w->limit;
    m.newest = w->newest;
    ask(p, SERVICE "ReadInstanceLogs", &m.base, &pilotlight__internal__v1__read_instance_logs_response__descriptor);
}

static void ask_for_streams(struct part *p)
{
    Pilotlight__Internal__V1__ListInstanceLogsRequest m = PILOTLIGHT__INTERNAL__V1__LIST_INSTANCE_LOGS_REQUEST__INIT;

    m.endpoint_name = (char *)p->gather->want.endpoint;
    ask(p, SERVICE "ListInstanceLogs", &m.base, &pilotlight__internal__v1__list_instance_logs_response__descriptor);
}

static bool wanted(const struct log_want *w, const char *host)
{
    uint64_t id;

    return (!*w->host || strcmp(w->host, host) == 0) && instance_on(w->instance, host, &id);
}

static void nobody_to_ask(struct loop_task *t)
{
    finish(PL_CONTAINER(t, struct log_gather, soon));
}

static struct log_gather *gather_new(struct hosts *hosts, const struct log_want *want, void *arg)
{
    struct log_gather *g = PL_NEW(struct log_gather);

    g->hosts = hosts;
    g->want = *want;
    g->arg = arg;
    g->soon.run = nobody_to_ask;
    g->parts = pl_new0(hosts->count + 1, sizeof(*g->parts));
    for (struct host *host = hosts->by_id; host; host = host->hh.next) {
        struct part *p = &g->parts[g->count];

        if (host->left || !wanted(want, host->message->id))
            continue;
        *p = (struct part){ .gather = g, .host = host, .host_id = pl_strdup(host->message->id) };
        host->refs++;
        g->count++;
    }
    return g;
}

static struct log_gather *ask_all(struct log_gather *g, void (*ask_one)(struct part *p))
{
    for (size_t i = 0; i < g->count; i++)
        ask_one(&g->parts[i]);
    if (g->count == 0)
        loop_post(g->hosts->o.loop, &g->soon);
    return g;
}

struct log_gather *log_gather_start(struct hosts *hosts, const struct log_want *want, log_gathered_fn *done, void *arg)
{
    struct log_gather *g = gather_new(hosts, want, arg);

    g->done = done;
    return ask_all(g, ask_for_lines);
}

struct log_gather *log_gather_streams(struct hosts *hosts, const char *endpoint, log_streams_gathered_fn *done,
                                      void *arg)
{
    struct log_want want = { .endpoint = endpoint, .variant = "", .host = "", .instance = "" };
    struct log_gather *g = gather_new(hosts, &want, arg);

    g->streams_done = done;
    return ask_all(g, ask_for_streams);
}

void log_gather_cancel(struct log_gather *g)
{
    g->done = NULL;
    g->streams_done = NULL;
    for (size_t i = 0; i < g->count; i++)
        if (g->parts[i].sent)
            rpc_cancel(g->parts[i].sent);
}
