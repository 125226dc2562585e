/* What an instance may say, and every way in which it may lie. */
#include "channel/answer.h"
#include "unit_test.h"

#include "base/mem.h"
#include "frame/frame.h"
#include "wire/wire.h"

#include <stdlib.h>

/* A message under construction. */
struct message {
    uint8_t bytes[4096];
    size_t len;
};

static void put_number(struct message *m, unsigned field, uint64_t value)
{
    m->len = (size_t)(wire_put_varint(m->bytes + m->len, field, value) - m->bytes);
}

static void put_bytes(struct message *m, unsigned field, const void *bytes, size_t n)
{
    m->len = (size_t)(wire_put_bytes(m->bytes + m->len, field, bytes, n) - m->bytes);
}

static void put_text(struct message *m, unsigned field, const char *text)
{
    put_bytes(m, field, text, strlen(text));
}

/* Every shorter piece of a message is a lie, or a shorter message: never read beyond its end (sanitizers watch). */
static void each_prefix(const struct message *m, void (*look)(const uint8_t *bytes, size_t len))
{
    for (size_t n = 0; n < m->len; n++) {
        uint8_t *copy = malloc(n + 1);

        memcpy(copy, m->bytes, n);
        copy = realloc(copy, n ? n : 1);
        look(copy, n);
        free(copy);
    }
}

/* ---- results ---- */

static void result_is(enum answer_verdict verdict, const struct message *m, const char *part)
{
    const char *why = NULL;

    assert_int_equal(answer_check_result(m->bytes, m->len, &why), verdict);
    if (part)
        assert_text(why, part);
}

static void look_at_result(const uint8_t *bytes, size_t len)
{
    const char *why;

    (void)answer_check_result(bytes, len, &why);
}

static void results(void **state)
{
    struct message m = { .len = 0 };

    (void)state;
    result_is(ANSWER_GOOD, &m, NULL); /* an empty answer is one */
    put_text(&m, 1, "0.5");
    put_text(&m, 2, "text/csv; charset=utf-8");
    put_text(&m, 4, "key=value");
    put_number(&m, 5, 200);
    result_is(ANSWER_GOOD, &m, NULL);
    each_prefix(&m, look_at_result);
}

static void lying_results(void **state)
{
    static const unsigned not_its_own[] = { 3, 6, 100 }; /* the variant, the host's timings, what nobody knows */
    static char text[ANSWER_MAX_TEXT + 1];
    struct message m;

    (void)state;
    memset(text, 'x', sizeof(text));
    m = (struct message){ .len = 0 };
    put_number(&m, 1, 7);
    result_is(ANSWER_LIE, &m, "body is not bytes");
    m = (struct message){ .len = 0 };
    put_text(&m, 2, "text/csv\r\nEvil: 1");
    result_is(ANSWER_LIE, &m, "content type");
    m = (struct message){ .len = 0 };
    put_bytes(&m, 2, text, ANSWER_MAX_TEXT);
    result_is(ANSWER_GOOD, &m, NULL);
    m = (struct message){ .len = 0 };
    put_bytes(&m, 2, text, ANSWER_MAX_TEXT + 1);
    result_is(ANSWER_LIE, &m, "content type");
    m = (struct message){ .len = 0 };
    put_bytes(&m, 4, "\0", 1);
    result_is(ANSWER_LIE, &m, "custom attributes");
    for (uint64_t status = 199; status <= 300; status += 101) {
        m = (struct message){ .len = 0 };
        put_number(&m, 5, status);
        result_is(ANSWER_LIE, &m, "200..299");
    }
    for (size_t i = 0; i < PL_COUNT(not_its_own); i++) {
        m = (struct message){ .len = 0 };
        put_text(&m, not_its_own[i], "x");
        result_is(ANSWER_LIE, &m, "field that results do not have");
    }
    m = (struct message){ .bytes = { 0x0a, 0xff }, .len = 2 };
    result_is(ANSWER_LIE, &m, "no protobuf");
}

