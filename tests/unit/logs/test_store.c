/* The store on a real loop and a real folder. */
#include "logs/store.h"

#include "base/mem.h"
#include "base/time.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define HOUR_MS 3600000
#define MIB     ((int64_t)1 << 20)

struct rig {
    struct loop *loop;
    struct log_store *store;
    char dir[64], logs[80];
    struct log_read read;
    struct loop_timer settled;
};

static int set_up(void **state)
{
    struct rig *r = PL_NEW(struct rig);

    (void)snprintf(r->dir, sizeof(r->dir), "/tmp/pilotlight-logs-XXXXXX");
    assert_non_null(mkdtemp(r->dir));
    (void)snprintf(r->logs, sizeof(r->logs), "%s/logs", r->dir);
    r->loop = loop_new(0);
    *state = r;
    return 0;
}

static void look_again(struct loop_timer *t)
{
    struct rig *r = PL_CONTAINER(t, struct rig, settled);

    if (log_store_idle(r->store))
        loop_stop(r->loop);
    else
        loop_timer_set(r->loop, t, pl_now_ms() + 1);
}

/* What the store does on its own ends first. */
static void close_store(struct rig *r)
{
    if (r->store && !log_store_idle(r->store)) {
        r->settled.fire = look_again;
        loop_timer_set(r->loop, &r->settled, pl_now_ms());
        loop_run(r->loop);
    }
    log_store_close(r->store);
    r->store = NULL;
}

static int tear_down(void **state)
{
    struct rig *r = *state;
    char command[128];

    close_store(r);
    loop_free(r->loop);
    (void)snprintf(command, sizeof(command), "rm -r '%s'", r->dir);
    assert_int_equal(system(command), 0);
    free(r);
    return 0;
}

static void open_with(struct rig *r, int64_t endpoint_limit, int64_t limit, int64_t retention_ms)
{
    struct log_store_options o = {
        .dir = r->logs, .endpoint_limit_bytes = endpoint_limit, .limit_bytes = limit, .retention_ms = retention_ms
    };
    struct pl_err err;

    close_store(r);
    if (log_store_open(&r->store, r->loop, &o, &err) != PL_OK)
        fail_msg("%s", err.message);
}

static void append(struct rig *r, const char *endpoint, uint64_t instance, const char *text)
{
    struct log_line l = {
        .variant = "v", .variant_len = 1, .instance = instance, .text = text, .text_len = strlen(text)
    };

    log_store_append(r->store, endpoint, &l);
}

static void read_done(struct log_read *read)
{
    loop_stop(PL_CONTAINER(read, struct rig, read)->loop);
}

/* Runs until the read is done; its lines' texts joined by '|'. The caller frees them. */
static char *ask(struct rig *r, struct log_query query)
{
    struct pl_buf texts = PL_BUF_INIT(64 << 20);
    const char *s, *newline;
    struct log_line l;

    if (query.limit == 0)
        query.limit = LOG_READ_MAX_LINES;
    if (query.before_us == 0)
        query.before_us = INT64_MAX;
    r->read = (struct log_read){ .query = query, .done = read_done };
    log_store_read(r->store, &r->read);
    loop_run(r->loop);
    for (s = r->read.lines.data; s && (newline = strchr(s, '\n')); s = newline + 1) {
        assert_true(log_line_read(&l, s, (size_t)(newline - s)));
        (void)pl_buf_addf(&texts, "%s%.*s", texts.len ? "|" : "", (int)l.text_len, l.text);
    }
    pl_buf_done(&r->read.lines);
    (void)pl_buf_adds(&texts, "");
    return pl_buf_take(&texts, NULL);
}

static struct log_query of(const char *endpoint)
{
    struct log_query q = { 0 };

    (void)snprintf(q.endpoint, sizeof(q.endpoint), "%s", endpoint);
    return q;
}

static void assert_answer(struct rig *r, struct log_query query, const char *expected, bool more)
{
    pl_cleanup(pl_free_p) char *got = ask(r, query);

    assert_string_equal(got, expected);
    assert_int_equal(r->read.more, more);
}

static void lines_are_read_in_order_and_by_endpoint(void **state)
{
    struct rig *r = *state;

    open_with(r, 64 * MIB, 64 * MIB, HOUR_MS);
    append(r, "a", 1, "one");
    append(r, "b", 2, "other");
    append(r, "a", 1, "two");
    assert_answer(r, of("a"), "one|two", false);
    assert_answer(r, of("b"), "other", false);
    assert_answer(r, of("c"), "", false);
    append(r, "a", 1, "three");
    assert_answer(r, of("a"), "one|two|three", false);
}

