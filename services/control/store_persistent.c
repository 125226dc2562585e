#include "store_persistent.h"

#include "base/mem.h"
#include "record.h"
#include "sql.h"

#include <stdlib.h>
#include <string.h>

/* How the gateway notes a variant of instances; what serves otherwise cannot be told from a serverless one. */
#define NOTE "\"InstanceType\""

static bool mark_variant(Pilotlight__V1__ProductionVariant *v)
{
    bool stands_for_instances = false;
    for (size_t i = 0; i < v->n_annotations; i++)
        stands_for_instances |= strstr(v->annotations[i]->value, NOTE) != NULL;
    if (!stands_for_instances || v->persistent)
        return false;
    v->persistent = true;
    return true;
}

static bool mark_config(Pilotlight__V1__EndpointConfig *c)
{
    bool marked = false;
    for (size_t i = 0; i < c->n_variants; i++)
        marked |= mark_variant(c->variants[i]);
    return marked;
}

static bool mark_generation(Pilotlight__Internal__V1__EndpointGeneration *g)
{
    bool marked = false;
    for (size_t i = 0; g && i < g->n_variants; i++)
        if (g->variants[i]->variant && g->variants[i]->variant->variant)
            marked |= mark_variant(g->variants[i]->variant->variant);
    return marked;
}

static bool mark_endpoint(Pilotlight__Internal__V1__EndpointRecord *r)
{
    bool serving = mark_generation(r->serving), pending = mark_generation(r->pending);
    return serving || pending;
}

static void mark_persistent(sqlite3_context *context, int count, sqlite3_value **values)
{
    bool config = sqlite3_value_int(values[0]) == STORE_CONFIG;
    const ProtobufCMessageDescriptor *type =
        config ? &pilotlight__v1__endpoint_config__descriptor : &pilotlight__internal__v1__endpoint_record__descriptor;
    struct pl_err ignored;
    pl_cleanup(record_free_p) void *message =
        record_unpack(type, sqlite3_value_blob(values[1]), (size_t)sqlite3_value_bytes(values[1]), &ignored);
    size_t len;
    (void)count;
    if (!message || !(config ? mark_config(message) : mark_endpoint(message))) {
        sqlite3_result_value(context, values[1]);
        return;
    }
    void *body = record_pack(message, &len);
    sqlite3_result_blob64(context, body, len, free);
}

enum pl_code store_persistent_init(struct store *s, struct pl_err *err)
{
    if (sqlite3_create_function(s->db, "mark_persistent", 2, SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY,
                                NULL, mark_persistent, NULL, NULL) == SQLITE_OK)
        return PL_OK;
    return pl_fail(err, PL_INTERNAL, "database", "cannot prepare the schema's steps: %s", sqlite3_errmsg(s->db));
}
