/* What is appended to the worker host's answer, and what is taken out of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "reply.h"
#include "rpc/rpc.h"

#include "pilotlight/internal/v1/worker.pb-c.h"
#include "pilotlight/v1/inference.pb-c.h"

#include <stdlib.h>
#include <string.h>

#define TEXT(s) ((char *)(uintptr_t)(s))

static struct rpc_bytes *packed(const ProtobufCMessage *m)
{
    size_t n = protobuf_c_message_get_packed_size(m);
    uint8_t *bytes = pl_new0(n + 1, 1);
    struct rpc_bytes *b;

    protobuf_c_message_pack(m, bytes);
    b = rpc_bytes_copy(bytes, n);
    free(bytes);
    return b;
}

static void *flat(const struct rpc_bytes *b, size_t *out_n)
{
    struct iovec spans[16];
    unsigned n = rpc_bytes_spans(b, spans, 16);
    char *bytes = pl_new0(rpc_bytes_len(b) + 1, 1);

    *out_n = 0;
    for (unsigned i = 0; i < n; i++) {
        memcpy(bytes + *out_n, spans[i].iov_base, spans[i].iov_len);
        *out_n += spans[i].iov_len;
    }
    return bytes;
}

static struct rpc_bytes *host_answer(int64_t model_us)
{
    Pilotlight__Internal__V1__WorkerInvokeResponse m = PILOTLIGHT__INTERNAL__V1__WORKER_INVOKE_RESPONSE__INIT;
    Pilotlight__Internal__V1__WorkerTimings t = PILOTLIGHT__INTERNAL__V1__WORKER_TIMINGS__INIT;

    t.model_us = model_us;
    m.body.data = (uint8_t *)TEXT("4.5\n");
    m.body.len = 4;
    m.content_type = TEXT("text/csv");
    m.model_status = 200;
    m.timings = &t;
    return packed(&m.base);
}

static void variant_and_timings_are_appended(void **state)
{
    const struct reply_timings t = {
        .cold = true, .queue_us = 40, .start_us = 30, .load_us = 20, .model_us = 7, .overhead_us = 3, .total_us = 50
    };
    struct rpc_bytes *answer = host_answer(7), *reply = reply_invoke(answer, "blue", &t);
    size_t n;
    void *bytes = flat(reply, &n);
    Pilotlight__V1__InvokeResponse *m = pilotlight__v1__invoke_response__unpack(NULL, n, bytes);

    (void)state;
    assert_non_null(m);
    assert_int_equal(m->body.len, 4);
    assert_memory_equal(m->body.data, "4.5\n", 4);
    assert_string_equal(m->content_type, "text/csv");
    assert_string_equal(m->variant, "blue");
    assert_int_equal(m->model_status, 200);
    assert_true(m->timings->cold && m->timings->queue_us == 40 && m->timings->start_us == 30);
    assert_true(m->timings->load_us == 20 && m->timings->model_us == 7);
    assert_true(m->timings->overhead_us == 3 && m->timings->total_us == 50);
    pilotlight__v1__invoke_response__free_unpacked(m, NULL);
    free(bytes);
    rpc_bytes_unref(answer);
    rpc_bytes_unref(reply);
}

static void model_time_is_read(void **state)
{
    static const struct {
        const char *bytes;
        size_t n;
        int64_t us;
    } rows[] = {
        { "", 0, 0 },                 /* an empty message                    */
        { "\x32\x02\x28\x05", 4, 5 }, /* timings { model_us: 5 }             */
        { "\x32\x02\x28\x05\x0a\x01x", 7, 5 },
        { "\x32\x02\x28\x05\x32\x02\x28\x06", 8, 6 },
        { "\x32\x01\x28", 3, 0 },  /* timings that are none               */
        { "\x32\x05\x28", 3, -1 }, /* passes the end                      */
        { "\xff", 1, -1 },
    };

    (void)state;
    for (size_t i = 0; i < PL_COUNT(rows); i++) {
        struct rpc_bytes *b = rpc_bytes_copy(rows[i].bytes, rows[i].n);

        struct reply_facts said;

        assert_int_equal(reply_read(b, &said), rows[i].us >= 0);
        assert_int_equal(said.model_us, rows[i].us);
        rpc_bytes_unref(b);
    }
}

static void error_of_is(const char *bytes, size_t n, enum pl_code code, int status, const char *text)
{
    struct rpc_bytes *b = rpc_bytes_copy(bytes, n);
    struct reply_facts said;
    struct pl_err err;

    reply_error(b, &err);
    assert_int_equal(err.code, code);
    assert_int_equal(err.model_status, status);
    assert_string_equal(err.message, text);
    assert_int_equal(reply_read(b, &said), code == PL_MODEL);
    assert_int_equal(said.model_status, status);
    rpc_bytes_unref(b);
}

static void errors_of_the_model(void **state)
{
    static char huge[2000] = "\x0a\xcd\x0f", cut[1024]; /* 1997 bytes */

    (void)state;
    error_of_is("\x0a\x02no\x28\x9f\x03", 7, PL_MODEL, 415, "no");
    error_of_is("\x28\xf4\x03", 3, PL_MODEL, 500, "the model gave no reason");
    error_of_is("\x0a\x02n\xff\x28\xf4\x03", 7, PL_MODEL, 500, "n?");
    error_of_is("\xff", 1, PL_INTERNAL, 0, "the worker host's answer is malformed");
    memset(huge + 3, 'x', 1997);
    memset(cut, 'x', 1023);
    error_of_is(huge, 2000, PL_MODEL, 0, cut);
}

static void tensor_answer_is_the_body(void **state)
{
    struct rpc_bytes *answer = host_answer(7), *body = reply_tensor(answer), *none = rpc_bytes_copy("\x20\x01", 2);
    size_t n;
    void *bytes = flat(body, &n);

    (void)state;
    assert_int_equal(n, 4);
    assert_memory_equal(bytes, "4.5\n", 4);
    assert_null(reply_tensor(none));
    free(bytes);
    rpc_bytes_unref(answer);
    rpc_bytes_unref(body);
    rpc_bytes_unref(none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(variant_and_timings_are_appended),
        cmocka_unit_test(model_time_is_read),
        cmocka_unit_test(errors_of_the_model),
        cmocka_unit_test(tensor_answer_is_the_body),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
