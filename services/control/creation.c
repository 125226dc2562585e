#include "creation.h"

#include "digest.h"
#include "record.h"

#include <stdlib.h>
#include <string.h>

uint64_t creation_content(const struct store_row *row, Pilotlight__V1__Tag *const *tags, size_t tag_count)
{
    uint64_t d = digest_add(DIGEST_START, row->name, strlen(row->name) + 1);
    d = digest_add(d, row->body, row->body_len);
    for (size_t i = 0; i < tag_count; i++) {
        d = digest_add(d, tags[i]->key, strlen(tags[i]->key) + 1);
        d = digest_add(d, tags[i]->value, strlen(tags[i]->value) + 1);
    }
    return d;
}

enum pl_code creation_replay(const struct creation *c, enum store_kind kind, void **out_answer, struct pl_err *err)
{
    pl_cleanup(pl_free_p) void *bytes = NULL;
    size_t len = 0;
    *out_answer = NULL;
    if (!*c->request_id)
        return PL_OK;
    if (store_request_find(c->store, c->method, c->request_id, c->content, c->now_ms, &bytes, &len, err) != PL_OK)
        return err->code;
    if (bytes && !(*out_answer = record_unpack(record_type(kind), bytes, len, err)))
        return err->code;
    return PL_OK;
}

static enum pl_code within_limit(const struct creation *c, enum store_kind kind, struct pl_err *err)
{
    static const enum limit_id ids[] = {
        [STORE_MODEL] = LIMIT_models,
        [STORE_CONFIG] = LIMIT_endpoint_configs,
        [STORE_ENDPOINT] = LIMIT_endpoints,
    };
    const struct limit *row = &c->limits->row[ids[kind]];
    int64_t count;
    if (store_count(c->store, kind, 0, &count, err) != PL_OK)
        return err->code;
    if (count > row->max)
        return pl_fail_reason(err, PL_EXHAUSTED, "RESOURCE_LIMIT", "name",
                              "there are %lld %s already, which is the limit (setting limits.%s): delete one first",
                              (long long)row->max, row->unit, row->name);
    return PL_OK;
}

enum pl_code creation_insert(const struct creation *c, struct store_row *row, Pilotlight__V1__Tag *const *tags,
                             size_t tag_count, struct pl_err *err)
{
    if (!row->version && store_next_version(c->store, &row->version, err) != PL_OK)
        return err->code;
    if (store_insert(c->store, row, err) != PL_OK || within_limit(c, row->kind, err) != PL_OK)
        return err->code;
    for (size_t i = 0; i < tag_count; i++)
        if (store_tag_put(c->store, row->id, tags[i]->key, tags[i]->value, err) != PL_OK)
            return err->code;
    return PL_OK;
}

enum pl_code creation_answer(const struct creation *c, const struct store_row *row, void **out_answer,
                             struct pl_err *err)
{
    pl_cleanup(record_free_p) void *answer = record_read(c->store, row, err);
    if (!answer)
        return err->code;
    if (*c->request_id) {
        size_t len;
        pl_cleanup(pl_free_p) void *bytes = record_pack(answer, &len);
        if (store_request_add(c->store, c->method, c->request_id, c->content, c->now_ms, bytes, len, err) != PL_OK)
            return err->code;
    }
    *out_answer = pl_take(answer);
    return PL_OK;
}

enum pl_code creation_run(const struct creation *c, struct store_row *row, Pilotlight__V1__Tag *const *tags,
                          size_t tag_count, void **out_answer, struct pl_err *err)
{
    pl_cleanup(store_end) struct store_tx tx = { 0 };
    pl_cleanup(record_free_p) void *answer = NULL;
    if (store_begin(&tx, c->store, err) != PL_OK || creation_replay(c, row->kind, &answer, err) != PL_OK)
        return err->code;
    if (!answer)
        if (creation_insert(c, row, tags, tag_count, err) != PL_OK || creation_answer(c, row, &answer, err) != PL_OK ||
            store_commit(&tx, err) != PL_OK)
            return err->code;
    *out_answer = pl_take(answer);
    return PL_OK;
}
