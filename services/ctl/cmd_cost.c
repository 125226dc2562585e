/* pilotlight cost: what was used and what it costs. */
#include "command.h"

#include "base/mem.h"
#include "base/time.h"
#include "bill.h"
#include "client.h"
#include "message.h"
#include "output.h"

#include <stdlib.h>
#include <string.h>

#define DAY_MS INT64_C(86400000)

struct question {
    const char *endpoint, *from, *to; /* NULL = not said */
    enum bill_by by;
};

static enum pl_code read_usage(struct client *c, const struct question *q, struct bill *b, struct cost_rates *rates,
                               struct pl_err *err)
{
    pl_cleanup(pl_free_p) char *token = pl_strdup("");
    do {
        Pilotlight__V1__ListUsageRequest r = PILOTLIGHT__V1__LIST_USAGE_REQUEST__INIT;
        pl_cleanup(message_free_p) ProtobufCMessage *m = NULL;
        r.endpoint_name = (char *)(uintptr_t)(q->endpoint ? q->endpoint : "");
        r.from_day = (char *)(uintptr_t)(q->from ? q->from : "");
        r.to_day = (char *)(uintptr_t)(q->to ? q->to : "");
        r.page_size = 1000;
        r.page_token = token;
        if (client_call(c, CLIENT_CONTROL, "/pilotlight.v1.UsageService/ListUsage", &r.base,
                        &pilotlight__v1__list_usage_response__descriptor, CLIENT_CALL_MS, &m, err) != PL_OK)
            return err->code;
        const Pilotlight__V1__ListUsageResponse *reply = (const void *)m;
        for (size_t i = 0; i < reply->n_usage; i++)
            bill_add(b, reply->usage[i]);
        if (reply->rates)
            bill_rates(reply->rates, rates);
        free(token);
        token = pl_strdup(reply->next_page_token);
    } while (*token);
    return PL_OK;
}

/* ---- output ---- */

static json_t *line_json(const struct bill_line *l)
{
    json_t *o = json_object();
    if (l->day && *l->day)
        json_object_set_new(o, "day", json_string(l->day));
    if (l->endpoint)
        json_object_set_new(o, "endpoint", json_string(l->endpoint));
    if (l->variant && *l->variant)
        json_object_set_new(o, "variant", json_string(l->variant));
    if (l->memory_mb)
        json_object_set_new(o, "memory_size_mb", json_integer(l->memory_mb));
    json_object_set_new(o, "invocations", json_integer(l->invocations));
    json_object_set_new(o, "billed_ms", json_integer(l->billed_ms));
    json_object_set_new(o, "provisioned_ms", json_integer(l->provisioned_ms));
    json_object_set_new(o, "cold_starts", json_integer(l->cold_starts));
    json_object_set_new(o, "cold_start_ms", json_integer(l->cold_start_ms));
    json_object_set_new(o, "bytes", json_integer(l->bytes));
    json_object_set_new(o, "cost_nano", json_integer(l->cost_nano));
    return o;
}

static json_t *bill_json(const struct bill *b, const struct cost_rates *rates)
{
    json_t *o = json_object(), *lines = json_array();
    for (size_t i = 0; i < b->line_count; i++)
        json_array_append_new(lines, line_json(&b->lines[i]));
    json_object_set_new(o, "currency", json_string(rates->currency));
    json_object_set_new(o, "usage", lines);
    json_object_set_new(o, "total", line_json(&b->total));
    json_object_set_new(o, "instance", json_string(rates->instance_name));
    json_object_set_new(o, "instance_nano", json_integer(b->instance_nano));
    json_object_set_new(o, "saved_nano", json_integer(b->instance_nano - b->total.cost_nano));
    return o;
}

