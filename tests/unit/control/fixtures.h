/* fixtures - what the tests of control share: cmocka, temporary databases, and resources that are all right. */
#ifndef TEST_CONTROL_FIXTURES_H
#define TEST_CONTROL_FIXTURES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "creation.h"
#include "endpoint_state.h"
#include "record.h"
#include "store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define UNUSED __attribute__((unused))
#define SHA_A  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
/* A text for a message that is only read. */
#define TEXT(s) ((char *)(uintptr_t)(s))

/* Fails the test with the error's text. */
#define assert_ok(call)                                                                                                \
    do {                                                                                                               \
        err.message[0] = '\0';                                                                                         \
        if ((call) != PL_OK)                                                                                           \
            fail_msg("%s: %s", #call, err.message);                                                                    \
    } while (0)

struct folder {
    char path[64];
    char database[96];
};

static UNUSED void folder_make(struct folder *f)
{
    (void)snprintf(f->path, sizeof(f->path), "/tmp/pl-control-XXXXXX");
    assert_non_null(mkdtemp(f->path));
    (void)snprintf(f->database, sizeof(f->database), "%s/test.db", f->path);
}

static UNUSED void folder_remove(struct folder *f)
{
    static const char *const suffixes[] = { "", "-wal", "-shm", ".lock" };
    for (size_t i = 0; i < PL_COUNT(suffixes); i++) {
        char path[128];
        (void)snprintf(path, sizeof(path), "%s%s", f->database, suffixes[i]);
        (void)unlink(path);
    }
    assert_int_equal(rmdir(f->path), 0);
}

static UNUSED Pilotlight__V1__Model good_model(const char *name)
{
    Pilotlight__V1__Model m = PILOTLIGHT__V1__MODEL__INIT;
    m.name = TEXT(name);
    m.artifact_uri = TEXT("file:///models/model.tar.gz");
    return m;
}

static UNUSED Pilotlight__V1__ProductionVariant good_variant(const char *name, const char *model)
{
    Pilotlight__V1__ProductionVariant v = PILOTLIGHT__V1__PRODUCTION_VARIANT__INIT;
    v.name = TEXT(name);
    v.model_name = TEXT(model);
    v.memory_size_mb = 1024;
    v.max_concurrency = 4;
    return v;
}

static UNUSED struct creation creation_of(struct store *s, const struct limits *l, const char *method)
{
    return (struct creation){ .store = s, .limits = l, .method = method, .request_id = "", .now_ms = 1000 };
}

static UNUSED void put_model(struct store *s, const struct limits *l, const char *name, int64_t now_ms)
{
    struct pl_err err;
    Pilotlight__V1__Model m = good_model(name);
    pl_cleanup(store_row_done) struct store_row row = { 0 };
    pl_cleanup(record_free_p) void *answer = NULL;
    struct creation c = creation_of(s, l, "CreateModel");
    record_model_row(&m, now_ms, &row);
    assert_ok(creation_run(&c, &row, NULL, 0, &answer, &err));
}

/* A config of one variant "main" per model. */
static UNUSED void put_config(struct store *s, const struct limits *l, const char *name, const char *const *models,
                              size_t count)
{
    struct pl_err err;
    Pilotlight__V1__EndpointConfig config = PILOTLIGHT__V1__ENDPOINT_CONFIG__INIT;
    Pilotlight__V1__ProductionVariant variants[4];
    Pilotlight__V1__ProductionVariant *list[4];
    static const char *const names[] = { "main", "second", "third", "fourth" };
    pl_cleanup(store_row_done) struct store_row row = { 0 };
    pl_cleanup(record_free_p) void *answer = NULL;
    struct creation c = creation_of(s, l, "CreateEndpointConfig");
    for (size_t i = 0; i < count; i++) {
        variants[i] = good_variant(names[i], models[i]);
        list[i] = &variants[i];
    }
    config.name = TEXT(name);
    config.variants = list;
    config.n_variants = count;
    record_config_row(&config, 1000, &row);
    assert_ok(creation_run(&c, &row, NULL, 0, &answer, &err));
}

#endif
