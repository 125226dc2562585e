/* What the router reads of a request's bytes, and what it refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "invoke_request.h"
#include "rpc/rpc.h"

#include "inference/open_inference.pb-c.h"
#include "pilotlight/v1/inference.pb-c.h"

#include <stdlib.h>
#include <string.h>

#define TEXT(s) ((char *)(uintptr_t)(s))

static struct pl_err err;
static struct invoke_request r;

/* The packed message in pieces of 'piece' bytes, as a network may cut it; 0: in one. */
static struct rpc_bytes *bytes_of(const void *bytes, size_t n, size_t piece)
{
    struct rpc_bytes *all = rpc_bytes_copy("", 0);

    for (size_t at = 0; at < n;) {
        size_t take = piece && n - at > piece ? piece : n - at;
        struct rpc_bytes *part = rpc_bytes_copy((const char *)bytes + at, take), *longer = rpc_bytes_join(all, part);

        rpc_bytes_unref(all);
        rpc_bytes_unref(part);
        all = longer;
        at += take;
    }
    return all;
}

typedef enum pl_code read_fn(struct invoke_request *out, const struct rpc_bytes *bytes, struct pl_err *e);

static enum pl_code read_bytes(read_fn *read, const void *bytes, size_t n, size_t piece)
{
    struct rpc_bytes *b = bytes_of(bytes, n, piece);
    enum pl_code code = read(&r, b, &err);

    rpc_bytes_unref(b);
    return code;
}

static enum pl_code read_message(read_fn *read, const ProtobufCMessage *m, size_t piece)
{
    size_t n = protobuf_c_message_get_packed_size(m);
    uint8_t *bytes = pl_new0(n + 1, 1);
    enum pl_code code;

    protobuf_c_message_pack(m, bytes);
    code = read_bytes(read, bytes, n, piece);
    free(bytes);
    return code;
}

static Pilotlight__V1__InvokeRequest good(void)
{
    Pilotlight__V1__InvokeRequest m = PILOTLIGHT__V1__INVOKE_REQUEST__INIT;

    m.endpoint_name = TEXT("fraud-2");
    m.content_type = TEXT("text/csv");
    m.accept = TEXT("*/*");
    m.body.data = (uint8_t *)TEXT("1,2,3");
    m.body.len = 5;
    m.custom_attributes = TEXT("a=\tb");
    m.inference_id = TEXT("id 1");
    m.target_variant = TEXT("blue");
    return m;
}

static void reads_whatever_the_cuts(void **state)
{
    static const size_t pieces[] = { 0, 1, 2, 3, 7, 20 };

    (void)state;
    for (size_t i = 0; i < PL_COUNT(pieces); i++) {
        Pilotlight__V1__InvokeRequest m = good();

        assert_int_equal(read_message(invoke_request_read, &m.base, pieces[i]), PL_OK);
        assert_string_equal(r.endpoint, "fraud-2");
        assert_string_equal(r.variant, "blue");
        assert_false(r.error_as_response);
        m.model_error_as_response = 1;
        assert_int_equal(read_message(invoke_request_read, &m.base, pieces[i]), PL_OK);
        assert_true(r.error_as_response);
    }
}

static void last_one_counts(void **state)
{
    (void)state;
    assert_int_equal(read_bytes(invoke_request_read, "\x0a\x03one\x3a\x01x\x0a\x03two\x3a\x00", 15, 0), PL_OK);
    assert_string_equal(r.endpoint, "two");
    assert_string_equal(r.variant, "");
}

static void refuse(const Pilotlight__V1__InvokeRequest *m, const char *field, const char *message)
{
    assert_int_equal(read_message(invoke_request_read, &m->base, 5), PL_INVALID);
    assert_string_equal(err.field, field);
    assert_string_equal(err.message, message);
}