static void names_that_are_no_names_are_not_kept(void **state)
{
    struct rig *r = *state;

    open_with(r, 64 * MIB, 64 * MIB, HOUR_MS);
    append(r, "../../etc", 1, "no");
    append(r, "", 1, "no");
    append(r, "a/b", 1, "no");
    assert_answer(r, of("a"), "", false);
    assert_int_equal(log_store_bytes(r->store), 0);
}

static void queries_choose(void **state)
{
    struct rig *r = *state;
    struct log_query q = of("a");

    open_with(r, 64 * MIB, 64 * MIB, HOUR_MS);
    append(r, "a", 1, "one");
    append(r, "a", 2, "two");
    append(r, "a", 1, "three");
    append(r, "a", 2, "four");
    q.instance = 2;
    assert_answer(r, q, "two|four", false);
    q = of("a");
    (void)snprintf(q.variant, sizeof(q.variant), "w");
    assert_answer(r, q, "", false);
    q = of("a");
    q.limit = 2;
    assert_answer(r, q, "one|two", true);
    q.newest = true;
    assert_answer(r, q, "three|four", true);
    q.limit = 4;
    assert_answer(r, q, "one|two|three|four", false);
}

static void lines_survive_a_restart_and_numbers_rise(void **state)
{
    struct rig *r = *state;

    open_with(r, 64 * MIB, 64 * MIB, HOUR_MS);
    append(r, "a", 1, "before");
    open_with(r, 64 * MIB, 64 * MIB, HOUR_MS);
    append(r, "a", 2, "after");
    assert_answer(r, of("a"), "before|after", false);
    assert_true(log_store_bytes(r->store) > 0);
}

static unsigned count_segments(const struct rig *r, const char *endpoint)
{
    char path[160];
    unsigned count = 0;
    struct dirent *e;
    DIR *d;

    (void)snprintf(path, sizeof(path), "%s/%s", r->logs, endpoint);
    d = opendir(path);
    if (!d)
        return 0;
    while ((e = readdir(d)))
        count += e->d_name[0] != '.';
    (void)closedir(d);
    return count;
}

/* About 'bytes' of lines, flushed now and then as in life. */
static void fill(struct rig *r, const char *endpoint, size_t bytes)
{
    char text[1001];

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    for (size_t done = 0; done < bytes; done += sizeof(text)) {
        append(r, endpoint, 1, text);
        if (done % (100 * sizeof(text)) == 0) {
            struct log_query q = of(endpoint);

            q.limit = 1;
            free(ask(r, q));
        }
    }
}

static void an_endpoint_keeps_to_its_limit(void **state)
{
    struct rig *r = *state;
    pl_cleanup(pl_free_p) char *newest = NULL;
    struct log_query q = of("a");

    open_with(r, 3 * MIB, 64 * MIB, HOUR_MS);
    append(r, "a", 1, "the first");
    fill(r, "a", 6 << 20);
    append(r, "a", 1, "the last");
    q.limit = 1;
    q.newest = true;
    newest = ask(r, q);
    assert_string_equal(newest, "the last");
    assert_in_range(log_store_bytes(r->store), MIB, 4 * MIB);
    assert_in_range(count_segments(r, "a"), 2, 4);
    q.newest = false;
    free(newest);
    newest = ask(r, q);
    assert_int_equal(newest[0], 'x');
}

static void all_endpoints_keep_to_the_limit_of_the_host(void **state)
{
    struct rig *r = *state;

    open_with(r, 64 * MIB, 3 * MIB, HOUR_MS);
    fill(r, "a", 2 << 20);
    fill(r, "b", 3 << 20);
    assert_in_range(log_store_bytes(r->store), MIB, 4 * MIB);
    assert_int_equal(count_segments(r, "a"), 0);
    assert_true(count_segments(r, "b") > 0);
}

static void old_lines_go(void **state)
{
    struct rig *r = *state;

    open_with(r, 64 * MIB, 64 * MIB, HOUR_MS);
    append(r, "a", 1, "old");
    open_with(r, 64 * MIB, 64 * MIB, 0);
    append(r, "b", 1, "new");
    free(ask(r, of("b")));
    assert_int_equal(count_segments(r, "a"), 0);
}

