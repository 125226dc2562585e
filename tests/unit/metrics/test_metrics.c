/* The registry: same name and labels, same handle; the text that Prometheus reads; quantiles; the limit; drop. */
#include "metrics/metrics.h"

#include "base/cleanup.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static char *expose(struct metrics *m)
{
    struct pl_buf out = { 0 };
    metrics_expose(m, &out);
    return pl_buf_take(&out, NULL);
}

static void assert_exposes(struct metrics *m, const char *lines)
{
    char *text = expose(m);
    if (!strstr(text, lines))
        fail_msg("no\n%s\nin\n%s", lines, text);
    free(text);
}

static void assert_exposes_not(struct metrics *m, const char *word)
{
    char *text = expose(m);
    if (strstr(text, word))
        fail_msg("%s in\n%s", word, text);
    free(text);
}

static void handles_are_one_per_name_and_labels(void **state)
{
    struct metrics *m = metrics_new();
    (void)state;
    struct metrics_counter *a = metrics_counter(m, "calls_total", "endpoint=\"a\"", "Calls.");
    assert_ptr_equal(a, metrics_counter(m, "calls_total", "endpoint=\"a\"", NULL));
    assert_ptr_not_equal(a, metrics_counter(m, "calls_total", "endpoint=\"b\"", "Calls."));
    assert_ptr_not_equal(a, metrics_counter(m, "calls_total", NULL, "Calls."));
    assert_ptr_equal(metrics_histogram(m, "s_seconds", NULL, ""), metrics_histogram(m, "s_seconds", NULL, ""));
    metrics_free(m);
    metrics_free(NULL);
}

static void text_of_counters_and_gauges(void **state)
{
    struct metrics *m = metrics_new();
    (void)state;
    metrics_add(metrics_counter(m, "calls_total", "endpoint=\"a\"", "Calls, back\\slash\nand line"), 41);
    metrics_add(metrics_counter(m, "calls_total", "endpoint=\"a\"", NULL), 1);
    metrics_set(metrics_gauge(m, "idle", NULL, "Idle."), 5);
    metrics_move(metrics_gauge(m, "idle", NULL, "Idle."), -7);
    metrics_counter(m, "calls_total", NULL, NULL); /* stands with its family */
    assert_exposes(m, "# HELP pilotlight_calls_total Calls, back\\\\slash\\nand line\n"
                      "# TYPE pilotlight_calls_total counter\n"
                      "pilotlight_calls_total{endpoint=\"a\"} 42\n"
                      "pilotlight_calls_total 0\n"
                      "# HELP pilotlight_idle Idle.\n"
                      "# TYPE pilotlight_idle gauge\n"
                      "pilotlight_idle -2\n");
    metrics_free(m);
}

static void text_of_histograms(void **state)
{
    struct metrics *m = metrics_new();
    (void)state;
    struct metrics_histogram *h = metrics_histogram(m, "wait_seconds", "endpoint=\"a\"", "Waits.");
    static const int64_t us[] = { -1, 0, 1, 32, 33, 64, 1000000, 1048576, 1048577, INT64_C(1) << 40 };
    for (size_t i = 0; i < PL_COUNT(us); i++)
        metrics_observe_us(h, us[i]);
    /* A value that is a limit is in the bucket of that limit. */
    assert_exposes(m, "pilotlight_wait_seconds_bucket{endpoint=\"a\",le=\"3.2e-05\"} 4\n");
    assert_exposes(m, "pilotlight_wait_seconds_bucket{endpoint=\"a\",le=\"6.4e-05\"} 6\n");
    assert_exposes(m, "pilotlight_wait_seconds_bucket{endpoint=\"a\",le=\"0.524288\"} 6\n");
    assert_exposes(m, "pilotlight_wait_seconds_bucket{endpoint=\"a\",le=\"1.048576\"} 8\n");
    assert_exposes(m, "pilotlight_wait_seconds_bucket{endpoint=\"a\",le=\"2.097152\"} 9\n");
    assert_exposes(m, "pilotlight_wait_seconds_bucket{endpoint=\"a\",le=\"268.435456\"} 9\n"
                      "pilotlight_wait_seconds_bucket{endpoint=\"a\",le=\"+Inf\"} 10\n"
                      "pilotlight_wait_seconds_sum{endpoint=\"a\"} 1099514.725059\n"
                      "pilotlight_wait_seconds_count{endpoint=\"a\"} 10\n");
    metrics_free(m);
}

