#include "bill.h"

#include "base/mem.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <uthash.h>

struct bill_first {
    UT_hash_handle hh;
    char *endpoint;
    int64_t day_ms; /* the first day on which it was used */
};
struct bill_place {
    UT_hash_handle hh;
    char *key; /* what makes a line: "DAY ENDPOINT VARIANT MEMORY" */
    size_t at;
};

void bill_init(struct bill *b, enum bill_by by)
{
    *b = (struct bill){ .by = by };
}

void bill_done(struct bill *b)
{
    for (size_t i = 0; i < b->line_count; i++) {
        free(b->lines[i].day);
        free(b->lines[i].endpoint);
        free(b->lines[i].variant);
    }
    struct bill_first *f, *next_first;
    HASH_ITER(hh, b->firsts, f, next_first)
    {
        HASH_DEL(b->firsts, f);
        free(f->endpoint);
        free(f);
    }
    struct bill_place *p, *next_place;
    HASH_ITER(hh, b->places, p, next_place)
    {
        HASH_DEL(b->places, p);
        free(p->key);
        free(p);
    }
    free(b->lines);
    *b = (struct bill){ 0 };
}

int64_t bill_day_ms(const char *day)
{
    struct tm tm = { 0 };
    if (sscanf(day, "%4d-%2d-%2d", &tm.tm_year, &tm.tm_mon, &tm.tm_mday) != 3)
        return 0;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    return (int64_t)timegm(&tm) * 1000;
}

static void note_first(struct bill *b, const Pilotlight__V1__Usage *u)
{
    struct bill_first *f;
    HASH_FIND_STR(b->firsts, u->endpoint_name, f);
    if (f)
        return;
    f = PL_NEW(struct bill_first);
    f->endpoint = pl_strdup(u->endpoint_name);
    f->day_ms = bill_day_ms(u->day);
    HASH_ADD_KEYPTR(hh, b->firsts, f->endpoint, strlen(f->endpoint), f);
}

static struct bill_line *line_of(struct bill *b, const Pilotlight__V1__Usage *u)
{
    const char *day = b->by == BILL_BY_DAY ? u->day : "";
    const char *variant = b->by == BILL_BY_ENDPOINT ? "" : u->variant_name;
    int memory_mb = b->by == BILL_BY_ENDPOINT ? 0 : u->memory_size_mb;
    pl_cleanup(pl_free_p) char *key = pl_format("%s %s %s %d", day, u->endpoint_name, variant, memory_mb);
    struct bill_place *p;
    HASH_FIND_STR(b->places, key, p);
    if (p)
        return &b->lines[p->at];
    p = PL_NEW(struct bill_place);
    p->key = pl_take(key);
    p->at = b->line_count;
    HASH_ADD_KEYPTR(hh, b->places, p->key, strlen(p->key), p);
    b->lines = pl_grow(b->lines, b->line_count + 1, sizeof(*b->lines));
    b->lines[b->line_count] = (struct bill_line){
        .day = pl_strdup(day),
        .endpoint = pl_strdup(u->endpoint_name),
        .variant = pl_strdup(variant),
        .memory_mb = u->memory_size_mb,
    };
    return &b->lines[b->line_count++];
}

static void add(struct bill_line *l, const Pilotlight__V1__Usage *u)
{
    if (l->memory_mb != u->memory_size_mb)
        l->memory_mb = 0;
    l->invocations += u->invocations;
    l->billed_ms += u->billed_ms;
    l->provisioned_ms += u->provisioned_ms;
    l->cold_starts += u->cold_starts;
    l->cold_start_ms += u->cold_start_ms;
    l->bytes += u->bytes_in + u->bytes_out;
    l->cost_nano += u->cost_nano;
}

void bill_add(struct bill *b, const Pilotlight__V1__Usage *u)
{
    note_first(b, u);
    add(line_of(b, u), u);
    add(&b->total, u);
}

void bill_compare(struct bill *b, const struct cost_rates *rates, int64_t until_unix_ms)
{
    b->instance_nano = 0;
    for (const struct bill_first *f = b->firsts; f; f = f->hh.next)
        if (until_unix_ms > f->day_ms)
            b->instance_nano += cost_instance(rates, (until_unix_ms - f->day_ms) / 1000);
}

static struct cost_rate rate_of(const Pilotlight__V1__MemoryRate *m)
{
    return (struct cost_rate){
        .memory_mb = m->memory_size_mb,
        .request_nano = m->request_nano,
        .provisioned_request_nano = m->provisioned_request_nano,
        .provisioned_nano = m->provisioned_nano,
    };
}

void bill_rates(const Pilotlight__V1__Rates *m, struct cost_rates *out)
{
    *out = (struct cost_rates){ .data_gb_nano = m->data_gb_nano, .instance_hour_nano = m->instance_hour_nano };
    (void)snprintf(out->currency, sizeof(out->currency), "%s", m->currency);
    (void)snprintf(out->instance_name, sizeof(out->instance_name), "%s", m->instance_name);
    if (m->gb)
        out->gb = rate_of(m->gb);
    for (size_t i = 0; i < m->n_sizes && i < COST_RATES_MAX; i++)
        out->sizes[out->size_count++] = rate_of(m->sizes[i]);
}
