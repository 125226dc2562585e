/* A process that writes all the time is killed at any instant, over and over, on one database: whatever it was told to
 * be committed is there afterwards, nothing is half there, and versions go on where they were. */
#include "fixtures.h"

#include "endpoint_change.h"
#include "limit.h"

#include <signal.h>
#include <sys/wait.h>

#define ROUNDS       30
#define NAMES_MAX    20000
#define ROUND_MS_MAX 60

/* What the writer says after each commit, in one write() that a pipe does not split. */
struct ack {
    char what; /* 'm' model made, 'e' endpoint made, 'd' endpoint is DELETING, 'x' model deleted */
    int number;
    int64_t version;
};

static struct folder folder;
static struct limits limits;
static struct pl_err err;

static void name_of(char kind, int number, char out[STORE_NAME_SIZE])
{
    (void)snprintf(out, STORE_NAME_SIZE, "%c-%d", kind, number);
}

/* ---- the writer: its own process, ends by a kill ---- */

static void must(enum pl_code code)
{
    if (code != PL_OK) {
        (void)fprintf(stderr, "writer: %s\n", err.message);
        _exit(3);
    }
}

static void make_model(struct store *s, int number)
{
    char name[STORE_NAME_SIZE], id[STORE_NAME_SIZE];
    Pilotlight__V1__Model m;
    Pilotlight__V1__Tag t[] = { PILOTLIGHT__V1__TAG__INIT, PILOTLIGHT__V1__TAG__INIT }, *tags[] = { &t[0], &t[1] };
    pl_cleanup(store_row_done) struct store_row row = { 0 };
    pl_cleanup(record_free_p) void *answer = NULL;
    struct creation c = creation_of(s, &limits, "CreateModel");
    name_of('m', number, name);
    name_of('r', number, id);
    m = good_model(name);
    t[0].key = TEXT("a");
    t[1].key = TEXT("b");
    c.request_id = id;
    record_model_row(&m, number, &row);
    c.content = creation_content(&row, tags, 2);
    must(creation_run(&c, &row, tags, 2, &answer, &err));
}

static void make_endpoint(struct store *s, int number)
{
    char name[STORE_NAME_SIZE];
    Pilotlight__V1__CreateEndpointRequest r = PILOTLIGHT__V1__CREATE_ENDPOINT_REQUEST__INIT;
    pl_cleanup(record_free_p) Pilotlight__V1__Endpoint *e = NULL;
    name_of('e', number, name);
    r.name = name;
    r.endpoint_config_name = TEXT("config");
    must(endpoint_create(s, &limits, &r, number, &e, &err));
}

static void delete_model(struct store *s, int number)
{
    char name[STORE_NAME_SIZE];
    int64_t version;
    pl_cleanup(store_row_done) struct store_row row = { 0 };
    pl_cleanup(store_end) struct store_tx tx = { 0 };
    name_of('m', number, name);
    must(store_begin(&tx, s, &err));
    must(store_get(s, STORE_MODEL, name, &row, &err));
    must(store_next_version(s, &version, &err));
    must(store_change_add(s, STORE_HOST, name, version, &err)); /* something in another table */
    must(store_delete(s, row.id, &err));
    must(store_commit(&tx, &err));
}

static void say(int fd, struct store *s, char what, int number)
{
    struct ack a = { .what = what, .number = number, .version = store_version(s) };
    if (write(fd, &a, sizeof(a)) != (ssize_t)sizeof(a))
        _exit(4);
}

static void writer(int fd, int from)
{
    struct store *s;
    char name[STORE_NAME_SIZE];
    must(store_open(&s, folder.database, &err));
    for (int i = from; i < NAMES_MAX; i++) {
        make_model(s, i);
        say(fd, s, 'm', i);
        make_endpoint(s, i);
        say(fd, s, 'e', i);
        if (i % 3 == 0) {
            name_of('e', i, name);
            must(endpoint_delete(s, name, 1, &err));
            say(fd, s, 'd', i);
        }
        if (i % 2 == 0) {
            delete_model(s, i);
            say(fd, s, 'x', i);
        }
    }
    _exit(5); /* was never killed */
}

/* ---- the judge ---- */

struct known {
    bool model, model_deleted, endpoint, deleting;
};
static struct known known[NAMES_MAX];
static int64_t last_version;
static int highest; /* number that was begun */
static unsigned acks;

