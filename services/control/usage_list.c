#include "usage_list.h"

#include "base/mem.h"
#include "base/text.h"
#include "check.h"
#include "cost/cost.h"
#include "digest.h"
#include "record.h"
#include "store_metrics.h"
#include "token.h"
#include "validate.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define PAGE_DEFAULT 500
#define DAY_S        INT64_C(86400)

/* ---- days ---- */

bool usage_day_parse(const char *text, int64_t *out_day)
{
    struct tm tm = { 0 }, again;
    if (strlen(text) != 10 || strspn(text, "0123456789-") != 10 ||
        sscanf(text, "%4d-%2d-%2d", &tm.tm_year, &tm.tm_mon, &tm.tm_mday) != 3)
        return false;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    const struct tm given = tm;
    time_t at = timegm(&tm);
    *out_day = at / DAY_S;
    return at >= 0 && gmtime_r(&at, &again) && again.tm_year == given.tm_year && again.tm_mon == given.tm_mon &&
           again.tm_mday == given.tm_mday;
}

char *usage_day_text(int64_t day, char out[16])
{
    time_t at = (time_t)(day * DAY_S);
    struct tm tm;
    if (!gmtime_r(&at, &tm) || strftime(out, 16, "%Y-%m-%d", &tm) == 0)
        out[0] = '\0';
    return out;
}

static int64_t first_of_month(int64_t day)
{
    char text[16];
    (void)usage_day_text(day, text);
    memcpy(text + 8, "01", 2);
    return usage_day_parse(text, &day) ? day : 0;
}

static enum pl_code read_day(const char *field, const char *text, int64_t fallback, int64_t *out, struct pl_err *err)
{
    *out = fallback;
    if (!*text || usage_day_parse(text, out))
        return PL_OK;
    return pl_fail(err, PL_INVALID, field, "%s \"%.40s\" is no day: it must be like 2026-02-11", field, text);
}

/* ---- messages ---- */

static Pilotlight__V1__MemoryRate *rate_message(const struct cost_rate *r)
{
    Pilotlight__V1__MemoryRate *m = PL_NEW(Pilotlight__V1__MemoryRate);
    pilotlight__v1__memory_rate__init(m);
    m->memory_size_mb = r->memory_mb;
    m->request_nano = r->request_nano;
    m->provisioned_request_nano = r->provisioned_request_nano;
    m->provisioned_nano = r->provisioned_nano;
    return m;
}

Pilotlight__V1__Rates *usage_rates(const struct cost_rates *rates)
{
    Pilotlight__V1__Rates *m = PL_NEW(Pilotlight__V1__Rates);
    pilotlight__v1__rates__init(m);
    m->currency = pl_strdup(rates->currency);
    m->gb = rate_message(&rates->gb);
    m->sizes = pl_new0(rates->size_count + 1, sizeof(*m->sizes));
    for (; m->n_sizes < rates->size_count; m->n_sizes++)
        m->sizes[m->n_sizes] = rate_message(&rates->sizes[m->n_sizes]);
    m->data_gb_nano = rates->data_gb_nano;
    m->instance_name = pl_strdup(rates->instance_name);
    m->instance_hour_nano = rates->instance_hour_nano;
    return m;
}

static Pilotlight__V1__Usage *usage_message(const struct cost_rates *rates, const struct store_usage *u)
{
    const struct cost_usage cost = {
        .memory_mb = (int32_t)u->memory_size_mb,
        .billed_ms = u->billed_ms,
        .provisioned_billed_ms = u->provisioned_billed_ms,
        .provisioned_ms = u->provisioned_ms,
        .bytes = u->bytes_in + u->bytes_out,
    };
    char day[16];
    Pilotlight__V1__Usage *m = PL_NEW(Pilotlight__V1__Usage);
    pilotlight__v1__usage__init(m);
    m->day = pl_strdup(usage_day_text(u->day, day));
    m->endpoint_name = pl_strdup(u->endpoint);
    m->variant_name = pl_strdup(u->variant);
    m->memory_size_mb = (int32_t)u->memory_size_mb;
    m->invocations = u->invocations;
    m->billed_ms = u->billed_ms;
    m->provisioned_billed_ms = u->provisioned_billed_ms;
    m->provisioned_ms = u->provisioned_ms;
    m->cold_starts = u->cold_starts;
    m->cold_start_ms = u->cold_start_ms;
    m->bytes_in = u->bytes_in;
    m->bytes_out = u->bytes_out;
    m->cost_nano = cost_of(rates, &cost);
    return m;
}