static void line_cells(struct table *t, enum bill_by by, const struct bill_line *l)
{
    char text[32];
    if (by == BILL_BY_DAY)
        table_cell(t, "%s", l->day);
    table_cell(t, "%s", l->endpoint);
    if (by != BILL_BY_ENDPOINT) {
        table_cell(t, "%s", l->variant);
        table_cell(t, "%d", l->memory_mb);
    }
    table_cell(t, "%lld", (long long)l->invocations);
    table_cell(t, "%s", cost_text(l->billed_ms * 1000000, 3, text));
    table_cell(t, "%lld", (long long)l->cold_starts);
    table_cell(t, "%s", cost_text(l->provisioned_ms * 1000000, 0, text));
    table_cell(t, "%s", output_bytes(l->bytes, text));
    table_cell(t, "%s", cost_text(l->cost_nano, 6, text));
}

static void print_comparison(const struct bill *b, const struct cost_rates *rates, int64_t provisioned_ms)
{
    char total[32], instances[32], saved[32];
    printf("\nserverless  %14s %s\n", cost_text(b->total.cost_nano, 6, total), rates->currency);
    printf("persistent  %14s %s  one %s for each endpoint since its first day here\n",
           cost_text(b->instance_nano, 6, instances), rates->currency, rates->instance_name);
    printf("saved       %14s %s\n", cost_text(b->instance_nano - b->total.cost_nano, 6, saved), rates->currency);
    if (provisioned_ms > 0 && rates->gb.provisioned_nano == 0 && rates->size_count == 0)
        printf("\nProvisioned concurrency has no price here: set cost.provisioned_gb_second of control.\n");
}

static void print_bill(const struct bill *b, const struct cost_rates *rates)
{
#define NUMBERS ">REQUESTS", ">BILLED S", ">COLD STARTS", ">PROVISIONED S", ">DATA", ">COST"
    static const char *const by_day[] = { "DAY", "ENDPOINT", "VARIANT", ">MEMORY MB", NUMBERS, NULL };
    static const char *const by_endpoint[] = { "ENDPOINT", NUMBERS, NULL };
    static const char *const by_variant[] = { "ENDPOINT", "VARIANT", ">MEMORY MB", NUMBERS, NULL };
    static const char *const *const titles[] = { by_day, by_endpoint, by_variant };
#undef NUMBERS
    struct table *t = table_new(titles[b->by]);
    for (size_t i = 0; i < b->line_count; i++)
        line_cells(t, b->by, &b->lines[i]);
    table_print(t, stdout);
    table_free(t);
    if (b->line_count > 0)
        print_comparison(b, rates, b->total.provisioned_ms);
}

/* ---- the command ---- */

static enum bill_by by_of(const char *text)
{
    return !strcmp(text, "endpoint") ? BILL_BY_ENDPOINT : !strcmp(text, "variant") ? BILL_BY_VARIANT : BILL_BY_DAY;
}

/* The end of the last day asked for, or now. */
static int64_t until_ms(const char *to)
{
    int64_t now_ms = pl_wall_ms(), end_ms = to ? bill_day_ms(to) + DAY_MS : now_ms;
    return end_ms < now_ms ? end_ms : now_ms;
}

enum ctl_exit cmd_cost(const struct args *a)
{
    const struct question q = {
        .endpoint = a->word_count ? a->words[0] : NULL,
        .from = args_text(a, "from"),
        .to = args_text(a, "to"),
        .by = by_of(args_text(a, "by")),
    };
    enum output_format format = output_format_of(args_text(a, "output"));
    pl_cleanup(client_free_p) struct client *c = client_open(a);
    pl_cleanup(bill_done) struct bill b;
    struct cost_rates rates;
    struct pl_err err;
    bill_init(&b, q.by);
    cost_rates_default(&rates);
    if (!c)
        return EXIT_USAGE;
    if (read_usage(c, &q, &b, &rates, &err) != PL_OK)
        return exit_report(stderr, &err);
    bill_compare(&b, &rates, until_ms(q.to));
    if (format == OUTPUT_TABLE || format == OUTPUT_NAME) {
        print_bill(&b, &rates);
    } else {
        json_t *o = bill_json(&b, &rates);
        output_value(o, format, stdout);
        json_decref(o);
    }
    return EXIT_OK;
}
