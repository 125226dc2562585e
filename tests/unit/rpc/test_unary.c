#include "rig.h"

#include "base/cleanup.h"
#include "google/rpc/error_details.pb-c.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static struct rig rig;

static int up_unix(void **state)
{
    *state = &rig;
    rig_up(&rig);
    rig_serve(&rig, NULL);
    rig_connect(&rig, &(struct rpc_channel_options){ .internal = true });
    return 0;
}

static int up_tcp(void **state)
{
    *state = &rig;
    rig_up(&rig);
    rig_serve(&rig, "127.0.0.1:0");
    rig_connect(&rig, NULL);
    return 0;
}

static int up_local(void **state)
{
    *state = &rig;
    rig_up(&rig);
    rig_serve_local(&rig);
    rig_connect(&rig, NULL);
    return 0;
}

static int down(void **state)
{
    rig_down(*state);
    return 0;
}

static void assert_echo(struct rig *g, const char *text)
{
    struct rpc_bytes *reply = NULL;
    struct pl_err err = { 0 };
    struct iovec span;
    assert_int_equal(rig_call(g, ECHO, text, strlen(text), &reply, &err), PL_OK);
    assert_int_equal(rpc_bytes_len(reply), strlen(text));
    if (rpc_bytes_spans(reply, &span, 1) > 0)
        assert_memory_equal(span.iov_base, text, strlen(text));
    rpc_bytes_unref(reply);
}