static void note(const struct ack *a)
{
    struct known *k = &known[a->number];
    k->model |= a->what == 'm';
    k->model_deleted |= a->what == 'x';
    k->endpoint |= a->what == 'e';
    k->deleting |= a->what == 'd';
    assert_true(a->version > last_version);
    last_version = a->version;
    if (a->number > highest)
        highest = a->number;
    acks++;
}

static void judge_model(struct store *s, int i, const char *name, bool last)
{
    pl_cleanup(record_free_p) Pilotlight__V1__Model *m = record_get(s, STORE_MODEL, name, &err);
    if (known[i].model && !known[i].model_deleted && !m && !(last && i % 2 == 0))
        fail_msg("%s was acknowledged and is gone", name);
    if (known[i].model_deleted && m)
        fail_msg("%s was deleted and is back", name);
    if (m)
        assert_int_equal(m->n_tags, 2); /* whole or not at all */
    else
        assert_int_equal(err.code, PL_NOT_FOUND);
}

static void judge_request(struct store *s, int i)
{
    char id[STORE_NAME_SIZE];
    void *answer;
    size_t len;
    name_of('r', i, id);
    enum pl_code code = store_request_find(s, "CreateModel", id, 0, 1000, &answer, &len, &err);
    assert_true(!known[i].model || code == PL_INVALID); /* known, with its content */
}

static void judge_endpoint(struct store *s, int i, const char *name, bool last)
{
    pl_cleanup(store_row_done) struct store_row row = { 0 };
    if (store_get(s, STORE_ENDPOINT, name, &row, &err) != PL_OK) {
        assert_false(known[i].endpoint);
        return;
    }
    pl_cleanup(record_free_p) Pilotlight__Internal__V1__EndpointRecord *r = record_endpoint(&row, &err);
    assert_non_null(r);
    assert_true(row.version <= store_version(s));
    if (known[i].deleting)
        assert_int_equal(row.status, ENDPOINT_STATUS(DELETING));
    if (row.status == ENDPOINT_STATUS(DELETING))
        assert_true(known[i].deleting || last);
    assert_true((r->pending != NULL) == (row.status == ENDPOINT_STATUS(CREATING)));
}

static void judge(int from)
{
    struct store *s;
    char name[STORE_NAME_SIZE];
    assert_ok(store_open(&s, folder.database, &err)); /* checks the whole file */
    assert_true(store_version(s) >= last_version);
    /* At most one commit was made and not told of; the next writer continues behind its names. */
    for (int i = from > 0 ? from - 1 : 0; i <= highest + 1; i++) {
        bool last = i >= highest;
        name_of('m', i, name);
        judge_model(s, i, name, last);
        judge_request(s, i);
        name_of('e', i, name);
        judge_endpoint(s, i, name, last);
    }
    last_version = store_version(s);
    store_close(s);
}

static void round_of_writing(int from, int64_t kill_after_us)
{
    int fds[2], status;
    struct ack a;
    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)close(fds[0]);
        writer(fds[1], from);
    }
    (void)close(fds[1]);
    assert_int_equal(read(fds[0], &a, sizeof(a)), sizeof(a)); /* it works */
    note(&a);
    (void)usleep((useconds_t)kill_after_us);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    while (read(fds[0], &a, sizeof(a)) == (ssize_t)sizeof(a))
        note(&a);
    (void)close(fds[0]);
}

static void test_nothing_acknowledged_is_lost(void **state)
{
    static const char *const models[] = { "base" };
    struct store *s;
    (void)state;
    limits_init(&limits);
    limits.row[LIMIT_models].max = limits.row[LIMIT_endpoints].max = 2 * NAMES_MAX;
    folder_make(&folder);
    assert_ok(store_open(&s, folder.database, &err));
    put_model(s, &limits, "base", 1);
    put_config(s, &limits, "config", models, 1);
    store_close(s);
    srand(7);
    int from = 0;
    for (int i = 0; i < ROUNDS; i++) {
        round_of_writing(from, rand() % (ROUND_MS_MAX * 1000));
        judge(from);
        from = highest + 2;
    }
    assert_true(acks > ROUNDS);
    print_message("%u commits acknowledged in %d lives\n", acks, ROUNDS);
    folder_remove(&folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_acknowledged_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
