/* pilotlight top: what happens now, again and again. */
#include "command.h"

#include "base/mem.h"
#include "base/time.h"
#include "client.h"
#include "message.h"
#include "output.h"

#include "pilotlight/v1/instance.pb-c.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

typedef Pilotlight__V1__ListVariantStatsResponse snapshot;

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signo)
{
    (void)signo;
    interrupted = 1;
}

static enum pl_code take(struct client *c, const char *endpoint, snapshot **out, struct pl_err *err)
{
    Pilotlight__V1__ListVariantStatsRequest r = PILOTLIGHT__V1__LIST_VARIANT_STATS_REQUEST__INIT;
    ProtobufCMessage *m = NULL;
    r.endpoint_name = (char *)(uintptr_t)(endpoint ? endpoint : "");
    enum pl_code code = client_call(c, CLIENT_ROUTER, "/pilotlight.v1.InstanceService/ListVariantStats", &r.base,
                                    &pilotlight__v1__list_variant_stats_response__descriptor, CLIENT_CALL_MS, &m, err);
    *out = (void *)m;
    return code;
}

/* The same variant a moment ago; NULL: it is new, or there was no moment ago. */
static const Pilotlight__V1__VariantStats *before(const snapshot *s, const Pilotlight__V1__VariantStats *v)
{
    for (size_t i = 0; s && i < s->n_variants; i++)
        if (!strcmp(s->variants[i]->endpoint_name, v->endpoint_name) &&
            !strcmp(s->variants[i]->variant_name, v->variant_name) && s->variants[i]->generation == v->generation)
            return s->variants[i];
    return NULL;
}

static double rate(int64_t now, int64_t then, int64_t ms)
{
    return ms > 0 && now > then ? (double)(now - then) * 1000 / (double)ms : 0;
}

/* Busiest first, then by name. */
static int by_load(const void *a, const void *b)
{
    const Pilotlight__V1__VariantStats *const *x = a, *const *y = b;
    if ((*x)->in_flight != (*y)->in_flight)
        return (*y)->in_flight - (*x)->in_flight;
    int names = strcmp((*x)->endpoint_name, (*y)->endpoint_name);
    return names ? names : strcmp((*x)->variant_name, (*y)->variant_name);
}

static void print_table(snapshot *now, const snapshot *then, int64_t ms)
{
    static const char *const titles[] = { "ENDPOINT",  "VARIANT",    ">CALLS/S", ">COLD/S",  ">THROTTLED/S",
                                          ">FAILED/S", ">IN FLIGHT", ">LIMIT",   ">WAITING", ">STARTING",
                                          ">IDLE",     ">BUSY",      ">CALLS",   NULL };
    struct table *t = table_new(titles);
    qsort(now->variants, now->n_variants, sizeof(*now->variants), by_load);
    for (size_t i = 0; i < now->n_variants; i++) {
        const Pilotlight__V1__VariantStats *v = now->variants[i], *b = before(then, v);
        table_cell(t, "%s", v->endpoint_name);
        table_cell(t, "%s", v->variant_name);
        table_cell(t, "%.1f", b ? rate(v->invocations, b->invocations, ms) : 0);
        table_cell(t, "%.1f", b ? rate(v->cold_starts, b->cold_starts, ms) : 0);
        table_cell(t, "%.1f", b ? rate(v->throttled, b->throttled, ms) : 0);
        table_cell(t, "%.1f", b ? rate(v->failed, b->failed, ms) : 0);
        table_cell(t, "%d", v->in_flight);
        table_cell(t, "%d", v->max_concurrency);
        table_cell(t, "%d", v->waiting);
        table_cell(t, "%d", v->starting);
        table_cell(t, "%d", v->idle);
        table_cell(t, "%d", v->busy);
        table_cell(t, "%" PRId64, v->invocations);
    }
    table_print(t, stdout);
    table_free(t);
}

static void print_value(const snapshot *now, const snapshot *then, int64_t ms, enum output_format format)
{
    char at[25];
    json_t *o = json_object(), *variants = json_array();
    json_object_set_new(o, "time", json_string(pl_wall_text(pl_wall_ms(), at)));
    for (size_t i = 0; i < now->n_variants; i++) {
        const Pilotlight__V1__VariantStats *b = before(then, now->variants[i]);
        json_t *v = message_json(&now->variants[i]->base);
        json_object_set_new(v, "calls_per_second",
                            json_real(b ? rate(now->variants[i]->invocations, b->invocations, ms) : 0));
        json_array_append_new(variants, v);
    }
    json_object_set_new(o, "variants", variants);
    output_value(o, format, stdout);
    json_decref(o);
}

static void wait_ms(int64_t ms)
{
    struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };
    (void)nanosleep(&t, NULL); /* a signal ends it: that is meant */
}

static void show(snapshot *now, const snapshot *then, int64_t ms, enum output_format format, bool screen)
{
    if (screen)
        printf("\033[H\033[2J");
    if (format == OUTPUT_TABLE || format == OUTPUT_NAME)
        print_table(now, then, ms);
    else
        print_value(now, then, ms, format);
    (void)fflush(stdout);
}

enum ctl_exit cmd_top(const struct args *a)
{
    const char *endpoint = a->word_count ? a->words[0] : NULL;
    enum output_format format = output_format_of(args_text(a, "output"));
    int64_t every_ms = args_number(a, "every"), rounds = args_number(a, "count");
    bool screen = isatty(STDOUT_FILENO) && format == OUTPUT_TABLE && rounds != 1;
    pl_cleanup(client_free_p) struct client *c = client_open(a);
    snapshot *now = NULL, *then = NULL;
    struct pl_err err = { 0 };
    int64_t at_ms = 0;
    if (!c)
        return EXIT_USAGE;
    (void)signal(SIGINT, on_interrupt);
    (void)signal(SIGTERM, on_interrupt);
    for (int64_t i = 0; !interrupted && (rounds == 0 || i < rounds); i++) {
        if (i > 0)
            wait_ms(every_ms);
        if (interrupted || take(c, endpoint, &now, &err) != PL_OK)
            break;
        int64_t now_ms = pl_now_ms();
        show(now, then, now_ms - at_ms, format, screen);
        at_ms = now_ms;
        message_free(then ? &then->base : NULL);
        then = pl_take(now);
    }
    message_free(then ? &then->base : NULL);
    return err.code == PL_OK || interrupted ? EXIT_OK : exit_report(stderr, &err);
}
