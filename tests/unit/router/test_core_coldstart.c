/* Starts and their failures: what callers are told. */
#include "core_rig.h"

static struct core_request q[8];

static struct core *one_endpoint(struct core_host **out_host)
{
    struct core_variant_spec v = variant("main");
    struct core *c = new_core();

    memset(q, 0, sizeof(q));
    *out_host = host(c, "a", 8000);
    serve(c, "fraud", 1, &v, 1);
    return c;
}

static void fail_start(struct core *c, enum pl_code code, const char *reason, const char *message, int64_t now_us)
{
    struct core_instance *in = next(c, CORE_START).instance;
    struct pl_err said;

    (void)pl_fail_reason(&said, code, reason, NULL, "%s", message);
    core_start_failed(c, in, &said, now_us);
}

/* The error of a request whose starts fail like this. */
static struct pl_err told(enum pl_code code, const char *reason, const char *message)
{
    struct core_host *h;
    struct core *c = one_endpoint(&h);
    struct core_action a;
    struct pl_err out;
    int64_t now_us = 0;

    admit(c, &q[0], "fraud", 0);
    for (;; now_us += 250 * MS) { /* longer than the second pause */
        struct pl_err said;

        pass(c, now_us);
        if (!core_take(c, &a))
            continue;
        if (a.kind != CORE_START)
            break;
        (void)pl_fail_reason(&said, code, reason, NULL, "%s", message);
        core_start_failed(c, a.instance, &said, now_us);
    }
    assert_int_equal(a.kind, CORE_FAIL);
    assert_ptr_equal(a.request, &q[0]);
    out = *a.err;
    nothing(c);
    core_free(c);
    return out;
}

static void what_callers_are_told(void **state)
{
    struct pl_err e = told(PL_PRECONDITION, "MODEL_NOT_LOADED", "model did not load: bad magic");

    (void)state;
    assert_int_equal(e.code, PL_INTERNAL);
    assert_string_equal(e.reason, "MODEL_NOT_LOADED");
    assert_string_equal(e.message, "endpoint \"fraud\", variant \"main\": no instance could be started: model did not "
                                   "load: bad magic");
    e = told(PL_PRECONDITION, "ARTIFACT_MISSING", "the server answered 404");
    assert_int_equal(e.code, PL_INTERNAL);
    assert_string_equal(e.reason, "START_FAILED");
    e = told(PL_UNAVAILABLE, "ARTIFACT_SOURCE", "the server answered 503");
    assert_int_equal(e.code, PL_UNAVAILABLE);
    assert_string_equal(e.reason, "ARTIFACT_SOURCE");
    e = told(PL_DEADLINE, "START_TIMEOUT", "too slow");
    assert_int_equal(e.code, PL_DEADLINE);
    assert_string_equal(e.reason, "START_TIMEOUT");
    e = told(PL_EXHAUSTED, "NO_CAPACITY", "full");
    assert_int_equal(e.code, PL_UNAVAILABLE);
    assert_string_equal(e.reason, "NO_CAPACITY");
    assert_string_equal(e.message,
                        "endpoint \"fraud\", variant \"main\": none of the 1 worker hosts can take an instance "
                        "of 1024 MB now: full");
    assert_true(e.retry_after_ms > 0);
}

/* Failures of starts that were under way together are shared: nobody pays for all. */
static void failures_are_shared(void **state)
{
    struct core_host *h;
    struct core *c = one_endpoint(&h);
    struct core_instance *in[4];
    struct pl_err said;

    (void)state;
    (void)pl_fail_reason(&said, PL_PRECONDITION, "MODEL_NOT_LOADED", NULL, "no");
    for (int i = 0; i < 4; i++)
        admit(c, &q[i], "fraud", 0);
    for (int i = 0; i < 4; i++)
        in[i] = next(c, CORE_START).instance;
    nothing(c);
    for (int i = 0; i < 4; i++) {
        core_start_failed(c, in[i], &said, MS + i);
        in[i] = next(c, CORE_START).instance; /* at once: it is the first round */
    }
    nothing(c);
    for (int i = 0; i < 4; i++)
        core_start_failed(c, in[i], &said, 2 * MS + i);
    nothing(c); /* the second round pauses */
    for (int i = 0; i < 4; i++)
        assert_int_equal(q[i].start_failures, 2);
    pass(c, 200 * MS);
    core_started(c, next(c, CORE_START).instance, 1, &(struct core_start_parts){ .load_us = 1 }, 201 * MS);
    for (int i = 0; i < 3; i++)
        (void)next(c, CORE_START);
    assert_ptr_equal(next(c, CORE_DISPATCH).request, &q[0]);
    nothing(c);
    core_free(c);
}

