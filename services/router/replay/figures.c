#include "figures.h"

#include "base/buf.h"
#include "base/time.h"

#include <inttypes.h>
#include <string.h>

static double percent(int64_t part, int64_t whole)
{
    return whole > 0 ? 100.0 * (double)part / (double)whole : 0;
}

static double average_ms(const struct replay_figures *f)
{
    return f->served > 0 ? (double)f->waited_ms / (double)f->served : 0;
}

/* Of several at the same cost the shortest keep-alive. */
static size_t cheapest(const struct figures *f)
{
    size_t best = 0;

    for (size_t i = 1; i < f->replay_count; i++) {
        if (replay_cost(&f->replays[i].all, f->price) < replay_cost(&f->replays[best].all, f->price))
            best = i;
    }
    return best;
}

static size_t cheapest_of(const struct figures *f, size_t endpoint)
{
    size_t best = 0;

    for (size_t i = 1; i < f->replay_count; i++) {
        if (replay_cost(&f->replays[i].endpoints[endpoint], f->price) <
            replay_cost(&f->replays[best].endpoints[endpoint], f->price))
            best = i;
    }
    return best;
}

/* What all would have cost if each endpoint had its cheapest time. */
static struct replay_figures each_its_own(const struct figures *f)
{
    struct replay_figures sum = { 0 };

    for (size_t e = 0; e < f->trace->endpoint_count; e++) {
        const struct replay_figures *one = &f->replays[cheapest_of(f, e)].endpoints[e];

        sum.served += one->served;
        sum.throttled += one->throttled;
        sum.starts += one->starts;
        sum.waited += one->waited;
        sum.waited_ms += one->waited_ms;
        sum.idle_gb_s += one->idle_gb_s;
    }
    return sum;
}

/* ---- for people ---- */

static void total_row(const char *name, const struct replay_figures *f, const char *p50, const char *p99, double price,
                      const char *note, FILE *out)
{
    fprintf(out, "%-14s %9" PRId64 " %11" PRId64 " %8.2f%% %9s %9s %10.1f %13.0f %14.0f%s\n", name, f->throttled,
            f->starts, percent(f->waited, f->served), p50, p99, average_ms(f), f->idle_gb_s, replay_cost(f, price),
            note);
}

static void endpoint_rows(const struct figures *f, FILE *out)
{
    fprintf(out, "\n%-32s %9s %10s %11s %11s %9s %13s\n", "ENDPOINT", "MEMORY MB", "REQUESTS", "CHEAPEST",
            "COLD STARTS", "WAITED", "IDLE GB.s");
    for (size_t e = 0; e < f->trace->endpoint_count; e++) {
        const struct trace_endpoint *te = f->trace->endpoints[e];
        const struct replay *r = &f->replays[cheapest_of(f, e)];
        const struct replay_figures *one = &r->endpoints[e];
        char shown[24];

        fprintf(out, "%-32s %9" PRId64 " %10" PRId64 " %11s %11" PRId64 " %8.2f%% %13.0f\n", te->name, te->memory_mb,
                one->served + one->throttled, pl_duration_text(r->keep_alive_ms, shown), one->starts,
                percent(one->waited, one->served), one->idle_gb_s);
    }
}

void figures_table(const struct figures *f, FILE *out)
{
    size_t best = cheapest(f);
    struct replay_figures own;
    char shown[24], p50[24], p99[24];

    fprintf(out, "%" PRId64 " requests of %zu endpoints in %.1f hours; that one does not wait is worth %.0f GB.s\n\n",
            f->trace->requests, f->trace->endpoint_count, (double)f->trace->horizon_ms / 3600000, f->price);
    fprintf(out, "%-14s %9s %11s %9s %9s %9s %10s %13s %14s\n", "KEEP-ALIVE", "THROTTLED", "COLD STARTS", "WAITED",
            "P50 ms", "P99 ms", "AVERAGE ms", "IDLE GB.s", "COST GB.s");
    for (size_t i = 0; i < f->replay_count; i++) {
        const struct replay_figures *all = &f->replays[i].all;

        (void)snprintf(p50, sizeof(p50), "%" PRId64, replay_wait_ms(all, 50));
        (void)snprintf(p99, sizeof(p99), "%" PRId64, replay_wait_ms(all, 99));
        total_row(pl_duration_text(f->replays[i].keep_alive_ms, shown), all, p50, p99, f->price,
                  i == best ? "  cheapest" : "", out);
    }
    own = each_its_own(f);
    total_row("each its own", &own, "-", "-", f->price, "", out);
    if (f->by_endpoint)
        endpoint_rows(f, out);
}

/* ---- for programs ---- */

static void json_figures(const struct replay_figures *f, double price, FILE *out)
{
    fprintf(out,
            "\"served\": %" PRId64 ", \"throttled\": %" PRId64 ", \"cold_starts\": %" PRId64 ", \"waited\": %" PRId64
            ", \"wait_avg_ms\": %.4f, \"idle_gb_s\": %.3f, \"cost_gb_s\": %.3f",
            f->served, f->throttled, f->starts, f->waited, average_ms(f), f->idle_gb_s, replay_cost(f, price));
}

static void json_endpoints(const struct figures *f, FILE *out)
{
    pl_cleanup(pl_buf_done) struct pl_buf name = PL_BUF_INIT(1024);

    fprintf(out, ",\n  \"endpoints\": [");
    for (size_t e = 0; e < f->trace->endpoint_count; e++) {
        const struct replay *r = &f->replays[cheapest_of(f, e)];
        const char *raw = f->trace->endpoints[e]->name;

        pl_buf_clear(&name);
        (void)(pl_buf_add_json(&name, raw, strlen(raw)) && pl_buf_addc(&name, '\0'));
        fprintf(out, "%s\n    {\"endpoint\": %s, \"keep_alive_ms\": %" PRId64 ", ", e > 0 ? "," : "", name.data,
                r->keep_alive_ms);
        json_figures(&r->endpoints[e], f->price, out);
        fputc('}', out);
    }
    fprintf(out, "\n  ]");
}

void figures_json(const struct figures *f, FILE *out)
{
    struct replay_figures own = each_its_own(f);

    fprintf(out,
            "{\n  \"requests\": %" PRId64 ", \"endpoint_count\": %zu, \"horizon_ms\": %" PRId64
            ", \"price_gb_s\": %g,\n"
            "  \"cheapest_keep_alive_ms\": %" PRId64 ",\n  \"keep_alives\": [",
            f->trace->requests, f->trace->endpoint_count, f->trace->horizon_ms, f->price,
            f->replays[cheapest(f)].keep_alive_ms);
    for (size_t i = 0; i < f->replay_count; i++) {
        const struct replay_figures *all = &f->replays[i].all;

        fprintf(out, "%s\n    {\"keep_alive_ms\": %" PRId64 ", ", i > 0 ? "," : "", f->replays[i].keep_alive_ms);
        json_figures(all, f->price, out);
        fprintf(out, ", \"wait_p50_ms\": %" PRId64 ", \"wait_p99_ms\": %" PRId64 "}", replay_wait_ms(all, 50),
                replay_wait_ms(all, 99));
    }
    fprintf(out, "\n  ],\n  \"each_its_own\": {");
    json_figures(&own, f->price, out);
    fputc('}', out);
    if (f->by_endpoint)
        json_endpoints(f, out);
    fprintf(out, "\n}\n");
}