static void quantiles_are_within_7_percent(void **state)
{
    struct metrics *m = metrics_new();
    (void)state;
    struct metrics_histogram *h = metrics_histogram(m, "a_seconds", NULL, "");
    assert_int_equal(metrics_quantile_us(h, 0.5), 0);
    for (int64_t us = 1; us < INT64_C(1000000000); us += us / 40 + 1) {
        char name[64];
        snprintf(name, sizeof(name), "one=\"%lld\"", (long long)us);
        h = metrics_histogram(m, "a_seconds", name, "");
        metrics_observe_us(h, us);
        for (int q = 0; q <= 100; q += 50) {
            int64_t told = metrics_quantile_us(h, q / 100.0);
            if (llabs(told - us) * 100 > us * 7)
                fail_msg("%lld us is told as %lld us", (long long)us, (long long)told);
        }
    }
    h = metrics_histogram(m, "b_seconds", NULL, "");
    for (int64_t us = 1; us <= 10000; us++)
        metrics_observe_us(h, us);
    for (int percent = 1; percent <= 100; percent++) {
        int64_t exact = percent * 100, told = metrics_quantile_us(h, percent / 100.0);
        if (llabs(told - exact) * 100 > exact * 7)
            fail_msg("p%d is told as %lld us", percent, (long long)told);
    }
    metrics_observe_us(h, INT64_MAX); /* longer than all buckets */
    assert_true(metrics_quantile_us(h, 1) >= 1000000000);
    metrics_free(m);
}

static void labels_are_escaped(void **state)
{
    pl_cleanup(pl_buf_done) struct pl_buf b = { 0 };
    (void)state;
    metrics_label(&b, "endpoint", "a\"b\\c\nd");
    metrics_label(&b, "variant", "");
    assert_string_equal(b.data, "endpoint=\"a\\\"b\\\\c\\nd\",variant=\"\"");
}

static void drop_takes_exactly_the_pair(void **state)
{
    struct metrics *m = metrics_new();
    static const char *const stay[] = {
        "endpoint=\"ab\"",
        "my_endpoint=\"a\"",
        "endpoint=\"\\\",endpoint=\\\"a\"",
        "other=\",endpoint=\",x=\"a\"",
        "other=\"\\\\\",y=\"1\"",
    };
    static const char *const go[] = {
        "endpoint=\"a\"",
        "endpoint=\"a\",variant=\"x\"",
        "variant=\"x,\",endpoint=\"a\"",
        "variant=\"\\\\\",endpoint=\"a\",z=\"1\"",
    };
    (void)state;
    for (size_t i = 0; i < PL_COUNT(stay); i++)
        metrics_counter(m, "stays_total", stay[i], "");
    for (size_t i = 0; i < PL_COUNT(go); i++) {
        metrics_counter(m, "goes_total", go[i], "");
        metrics_gauge(m, "goes", go[i], "");
        metrics_histogram(m, "goes_seconds", go[i], "");
    }
    metrics_drop(m, "endpoint=\"a\"");
    assert_exposes_not(m, "pilotlight_goes");
    char *text = expose(m);
    for (size_t i = 0; i < PL_COUNT(stay); i++)
        assert_non_null(strstr(text, stay[i]));
    free(text);
    /* A series of that name again starts at zero. */
    assert_int_equal(metrics_counter(m, "goes_total", go[0], "")->value, 0);
    assert_exposes(m, "pilotlight_goes_total{endpoint=\"a\"} 0\n");
    metrics_free(m);
}

