/* Answers of a program that nobody trusts, in pieces: the first byte says how large. */
#include "http_answer.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pl_buf body = PL_BUF_INIT(4096);
    struct http_answer *a = malloc(sizeof(*a));
    enum http_progress p = HTTP_MORE;
    size_t step = size > 0 ? data[0] + 1u : 1;

    http_answer_init(a, &body);
    for (size_t at = 1; at < size && p == HTTP_MORE; at += step)
        p = http_answer_take(a, (const char *)data + at, size - at < step ? size - at : step);
    if (p == HTTP_MORE)
        p = http_answer_end(a);
    if (p == HTTP_MORE || (p == HTTP_BAD && (!a->wrong || a->keep_alive)) || body.len > 4096)
        abort();
    pl_buf_done(&body);
    free(a);
    return 0;
}
