#include "lifecycle.h"

#include "base/mem.h"
#include "base/text.h"
#include "endpoint_state.h"
#include "log/log.h"
#include "operation.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WRITE_RETRY_MS 1000 /* the database could not be written */

/* Sooner, when it is not awake by then anyway. */
static void wake_by(struct lifecycle *l, int64_t at_ms)
{
    if (at_ms >= l->wake_ms)
        return;
    l->wake_ms = at_ms;
    l->ports.wake_at(l->ports.arg, at_ms);
}

/* The row and its content; false with a log line when they cannot be read, *out_gone when there is no such endpoint. */
static bool read_endpoint(struct lifecycle *l, const char *name, struct store_row *row,
                          Pilotlight__Internal__V1__EndpointRecord **out_record, bool *out_gone)
{
    struct pl_err err;
    *out_gone = false;
    if (store_get(l->store, STORE_ENDPOINT, name, row, &err) == PL_OK && (*out_record = record_endpoint(row, &err)))
        return true;
    *out_gone = err.code == PL_NOT_FOUND;
    if (!*out_gone)
        log_error("endpoint_unreadable", LOG_STR("endpoint", name), LOG_CODE(&err), LOG_ERR(&err));
    return false;
}

/* One move, committed; false: tried again later. */
static bool move(struct lifecycle *l, struct operation *op, struct store_row *row,
                 Pilotlight__Internal__V1__EndpointRecord *r, int to, bool tell_routers)
{
    struct pl_err err;
    int from = row->status;
    pl_cleanup(store_end) struct store_tx tx = { 0 };
    if (store_begin(&tx, l->store, &err) != PL_OK ||
        endpoint_move(l->store, row, r, to, tell_routers, l->ports.wall_ms(l->ports.arg), &err) != PL_OK ||
        store_commit(&tx, &err) != PL_OK) {
        log_error("endpoint_not_written", LOG_STR("endpoint", row->name), LOG_CODE(&err), LOG_ERR(&err));
        op->not_before_ms = l->ports.now_ms(l->ports.arg) + WRITE_RETRY_MS;
        return false;
    }
    if (from != to)
        log_info("endpoint_status", LOG_STR("endpoint", row->name), LOG_STR("status", endpoint_status_name(to)),
                 LOG_STR("was", endpoint_status_name(from)), LOG_STR("failure_reason", r->failure_reason));
    l->ports.changed(l->ports.arg, row->name);
    return true;
}

static void finish(struct lifecycle *l, struct operation *op)
{
    HASH_DEL(l->operations, op);
    operation_free(l, op);
}

/* ---- the steps; each reads the row anew and ends in a move, or waits ---- */

/* Creating or updating failed: FAILED, or back to what served all along. */
static void step_fail(struct lifecycle *l, struct operation *op, struct store_row *row,
                      Pilotlight__Internal__V1__EndpointRecord *r)
{
    if (row->status != ENDPOINT_STATUS(ROLLING_BACK)) {
        bool creating = row->status == ENDPOINT_STATUS(CREATING);
        record_free(r->pending);
        r->pending = NULL;
        record_set_text(&r->failure_reason, op->failure);
        if (!creating)
            record_set_text(&r->endpoint_config_name, r->serving->endpoint_config_name);
        if (!move(l, op, row, r, creating ? ENDPOINT_STATUS(FAILED) : ENDPOINT_STATUS(ROLLING_BACK), false))
            return;
        if (creating) {
            finish(l, op);
            return;
        }
    }
    /* Routers never heard of the new generation: there is nothing to take back from them. */
    if (move(l, op, row, r, ENDPOINT_STATUS(IN_SERVICE), false))
        finish(l, op);
}

static void step_publish(struct lifecycle *l, struct operation *op, struct store_row *row,
                         Pilotlight__Internal__V1__EndpointRecord *r)
{
    int64_t now = l->ports.now_ms(l->ports.arg);
    bool applied = l->ports.applied(l->ports.arg, op->version);
    if (!applied && now < op->deadline_ms)
        return;
    if (!applied)
        log_warn("routers_late", LOG_STR("endpoint", op->name), LOG_INT("version", op->version),
                 LOG_MS("waited_ms", l->settings.publish_ms));
    if (move(l, op, row, r, ENDPOINT_STATUS(IN_SERVICE), false))
        finish(l, op);
}

