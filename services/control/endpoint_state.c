#include "endpoint_state.h"

#include "log/log.h"

#include <assert.h>

#define TO(s) (1u << ENDPOINT_STATUS(s))
static const struct {
    const char *name;
    unsigned next;
} statuses[] = {
    [ENDPOINT_STATUS(UNSPECIFIED)] = { "UNSPECIFIED", 0 },
    /* To itself: proven, being handed to routers. */
    [ENDPOINT_STATUS(CREATING)] = { "CREATING", TO(CREATING) | TO(IN_SERVICE) | TO(FAILED) | TO(DELETING) },
    [ENDPOINT_STATUS(IN_SERVICE)] = { "IN_SERVICE", TO(UPDATING) | TO(DELETING) },
    [ENDPOINT_STATUS(UPDATING)] = { "UPDATING", TO(UPDATING) | TO(IN_SERVICE) | TO(ROLLING_BACK) | TO(DELETING) },
    [ENDPOINT_STATUS(ROLLING_BACK)] = { "ROLLING_BACK", TO(IN_SERVICE) | TO(DELETING) },
    [ENDPOINT_STATUS(DELETING)] = { "DELETING", 0 }, /* the row goes */
    [ENDPOINT_STATUS(FAILED)] = { "FAILED", TO(DELETING) },
};

const char *endpoint_status_name(int status)
{
    return status >= 0 && (size_t)status < PL_COUNT(statuses) ? statuses[status].name : "?";
}

bool endpoint_may_move(const struct store_row *row, int to)
{
    return (statuses[row->status].next & (1u << to)) != 0;
}

bool endpoint_served(const struct store_row *row, const Pilotlight__Internal__V1__EndpointRecord *r)
{
    return r->serving && row->status != ENDPOINT_STATUS(DELETING) && row->status != ENDPOINT_STATUS(FAILED);
}

enum pl_code endpoint_move(struct store *s, struct store_row *row, Pilotlight__Internal__V1__EndpointRecord *r, int to,
                           bool tell_routers, int64_t wall_ms, struct pl_err *err)
{
    int64_t version;
    assert(endpoint_may_move(row, to));
    if (store_next_version(s, &version, err) != PL_OK)
        return err->code;
    if (r->pending && r->pending->number == 0)
        r->pending->number = version;
    log_debug("endpoint_moves", LOG_STR("endpoint", row->name), LOG_STR("from", endpoint_status_name(row->status)),
              LOG_STR("to", endpoint_status_name(to)), LOG_INT("version", version));
    row->status = to;
    row->version = version;
    row->updated_ms = wall_ms;
    record_set_body(row, &r->base);
    if (store_update(s, row, err) != PL_OK)
        return err->code;
    return tell_routers ? store_change_add(s, STORE_ENDPOINT, row->name, version, err) : PL_OK;
}