static void test_echo(void **state)
{
    struct rig *g = *state;
    assert_echo(g, "hello");
    assert_echo(g, "");
    for (int i = 0; i < 200; i++)
        assert_echo(g, "and again");
    struct stat st;
    if (strncmp(g->address, "unix", 4) == 0) {
        assert_int_equal(stat(strchr(g->address, ':') + 1, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
        assert_int_equal(strncmp(g->peer, g->address, strcspn(g->address, ":") + 1), 0);
    } else {
        assert_non_null(strstr(g->peer, "127.0.0.1"));
    }
}

static void test_call_knows_deadline_and_trace(void **state)
{
    struct rig *g = *state;
    struct result r;
    rig_send(g, ECHO, 5000, &r);
    wait_event(&r.over);
    assert_int_equal(r.status.code, PL_OK);
    rig_enter(g);
    assert_in_range(g->time_left_ms, 1, 5100); /* the wire format rounds up */
    assert_string_equal(g->trace, "00-abc-def-01");
    rig_leave(g);
    result_done(&r);
    rig_send(g, ECHO, INT64_MAX, &r);
    wait_event(&r.over);
    rig_enter(g);
    assert_true(g->time_left_ms == INT64_MAX);
    rig_leave(g);
    result_done(&r);
}

static void test_large_body_arrives_whole(void **state)
{
    struct rig *g = *state;
    size_t n = (size_t)6 << 20, at = 0;
    unsigned char *body = malloc(n);
    for (size_t i = 0; i < n; i++)
        body[i] = (unsigned char)(i * 2654435761u >> 13);
    struct rpc_bytes *reply = NULL;
    struct pl_err err;
    assert_int_equal(rig_call(g, ECHO, body, n, &reply, &err), PL_OK);
    assert_int_equal(rpc_bytes_len(reply), n);
    unsigned count = rpc_bytes_spans(reply, NULL, 0);
    assert_true(count >= 1);
    struct iovec *spans = malloc(count * sizeof(*spans));
    rpc_bytes_spans(reply, spans, count);
    for (unsigned i = 0; i < count; at += spans[i].iov_len, i++)
        assert_memory_equal(spans[i].iov_base, body + at, spans[i].iov_len);
    rpc_bytes_unref(reply);
    free(spans);
    free(body);
}

static void test_many_at_once(void **state)
{
    struct rig *g = *state;
    enum { MANY = 300 };
    struct result *r = calloc(MANY, sizeof(*r));
    for (int i = 0; i < MANY; i++)
        rig_send(g, ECHO, 20000, &r[i]);
    for (int i = 0; i < MANY; i++) {
        wait_event(&r[i].over);
        assert_int_equal(r[i].status.code, PL_OK);
        result_done(&r[i]);
    }
    free(r);
}

static void test_message_round_trip_and_bad_utf8(void **state)
{
    struct rig *g = *state;
    Google__Rpc__BadRequest__FieldViolation v[2] = { GOOGLE__RPC__BAD_REQUEST__FIELD_VIOLATION__INIT,
                                                     GOOGLE__RPC__BAD_REQUEST__FIELD_VIOLATION__INIT };
    Google__Rpc__BadRequest__FieldViolation *list[] = { &v[0], &v[1] };
    Google__Rpc__BadRequest q = GOOGLE__RPC__BAD_REQUEST__INIT, *reply = NULL;
    struct pl_err err;
    char good[] = "gr\xc3\xbc\xc3\x9f", bad[] = "a\xff";
    q.field_violations = list;
    q.n_field_violations = 2;
    v[1].description = good;
    struct rpc_send s = { .path = MESSAGE, .message = &q.base, .reply = &google__rpc__bad_request__descriptor };
    assert_int_equal(rpc_call_wait(g->channel, &s, (void **)&reply, NULL, &err), PL_OK);
    assert_int_equal(reply->n_field_violations, 2);
    assert_string_equal(reply->field_violations[1]->description, good);
    google__rpc__bad_request__free_unpacked(reply, NULL);

    v[1].description = bad;
    assert_int_equal(rpc_call_wait(g->channel, &s, (void **)&reply, NULL, &err), PL_INVALID);
    assert_string_equal(err.field, "field_violations[1].description");
    assert_string_equal(err.reason, "INVALID_UTF8");
    assert_non_null(strstr(err.message, "field_violations[1].description"));
}

static void test_malformed_protobuf(void **state)
{
    struct pl_err err;
    struct rpc_bytes *reply = NULL;
    assert_int_equal(rig_call(*state, MESSAGE, "\xff\xff\xff\xff", 4, &reply, &err), PL_INVALID);
    assert_non_null(strstr(err.message, "malformed protobuf"));
    assert_non_null(strstr(err.message, "google.rpc.BadRequest"));
    assert_string_equal(err.reason, "MALFORMED_PROTOBUF");
    /* A field number of 0, in the message and in one inside it: protobuf-c alone would let it in. */
    assert_int_equal(rig_call(*state, MESSAGE, "\x80\x00\x00", 3, &reply, &err), PL_INVALID);
    assert_string_equal(err.reason, "MALFORMED_PROTOBUF");
    assert_int_equal(rig_call(*state, MESSAGE, "\x0a\x03\x80\x00\x00", 5, &reply, &err), PL_INVALID);
    assert_string_equal(err.reason, "MALFORMED_PROTOBUF");
    assert_echo(*state, "still alive");
}

/* protobuf-c alone would cut the text there, and take a name for another. */
static void test_nul_in_a_string(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
        const char *field;
    } bad[] = {
        { "\x0a\x05\x0a\x03"
          "a\0b",
          7, "field_violations[0].field" },
        { "\x0a\x03\x0a\x01"
          "a\x0a\x05\x12\x03"
          "ab\0",
          12, "field_violations[1].description" },
        { "\x0a\x02\x0a\x00\x0a\x03\x12\x01\0", 9, "field_violations[1].description" },
    };
    struct pl_err err;
    struct rpc_bytes *reply = NULL;
    for (size_t i = 0; i < PL_COUNT(bad); i++) {
        assert_int_equal(rig_call(*state, MESSAGE, bad[i].bytes, bad[i].len, &reply, &err), PL_INVALID);
        assert_string_equal(err.reason, "NUL_IN_STRING");
        assert_string_equal(err.field, bad[i].field);
        assert_non_null(strstr(err.message, bad[i].field));
    }
    /* An empty string and zero in an unknown field are none of it. */
    assert_int_equal(rig_call(*state, MESSAGE, "\x0a\x02\x0a\x00\x78\x00\x7a\x01\0", 9, &reply, &err), PL_OK);
    rpc_bytes_unref(reply);
}

static void test_unknown_method(void **state)
{
    struct pl_err err;
    struct rpc_bytes *reply = NULL;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(rig_call(*state, "/test.Rig/Nothing", "", 0, &reply, &err), PL_UNIMPLEMENTED);
        assert_non_null(strstr(err.message, "/test.Rig/Nothing"));
    }
}

static void test_oversize_request(void **state)
{
    struct pl_err err;
    struct rpc_bytes *reply = NULL;
    size_t huge = (size_t)9 << 20;
    char *body = calloc(1, huge);
    assert_int_equal(rig_call(*state, SMALL, body, 1024, &reply, &err), PL_OK);
    rpc_bytes_unref(reply);
    assert_int_equal(rig_call(*state, SMALL, body, 1025, &reply, &err), PL_EXHAUSTED);
    assert_non_null(strstr(err.message, "1025"));
    assert_non_null(strstr(err.message, "1024"));
    assert_string_equal(err.reason, "MESSAGE_TOO_LARGE");
    assert_int_equal(rig_call(*state, ECHO, body, RPC_MAX_MESSAGE_BYTES + 1, &reply, &err), PL_EXHAUSTED);
    assert_non_null(strstr(err.message, "6356993"));
    assert_non_null(strstr(err.message, "6356992"));
    assert_int_equal(rig_call(*state, ECHO, body, huge, &reply, &err), PL_EXHAUSTED);
    assert_non_null(strstr(err.message, "9437184"));
    free(body);
    assert_echo(*state, "still alive");
}

