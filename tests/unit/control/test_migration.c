/* A database of an older release is brought up to date when it is opened. */
#include "fixtures.h"

#include <sqlite3.h>

static struct folder folder;
static struct store *store;
static struct pl_err err;

static int setup(void **state)
{
    (void)state;
    folder_make(&folder);
    assert_ok(store_open(&store, folder.database, &err));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    store_close(store);
    folder_remove(&folder);
    return 0;
}

static void run_sql(const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(folder.database, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    (void)sqlite3_close(db);
}

/* Two variants: of instances as a gateway notes them, and a serverless one. */
static Pilotlight__V1__EndpointConfig *make_config(void)
{
    Pilotlight__V1__ProductionVariant__AnnotationsEntry notes[] = {
        PILOTLIGHT__V1__PRODUCTION_VARIANT__ANNOTATIONS_ENTRY__INIT,
        PILOTLIGHT__V1__PRODUCTION_VARIANT__ANNOTATIONS_ENTRY__INIT
    };
    Pilotlight__V1__ProductionVariant__AnnotationsEntry *note[] = { &notes[0], &notes[1] };
    Pilotlight__V1__ProductionVariant variants[] = { PILOTLIGHT__V1__PRODUCTION_VARIANT__INIT,
                                                     PILOTLIGHT__V1__PRODUCTION_VARIANT__INIT };
    Pilotlight__V1__ProductionVariant *variant[] = { &variants[0], &variants[1] };
    Pilotlight__V1__EndpointConfig c = PILOTLIGHT__V1__ENDPOINT_CONFIG__INIT;
    notes[0].key = notes[1].key = TEXT("note");
    notes[0].value = TEXT("{\"InstanceType\": \"ml.m5.large\", \"Image\": \"x\"}");
    notes[1].value = TEXT("{\"Image\": \"x\"}");
    for (size_t i = 0; i < 2; i++) {
        variants[i].name = TEXT(i == 0 ? "instances" : "serverless");
        variants[i].annotations = &note[i];
        variants[i].n_annotations = 1;
        variants[i].max_concurrency = 7;
    }
    c.name = TEXT("c");
    c.variants = variant;
    c.n_variants = 2;
    return record_copy(&c.base);
}

static void insert(enum store_kind kind, const char *name, const ProtobufCMessage *m)
{
    struct store_row row = { .kind = kind, .created_ms = 1, .updated_ms = 1 };
    struct store_tx tx = { 0 };
    (void)snprintf(row.name, sizeof(row.name), "%s", name);
    record_set_body(&row, m);
    assert_ok(store_begin(&tx, store, &err));
    assert_ok(store_next_version(store, &row.version, &err));
    assert_ok(store_insert(store, &row, &err));
    assert_ok(store_commit(&tx, &err));
    store_row_done(&row);
}

static void *body_of(enum store_kind kind, const char *name, const ProtobufCMessageDescriptor *type)
{
    pl_cleanup(store_row_done) struct store_row row = { 0 };
    assert_ok(store_get(store, kind, name, &row, &err));
    return record_unpack(type, row.body, row.body_len, &err);
}

static void check_variants(const Pilotlight__V1__ProductionVariant *first,
                           const Pilotlight__V1__ProductionVariant *second)
{
    assert_true(first->persistent && !second->persistent);
    assert_true(first->max_concurrency == 7 && second->max_concurrency == 7);
    assert_string_equal(first->name, "instances");
}

static void test_variants_of_instances_say_so(void **state)
{
    pl_cleanup(record_free_p) Pilotlight__V1__EndpointConfig *c = make_config();
    Pilotlight__V1__EndpointVariant variants[] = { PILOTLIGHT__V1__ENDPOINT_VARIANT__INIT,
                                                   PILOTLIGHT__V1__ENDPOINT_VARIANT__INIT };
    Pilotlight__Internal__V1__VariantRecord records[] = { PILOTLIGHT__INTERNAL__V1__VARIANT_RECORD__INIT,
                                                          PILOTLIGHT__INTERNAL__V1__VARIANT_RECORD__INIT };
    Pilotlight__Internal__V1__VariantRecord *record[] = { &records[0], &records[1] };
    Pilotlight__Internal__V1__EndpointGeneration g = PILOTLIGHT__INTERNAL__V1__ENDPOINT_GENERATION__INIT;
    Pilotlight__Internal__V1__EndpointRecord e = PILOTLIGHT__INTERNAL__V1__ENDPOINT_RECORD__INIT;
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        variants[i].variant = c->variants[i];
        records[i].variant = &variants[i];
    }
    g.variants = record;
    g.n_variants = 2;
    e.serving = e.pending = &g;
    insert(STORE_CONFIG, "c", &c->base);
    insert(STORE_ENDPOINT, "e", &e.base);
    store_close(store);
    store = NULL;
    run_sql("PRAGMA user_version = 3; INSERT INTO resources (kind, name, status, created_ms, updated_ms, version, "
            "body) VALUES (2, 'broken', 0, 1, 1, 3, x'ff')");
    assert_ok(store_open(&store, folder.database, &err));
    pl_cleanup(record_free_p) Pilotlight__V1__EndpointConfig *config =
        body_of(STORE_CONFIG, "c", &pilotlight__v1__endpoint_config__descriptor);
    check_variants(config->variants[0], config->variants[1]);
    pl_cleanup(record_free_p) Pilotlight__Internal__V1__EndpointRecord *endpoint =
        body_of(STORE_ENDPOINT, "e", &pilotlight__internal__v1__endpoint_record__descriptor);
    check_variants(endpoint->serving->variants[0]->variant->variant, endpoint->serving->variants[1]->variant->variant);
    check_variants(endpoint->pending->variants[0]->variant->variant, endpoint->pending->variants[1]->variant->variant);
    pl_cleanup(store_row_done) struct store_row broken = { 0 };
    assert_ok(store_get(store, STORE_CONFIG, "broken", &broken, &err));
    assert_int_equal(broken.body_len, 1); /* as it was */
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test_setup_teardown(test_variants_of_instances_say_so, setup,
                                                                        teardown) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