static void pages_lead_through_everything(void **state)
{
    struct rig *r = *state;
    struct log_query q = of("a");
    unsigned lines = 0;

    open_with(r, 64 * MIB, 64 * MIB, HOUR_MS);
    for (int i = 0; i < 5000; i++) {
        char text[32];

        (void)snprintf(text, sizeof(text), "line %d", i);
        append(r, "a", (uint64_t)(i % 3 + 1), text);
    }
    q.limit = 700;
    do {
        const char *s, *newline;
        struct log_line l = { 0 };

        q.before_us = INT64_MAX;
        r->read = (struct log_read){ .query = q, .done = read_done };
        log_store_read(r->store, &r->read);
        loop_run(r->loop);
        for (s = r->read.lines.data; s && (newline = strchr(s, '\n')); s = newline + 1) {
            char expected[32];

            assert_true(log_line_read(&l, s, (size_t)(newline - s)));
            assert_true(l.at_us > q.after_us);
            q.after_us = l.at_us;
            (void)snprintf(expected, sizeof(expected), "line %u", lines++);
            assert_int_equal(l.text_len, strlen(expected));
            assert_memory_equal(l.text, expected, l.text_len);
        }
        pl_buf_done(&r->read.lines);
    } while (r->read.more);
    assert_int_equal(lines, 5000);
}

static void streams_are_listed_newest_first(void **state)
{
    struct rig *r = *state;

    open_with(r, 64 * MIB, 64 * MIB, HOUR_MS);
    append(r, "a", 7, "one");
    append(r, "a", 8, "two");
    append(r, "a", 7, "three");
    append(r, "b", 9, "other");
    r->read = (struct log_read){ .query = of("a"), .done = read_done };
    log_store_streams(r->store, &r->read);
    loop_run(r->loop);
    assert_int_equal(r->read.stream_count, 2);
    assert_true(r->read.streams[0].instance == 7 && r->read.streams[1].instance == 8);
    assert_string_equal(r->read.streams[0].variant, "v");
    assert_true(r->read.streams[0].first_us < r->read.streams[1].first_us);
    assert_false(r->read.more);
    free(r->read.streams);
}

static void what_the_disk_cannot_take_is_counted(void **state)
{
    struct rig *r = *state;
    pl_cleanup(pl_free_p) char *got = NULL;
    char text[1001];

    open_with(r, 64 * MIB, 64 * MIB, HOUR_MS);
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    for (int i = 0; i < 1000; i++) /* no turn of the loop: nothing is flushed */
        append(r, "a", 1, text);
    free(ask(r, of("a")));
    append(r, "a", 1, "later");
    got = ask(r, of("a"));
    assert_non_null(strstr(got, "lines are missing here: the disk was too slow)|later"));
}

static void rubbish_on_disk_is_passed_over(void **state)
{
    struct rig *r = *state;
    char path[160];
    FILE *f;

    open_with(r, 64 * MIB, 64 * MIB, HOUR_MS);
    append(r, "a", 1, "good");
    close_store(r);
    (void)snprintf(path, sizeof(path), "%s/a/5.log", r->logs);
    f = fopen(path, "w");
    (void)fputs("not a line\n6 v 1 - from rubbish\nhalf a li", f);
    (void)fclose(f);
    (void)snprintf(path, sizeof(path), "%s/a/x.log", r->logs);
    f = fopen(path, "w");
    (void)fclose(f);
    open_with(r, 64 * MIB, 64 * MIB, (int64_t)1000 * 365 * 24 * HOUR_MS);
    assert_answer(r, of("a"), "from rubbish|good", false);
}

static void a_folder_that_cannot_be_used_is_named(void **state)
{
    struct rig *r = *state;
    struct log_store_options o = { .dir = "/proc/no/such", .endpoint_limit_bytes = 1, .limit_bytes = 1 };
    struct log_store *s = NULL;
    struct pl_err err;

    assert_int_equal(log_store_open(&s, r->loop, &o, &err), PL_PRECONDITION);
    assert_non_null(strstr(err.message, "/proc/no/such"));
    assert_string_equal(err.field, "logs.dir");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(lines_are_read_in_order_and_by_endpoint),
        TEST(names_that_are_no_names_are_not_kept),
        TEST(queries_choose),
        TEST(lines_survive_a_restart_and_numbers_rise),
        TEST(an_endpoint_keeps_to_its_limit),
        TEST(all_endpoints_keep_to_the_limit_of_the_host),
        TEST(old_lines_go),
        TEST(pages_lead_through_everything),
        TEST(streams_are_listed_newest_first),
        TEST(what_the_disk_cannot_take_is_counted),
        TEST(rubbish_on_disk_is_passed_over),
        TEST(a_folder_that_cannot_be_used_is_named),
    };

    return cmocka_run_group_tests_name("logs/store", tests, NULL, NULL);
}
