#include "record.h"

#include "base/mem.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Every map<string, string> has entries of this layout. */
struct entry {
    ProtobufCMessage base;
    char *key, *value;
};
_Static_assert(sizeof(struct entry) == sizeof(Pilotlight__V1__Model__EnvironmentEntry), "a map entry");
_Static_assert(sizeof(struct entry) == sizeof(Pilotlight__Internal__V1__EndpointRecord__AnnotationsEntry),
               "a map entry");

void *record_pack(const ProtobufCMessage *m, size_t *out_len)
{
    size_t len = protobuf_c_message_get_packed_size(m);
    uint8_t *bytes = pl_new0(1, len + 1);
    *out_len = protobuf_c_message_pack(m, bytes);
    assert(*out_len == len);
    return bytes;
}

void *record_unpack(const ProtobufCMessageDescriptor *type, const void *bytes, size_t len, struct pl_err *err)
{
    void *m = protobuf_c_message_unpack(type, NULL, len, bytes);
    if (!m)
        (void)pl_fail_reason(err, PL_DATA_LOSS, "DATABASE_DAMAGED", "database", "a stored %s cannot be read",
                             type->name);
    return m;
}

void *record_copy(const ProtobufCMessage *m)
{
    size_t len;
    pl_cleanup(pl_free_p) void *bytes = record_pack(m, &len);
    void *copy = protobuf_c_message_unpack(m->descriptor, NULL, len, bytes);
    if (!copy)
        pl_die("cannot copy a %s", m->descriptor->name);
    return copy;
}

void record_free(void *message)
{
    if (message)
        protobuf_c_message_free_unpacked(message, NULL);
}

void record_free_p(void *message_pointer)
{
    void **p = message_pointer;
    record_free(*p);
    *p = NULL;
}

void record_set_text(char **member, const char *text)
{
    if (*member != (const char *)protobuf_c_empty_string)
        free(*member);
    *member = pl_strdup(text);
}

static int by_key(const void *a, const void *b)
{
    return strcmp((*(struct entry *const *)a)->key, (*(struct entry *const *)b)->key);
}

/* Map entries come in any order; the same content should give the same bytes. */
static void sort_map(void *entries, size_t count)
{
    if (count > 1)
        qsort(entries, count, sizeof(struct entry *), by_key);
}

void record_set_body(struct store_row *row, const ProtobufCMessage *m)
{
    free(row->body);
    row->body = record_pack(m, &row->body_len);
}

static void start_row(struct store_row *out, enum store_kind kind, const char *name, int64_t now_ms)
{
    *out = (struct store_row){ .kind = kind, .created_ms = now_ms, .updated_ms = now_ms };
    (void)snprintf(out->name, sizeof(out->name), "%s", name);
}

void record_model_row(const Pilotlight__V1__Model *m, int64_t now_ms, struct store_row *out)
{
    Pilotlight__V1__Model shell = *m;
    shell.n_tags = 0;
    shell.created_at_unix_ms = 0; /* a column */
    pl_cleanup(record_free_p) Pilotlight__V1__Model *copy = record_copy(&shell.base);
    sort_map(copy->environment, copy->n_environment);
    sort_map(copy->annotations, copy->n_annotations);
    if (!*copy->runtime)
        record_set_text(&copy->runtime, "xgboost");
    start_row(out, STORE_MODEL, m->name, now_ms);
    record_set_body(out, &copy->base);
}

void record_config_row(const Pilotlight__V1__EndpointConfig *c, int64_t now_ms, struct store_row *out)
{
    Pilotlight__V1__EndpointConfig shell = *c;
    shell.n_tags = 0;
    shell.created_at_unix_ms = 0;
    pl_cleanup(record_free_p) Pilotlight__V1__EndpointConfig *copy = record_copy(&shell.base);
    sort_map(copy->annotations, copy->n_annotations);
    for (size_t i = 0; i < copy->n_variants; i++)
        sort_map(copy->variants[i]->annotations, copy->variants[i]->n_annotations);
    start_row(out, STORE_CONFIG, c->name, now_ms);
    record_set_body(out, &copy->base);
}

void record_endpoint_row(const Pilotlight__V1__CreateEndpointRequest *r, int64_t now_ms, struct store_row *out)
{
    Pilotlight__Internal__V1__EndpointRecord shell = PILOTLIGHT__INTERNAL__V1__ENDPOINT_RECORD__INIT;
    shell.endpoint_config_name = r->endpoint_config_name;
    shell.n_annotations = r->n_annotations;
    shell.annotations = (Pilotlight__Internal__V1__EndpointRecord__AnnotationsEntry **)r->annotations;
    pl_cleanup(record_free_p) Pilotlight__Internal__V1__EndpointRecord *copy = record_copy(&shell.base);
    sort_map(copy->annotations, copy->n_annotations);
    start_row(out, STORE_ENDPOINT, r->name, now_ms);
    out->status = PILOTLIGHT__V1__ENDPOINT_STATUS__ENDPOINT_STATUS_CREATING;
    record_set_body(out, &copy->base);
}

void record_annotate(Pilotlight__Internal__V1__EndpointRecord **record, const Pilotlight__V1__UpdateEndpointRequest *r)
{
    Pilotlight__Internal__V1__EndpointRecord shell = **record;
    shell.n_annotations = r->n_annotations;
    shell.annotations = (Pilotlight__Internal__V1__EndpointRecord__AnnotationsEntry **)r->annotations;
    Pilotlight__Internal__V1__EndpointRecord *copy = record_copy(&shell.base);
    sort_map(copy->annotations, copy->n_annotations);
    record_free(*record);
    *record = copy;
}

