/* Which metrics there are. */
#include "metric_query.h"

#include "base/mem.h"
#include "base/text.h"
#include "check.h"
#include "digest.h"
#include "metric_key.h"
#include "record.h"
#include "store_metrics.h"
#include "token.h"

#include <stdio.h>
#include <string.h>

#define PAGE_DEFAULT 500
#define PAGE_BYTES   ((size_t)2 << 20)
#define RECENT_MS    INT64_C(1209600000) /* two weeks, as CloudWatch */

struct listing {
    const Pilotlight__V1__ListMetricsRequest *request;
    Pilotlight__V1__ListMetricsResponse *reply;
    size_t size, bytes;
    int64_t last_id;
    bool more;
};

static bool has(const Pilotlight__V1__Metric *m, const Pilotlight__V1__DimensionFilter *f)
{
    for (size_t i = 0; i < m->n_dimensions; i++)
        if (strcmp(m->dimensions[i]->name, f->name) == 0)
            return !*f->value || strcmp(m->dimensions[i]->value, f->value) == 0;
    return false;
}

static bool take_metric(void *arg, int64_t id, const char *name_space, const char *name, const char *key)
{
    struct listing *l = arg;
    pl_cleanup(record_free_p) Pilotlight__V1__Metric *m = metric_message(name_space, name, key);
    for (size_t i = 0; i < l->request->n_dimensions; i++)
        if (!has(m, l->request->dimensions[i]))
            return true;
    size_t bytes = protobuf_c_message_get_packed_size(&m->base);
    if (l->reply->n_metrics == l->size || (l->bytes > 0 && l->bytes + bytes > PAGE_BYTES)) {
        l->more = true;
        return false;
    }
    l->bytes += bytes;
    l->last_id = id;
    l->reply->metrics[l->reply->n_metrics++] = pl_take(m);
    return true;
}

static uint64_t filters_of(const Pilotlight__V1__ListMetricsRequest *r)
{
    uint64_t d = digest_add(DIGEST_START, r->namespace_, strlen(r->namespace_) + 1);
    d = digest_add(d, r->name, strlen(r->name) + 1);
    for (size_t i = 0; i < r->n_dimensions; i++) {
        d = digest_add(d, r->dimensions[i]->name, strlen(r->dimensions[i]->name) + 1);
        d = digest_add(d, r->dimensions[i]->value, strlen(r->dimensions[i]->value) + 1);
    }
    return digest_add(d, &r->active_since_unix_ms, sizeof(r->active_since_unix_ms));
}

static enum pl_code check(const struct limits *l, const Pilotlight__V1__ListMetricsRequest *r, struct pl_err *err)
{
    char field[48];
    if (check_count(l, LIMIT_dimension_filters, "dimensions", r->n_dimensions, err) != PL_OK)
        return err->code;
    for (size_t i = 0; i < r->n_dimensions; i++) {
        (void)snprintf(field, sizeof(field), "dimensions[%zu].name", i);
        if (check_printable(l, LIMIT_dimension_name, field, r->dimensions[i]->name, err) != PL_OK)
            return err->code;
    }
    return r->page_size ? check_number(l, LIMIT_page_size, "page_size", r->page_size, err) : PL_OK;
}

enum pl_code metric_list(struct store *s, const struct limits *l, const Pilotlight__V1__ListMetricsRequest *r,
                         int64_t wall_ms, Pilotlight__V1__ListMetricsResponse **out, struct pl_err *err)
{
    uint64_t filters = filters_of(r);
    pl_cleanup(pl_free_p) char *after = NULL;
    pl_cleanup(record_free_p) Pilotlight__V1__ListMetricsResponse *reply = NULL;
    struct store_metric_query q = {
        .active_since_ms = r->active_since_unix_ms ? r->active_since_unix_ms : wall_ms - RECENT_MS,
        .name_space = r->namespace_,
        .name = r->name,
    };
    char key[24];
    if (check(l, r, err) != PL_OK || token_read(r->page_token, filters, &after, err) != PL_OK)
        return err->code;
    if (after && !pl_parse_i64(after, 0, INT64_MAX, &q.after_id))
        return pl_fail(err, PL_INVALID, "page_token", "page_token \"%.80s\" is not from this list", r->page_token);
    reply = PL_NEW(Pilotlight__V1__ListMetricsResponse);
    pilotlight__v1__list_metrics_response__init(reply);
    struct listing listing = { .request = r,
                               .reply = reply,
                               .size = r->page_size ? (size_t)r->page_size : PAGE_DEFAULT };
    reply->metrics = pl_new0(listing.size, sizeof(*reply->metrics));
    if (store_metrics_list(s, &q, take_metric, &listing, err) != PL_OK)
        return err->code;
    if (listing.more) {
        (void)snprintf(key, sizeof(key), "%lld", (long long)listing.last_id);
        reply->next_page_token = token_make(filters, key);
    }
    *out = pl_take(reply);
    return PL_OK;
}