static void beyond_the_limit_all_share_one(void **state)
{
    struct metrics *m = metrics_new();
    char labels[64];
    (void)state;
    for (int i = 0; i < METRICS_MAX_SERIES; i++) {
        snprintf(labels, sizeof(labels), "i=\"%d\"", i);
        metrics_counter(m, "many_total", labels, "");
    }
    struct metrics_counter *spare = metrics_counter(m, "more_total", "i=\"a\"", "");
    assert_ptr_equal(spare, metrics_counter(m, "more_total", "i=\"b\"", ""));
    metrics_add(spare, 3);
    metrics_set(metrics_gauge(m, "gauge_more", NULL, ""), 3);
    metrics_observe_us(metrics_histogram(m, "more_seconds", NULL, ""), 3);
    assert_exposes_not(m, "more_");
    assert_exposes(m, "pilotlight_metrics_series_refused_total 4\n");
    metrics_drop(m, "i=\"17\""); /* makes room for one */
    metrics_add(metrics_counter(m, "more_total", "i=\"c\"", ""), 1);
    assert_exposes(m, "pilotlight_more_total{i=\"c\"} 1\n");
    metrics_free(m);
}

static void process_figures(void **state)
{
    struct metrics *m = metrics_new();
    (void)state;
    assert_exposes_not(m, "process_");
    metrics_add_process(m);
    char *text = expose(m);
    double rss = -1, cpu = -1, fds = -1, start = -1;
    assert_int_equal(sscanf(strstr(text, "\nprocess_resident_memory_bytes "), "%*s %lf", &rss), 1);
    assert_int_equal(sscanf(strstr(text, "\nprocess_cpu_seconds_total "), "%*s %lf", &cpu), 1);
    assert_int_equal(sscanf(strstr(text, "\nprocess_open_fds "), "%*s %lf", &fds), 1);
    assert_int_equal(sscanf(strstr(text, "\nprocess_start_time_seconds "), "%*s %lf", &start), 1);
    free(text);
    assert_true(rss > 100000 && rss < 1e10 && cpu >= 0 && fds >= 3);
    assert_true(start > 1.7e9 && start < (double)time(NULL) + 2);
    int more = dup(1);
    text = expose(m);
    double fds_now = -1;
    assert_int_equal(sscanf(strstr(text, "\nprocess_open_fds "), "%*s %lf", &fds_now), 1);
    assert_true(fds_now == fds + 1);
    free(text);
    close(more);
    metrics_free(m);
}

/* ---- threads ---- */

static void *count_up(void *arg)
{
    struct metrics *m = arg;
    for (int i = 0; i < 20000; i++) {
        metrics_add(metrics_counter(m, "shared_total", NULL, ""), 1);
        metrics_observe_us(metrics_histogram(m, "shared_seconds", NULL, ""), i);
    }
    return NULL;
}

static void threads_lose_nothing(void **state)
{
    struct metrics *m = metrics_new();
    pthread_t threads[4];
    (void)state;
    for (size_t i = 0; i < PL_COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_up, m), 0);
    for (int i = 0; i < 20; i++) {
        char *text = expose(m);
        metrics_drop(m, "none=\"such\"");
        free(text);
    }
    for (size_t i = 0; i < PL_COUNT(threads); i++)
        pthread_join(threads[i], NULL);
    assert_exposes(m, "pilotlight_shared_total 80000\n");
    assert_exposes(m, "pilotlight_shared_seconds_count 80000\n");
    metrics_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(handles_are_one_per_name_and_labels),
        cmocka_unit_test(text_of_counters_and_gauges),
        cmocka_unit_test(text_of_histograms),
        cmocka_unit_test(quantiles_are_within_7_percent),
        cmocka_unit_test(labels_are_escaped),
        cmocka_unit_test(drop_takes_exactly_the_pair),
        cmocka_unit_test(beyond_the_limit_all_share_one),
        cmocka_unit_test(process_figures),
        cmocka_unit_test(threads_lose_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
