/* A process that takes reports is killed at any instant, over and over; the reporter sends again what was not answered.
 * Whatever happens, what the database holds is exactly the batches up to the number it remembers. */
#include "fixtures.h"

#include "ingest.h"
#include "limit.h"
#include "metric_key.h"
#include "store_metrics.h"

#include <signal.h>
#include <sys/wait.h>

#define ROUNDS       30
#define ROUND_MS_MAX 40
#define MINUTE       INT64_C(60000)
#define NOW          (INT64_C(30000000) * MINUTE)

static struct folder folder;
static struct limits limits;
static struct pl_err err;

static void send_batch(struct store *s, int64_t sequence)
{
    Pilotlight__Internal__V1__ReportRequest r = PILOTLIGHT__INTERNAL__V1__REPORT_REQUEST__INIT;
    Pilotlight__Internal__V1__ReportBatch b = PILOTLIGHT__INTERNAL__V1__REPORT_BATCH__INIT, *batches[] = { &b };
    Pilotlight__Internal__V1__VariantReport v = PILOTLIGHT__INTERNAL__V1__VARIANT_REPORT__INIT, *variants[] = { &v };
    Pilotlight__Internal__V1__MetricReport m = PILOTLIGHT__INTERNAL__V1__METRIC_REPORT__INIT, *metrics[] = { &m };
    Pilotlight__Internal__V1__UsageReport u = PILOTLIGHT__INTERNAL__V1__USAGE_REPORT__INIT;
    struct ingested in;
    m.namespace_ = TEXT("AWS/SageMaker");
    m.name = TEXT("Invocations");
    m.sample_count = m.sum = (double)sequence;
    m.minimum = m.maximum = 1;
    u.memory_size_mb = 1024;
    u.invocations = u.billed_ms = sequence;
    v.endpoint_name = TEXT("fraud");
    v.variant_name = TEXT("v1");
    v.minute_unix_ms = NOW + sequence % 3 * MINUTE; /* several rows */
    v.metrics = metrics;
    v.n_metrics = 1;
    v.usage = &u;
    b.epoch = 7;
    b.sequence = sequence;
    b.variants = variants;
    b.n_variants = 1;
    r.reporter_id = TEXT("router-1");
    r.batches = batches;
    r.n_batches = 1;
    if (ingest_report(s, &limits, &r, NOW + 5 * MINUTE, &in, &err) != PL_OK || in.sequence < sequence) {
        (void)fprintf(stderr, "writer: %s\n", err.message);
        _exit(3);
    }
}

static void writer(int fd, int64_t from)
{
    struct store *s;
    if (store_open(&s, folder.database, &err) != PL_OK)
        _exit(4);
    for (int64_t i = from;; i++) {
        send_batch(s, i);
        if (write(fd, &i, sizeof(i)) != (ssize_t)sizeof(i))
            _exit(5);
    }
}

/* The last number that was answered. */
static int64_t round_of_writing(int64_t from, int64_t kill_after_us)
{
    int fds[2], status;
    int64_t answered, next;
    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)close(fds[0]);
        writer(fds[1], from);
    }
    (void)close(fds[1]);
    assert_int_equal(read(fds[0], &answered, sizeof(answered)), sizeof(answered)); /* it works */
    (void)usleep((useconds_t)kill_after_us);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    while (read(fds[0], &next, sizeof(next)) == (ssize_t)sizeof(next))
        answered = next;
    (void)close(fds[0]);
    return answered;
}

struct found {
    int64_t invocations, billed_ms;
    double samples;
};

static void take_usage(void *arg, const struct store_usage *u)
{
    struct found *f = arg;
    f->invocations += u->invocations;
    f->billed_ms += u->billed_ms;
}

static bool take_point(void *arg, int64_t start_s, int unit, const struct point *p)
{
    struct found *f = arg;
    (void)start_s, (void)unit;
    f->samples += p->count;
    return true;
}

static void judge(int64_t answered)
{
    struct store *s;
    struct found f = { 0 };
    int64_t epoch, sequence, metric;
    const struct store_usage_query all = {
        .to_day = INT64_MAX, .endpoint = "", .after_endpoint = "", .after_variant = "", .limit = 1000
    };
    pl_cleanup(pl_free_p) char *key = metric_key_of_variant("fraud", "v1");
    assert_ok(store_open(&s, folder.database, &err));
    assert_ok(store_reporter_get(s, "router-1", &epoch, &sequence, &err));
    assert_ok(store_metric_find(s, "AWS/SageMaker", "Invocations", key, &metric, &err));
    assert_ok(store_usage_list(s, &all, take_usage, &f, &err));
    assert_ok(store_points(s, metric, 60, 0, INT64_MAX, take_point, &f, &err));
    store_close(s);
    assert_true(sequence == answered || sequence == answered + 1);
    int64_t sum = sequence * (sequence + 1) / 2;
    assert_int_equal(f.invocations, sum);
    assert_int_equal(f.billed_ms, sum);
    assert_true(f.samples == (double)sum);
}

static void test_every_batch_counts_once(void **state)
{
    int64_t answered = 0;
    (void)state;
    limits_init(&limits);
    folder_make(&folder);
    srand(11);
    for (int i = 0; i < ROUNDS; i++) {
        int64_t again = answered > 2 && i % 2 ? answered - 2 : answered + 1; /* with some that were answered */
        int64_t now = round_of_writing(again > 0 ? again : 1, rand() % (ROUND_MS_MAX * 1000));
        answered = now > answered ? now : answered;
        judge(answered);
    }
    assert_true(answered > ROUNDS);
    print_message("%lld batches in %d lives\n", (long long)answered, ROUNDS);
    folder_remove(&folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_batch_counts_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