static void result_that_is_too_large(void **state)
{
    const char *why;
    size_t room = ANSWER_MAX_BODY + 1 + WIRE_MAX_HEADER;
    uint8_t *bytes = malloc(room), *body = calloc(1, ANSWER_MAX_BODY + 1);
    size_t len;

    (void)state;
    len = (size_t)(wire_put_bytes(bytes, 1, body, ANSWER_MAX_BODY) - bytes);
    assert_int_equal(answer_check_result(bytes, len, &why), ANSWER_GOOD);
    len = (size_t)(wire_put_bytes(bytes, 1, body, ANSWER_MAX_BODY + 1) - bytes);
    assert_int_equal(answer_check_result(bytes, len, &why), ANSWER_TOO_LARGE);
    free(bytes);
    free(body);
}

/* ---- errors in answer to a request ---- */

static void error_is_good(const struct message *m)
{
    const char *why = "";

    if (!answer_check_error(m->bytes, m->len, &why))
        fail_msg("%s", why);
}

static void error_is_a_lie(const struct message *m)
{
    const char *why = NULL;

    assert_false(answer_check_error(m->bytes, m->len, &why));
    assert_text(why, "its error");
}

static void look_at_refusal(const uint8_t *bytes, size_t len)
{
    const char *why;

    (void)answer_check_error(bytes, len, &why);
}

static void refusals(void **state)
{
    static const uint32_t not_its_own[] = { 3, 6, 7, 100 };
    struct message m = { .len = 0 };

    (void)state;
    error_is_a_lie(&m); /* no status */
    put_number(&m, 5, 415);
    error_is_good(&m);
    put_text(&m, 1, "not a number \xff");
    put_text(&m, 2, "text/plain");
    put_text(&m, 4, "k=v");
    error_is_good(&m);
    each_prefix(&m, look_at_refusal);
    for (uint64_t status = 200; status <= 600; status += 400) {
        m = (struct message){ .len = 0 };
        put_number(&m, 5, status);
        error_is_a_lie(&m);
    }
    for (size_t i = 0; i < PL_COUNT(not_its_own); i++) {
        m = (struct message){ .len = 0 };
        put_number(&m, 5, 500);
        put_text(&m, not_its_own[i], "x");
        error_is_a_lie(&m);
    }
    m = (struct message){ .len = 0 };
    put_number(&m, 5, 500);
    put_text(&m, 2, "text/\n");
    error_is_a_lie(&m);
    m = (struct message){ .bytes = { 0x0a, 0xff }, .len = 2 };
    error_is_a_lie(&m);
}

static void refusal_that_is_too_large(void **state)
{
    const char *why;
    uint8_t *body = calloc(1, FRAME_MAX_ERROR + 1), *bytes = malloc(FRAME_MAX_ERROR + 1 + 2 * WIRE_MAX_HEADER);

    (void)state;
    for (size_t over = 0; over <= 1; over++) {
        uint8_t *end = wire_put_varint(bytes, 5, 500);

        end = wire_put_bytes(end, 1, body, FRAME_MAX_ERROR + over);
        assert_int_equal(answer_check_error(bytes, (size_t)(end - bytes), &why), over == 0);
    }
    free(bytes);
    free(body);
}

/* ---- why a model did not load ---- */

static void error_is(const struct message *m, int status, const char *text)
{
    struct pl_err err;
    const char *why;

    assert_true(answer_read_error(m->bytes, m->len, &err, &why));
    assert_int_equal(err.code, PL_MODEL);
    assert_string_equal(err.reason, "MODEL_ERROR");
    assert_int_equal(err.model_status, status);
    assert_string_equal(err.message, text);
}

static void error_lies(const struct message *m)
{
    struct pl_err err;
    const char *why = NULL;

    assert_false(answer_read_error(m->bytes, m->len, &err, &why));
    assert_text(why, "its error");
}

static void look_at_error(const uint8_t *bytes, size_t len)
{
    struct pl_err err;
    const char *why;

    (void)answer_read_error(bytes, len, &err, &why);
}