/* Everything is proven: the generation becomes the serving one, and routers hear of it. */
static void publish(struct lifecycle *l, struct operation *op, struct store_row *row,
                    Pilotlight__Internal__V1__EndpointRecord *r)
{
    record_free(r->serving);
    r->serving = record_copy(&op->generation->base);
    record_free(r->pending);
    r->pending = NULL;
    if (!move(l, op, row, r, row->status, true))
        return;
    op->phase = OPERATION_PUBLISH;
    op->version = row->version;
    op->deadline_ms = l->ports.now_ms(l->ports.arg) + l->settings.publish_ms;
    step_publish(l, op, row, r);
}

static void step_prepare(struct lifecycle *l, struct operation *op, struct store_row *row,
                         Pilotlight__Internal__V1__EndpointRecord *r)
{
    switch (operation_prepare(l, op)) {
    case PREPARE_PROVEN:
        publish(l, op, row, r);
        break;
    case PREPARE_FAILED:
        op->phase = OPERATION_FAIL;
        step_fail(l, op, row, r);
        break;
    case PREPARE_WAITS:
        break;
    }
}

static void step_drain(struct lifecycle *l, struct operation *op, struct store_row *row,
                       Pilotlight__Internal__V1__EndpointRecord *r)
{
    struct pl_err err;
    int64_t now = l->ports.now_ms(l->ports.arg);
    bool drained = !r->serving || l->ports.drained(l->ports.arg, op->name, op->version);
    if (!drained && now < op->deadline_ms)
        return;
    if (!drained)
        log_warn("drain_timeout", LOG_STR("endpoint", op->name), LOG_MS("waited_ms", l->settings.drain_ms));
    pl_cleanup(record_free_p) Pilotlight__V1__Endpoint *last = record_read(l->store, row, &err);
    pl_cleanup(store_end) struct store_tx tx = { 0 };
    if (!last || store_begin(&tx, l->store, &err) != PL_OK || store_delete(l->store, row->id, &err) != PL_OK ||
        store_commit(&tx, &err) != PL_OK) {
        log_error("endpoint_not_deleted", LOG_STR("endpoint", op->name), LOG_CODE(&err), LOG_ERR(&err));
        op->not_before_ms = now + WRITE_RETRY_MS;
        return;
    }
    log_info("endpoint_deleted", LOG_STR("endpoint", op->name));
    finish(l, op);
    l->ports.deleted(l->ports.arg, last);
}

static void step(struct lifecycle *l, struct operation *op)
{
    static void (*const steps[])(struct lifecycle *, struct operation *, struct store_row *,
                                 Pilotlight__Internal__V1__EndpointRecord *) = {
        [OPERATION_PREPARE] = step_prepare,
        [OPERATION_PUBLISH] = step_publish,
        [OPERATION_FAIL] = step_fail,
        [OPERATION_DRAIN] = step_drain,
    };
    pl_cleanup(store_row_done) struct store_row row = { 0 };
    pl_cleanup(record_free_p) Pilotlight__Internal__V1__EndpointRecord *r = NULL;
    bool gone;
    op->not_before_ms = 0;
    if (read_endpoint(l, op->name, &row, &r, &gone))
        steps[op->phase](l, op, &row, r);
    else if (gone)
        finish(l, op);
    else
        op->not_before_ms = l->ports.now_ms(l->ports.arg) + WRITE_RETRY_MS;
}

/* Thousands may be under way, and this runs whenever anything happens to one: who has nothing to do costs some
 * instructions, and no look into the database. */
void lifecycle_tick(struct lifecycle *l)
{
    struct operation *op, *next;
    int64_t now_ms = l->ports.now_ms(l->ports.arg);
    HASH_ITER(hh, l->operations, op, next)
    {
        if (operation_is_due(l, op, now_ms))
            step(l, op);
    }
    int64_t at_ms = INT64_MAX;
    for (op = l->operations; op; op = op->hh.next) {
        int64_t wake_ms = operation_wake_ms(l, op, now_ms);
        at_ms = wake_ms < at_ms ? wake_ms : at_ms;
    }
    l->wake_ms = at_ms;
    l->ports.wake_at(l->ports.arg, at_ms);
}

void lifecycle_routers_changed(struct lifecycle *l)
{
    lifecycle_tick(l);
}

