/* The store and what stands on it directly: rows, tags, request ids, changes, pages, and a file that is opened again.
 */
#include "fixtures.h"

#include "limit.h"
#include "page.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>

static struct folder folder;
static struct store *store;
static struct limits limits;
static struct pl_err err;

static int setup(void **state)
{
    (void)state;
    limits_init(&limits);
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

static void reopen(void)
{
    store_close(store);
    store = NULL;
    assert_ok(store_open(&store, folder.database, &err));
}

static void test_a_new_file(void **state)
{
    (void)state;
    struct stat st;
    char id[40];
    assert_int_equal(stat(folder.database, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(store_version(store), 0);
    (void)snprintf(id, sizeof(id), "%s", store_database_id(store));
    assert_true(strlen(id) > 10);
    reopen();
    assert_string_equal(store_database_id(store), id);
}

static void test_one_process_only(void **state)
{
    (void)state;
    struct store *second = NULL;
    assert_int_equal(store_open(&second, folder.database, &err), PL_UNAVAILABLE);
    assert_non_null(strstr(err.message, "in use by another process"));
    assert_null(second);
}

static void run_sql(const char *text)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(folder.database, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void test_files_that_are_not_ours(void **state)
{
    (void)state;
    store_close(store);
    store = NULL;
    run_sql("PRAGMA user_version = 99");
    assert_int_equal(store_open(&store, folder.database, &err), PL_PRECONDITION);
    assert_non_null(strstr(err.message, "99"));
    run_sql("PRAGMA application_id = 7");
    assert_int_equal(store_open(&store, folder.database, &err), PL_PRECONDITION);
    assert_non_null(strstr(err.message, "not a database of Pilotlight"));
    int fd = open(folder.database, O_WRONLY | O_TRUNC);
    assert_int_equal(write(fd, "this is no database at all, only text of some length", 52), 52);
    (void)close(fd);
    assert_int_equal(store_open(&store, folder.database, &err), PL_DATA_LOSS);
    assert_null(store);
}

static void test_damage_is_found(void **state)
{
    (void)state;
    for (int i = 0; i < 200; i++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "model-%03d", i);
        put_model(store, &limits, name, 1000 + i);
    }
    store_close(store);
    store = NULL;
    char noise[4096];
    memset(noise, 0x5a, sizeof(noise));
    int fd = open(folder.database, O_WRONLY);
    for (off_t page = 3; page < 8; page++)
        assert_int_equal(pwrite(fd, noise, sizeof(noise), page * 4096), 4096);
    (void)close(fd);
    assert_int_equal(store_open(&store, folder.database, &err), PL_DATA_LOSS);
    assert_non_null(strstr(err.message, "damaged"));
}

static void test_models_come_back_as_given(void **state)
{
    (void)state;
    Pilotlight__V1__Model m = good_model("fraud");
    Pilotlight__V1__Model__EnvironmentEntry e[] = { PILOTLIGHT__V1__MODEL__ENVIRONMENT_ENTRY__INIT,
                                                    PILOTLIGHT__V1__MODEL__ENVIRONMENT_ENTRY__INIT },
                                            *env[] = { &e[0], &e[1] };
    Pilotlight__V1__Tag t[] = { PILOTLIGHT__V1__TAG__INIT, PILOTLIGHT__V1__TAG__INIT }, *tags[] = { &t[0], &t[1] };
    struct creation c = creation_of(store, &limits, "CreateModel");
    pl_cleanup(store_row_done) struct store_row row = { 0 };
    pl_cleanup(record_free_p) void *answer = NULL;
    e[0].key = TEXT("Z");
    e[0].value = TEXT("1");
    e[1].key = TEXT("A");
    e[1].value = TEXT("");
    t[0].key = TEXT("team");
    t[0].value = TEXT("risk");
    t[1].key = TEXT("cost");
    t[1].value = TEXT("42");
    m.environment = env;
    m.n_environment = 2;
    m.created_at_unix_ms = 5; /* not the client's to set */
    record_model_row(&m, 1700, &row);
    assert_ok(creation_run(&c, &row, tags, 2, &answer, &err));
    reopen();
    pl_cleanup(record_free_p) Pilotlight__V1__Model *got = record_get(store, STORE_MODEL, "fraud", &err);
    assert_non_null(got);
    assert_string_equal(got->runtime, "xgboost");
    assert_int_equal(got->created_at_unix_ms, 1700);
    assert_int_equal(got->n_environment, 2);
    assert_string_equal(got->environment[0]->key, "A"); /* by key */
    assert_string_equal(got->environment[1]->value, "1");
    assert_int_equal(got->n_tags, 2);
    assert_string_equal(got->tags[0]->key, "cost");
    assert_string_equal(got->tags[1]->value, "risk");
}

static void test_names_are_unique_by_kind(void **state)
{
    (void)state;
    const char *const models[] = { "x" };
    Pilotlight__V1__Model m = good_model("x");
    pl_cleanup(store_row_done) struct store_row row = { 0 };
    void *answer = NULL;
    struct creation c = creation_of(store, &limits, "CreateModel");
    put_model(store, &limits, "x", 1);
    put_config(store, &limits, "x", models, 1); /* another kind: another name space */
    record_model_row(&m, 2, &row);
    int64_t version = store_version(store);
    assert_int_equal(creation_run(&c, &row, NULL, 0, &answer, &err), PL_EXISTS);
    assert_string_equal(err.message, "Cannot create already existing model \"x\".");
    assert_null(answer);
    assert_int_equal(store_version(store), version);
    assert_null(record_get(store, STORE_ENDPOINT, "x", &err));
    assert_int_equal(err.code, PL_NOT_FOUND);
    assert_string_equal(err.message, "Could not find endpoint \"x\".");
}

static void test_there_is_a_limit(void **state)
{
    (void)state;
    Pilotlight__V1__Model m = good_model("third");
    pl_cleanup(store_row_done) struct store_row row = { 0 };
    void *answer = NULL;
    int64_t count;
    struct creation c = creation_of(store, &limits, "CreateModel");
    limits.row[LIMIT_models].max = 2;
    put_model(store, &limits, "first", 1);
    put_model(store, &limits, "second", 2);
    record_model_row(&m, 3, &row);
    assert_int_equal(creation_run(&c, &row, NULL, 0, &answer, &err), PL_EXHAUSTED);
    assert_non_null(strstr(err.message, "2 models"));
    assert_ok(store_count(store, STORE_MODEL, 0, &count, &err));
    assert_int_equal(count, 2);
}

static void test_a_request_id_repeats_the_answer(void **state)
{
    (void)state;
    Pilotlight__V1__Model m = good_model("once"), other = good_model("twice");
    struct store_row row = { 0 };
    pl_cleanup(record_free_p) Pilotlight__V1__Model *first = NULL, *again = NULL, *late = NULL;
    struct creation c = creation_of(store, &limits, "CreateModel");
    c.request_id = "r-1";
    record_model_row(&m, 1000, &row);
    c.content = creation_content(&row, NULL, 0);
    assert_ok(creation_run(&c, &row, NULL, 0, (void **)&first, &err));
    store_row_done(&row);

    reopen();
    c.store = store;
    c.now_ms = 5000;
    record_model_row(&m, 5000, &row);
    assert_int_equal(creation_content(&row, NULL, 0), c.content);
    int64_t version = store_version(store);
    assert_ok(creation_run(&c, &row, NULL, 0, (void **)&again, &err));
    assert_int_equal(again->created_at_unix_ms, 1000);
    assert_int_equal(store_version(store), version);
    store_row_done(&row);

    record_model_row(&other, 5000, &row);
    struct creation reused = c;
    reused.content = creation_content(&row, NULL, 0);
    assert_int_equal(creation_run(&reused, &row, NULL, 0, (void **)&late, &err), PL_INVALID);
    assert_string_equal(err.field, "request_id");
    assert_non_null(strstr(err.message, "r-1"));
    store_row_done(&row);

    /* After a day the id is forgotten, and the name is simply taken. */
    c.now_ms = 1000 + STORE_REQUEST_MS + 1;
    record_model_row(&m, c.now_ms, &row);
    assert_int_equal(creation_run(&c, &row, NULL, 0, (void **)&late, &err), PL_EXISTS);
    store_row_done(&row);
}

static void test_request_ids_are_bounded(void **state)
{
    (void)state;
    struct store_tx tx = { 0 };
    void *answer;
    size_t len;
    assert_ok(store_begin(&tx, store, &err));
    for (int i = 0; i < STORE_REQUESTS_KEPT + 10; i++) {
        char id[32];
        (void)snprintf(id, sizeof(id), "id-%d", i);
        assert_ok(store_request_add(store, "M", id, 1, 1000 + i, "answer", 6, &err));
    }
    assert_ok(store_commit(&tx, &err));
    assert_ok(store_request_find(store, "M", "id-9", 1, 10000, &answer, &len, &err));
    assert_null(answer);
    assert_ok(store_request_find(store, "M", "id-10", 1, 10000, &answer, &len, &err));
    assert_int_equal(len, 6);
    assert_memory_equal(answer, "answer", 6);
    free(answer);
}

static void test_tags_go_with_their_resource(void **state)
{
    (void)state;
    struct store_tx tx = { 0 };
    pl_cleanup(store_row_done) struct store_row row = { 0 };
    struct store_tags tags = { 0 };
    put_model(store, &limits, "m", 1);
    assert_ok(store_get(store, STORE_MODEL, "m", &row, &err));
    assert_ok(store_begin(&tx, store, &err));
    assert_ok(store_tag_put(store, row.id, "b", "1", &err));
    assert_ok(store_tag_put(store, row.id, "a", "2", &err));
    assert_ok(store_tag_put(store, row.id, "b", "3", &err));
    assert_ok(store_tag_delete(store, row.id, "nothing", &err));
    assert_ok(store_commit(&tx, &err));
    assert_ok(store_tags_get(store, row.id, &tags, &err));
    assert_int_equal(tags.count, 2);
    assert_string_equal(tags.items[0].key, "a");
    assert_string_equal(tags.items[1].value, "3");
    store_tags_done(&tags);
    assert_ok(store_begin(&tx, store, &err));
    assert_ok(store_delete(store, row.id, &err));
    assert_ok(store_commit(&tx, &err));
    assert_ok(store_tags_get(store, row.id, &tags, &err));
    assert_int_equal(tags.count, 0);
    store_tags_done(&tags);
}

static void test_what_is_not_committed_is_not_there(void **state)
{
    (void)state;
    struct store_tx tx = { 0 };
    int64_t version, count;
    struct store_row row = { .kind = STORE_MODEL, .name = "ghost" };
    assert_ok(store_begin(&tx, store, &err));
    assert_ok(store_next_version(store, &version, &err));
    assert_int_equal(version, 1);
    assert_ok(store_insert(store, &row, &err));
    store_end(&tx);
    assert_int_equal(store_version(store), 0);
    assert_ok(store_count(store, STORE_MODEL, 0, &count, &err));
    assert_int_equal(count, 0);
}

struct heard {
    char story[256];
};

static bool hear(void *arg, int64_t version, enum store_kind kind, const char *name)
{
    struct heard *h = arg;
    size_t n = strlen(h->story);
    (void)snprintf(h->story + n, sizeof(h->story) - n, "%d:%d:%s ", (int)version, (int)kind, name);
    return true;
}

static int64_t change(enum store_kind kind, const char *name)
{
    struct store_tx tx = { 0 };
    int64_t version;
    assert_ok(store_begin(&tx, store, &err));
    assert_ok(store_next_version(store, &version, &err));
    assert_ok(store_change_add(store, kind, name, version, &err));
    assert_ok(store_commit(&tx, &err));
    return version;
}

static void test_changes_are_told_once_in_order(void **state)
{
    (void)state;
    struct heard all = { "" }, some = { "" };
    bool complete;
    change(STORE_ENDPOINT, "a");
    change(STORE_HOST, "a");
    change(STORE_ENDPOINT, "b");
    change(STORE_ENDPOINT, "a");
    assert_ok(store_changes_since(store, 0, hear, &all, &err));
    assert_string_equal(all.story, "2:4:a 3:3:b 4:3:a ");
    assert_ok(store_changes_since(store, 3, hear, &some, &err));
    assert_string_equal(some.story, "4:3:a ");
    assert_ok(store_changes_complete(store, 4, &complete, &err));
    assert_true(complete);
    assert_ok(store_changes_complete(store, 5, &complete, &err)); /* of a future that was lost */
    assert_false(complete);
}

static void test_changes_are_bounded(void **state)
{
    (void)state;
    struct store_tx tx = { 0 };
    int64_t version = 0;
    bool complete;
    assert_ok(store_begin(&tx, store, &err));
    for (int i = 0; i < STORE_CHANGES_KEPT + 128; i++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "e%d", i);
        assert_ok(store_next_version(store, &version, &err));
        assert_ok(store_change_add(store, STORE_ENDPOINT, name, version, &err));
    }
    assert_ok(store_commit(&tx, &err));
    assert_ok(store_changes_complete(store, 0, &complete, &err));
    assert_false(complete);
    assert_ok(store_changes_complete(store, version - STORE_CHANGES_KEPT, &complete, &err));
    assert_true(complete);
}

/* ---- pages ---- */

/* All names of a list, page by page, "a b c "; 'between' runs after each page. */
static void walk(enum store_kind kind, Pilotlight__V1__ListOptions *o, int status, char *out, size_t size,
                 void (*between)(int page))
{
    char token[PAGE_TOKEN_SIZE] = "";
    out[0] = '\0';
    for (int i = 0; i < 100; i++) {
        pl_cleanup(page_done) struct page page = { 0 };
        o->page_token = token;
        assert_ok(page_read(store, kind, o, status, &page, &err));
        for (size_t k = 0; k < page.count; k++) {
            size_t n = strlen(out);
            (void)snprintf(out + n, size - n, "%s ", ((Pilotlight__V1__Model *)page.messages[k])->name);
        }
        if (between)
            between(i);
        memcpy(token, page.next_token, sizeof(token));
        if (!*token)
            return;
    }
    fail_msg("the list has no end");
}

static void insert_while_listing(int page)
{
    char name[32];
    (void)snprintf(name, sizeof(name), "new-%d", page);
    put_model(store, &limits, name, 100000 + page); /* newer than all: in front of a descending list */
}

static void test_pages_are_stable(void **state)
{
    (void)state;
    Pilotlight__V1__ListOptions o = PILOTLIGHT__V1__LIST_OPTIONS__INIT;
    char names[512];
    for (int i = 0; i < 7; i++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "m%d", i);
        put_model(store, &limits, name, 1000 + i / 2); /* pairs at the same moment */
    }
    o.page_size = 2;
    walk(STORE_MODEL, &o, 0, names, sizeof(names), insert_while_listing);
    assert_string_equal(names, "m6 m5 m4 m3 m2 m1 m0 ");
    o.sort_order = PILOTLIGHT__V1__SORT_ORDER__SORT_ORDER_ASCENDING;
    o.created_before_unix_ms = 100000;
    walk(STORE_MODEL, &o, 0, names, sizeof(names), NULL);
    assert_string_equal(names, "m0 m1 m2 m3 m4 m5 m6 ");
}

static void test_filters(void **state)
{
    (void)state;
    Pilotlight__V1__ListOptions o = PILOTLIGHT__V1__LIST_OPTIONS__INIT;
    char names[512];
    put_model(store, &limits, "Fraud-a", 1000);
    put_model(store, &limits, "fraud-b", 2000);
    put_model(store, &limits, "churn", 3000);
    o.sort_by = PILOTLIGHT__V1__SORT_BY__SORT_BY_NAME;
    o.sort_order = PILOTLIGHT__V1__SORT_ORDER__SORT_ORDER_ASCENDING;
    o.page_size = 1;
    walk(STORE_MODEL, &o, 0, names, sizeof(names), NULL);
    assert_string_equal(names, "Fraud-a churn fraud-b "); /* by bytes */
    o.name_contains = TEXT("AUD");
    walk(STORE_MODEL, &o, 0, names, sizeof(names), NULL);
    assert_string_equal(names, "Fraud-a fraud-b ");
    o.created_from_unix_ms = 2000; /* inclusive */
    walk(STORE_MODEL, &o, 0, names, sizeof(names), NULL);
    assert_string_equal(names, "fraud-b ");
    o.name_contains = TEXT("");
    o.created_before_unix_ms = 3000; /* exclusive */
    walk(STORE_MODEL, &o, 0, names, sizeof(names), NULL);
    assert_string_equal(names, "fraud-b ");
    o.created_from_unix_ms = o.created_before_unix_ms = 0;
    o.updated_from_unix_ms = 2500;
    o.sort_order = PILOTLIGHT__V1__SORT_ORDER__SORT_ORDER_DESCENDING;
    walk(STORE_MODEL, &o, 0, names, sizeof(names), NULL);
    assert_string_equal(names, "churn ");
    o.name_contains = TEXT("100%_"); /* text, not a pattern */
    walk(STORE_MODEL, &o, 0, names, sizeof(names), NULL);
    assert_string_equal(names, "");
}

static void put_endpoint_row(const char *name, int status)
{
    struct store_tx tx = { 0 };
    Pilotlight__V1__CreateEndpointRequest r = PILOTLIGHT__V1__CREATE_ENDPOINT_REQUEST__INIT;
    pl_cleanup(store_row_done) struct store_row row = { 0 };
    r.name = TEXT(name);
    record_endpoint_row(&r, 1000, &row);
    row.status = status;
    assert_ok(store_begin(&tx, store, &err));
    assert_ok(store_insert(store, &row, &err));
    assert_ok(store_commit(&tx, &err));
}

static void test_endpoints_by_status(void **state)
{
    (void)state;
    Pilotlight__V1__ListOptions o = PILOTLIGHT__V1__LIST_OPTIONS__INIT;
    char names[512];
    put_endpoint_row("a", ENDPOINT_STATUS(FAILED));
    put_endpoint_row("b", ENDPOINT_STATUS(CREATING));
    put_endpoint_row("c", ENDPOINT_STATUS(CREATING));
    put_endpoint_row("d", ENDPOINT_STATUS(DELETING));
    o.sort_by = PILOTLIGHT__V1__SORT_BY__SORT_BY_STATUS;
    o.page_size = 1;
    walk(STORE_ENDPOINT, &o, 0, names, sizeof(names), NULL);
    assert_string_equal(names, "a d c b ");
    o.sort_order = PILOTLIGHT__V1__SORT_ORDER__SORT_ORDER_ASCENDING;
    walk(STORE_ENDPOINT, &o, 0, names, sizeof(names), NULL);
    assert_string_equal(names, "b c d a ");
    walk(STORE_ENDPOINT, &o, ENDPOINT_STATUS(CREATING), names, sizeof(names), NULL);
    assert_string_equal(names, "b c ");
}

static void test_tokens_of_others_are_refused(void **state)
{
    (void)state;
    static const char *const garbage[] = {
        "x", "00", "zz", "0123456789abcdef", "no hex at all", "00112233445566778899aabbccddeeff00112233445566778899"
    };
    Pilotlight__V1__ListOptions o = PILOTLIGHT__V1__LIST_OPTIONS__INIT;
    struct page page = { 0 }, next = { 0 };
    put_model(store, &limits, "a", 1);
    put_model(store, &limits, "b", 2);
    o.page_size = 1;
    assert_ok(page_read(store, STORE_MODEL, &o, 0, &page, &err));
    char token[PAGE_TOKEN_SIZE];
    memcpy(token, page.next_token, sizeof(token));
    assert_int_not_equal(token[0], 0);
    page_done(&page);
    o.page_token = token;
    o.name_contains = TEXT("a"); /* another filter than before */
    assert_int_equal(page_read(store, STORE_MODEL, &o, 0, &next, &err), PL_INVALID);
    assert_string_equal(err.field, "page_token");
    o.name_contains = TEXT("");
    assert_int_equal(page_read(store, STORE_CONFIG, &o, 0, &next, &err), PL_INVALID); /* another list */
    o.page_size = 5;                                                                  /* the size may change */
    assert_ok(page_read(store, STORE_MODEL, &o, 0, &next, &err));
    assert_int_equal(next.count, 1);
    page_done(&next);
    token[strlen(token) - 1] ^= 1; /* not what we gave out */
    assert_int_equal(page_read(store, STORE_MODEL, &o, 0, &next, &err), PL_INVALID);
    for (size_t i = 0; i < PL_COUNT(garbage); i++) {
        o.page_token = TEXT(garbage[i]);
        assert_int_equal(page_read(store, STORE_MODEL, &o, 0, &next, &err), PL_INVALID);
        assert_string_equal(err.field, "page_token");
    }
}

/* Entries near their largest size: a page stays well below what a client takes. */
static void test_pages_are_bounded_in_bytes(void **state)
{
    (void)state;
    Pilotlight__V1__ListOptions o = PILOTLIGHT__V1__LIST_OPTIONS__INIT;
    pl_cleanup(pl_free_p) char *value = pl_new0(60001, 1);
    memset(value, 'v', 60000);
    for (int i = 0; i < 80; i++) {
        Pilotlight__V1__Model m = good_model("x");
        Pilotlight__V1__Model__AnnotationsEntry e = PILOTLIGHT__V1__MODEL__ANNOTATIONS_ENTRY__INIT, *list[] = { &e };
        pl_cleanup(store_row_done) struct store_row row = { 0 };
        pl_cleanup(record_free_p) void *answer = NULL;
        char name[32];
        (void)snprintf(name, sizeof(name), "m-%02d", i);
        m.name = name;
        e.key = TEXT("notes");
        e.value = value;
        m.annotations = list;
        m.n_annotations = 1;
        struct creation c = creation_of(store, &limits, "CreateModel");
        record_model_row(&m, 1, &row);
        assert_ok(creation_run(&c, &row, NULL, 0, &answer, &err));
    }
    pl_cleanup(page_done) struct page page = { 0 };
    o.page_size = 1000;
    assert_ok(page_read(store, STORE_MODEL, &o, 0, &page, &err));
    assert_true(page.count > 10 && page.count < 40);
    assert_int_not_equal(page.next_token[0], 0);
    char names[1024];
    walk(STORE_MODEL, &o, 0, names, sizeof(names), NULL);
    assert_int_equal(strlen(names), 80 * strlen("m-00 "));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_a_new_file),
        T(test_one_process_only),
        T(test_files_that_are_not_ours),
        T(test_damage_is_found),
        T(test_models_come_back_as_given),
        T(test_names_are_unique_by_kind),
        T(test_there_is_a_limit),
        T(test_a_request_id_repeats_the_answer),
        T(test_request_ids_are_bounded),
        T(test_tags_go_with_their_resource),
        T(test_what_is_not_committed_is_not_there),
        T(test_changes_are_told_once_in_order),
        T(test_changes_are_bounded),
        T(test_pages_are_stable),
        T(test_filters),
        T(test_endpoints_by_status),
        T(test_tokens_of_others_are_refused),
        T(test_pages_are_bounded_in_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