static void without_a_host(void **state)
{
    struct core_host *h;
    struct core *c = one_endpoint(&h);
    struct core_action a;

    (void)state;
    core_host_down(c, h, 0);
    admit(c, &q[0], "fraud", 0);
    nothing(c);
    pass(c, SECOND - 1);
    nothing(c);
    pass(c, SECOND);
    a = next(c, CORE_FAIL);
    assert_string_equal(a.err->reason, "NO_CAPACITY");
    assert_string_equal(a.err->message, "endpoint \"fraud\", variant \"main\": no worker host is connected");
    nothing(c);
    core_free(c);
}

static void too_late(void **state)
{
    struct core_host *h;
    struct core *c = one_endpoint(&h);
    struct core_action a;

    (void)state;
    admit(c, &q[0], "fraud", 0);
    (void)next(c, CORE_START);
    pass(c, 10 * SECOND - 1);
    nothing(c);
    pass(c, 10 * SECOND);
    a = next(c, CORE_FAIL);
    assert_int_equal(a.err->code, PL_DEADLINE);
    assert_string_equal(a.err->reason, "START_TIMEOUT");
    assert_string_equal(a.err->message, "endpoint \"fraud\", variant \"main\": no instance was ready within its "
                                        "start_timeout_ms of 10000");
    core_free(c);
}

/* Nobody knows what became of the host: it is no failure of the model's, and another host is asked. */
static void unreachable_host(void **state)
{
    struct core_host *a, *b;
    struct core *c = one_endpoint(&a);
    struct core_instance *in;

    (void)state;
    b = host(c, "b", 8000);
    for (int i = 0; i < 5; i++) {
        admit(c, &q[i], "fraud", 0);
        in = next(c, CORE_START).instance;
        struct core_host *first = in->host;
        struct pl_err said;
        (void)pl_fail_reason(&said, PL_UNAVAILABLE, i % 2 ? "NOT_SENT" : "", NULL, "no connection");
        core_start_failed(c, in, &said, 0);
        assert_ptr_equal(next(c, CORE_START).instance->host, first == a ? b : a);
        a->full_until_us = b->full_until_us = 0;
    }
    assert_int_equal(q[0].variant->tally->instances_failed, 0);
    core_free(c);
}

static void forgiven_after_a_while(void **state)
{
    struct core_host *h;
    struct core *c = one_endpoint(&h);
    int64_t now_us = 0;

    (void)state;
    for (int i = 0; i < 5; i++) { /* request after request meets a broken model */
        admit(c, &q[0], "fraud", now_us);
        while (q[0].variant) {
            fail_start(c, PL_PRECONDITION, "MODEL_NOT_LOADED", "no", now_us);
            now_us += 2 * SECOND;
            pass(c, now_us);
        }
        (void)next(c, CORE_FAIL);
    }
    struct core_variant *v = list_first(&core_endpoint_find(c, "fraud")->variants, struct core_variant, link);
    assert_true(v->failed_rounds > 3 && v->start_after_us <= now_us);
    now_us = v->start_after_us + 61 * SECOND;
    admit(c, &q[0], "fraud", now_us);
    fail_start(c, PL_PRECONDITION, "MODEL_NOT_LOADED", "no", now_us);
    assert_int_equal(v->failed_rounds, 1);
    (void)next(c, CORE_START); /* again, at once */
    core_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_callers_are_told), cmocka_unit_test(failures_are_shared),
        cmocka_unit_test(without_a_host),        cmocka_unit_test(too_late),
        cmocka_unit_test(unreachable_host),      cmocka_unit_test(forgiven_after_a_while),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
