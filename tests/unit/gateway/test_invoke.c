/* What is written is what protobuf-c reads, and the other way round. */
#include "invoke.h"
#include "rig.h"
#include "rpc/rpc.h"

#include "base/mem.h"
#include "pilotlight/v1/inference.pb-c.h"

#include <stdlib.h>
#include <string.h>

static uint8_t *flat(struct rpc_bytes *b)
{
    struct iovec spans[8];
    uint8_t *out = pl_new0(1, rpc_bytes_len(b) + 1), *at = out;
    unsigned n = rpc_bytes_spans(b, spans, 8);
    for (unsigned i = 0; i < n; i++) {
        memcpy(at, spans[i].iov_base, spans[i].iov_len);
        at += spans[i].iov_len;
    }
    return out;
}

static void requests(void **state)
{
    static const size_t sizes[] = { 0, 1, 100, 16383, 16384, 100000 };
    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        struct invoke_call c = { .endpoint = "e",
                                 .content_type = "text/csv",
                                 .accept = NULL,
                                 .custom_attributes = "",
                                 .inference_id = "id",
                                 .target_variant = "v",
                                 .body = malloc(sizes[i] + 1),
                                 .body_len = sizes[i] };
        memset(c.body, 'x', sizes[i]);
        struct rpc_bytes *b = invoke_request(&c);
        pl_cleanup(pl_free_p) uint8_t *bytes = flat(b);
        Pilotlight__V1__InvokeRequest *r = pilotlight__v1__invoke_request__unpack(NULL, rpc_bytes_len(b), bytes);
        assert_non_null(r);
        assert_string_equal(r->endpoint_name, "e");
        assert_string_equal(r->content_type, "text/csv");
        assert_string_equal(r->accept, "");
        assert_string_equal(r->inference_id, "id");
        assert_true(r->model_error_as_response);
        assert_string_equal(r->target_variant, "v");
        assert_int_equal(r->body.len, sizes[i]);
        pilotlight__v1__invoke_request__free_unpacked(r, NULL);
        rpc_bytes_unref(b);
    }
}

static void answers(void **state)
{
    Pilotlight__V1__InvokeResponse r = PILOTLIGHT__V1__INVOKE_RESPONSE__INIT;
    Pilotlight__V1__Timings t = PILOTLIGHT__V1__TIMINGS__INIT;
    char type[] = "text/csv", variant[] = "main";
    uint8_t body[] = "0.5\n", packed[256];
    struct arena a = { 0 };
    struct invoke_answer out;
    (void)state;
    t.cold = 1;
    t.start_us = 300;
    t.model_us = 7;
    r.body = (ProtobufCBinaryData){ 4, body };
    r.content_type = type;
    r.variant = variant;
    r.model_status = 200;
    r.timings = &t;
    size_t n = pilotlight__v1__invoke_response__pack(&r, packed);
    struct rpc_bytes *b = rpc_bytes_copy(packed, n);
    assert_true(invoke_response(b, &a, &out));
    pl_cleanup(pl_free_p) uint8_t *got = flat(out.body);
    assert_string_equal(got, "0.5\n");
    assert_string_equal(out.content_type, "text/csv");
    assert_string_equal(out.variant, "main");
    assert_string_equal(out.custom_attributes, "");
    assert_true(out.timings.cold && out.timings.start_us == 300 && out.timings.model_us == 7 &&
                out.model_status == 200);
    rpc_bytes_unref(out.body);
    rpc_bytes_unref(b);
    b = rpc_bytes_copy(packed, n - 1);
    assert_false(invoke_response(b, &a, &out));
    rpc_bytes_unref(b);
    b = rpc_bytes_copy("", 0);
    assert_true(invoke_response(b, &a, &out) && rpc_bytes_len(out.body) == 0);
    rpc_bytes_unref(out.body);
    rpc_bytes_unref(b);
    arena_done(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(requests), cmocka_unit_test(answers) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
