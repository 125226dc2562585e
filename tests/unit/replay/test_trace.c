#include "trace_text.h"

#include "base/mem.h"

#include <stdlib.h>
#include <unistd.h>

static void what_is_written_is_read(void **state)
{
    struct trace t;
    struct pl_err err;

    (void)state;
    assert_ok(read_trace(&t, ENDPOINTS "a,1024,250,200,timer\n# by hand\nb,6144,0,1,\n",
                         ROWS "0,b,1,0,5\n# by hand\n7,a,3,100,20\n7,b,1,0,0", &err),
              err);
    assert_int_equal(t.horizon_ms, 1000000);
    assert_int_equal(t.endpoint_count, 2);
    assert_string_equal(t.endpoints[1]->name, "b");
    assert_int_equal(t.endpoints[1]->memory_mb, 6144);
    assert_int_equal(t.endpoints[0]->init_ms, 250);
    assert_int_equal(t.endpoints[0]->max_concurrency, 200);
    assert_int_equal(t.row_count, 3);
    assert_int_equal(t.requests, 5);
    assert_int_equal(t.rows[0].endpoint, 1);
    assert_int_equal(t.rows[1].duration_ms, 20);
    assert_int_equal(trace_arrival_ms(&t.rows[1], 0), 7);
    assert_int_equal(trace_arrival_ms(&t.rows[1], 1), 7 + 33);
    assert_int_equal(trace_arrival_ms(&t.rows[1], 2), 7 + 66);
    trace_done(&t);
}

static void what_is_wrong_is_named(void **state)
{
#define A "a,1024,250,200,x\n"
    static const struct {
        const char *endpoints, *rows, *says;
    } cases[] = {
        { "", ROWS, "e.csv:0: the first line must be a comment that says horizon_ms=N" },
        { "endpoint,memory_mb,init_ms,max_concurrency,kind\n", ROWS, "e.csv:1: the first line must be a comment" },
        { "# horizon_ms=\n", ROWS, "e.csv:1: horizon_ms: '' is no whole number of 1 to" },
        { "# horizon_ms=0\n", ROWS, "horizon_ms: '0' is no whole number" },
        { "# horizon_ms=5\n", ROWS, "e.csv: the line with the names of the fields is missing" },
        { "# horizon_ms=5\nendpoint,memory,init_ms,max_concurrency,kind\n", ROWS,
          "e.csv:2: field 2 is called 'memory' where 'memory_mb' belongs" },
        { ENDPOINTS "a,1024,250,200\n", ROWS, "e.csv:3: fewer than 5 fields" },
        { ENDPOINTS "a,1024,250,200,x,y\n", ROWS, "e.csv:3: more than 5 fields" },
        { ENDPOINTS "a,1e3,250,200,x\n", ROWS, "e.csv:3: memory_mb: '1e3' is no whole number of 1 to 1048576" },
        { ENDPOINTS "a,1024,-1,200,x\n", ROWS, "e.csv:3: init_ms: '-1' is no whole number of 0 to 180000" },
        { ENDPOINTS "a,1024,250,201,x\n", ROWS, "max_concurrency: '201' is no whole number of 1 to 200" },
        { ENDPOINTS ",1024,250,200,x\n", ROWS, "e.csv:3: endpoint: a name has 1 to 63 bytes" },
        { ENDPOINTS A A, ROWS, "e.csv:4: endpoint: 'a' is there twice" },
        { ENDPOINTS A, "# horizon_ms=7\n", "t.csv:1: horizon_ms is 7 here and 1000000 in the file of endpoints" },
        { ENDPOINTS A, ROWS "0,b,1,0,5\n", "t.csv:3: endpoint: 'b' is not in the file of endpoints" },
        { ENDPOINTS A, ROWS "0,a,0,0,5\n", "t.csv:3: count: '0' is no whole number of 1 to" },
        { ENDPOINTS A, ROWS "0,a,1,0, 5\n", "t.csv:3: duration_ms: ' 5' is no whole number of 0 to 86400000" },
        { ENDPOINTS A, ROWS "9,a,1,0,5\n8,a,1,0,5\n", "t.csv:4: t_ms: 8 comes after 9; sort the lines" },
        { ENDPOINTS A, ROWS "1000001,a,1,0,5\n", "t.csv:3: t_ms: 1000001 is beyond horizon_ms, 1000000" },
    };
#undef A

    (void)state;
    for (size_t i = 0; i < PL_COUNT(cases); i++) {
        struct trace t;
        struct pl_err err = { 0 };

        assert_int_equal(read_trace(&t, cases[i].endpoints, cases[i].rows, &err), PL_INVALID);
        assert_text(err.message, cases[i].says);
        trace_done(&t);
    }
}

static void sizes_are_limited(void **state)
{
    pl_cleanup(pl_free_p) char *line = pl_format(ENDPOINTS "%*s,1,1,1,\n", 600, "a");
    pl_cleanup(pl_free_p) char *name = pl_format(ENDPOINTS "%064d,1,1,1,\n", 1);
    struct trace t;
    struct pl_err err = { 0 };
    char rows[1024] = ROWS;

    (void)state;
    assert_int_equal(read_trace(&t, line, ROWS, &err), PL_INVALID);
    assert_text(err.message, "e.csv:3: a NUL byte, or a line of more than 510 bytes");
    trace_done(&t);
    assert_int_equal(read_trace(&t, name, ROWS, &err), PL_INVALID);
    assert_text(err.message, "e.csv:3: endpoint: a name has 1 to 63 bytes");
    trace_done(&t);
    for (int i = 0; i < 11; i++)
        strcat(rows, "0,a,100000000,0,5\n");
    assert_int_equal(read_trace(&t, ENDPOINTS "a,1,1,1,\n", rows, &err), PL_EXHAUSTED);
    assert_text(err.message, "t.csv:13: more than 20000000 lines or 1000000000 requests");
    trace_done(&t);
}

static void write_file(const char *path, const char *text)
{
    FILE *out = fopen(path, "w");

    assert_non_null(out);
    assert_true(fputs(text, out) >= 0);
    assert_int_equal(fclose(out), 0);
}

static void both_files_are_found_by_any_of_their_names(void **state)
{
    char folder[] = "/tmp/pilotlight-trace-XXXXXX";
    pl_cleanup(pl_free_p) char *name = NULL, *first = NULL, *second = NULL;
    const char *names[3];
    struct pl_err err = { 0 };
    struct trace t;

    (void)state;
    assert_non_null(mkdtemp(folder));
    name = pl_format("%s/day", folder);
    first = pl_format("%s.endpoints.csv", name);
    second = pl_format("%s.trace.csv", name);
    write_file(first, ENDPOINTS "a,1024,250,200,x\n");
    assert_int_equal(trace_load(&t, name, &err), PL_NOT_FOUND);
    assert_text(err.message, "/day.trace.csv: cannot be opened: No such file or directory");
    write_file(second, ROWS "5,a,2,0,1\n");
    names[0] = name, names[1] = first, names[2] = second;
    for (size_t i = 0; i < PL_COUNT(names); i++) {
        assert_ok(trace_load(&t, names[i], &err), err);
        assert_int_equal(t.requests, 2);
        trace_done(&t);
    }
    (void)unlink(first);
    (void)unlink(second);
    (void)rmdir(folder);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        T(what_is_written_is_read),
        T(what_is_wrong_is_named),
        T(sizes_are_limited),
        T(both_files_are_found_by_any_of_their_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
