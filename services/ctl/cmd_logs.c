#include "client.h"
#include "command.h"
#include "message.h"
#include "output.h"

#include "base/cleanup.h"
#include "base/time.h"

#include "pilotlight/v1/log.pb-c.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DEFAULT_TAIL        1000
#define DEFAULT_FOLLOW_TAIL 20
#define PAGE_LINES          10000
#define AGAIN_MS            500 /* between two attempts to follow */

struct logs {
    struct client *client;
    Pilotlight__V1__LogFilter filter;
    enum output_format format;
    int64_t last_us; /* of the lines that were printed */
    bool closed;     /* nobody reads our output any more */
};

/* ---- printing ---- */

static void print_text(const Pilotlight__V1__LogLine *l)
{
    char at[25];

    printf("%s %s %s %s %s\n", pl_wall_text(l->time_unix_us / 1000, at), l->variant_name, l->instance_id,
           *l->request_id ? l->request_id : "-", l->text);
}

/* One object a line, so that it can be followed. */
static void print_json(const Pilotlight__V1__LogLine *l)
{
    json_t *value = message_json(&l->base);
    char *text = json_dumps(value, JSON_COMPACT);

    printf("%s\n", text ? text : "{}");
    free(text);
    json_decref(value);
}

static void print_lines(struct logs *g, Pilotlight__V1__LogLine *const *lines, size_t count)
{
    for (size_t i = 0; i < count && !g->closed; i++) {
        if (g->format == OUTPUT_TABLE)
            print_text(lines[i]);
        else
            print_json(lines[i]);
        if (lines[i]->time_unix_us > g->last_us)
            g->last_us = lines[i]->time_unix_us;
    }
    g->closed = fflush(stdout) != 0;
}

/* ---- what there is ---- */

static enum pl_code read_page(struct logs *g, const char *token, int32_t limit, bool newest_first,
                              Pilotlight__V1__ReadLogsResponse **out, struct pl_err *err)
{
    Pilotlight__V1__ReadLogsRequest request = PILOTLIGHT__V1__READ_LOGS_REQUEST__INIT;

    request.filter = &g->filter;
    request.page_token = (char *)(uintptr_t)token;
    request.limit = limit;
    request.newest_first = newest_first;
    return client_call(g->client, CLIENT_ROUTER, "/pilotlight.v1.LogService/ReadLogs", &request.base,
                       &pilotlight__v1__read_logs_response__descriptor, CLIENT_CALL_MS, (ProtobufCMessage **)out, err);
}

static void tell_missing(const Pilotlight__V1__ReadLogsResponse *page)
{
    for (size_t i = 0; i < page->n_hosts_missing; i++)
        fprintf(stderr, "pilotlight logs: host %s did not answer: its lines are missing\n", page->hosts_missing[i]);
}

static enum pl_code show_all(struct logs *g, struct pl_err *err)
{
    Pilotlight__V1__ReadLogsResponse *page = NULL;
    bool more = true;

    while (more && !g->closed) {
        Pilotlight__V1__ReadLogsResponse *next = NULL;

        if (read_page(g, page ? page->next_page_token : "", PAGE_LINES, false, &next, err) != PL_OK) {
            message_free(page ? &page->base : NULL);
            return err->code;
        }
        print_lines(g, next->lines, next->n_lines);
        tell_missing(next);
        more = next->more && next->n_lines > 0;
        message_free(page ? &page->base : NULL);
        page = next;
    }
    message_free(page ? &page->base : NULL);
    return PL_OK;
}

/* Pages go back in time: the last one fetched is printed first. */
static enum pl_code show_last(struct logs *g, int64_t tail, struct pl_err *err)
{
    Pilotlight__V1__ReadLogsResponse *page = NULL;
    enum pl_code code;

    if (tail <= 0)
        return PL_OK;
    if (read_page(g, "", (int32_t)(tail < PAGE_LINES ? tail : PAGE_LINES), true, &page, err) != PL_OK)
        return err->code;
    code = PL_OK;
    if (page->more && page->n_lines > 0 && (size_t)tail > page->n_lines) {
        struct logs older = *g;

        older.filter.end_unix_us = page->lines[0]->time_unix_us;
        code = show_last(&older, tail - (int64_t)page->n_lines, err);
        g->closed = older.closed;
    }
    print_lines(g, page->lines, page->n_lines);
    tell_missing(page);
    message_free(&page->base);
    return code;
}