static void test_deadline(void **state)
{
    struct rig *g = *state;
    struct result r;
    struct pl_err late;
    rig_send(g, HOLD, 500, &r);
    wait_event(&g->held_event);
    wait_event(&r.over);
    assert_int_equal(r.status.code, PL_DEADLINE);
    wait_event(&g->cancelled_event);
    rig_enter(g);
    assert_int_equal(g->cancelled_count, 1);
    (void)pl_fail(&late, PL_CANCELLED, NULL, "nobody hears this");
    rpc_fail(g->held, &late);
    rig_leave(g);
    result_done(&r);
    assert_echo(g, "still alive");
}

static void test_client_cancels(void **state)
{
    struct rig *g = *state;
    struct result r;
    struct rpc_request *q = rig_send(g, HOLD, 20000, &r);
    wait_event(&g->held_event);
    rig_enter(g);
    rpc_cancel(q);
    rpc_cancel(q);
    assert_int_equal(r.done_count, 0);
    rig_leave(g);
    wait_event(&r.over);
    assert_int_equal(r.status.code, PL_CANCELLED);
    wait_event(&g->cancelled_event);
    rig_enter(g);
    rpc_reply_bytes(g->held, rpc_bytes_copy("late", 4));
    rig_leave(g);
    result_done(&r);
}

static void test_late_answer_and_no_cancel_after_it(void **state)
{
    struct rig *g = *state;
    struct result r;
    rig_send(g, HOLD, 20000, &r);
    wait_event(&g->held_event);
    rig_enter(g);
    rpc_reply_bytes(g->held, rpc_bytes_copy("late", 4));
    rig_leave(g);
    wait_event(&r.over);
    assert_int_equal(r.status.code, PL_OK);
    assert_int_equal(rpc_bytes_len(r.bytes), 4);
    result_done(&r);
    assert_echo(g, "once more");
    rig_enter(g);
    assert_int_equal(g->cancelled_count, 0);
    rig_leave(g);
}

static void late_cancelled(void *arg)
{
    sem_post(arg);
}

static void test_on_cancel_after_the_fact(void **state)
{
    struct rig *g = *state;
    struct result r;
    sem_t told;
    struct pl_err err;
    sem_init(&told, 0, 0);
    struct rpc_request *q = rig_send(g, HOLD, 20000, &r);
    wait_event(&g->held_event);
    rig_enter(g);
    rpc_cancel(q);
    rig_leave(g);
    wait_event(&g->cancelled_event);
    rig_enter(g);
    rpc_call_on_cancel(g->held, late_cancelled, &told);
    assert_int_equal(sem_trywait(&told), -1);
    rig_leave(g);
    wait_event(&told);
    rig_enter(g);
    (void)pl_fail(&err, PL_CANCELLED, NULL, "cancelled");
    rpc_fail(g->held, &err);
    rig_leave(g);
    wait_event(&r.over);
    result_done(&r);
    sem_destroy(&told);
}

static void test_channel_freed_with_request_in_flight(void **state)
{
    struct rig *g = *state;
    struct result r;
    struct pl_err err;
    rig_send(g, HOLD, 20000, &r);
    wait_event(&g->held_event);
    rig_enter(g);
    rpc_channel_free(pl_take(g->channel));
    rig_leave(g);
    wait_event(&r.over);
    assert_int_equal(r.status.code, PL_CANCELLED);
    result_done(&r);
    wait_event(&g->cancelled_event);
    rig_enter(g);
    (void)pl_fail(&err, PL_CANCELLED, NULL, "cancelled");
    rpc_fail(g->held, &err);
    rig_leave(g);
}

#define EACH(test)                                                                                                     \
    cmocka_unit_test_setup_teardown(test, up_unix, down), cmocka_unit_test_setup_teardown(test, up_tcp, down),         \
        cmocka_unit_test_setup_teardown(test, up_local, down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(test_echo),
        EACH(test_call_knows_deadline_and_trace),
        EACH(test_large_body_arrives_whole),
        EACH(test_many_at_once),
        EACH(test_message_round_trip_and_bad_utf8),
        EACH(test_malformed_protobuf),
        EACH(test_nul_in_a_string),
        EACH(test_unknown_method),
        EACH(test_oversize_request),
        EACH(test_deadline),
        EACH(test_client_cancels),
        EACH(test_late_answer_and_no_cancel_after_it),
        EACH(test_on_cancel_after_the_fact),
        EACH(test_channel_freed_with_request_in_flight),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
