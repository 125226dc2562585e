/* pilotlight.v1.TagService. */
#include "control_methods.h"

#include "base/mem.h"
#include "control.h"
#include "record.h"
#include "rpc/server.h"
#include "validate.h"

#include <stdlib.h>

/* The resource that a kind and a name stand for. */
static enum pl_code find(struct control *c, Pilotlight__V1__ResourceKind kind, const char *name, struct store_row *out,
                         struct pl_err *err)
{
    static const enum store_kind kinds[] = {
        [PILOTLIGHT__V1__RESOURCE_KIND__RESOURCE_KIND_MODEL] = STORE_MODEL,
        [PILOTLIGHT__V1__RESOURCE_KIND__RESOURCE_KIND_ENDPOINT_CONFIG] = STORE_CONFIG,
        [PILOTLIGHT__V1__RESOURCE_KIND__RESOURCE_KIND_ENDPOINT] = STORE_ENDPOINT,
    };
    if ((unsigned)kind == 0 || (unsigned)kind >= PL_COUNT(kinds))
        return pl_fail(err, PL_INVALID, "kind",
                       "kind is %d: it must be RESOURCE_KIND_MODEL, _ENDPOINT_CONFIG or _ENDPOINT", (int)kind);
    if (validate_name(&c->limits, "name", name, err) != PL_OK)
        return err->code;
    return store_get(c->store, kinds[kind], name, out, err);
}

/* Tags as messages that borrow from 'tags'; both arrays are the caller's to free(). */
struct tag_view {
    Pilotlight__V1__Tag *messages;
    Pilotlight__V1__Tag **list;
};

static void tag_view_init(struct tag_view *v, const struct store_tags *tags)
{
    v->messages = pl_new0(tags->count + 1, sizeof(*v->messages));
    v->list = pl_new0(tags->count + 1, sizeof(*v->list));
    for (size_t i = 0; i < tags->count; i++) {
        pilotlight__v1__tag__init(&v->messages[i]);
        v->messages[i].key = tags->items[i].key;
        v->messages[i].value = tags->items[i].value;
        v->list[i] = &v->messages[i];
    }
}

static void tag_view_done(struct tag_view *v)
{
    free(v->messages);
    free(v->list);
}

static enum pl_code add(struct control *c, const Pilotlight__V1__AddTagsRequest *r, struct store_tags *out_tags,
                        struct pl_err *err)
{
    const struct limit *most = &c->limits.row[LIMIT_tags];
    pl_cleanup(store_tags_done) struct store_tags tags = { 0 };
    pl_cleanup(store_row_done) struct store_row row = { 0 };
    pl_cleanup(store_end) struct store_tx tx = { 0 };
    if (validate_tags(&c->limits, r->tags, r->n_tags, err) != PL_OK || store_begin(&tx, c->store, err) != PL_OK ||
        find(c, r->kind, r->name, &row, err) != PL_OK)
        return err->code;
    for (size_t i = 0; i < r->n_tags; i++)
        if (store_tag_put(c->store, row.id, r->tags[i]->key, r->tags[i]->value, err) != PL_OK)
            return err->code;
    if (store_tags_get(c->store, row.id, &tags, err) != PL_OK)
        return err->code;
    if ((int64_t)tags.count > most->max)
        return pl_fail(err, PL_INVALID, "tags", "%s \"%s\" would have %zu tags: it must have at most %lld",
                       store_kind_name(row.kind), row.name, tags.count, (long long)most->max);
    if (store_commit(&tx, err) != PL_OK)
        return err->code;
    *out_tags = tags;
    tags = (struct store_tags){ 0 };
    return PL_OK;
}

CONTROL_HANDLER(add_tags)
{
    struct pl_err err;
    pl_cleanup(store_tags_done) struct store_tags tags = { 0 };
    pl_cleanup(tag_view_done) struct tag_view view = { 0 };
    Pilotlight__V1__AddTagsResponse reply = PILOTLIGHT__V1__ADD_TAGS_RESPONSE__INIT;
    if (add(service, message, &tags, &err) != PL_OK) {
        rpc_fail(call, &err);
        return;
    }
    tag_view_init(&view, &tags);
    reply.tags = view.list;
    reply.n_tags = tags.count;
    rpc_reply(call, &reply.base);
}

CONTROL_HANDLER(list_tags)
{
    const Pilotlight__V1__ListTagsRequest *r = message;
    struct control *c = service;
    struct pl_err err;
    pl_cleanup(store_row_done) struct store_row row = { 0 };
    pl_cleanup(store_tags_done) struct store_tags tags = { 0 };
    pl_cleanup(tag_view_done) struct tag_view view = { 0 };
    Pilotlight__V1__ListTagsResponse reply = PILOTLIGHT__V1__LIST_TAGS_RESPONSE__INIT;
    if (find(c, r->kind, r->name, &row, &err) != PL_OK || store_tags_get(c->store, row.id, &tags, &err) != PL_OK) {
        rpc_fail(call, &err);
        return;
    }
    tag_view_init(&view, &tags);
    reply.tags = view.list;
    reply.n_tags = tags.count;
    rpc_reply(call, &reply.base);
}

static enum pl_code drop(struct control *c, const Pilotlight__V1__DeleteTagsRequest *r, struct pl_err *err)
{
    pl_cleanup(store_row_done) struct store_row row = { 0 };
    pl_cleanup(store_end) struct store_tx tx = { 0 };
    if (validate_tag_keys(&c->limits, r->keys, r->n_keys, err) != PL_OK || store_begin(&tx, c->store, err) != PL_OK ||
        find(c, r->kind, r->name, &row, err) != PL_OK)
        return err->code;
    for (size_t i = 0; i < r->n_keys; i++)
        if (store_tag_delete(c->store, row.id, r->keys[i], err) != PL_OK)
            return err->code;
    return store_commit(&tx, err);
}

CONTROL_HANDLER(delete_tags)
{
    static const Pilotlight__V1__DeleteTagsResponse reply = PILOTLIGHT__V1__DELETE_TAGS_RESPONSE__INIT;
    struct pl_err err;
    if (drop(service, message, &err) != PL_OK)
        rpc_fail(call, &err);
    else
        rpc_reply(call, &reply.base);
}