/* ---- what comes ---- */

static bool on_lines(void *arg, const void *message)
{
    const Pilotlight__V1__FollowLogsResponse *m = message;
    struct logs *g = arg;

    print_lines(g, m->lines, m->n_lines);
    return !g->closed;
}

/* A router that stops, or comes back, costs no line: it is asked again from the last one on. */
static enum pl_code follow(struct logs *g, int64_t tail, struct pl_err *err)
{
    Pilotlight__V1__FollowLogsRequest request = PILOTLIGHT__V1__FOLLOW_LOGS_REQUEST__INIT;
    const struct timespec pause = { .tv_nsec = AGAIN_MS * 1000000L };
    bool began = false;
    enum pl_code code;

    request.filter = &g->filter;
    request.tail = (int32_t)tail;
    for (;;) {
        code = client_stream(g->client, CLIENT_ROUTER, "/pilotlight.v1.LogService/FollowLogs", &request.base,
                             &pilotlight__v1__follow_logs_response__descriptor, 0, on_lines, g, err);
        began = began || g->last_us > 0;
        if (code != PL_UNAVAILABLE || !began)
            return code;
        g->filter.start_unix_us = g->last_us + 1;
        request.tail = PAGE_LINES;
        (void)nanosleep(&pause, NULL);
    }
}

/* ---- arguments ---- */

/* "10m" ago, or a time as lines have it: 2026-02-11T08:15:30Z, with or without a fraction. */
static bool parse_moment(const char *text, int64_t *out_us)
{
    struct tm t = { 0 };
    const char *rest;
    int64_t ago_ms;

    if (pl_duration_parse(text, &ago_ms)) {
        *out_us = (pl_wall_ms() - ago_ms) * 1000;
        return true;
    }
    rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &t);
    if (!rest)
        return false;
    *out_us = (int64_t)timegm(&t) * 1000000;
    if (*rest == '.') {
        int64_t unit = 100000;

        for (rest++; *rest >= '0' && *rest <= '9'; rest++, unit /= 10)
            *out_us += (*rest - '0') * unit;
    }
    return strcmp(rest, "Z") == 0 || *rest == '\0';
}

static bool take_moment(const struct args *a, const char *option, int64_t *out_us)
{
    const char *text = args_text(a, option);

    if (!text || parse_moment(text, out_us))
        return true;
    fprintf(stderr, "pilotlight logs: --%s: '%s' is neither a duration (10m, 2h) nor a time (2026-02-11T08:15:30Z)\n",
            option, text);
    return false;
}

static bool take_filter(Pilotlight__V1__LogFilter *f, const struct args *a)
{
    const char *variant = args_text(a, "variant");
    const char *instance = args_text(a, "instance");

    f->endpoint_name = (char *)(uintptr_t)a->words[0];
    if (variant)
        f->variant_name = (char *)(uintptr_t)variant;
    if (instance)
        f->instance_id = (char *)(uintptr_t)instance;
    return take_moment(a, "since", &f->start_unix_us) && take_moment(a, "until", &f->end_unix_us);
}

static enum pl_code show(struct logs *g, const struct args *a, struct pl_err *err)
{
    bool since = args_given(a, "since"), follows = args_flag(a, "follow");
    int64_t tail = args_given(a, "tail") ? args_number(a, "tail")
                   : since               ? PAGE_LINES
                   : follows             ? DEFAULT_FOLLOW_TAIL
                                         : DEFAULT_TAIL;

    if (follows)
        return follow(g, tail, err);
    if (since && !args_given(a, "tail"))
        return show_all(g, err);
    return show_last(g, tail, err);
}

enum ctl_exit cmd_logs(const struct args *a)
{
    struct logs g = { .filter = PILOTLIGHT__V1__LOG_FILTER__INIT };
    pl_cleanup(client_free_p) struct client *c = NULL;
    struct pl_err err;

    if (!take_filter(&g.filter, a))
        return EXIT_USAGE;
    g.format = strcmp(args_text(a, "output"), "json") == 0 ? OUTPUT_JSON : OUTPUT_TABLE;
    c = client_open(a);
    if (!c)
        return EXIT_USAGE;
    g.client = c;
    return show(&g, a, &err) == PL_OK ? EXIT_OK : exit_report(stderr, &err);
}