static void names_field_value_and_limit(void **state)
{
    Pilotlight__V1__InvokeRequest m = good();
    char long_text[1026];

    (void)state;
    memset(long_text, 'x', sizeof(long_text) - 1);
    long_text[sizeof(long_text) - 1] = '\0';
    m.endpoint_name = TEXT("");
    refuse(&m, "endpoint_name", "endpoint_name is empty: it must name an endpoint");
    m.endpoint_name = TEXT("a/b");
    refuse(&m, "endpoint_name",
           "endpoint_name is \"a/b\" (3 bytes): 1 to 63 letters, digits and inner hyphens are allowed");
    m.endpoint_name = TEXT("-a");
    refuse(&m, "endpoint_name",
           "endpoint_name is \"-a\" (2 bytes): 1 to 63 letters, digits and inner hyphens are allowed");
    m.endpoint_name = long_text + sizeof(long_text) - 1 - 64;
    assert_int_equal(read_message(invoke_request_read, &m.base, 0), PL_INVALID);
    m.endpoint_name++;
    assert_int_equal(read_message(invoke_request_read, &m.base, 0), PL_OK);
    m = good();
    m.target_variant = TEXT("bl ue");
    refuse(&m, "target_variant",
           "target_variant is \"bl ue\" (5 bytes): 1 to 63 letters, digits and inner hyphens are allowed");
    m = good();
    m.custom_attributes = long_text;
    refuse(&m, "custom_attributes", "custom_attributes has 1025 bytes: at most 1024 are allowed");
    m.custom_attributes = TEXT("caf\xc3\xa9");
    refuse(&m, "custom_attributes", "custom_attributes has the byte 0xc3 at 3: only ASCII is allowed");
    m = good();
    m.inference_id = long_text + sizeof(long_text) - 1 - 65;
    refuse(&m, "inference_id", "inference_id has 65 bytes: at most 64 are allowed");
    m.inference_id = TEXT("a\nb");
    refuse(&m, "inference_id", "inference_id has the byte 0x0a at 1: only printable ASCII is allowed");
    m = good();
    m.content_type = TEXT("text/csv\x7f");
    refuse(&m, "content_type", "content_type has the byte 0x7f at 8: only printable ASCII is allowed");
    m = good();
    m.accept = long_text;
    refuse(&m, "accept", "accept has 1025 bytes: at most 1024 are allowed");
}

static void body_limit(void **state)
{
    Pilotlight__V1__InvokeRequest m = good();

    (void)state;
    m.body.len = (6 << 20) + 1;
    m.body.data = pl_new0(m.body.len, 1);
    assert_int_equal(read_message(invoke_request_read, &m.base, 1 << 14), PL_EXHAUSTED);
    assert_string_equal(err.reason, "PAYLOAD_TOO_LARGE");
    assert_string_equal(err.message, "body has 6291457 bytes: at most 6291456 are allowed");
    m.body.len--;
    assert_int_equal(read_message(invoke_request_read, &m.base, 1 << 14), PL_OK);
    free(m.body.data);
}

static void malformed(void **state)
{
    static const struct {
        const char *bytes;
        size_t n;
    } rows[] = {
        { "\xff", 1 },
        { "\x22\xff\xff\xff\xff\x0f", 6 },
        { "\x22\x05"
          "ab",
          4 },
        { "\x0c", 1 },
        { "\x0d\x01", 2 },
        { "\x00\x00", 2 },
        { "\x08\x01", 2 },
        { "\x20\x01", 2 },
        { "\x10\x01", 2 },
        { "\x38\x01", 2 },
        { "\x42\x01x", 3 },
    };

    (void)state;
    for (size_t i = 0; i < PL_COUNT(rows); i++) {
        assert_int_equal(read_bytes(invoke_request_read, rows[i].bytes, rows[i].n, 0), PL_INVALID);
        assert_string_equal(err.message, "request: malformed protobuf");
        assert_string_equal(err.reason, "MALFORMED_PROTOBUF");
    }
}

static void tensors(void **state)
{
    Inference__ModelInferRequest m = INFERENCE__MODEL_INFER_REQUEST__INIT;

    (void)state;
    m.model_name = TEXT("fraud");
    m.model_version = TEXT("blue");
    m.id = TEXT("any \xc3\xa9 text");
    assert_int_equal(read_message(tensor_request_read, &m.base, 3), PL_OK);
    assert_string_equal(r.endpoint, "fraud");
    assert_string_equal(r.variant, "blue");
    m.model_name = TEXT("");
    assert_int_equal(read_message(tensor_request_read, &m.base, 0), PL_INVALID);
    assert_string_equal(err.field, "model_name");
    m.model_name = TEXT("fraud");
    m.model_version = TEXT("1.0");
    assert_int_equal(read_message(tensor_request_read, &m.base, 0), PL_INVALID);
    assert_string_equal(err.field, "model_version");
    assert_int_equal(read_bytes(tensor_request_read,
                                "\x0a\x05"
                                "fraud\x2a\x7f",
                                9, 0),
                     PL_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_whatever_the_cuts),
        cmocka_unit_test(last_one_counts),
        cmocka_unit_test(names_field_value_and_limit),
        cmocka_unit_test(body_limit),
        cmocka_unit_test(malformed),
        cmocka_unit_test(tensors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