void lifecycle_hosts_changed(struct lifecycle *l)
{
    struct operation *op, *next;
    HASH_ITER(hh, l->operations, op, next)
    {
        operation_hosts_changed(l, op);
    }
    lifecycle_tick(l);
}

/* A new operation for what the row says; NULL when its status is settled. */
static struct operation *operation_for(struct lifecycle *l, const struct store_row *row,
                                       Pilotlight__Internal__V1__EndpointRecord *r)
{
    int64_t now = l->ports.now_ms(l->ports.arg);
    struct operation *op;
    switch (row->status) {
    case ENDPOINT_STATUS(CREATING):
    case ENDPOINT_STATUS(UPDATING):
        if (r->pending) {
            op = operation_new(row->name, OPERATION_PREPARE, now + l->settings.prepare_ms);
            operation_set_generation(l, op, r->pending);
        } else {
            op = operation_new(row->name, OPERATION_PUBLISH, now + l->settings.publish_ms);
        }
        break;
    case ENDPOINT_STATUS(ROLLING_BACK):
        op = operation_new(row->name, OPERATION_FAIL, INT64_MAX);
        break;
    case ENDPOINT_STATUS(DELETING):
        op = operation_new(row->name, OPERATION_DRAIN, now + l->settings.drain_ms);
        break;
    default:
        return NULL;
    }
    op->version = row->version;
    op->serving = r->serving != NULL;
    return op;
}

void lifecycle_start(struct lifecycle *l, const char *endpoint)
{
    pl_cleanup(store_row_done) struct store_row row = { 0 };
    pl_cleanup(record_free_p) Pilotlight__Internal__V1__EndpointRecord *r = NULL;
    struct operation *old;
    bool gone;
    HASH_FIND_STR(l->operations, endpoint, old);
    if (old)
        finish(l, old);
    if (!read_endpoint(l, endpoint, &row, &r, &gone))
        return;
    struct operation *op = operation_for(l, &row, r);
    if (!op)
        return;
    HASH_ADD_STR(l->operations, name, op);
    step(l, op);
    HASH_FIND_STR(l->operations, endpoint, op); /* unless it has finished already */
    if (op)
        wake_by(l, operation_wake_ms(l, op, l->ports.now_ms(l->ports.arg)));
}

struct names {
    char (*items)[STORE_NAME_SIZE];
    size_t count;
};

static bool collect_unsettled(void *arg, const struct store_row *row)
{
    struct names *names = arg;
    if (row->status == ENDPOINT_STATUS(IN_SERVICE) || row->status == ENDPOINT_STATUS(FAILED))
        return true;
    names->items = pl_grow(names->items, names->count + 1, sizeof(*names->items));
    memcpy(names->items[names->count++], row->name, STORE_NAME_SIZE);
    return true;
}

enum pl_code lifecycle_resume(struct lifecycle *l, struct pl_err *err)
{
    const struct store_query all = {
        .kind = STORE_ENDPOINT, .sort = STORE_BY_NAME, .name_contains = "", .after_name = "", .limit = INT64_MAX
    };
    struct names names = { 0 };
    enum pl_code code = store_list(l->store, &all, collect_unsettled, &names, err);
    for (size_t i = 0; code == PL_OK && i < names.count; i++) {
        log_info("endpoint_resumed", LOG_STR("endpoint", names.items[i]));
        lifecycle_start(l, names.items[i]);
    }
    free(names.items);
    return code;
}

struct lifecycle *lifecycle_new(struct store *s, const struct limits *limits, const struct lifecycle_ports *ports,
                                const struct lifecycle_settings *settings)
{
    struct lifecycle *l = PL_NEW(struct lifecycle);
    l->store = s;
    l->limits = limits;
    l->ports = *ports;
    l->settings = *settings;
    l->wake_ms = INT64_MAX;
    return l;
}

void lifecycle_free(struct lifecycle *l)
{
    struct operation *op, *next;
    if (!l)
        return;
    HASH_ITER(hh, l->operations, op, next)
    {
        finish(l, op);
    }
    free(l);
}

bool lifecycle_waits_for(const struct lifecycle *l, const char *endpoint, struct pl_err *out)
{
    struct operation *op;
    HASH_FIND_STR(l->operations, endpoint, op);
    return op && operation_waits_for(l, op, out);
}

unsigned lifecycle_count(const struct lifecycle *l)
{
    return HASH_COUNT(l->operations);
}