static void errors(void **state)
{
    static char text[ANSWER_MAX_TEXT + 1];
    struct message m = { .len = 0 };

    (void)state;
    memset(text, 'x', sizeof(text));
    error_is(&m, 500, "the model gave no reason");
    put_number(&m, 1, 415);
    put_text(&m, 2, "Loading csv data failed");
    error_is(&m, 415, "Loading csv data failed");
    each_prefix(&m, look_at_error);
    for (uint64_t status = 399; status <= 600; status += 201) {
        m = (struct message){ .len = 0 };
        put_number(&m, 1, status);
        error_lies(&m);
    }
    m = (struct message){ .len = 0 };
    put_bytes(&m, 2, text, ANSWER_MAX_TEXT + 1);
    error_lies(&m);
    m = (struct message){ .len = 0 };
    put_text(&m, 3, "x");
    error_lies(&m);
    m = (struct message){ .bytes = { 0x12, 0x05, 'a' }, .len = 3 };
    error_lies(&m);
    m = (struct message){ .len = 0 };
    put_text(&m, 2, "bad \xff byte");
    error_is(&m, 500, "bad ? byte"); /* what is no UTF-8 does not leave the host */
}

/* ---- facts ---- */

static void look_at_facts(const uint8_t *bytes, size_t len)
{
    struct model_facts facts;
    const char *why;

    (void)answer_read_loaded(bytes, len, &facts, &why);
}

static void facts_lie(const struct message *facts)
{
    struct message m = { .len = 0 };
    struct model_facts out;
    const char *why = NULL;

    put_bytes(&m, 1, facts->bytes, facts->len);
    assert_false(answer_read_loaded(m.bytes, m.len, &out, &why));
    assert_text(why, "facts");
}

static void facts(void **state)
{
    struct message inner = { .len = 0 }, m = { .len = 0 };
    struct model_facts out;
    const char *why;

    (void)state;
    put_text(&inner, 1, "1.7.4");
    put_text(&inner, 2, "reg:squarederror");
    put_number(&inner, 3, 10);
    put_number(&inner, 4, 1);
    put_number(&inner, 5, 2);
    put_bytes(&m, 1, inner.bytes, inner.len);
    put_number(&m, 2, 1234);
    put_number(&m, 3, 56);
    assert_true(answer_read_loaded(m.bytes, m.len, &out, &why));
    assert_string_equal(out.runtime_version, "1.7.4");
    assert_string_equal(out.objective, "reg:squarederror");
    assert_int_equal(out.features, 10);
    assert_int_equal(out.outputs, 1);
    assert_int_equal(out.model_files, 2);
    assert_int_equal(out.load_us, 1234);
    assert_int_equal(out.warm_us, 56);
    each_prefix(&m, look_at_facts);
}

static void lying_facts(void **state)
{
    static char text[65];
    struct message inner = { .len = 0 }, m = { .len = 0 };
    struct model_facts out;
    const char *why;

    (void)state;
    memset(text, 'x', sizeof(text));
    put_bytes(&inner, 1, text, 65);
    facts_lie(&inner);
    inner = (struct message){ .len = 0 };
    put_number(&inner, 3, (uint64_t)INT32_MAX + 1);
    facts_lie(&inner);
    inner = (struct message){ .len = 0 };
    put_text(&inner, 3, "ten");
    facts_lie(&inner);
    inner = (struct message){ .len = 0 };
    put_number(&inner, 6, 1); /* bytes of the artifact: the host's to say */
    facts_lie(&inner);
    inner = (struct message){ .bytes = { 0x0a, 0x7f }, .len = 2 };
    facts_lie(&inner);
    put_number(&m, 2, (uint64_t)INT64_MAX + 1);
    assert_false(answer_read_loaded(m.bytes, m.len, &out, &why));
    m = (struct message){ .len = 0 };
    put_number(&m, 1, 1);
    assert_false(answer_read_loaded(m.bytes, m.len, &out, &why));
    m = (struct message){ .bytes = { 0x10 }, .len = 1 };
    assert_false(answer_read_loaded(m.bytes, m.len, &out, &why));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(results), T(lying_results), T(result_that_is_too_large), T(refusals), T(refusal_that_is_too_large), T(errors),
        T(facts),   T(lying_facts)
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