/* ---- a page ---- */

struct listing {
    const struct cost_rates *rates;
    Pilotlight__V1__ListUsageResponse *reply;
    size_t size;
    bool more;
    char last[256];
};

static void take_usage(void *arg, const struct store_usage *u)
{
    struct listing *l = arg;
    if (l->reply->n_usage == l->size) {
        l->more = true;
        return;
    }
    l->reply->usage[l->reply->n_usage++] = usage_message(l->rates, u);
    (void)snprintf(l->last, sizeof(l->last), "%lld %lld %s %s", (long long)u->day, (long long)u->memory_size_mb,
                   u->endpoint, u->variant);
}

/* Where the page before ended; names have no spaces. 'key' is cut into pieces. */
static bool read_key(char *key, struct store_usage_query *q)
{
    char *rest = key, *day = strsep(&rest, " "), *memory = strsep(&rest, " "), *endpoint = strsep(&rest, " ");
    if (!rest || !pl_parse_i64(day, 0, INT64_MAX, &q->after_day) ||
        !pl_parse_i64(memory, 0, INT64_MAX, &q->after_memory))
        return false;
    q->after_endpoint = endpoint;
    q->after_variant = rest;
    return true;
}

static enum pl_code read_query(const struct limits *l, const Pilotlight__V1__ListUsageRequest *r, int64_t wall_ms,
                               struct store_usage_query *out, struct pl_err *err)
{
    int64_t today = wall_ms / 1000 / DAY_S;
    *out = (struct store_usage_query){ .endpoint = r->endpoint_name, .after_endpoint = "", .after_variant = "" };
    if (*r->endpoint_name && validate_name(l, "endpoint_name", r->endpoint_name, err) != PL_OK)
        return err->code;
    if (read_day("from_day", r->from_day, first_of_month(today), &out->from_day, err) != PL_OK ||
        read_day("to_day", r->to_day, today, &out->to_day, err) != PL_OK)
        return err->code;
    if (out->from_day > out->to_day)
        return pl_fail(err, PL_INVALID, "from_day", "from_day \"%s\" must not be after to_day \"%s\"", r->from_day,
                       r->to_day);
    return r->page_size ? check_number(l, LIMIT_page_size, "page_size", r->page_size, err) : PL_OK;
}

enum pl_code usage_list(struct store *s, const struct limits *l, const struct cost_rates *rates,
                        const Pilotlight__V1__ListUsageRequest *r, int64_t wall_ms,
                        Pilotlight__V1__ListUsageResponse **out, struct pl_err *err)
{
    struct store_usage_query q;
    pl_cleanup(pl_free_p) char *after = NULL;
    pl_cleanup(record_free_p) Pilotlight__V1__ListUsageResponse *reply = NULL;
    if (read_query(l, r, wall_ms, &q, err) != PL_OK)
        return err->code;
    uint64_t filters = digest_add(DIGEST_START, r->endpoint_name, strlen(r->endpoint_name) + 1);
    filters = digest_add(filters, r->from_day, strlen(r->from_day) + 1);
    filters = digest_add(filters, r->to_day, strlen(r->to_day) + 1);
    if (token_read(r->page_token, filters, &after, err) != PL_OK)
        return err->code;
    if (after && !read_key(after, &q))
        return pl_fail(err, PL_INVALID, "page_token", "page_token \"%.80s\" is not from this list", r->page_token);
    reply = PL_NEW(Pilotlight__V1__ListUsageResponse);
    pilotlight__v1__list_usage_response__init(reply);
    struct listing listing = { .rates = rates,
                               .reply = reply,
                               .size = r->page_size ? (size_t)r->page_size : PAGE_DEFAULT };
    q.limit = (int64_t)listing.size + 1;
    reply->usage = pl_new0(listing.size, sizeof(*reply->usage));
    reply->rates = usage_rates(rates);
    if (store_usage_list(s, &q, take_usage, &listing, err) != PL_OK)
        return err->code;
    if (listing.more)
        reply->next_page_token = token_make(filters, listing.last);
    *out = pl_take(reply);
    return PL_OK;
}
