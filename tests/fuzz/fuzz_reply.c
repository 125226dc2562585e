/* What the router makes of a worker host's answer: the first byte says how it is cut into pieces. However it is cut,
 * the same is read; what is appended can be read again; a body is never longer than what it came in. */
#include "pieces.h"
#include "reply.h"

#include "base/text.h"
#include "pilotlight/v1/inference.pb-c.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t *flat(const struct rpc_bytes *b)
{
    unsigned n = rpc_bytes_spans(b, NULL, 0);
    struct iovec *spans = calloc(n + 1, sizeof(*spans));
    uint8_t *bytes = malloc(rpc_bytes_len(b) + 1);
    size_t at = 0;

    (void)rpc_bytes_spans(b, spans, n);
    for (unsigned i = 0; i < n; at += spans[i++].iov_len)
        if (spans[i].iov_len > 0)
            memcpy(bytes + at, spans[i].iov_base, spans[i].iov_len);
    free(spans);
    return bytes;
}

static void check_error(const struct rpc_bytes *answer)
{
    struct pl_err err;

    reply_error(answer, &err);
    assert(err.code != PL_OK && pl_utf8_valid(err.message, strlen(err.message)));
}

static void check_invoke(const struct rpc_bytes *answer)
{
    const struct reply_timings t = { .cold = true, .queue_us = 3, .model_us = 77, .total_us = 1 };
    struct rpc_bytes *reply = reply_invoke(answer, "main", &t);
    struct reply_facts said;
    Pilotlight__V1__InvokeResponse *m;
    uint8_t *bytes;

    check_error(answer);
    assert(!reply == !reply_read(answer, &said));
    if (!reply)
        return;
    assert(reply_read(reply, &said) && said.model_us == 77);
    bytes = flat(reply);
    m = pilotlight__v1__invoke_response__unpack(NULL, rpc_bytes_len(reply), bytes);
    if (m) {
        assert(strcmp(m->variant, "main") == 0 && m->timings && m->timings->model_us == 77 && m->timings->cold);
        pilotlight__v1__invoke_response__free_unpacked(m, NULL);
    }
    free(bytes);
    rpc_bytes_unref(reply);
}

/* The body's bytes; NULL: none. */
static uint8_t *body_of(const struct rpc_bytes *answer, size_t *out_len)
{
    struct rpc_bytes *body = reply_tensor(answer);
    uint8_t *bytes = body ? flat(body) : NULL;

    *out_len = body ? rpc_bytes_len(body) : 0;
    assert(*out_len <= rpc_bytes_len(answer));
    rpc_bytes_unref(body);
    return bytes;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rpc_bytes *whole, *cut;
    uint8_t *body, *cut_body;
    size_t len, cut_len;
    struct reply_facts of_whole, of_cut;

    if (size == 0)
        return 0;
    whole = pieces_of(data + 1, size - 1, 0);
    cut = pieces_of(data + 1, size - 1, 1 + (size_t)data[0]);
    assert(reply_read(whole, &of_whole) == reply_read(cut, &of_cut));
    assert(of_whole.model_us == of_cut.model_us && of_whole.model_status == of_cut.model_status);
    body = body_of(whole, &len);
    cut_body = body_of(cut, &cut_len);
    assert(len == cut_len && !body == !cut_body && (len == 0 || memcmp(body, cut_body, len) == 0));
    check_invoke(whole);
    check_invoke(cut);
    free(body);
    free(cut_body);
    rpc_bytes_unref(whole);
    rpc_bytes_unref(cut);
    return 0;
}