const ProtobufCMessageDescriptor *record_type(enum store_kind kind)
{
    switch (kind) {
    case STORE_MODEL:
        return &pilotlight__v1__model__descriptor;
    case STORE_CONFIG:
        return &pilotlight__v1__endpoint_config__descriptor;
    case STORE_ENDPOINT:
        return &pilotlight__v1__endpoint__descriptor;
    case STORE_HOST:
        return &pilotlight__internal__v1__worker_host__descriptor;
    }
    pl_die("no such kind: %d", (int)kind);
}

/* Tags as the messages of a heap message's repeated field. */
static Pilotlight__V1__Tag **tag_messages(const struct store_tags *tags)
{
    Pilotlight__V1__Tag **list = pl_new0(tags->count ? tags->count : 1, sizeof(*list));
    for (size_t i = 0; i < tags->count; i++) {
        list[i] = PL_NEW(Pilotlight__V1__Tag);
        pilotlight__v1__tag__init(list[i]);
        list[i]->key = pl_strdup(tags->items[i].key);
        list[i]->value = pl_strdup(tags->items[i].value);
    }
    return list;
}

static void *read_model(const struct store_row *row, const struct store_tags *tags, struct pl_err *err)
{
    Pilotlight__V1__Model *m = record_unpack(record_type(STORE_MODEL), row->body, row->body_len, err);
    if (!m)
        return NULL;
    m->created_at_unix_ms = row->created_ms;
    m->tags = tag_messages(tags);
    m->n_tags = tags->count;
    return m;
}

static void *read_config(const struct store_row *row, const struct store_tags *tags, struct pl_err *err)
{
    Pilotlight__V1__EndpointConfig *c = record_unpack(record_type(STORE_CONFIG), row->body, row->body_len, err);
    if (!c)
        return NULL;
    c->created_at_unix_ms = row->created_ms;
    c->tags = tag_messages(tags);
    c->n_tags = tags->count;
    return c;
}

Pilotlight__Internal__V1__EndpointRecord *record_endpoint(const struct store_row *row, struct pl_err *err)
{
    return record_unpack(&pilotlight__internal__v1__endpoint_record__descriptor, row->body, row->body_len, err);
}

/* A shell of borrowed parts, then one deep copy. */
static Pilotlight__V1__Endpoint *endpoint_message(const struct store_row *row,
                                                  const Pilotlight__Internal__V1__EndpointRecord *r)
{
    Pilotlight__V1__Endpoint e = PILOTLIGHT__V1__ENDPOINT__INIT;
    /* While the first generation is being handed to routers it is stored as serving, but has not succeeded yet. */
    bool creating = row->status == PILOTLIGHT__V1__ENDPOINT_STATUS__ENDPOINT_STATUS_CREATING;
    const Pilotlight__Internal__V1__EndpointGeneration *serving = creating ? NULL : r->serving;
    char name[STORE_NAME_SIZE];
    memcpy(name, row->name, sizeof(name));
    e.name = name;
    e.endpoint_config_name = serving ? serving->endpoint_config_name : r->endpoint_config_name;
    if (r->pending)
        e.pending_endpoint_config_name = r->pending->endpoint_config_name;
    e.status = (Pilotlight__V1__EndpointStatus)row->status;
    e.failure_reason = r->failure_reason;
    e.created_at_unix_ms = row->created_ms;
    e.updated_at_unix_ms = row->updated_ms;
    e.version = row->version;
    e.n_annotations = r->n_annotations;
    e.annotations = (Pilotlight__V1__Endpoint__AnnotationsEntry **)r->annotations;
    size_t count = serving ? serving->n_variants : 0;
    pl_cleanup(pl_free_p) Pilotlight__V1__EndpointVariant **variants = pl_new0(count + 1, sizeof(*variants));
    for (size_t i = 0; i < count; i++)
        variants[i] = serving->variants[i]->variant;
    e.n_variants = count;
    e.variants = variants;
    size_t pending_count = r->pending ? r->pending->n_variants : 0;
    pl_cleanup(pl_free_p) Pilotlight__V1__ProductionVariant **pending = pl_new0(pending_count + 1, sizeof(*pending));
    for (size_t i = 0; i < pending_count; i++)
        pending[i] = r->pending->variants[i]->variant->variant;
    e.n_pending_variants = pending_count;
    e.pending_variants = pending;
    return record_copy(&e.base);
}

static void *read_endpoint(const struct store_row *row, const struct store_tags *tags, struct pl_err *err)
{
    pl_cleanup(record_free_p) Pilotlight__Internal__V1__EndpointRecord *r = record_endpoint(row, err);
    if (!r)
        return NULL;
    Pilotlight__V1__Endpoint *e = endpoint_message(row, r);
    e->tags = tag_messages(tags);
    e->n_tags = tags->count;
    return e;
}

void *record_read(struct store *s, const struct store_row *row, struct pl_err *err)
{
    static void *(*const readers[])(const struct store_row *, const struct store_tags *, struct pl_err *) = {
        [STORE_MODEL] = read_model,
        [STORE_CONFIG] = read_config,
        [STORE_ENDPOINT] = read_endpoint,
    };
    pl_cleanup(store_tags_done) struct store_tags tags = { 0 };
    if (store_tags_get(s, row->id, &tags, err) != PL_OK)
        return NULL;
    return readers[row->kind](row, &tags, err);
}

void *record_get(struct store *s, enum store_kind kind, const char *name, struct pl_err *err)
{
    pl_cleanup(store_row_done) struct store_row row = { 0 };
    if (store_get(s, kind, name, &row, err) != PL_OK)
        return NULL;
    return record_read(s, &row, err);
}
