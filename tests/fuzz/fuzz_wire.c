/* Bytes as a message, whole and cut into spans: both readings must agree field by field, and what is read must lie
 * inside. */
#include "wire/wire.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SPANS_MAX 64

/* Cuts after 'step', 2 x 'step', ... bytes; the last span takes the rest. */
static unsigned cut(struct iovec *spans, const uint8_t *data, size_t size, size_t step)
{
    unsigned count = 0;
    while (size > 0) {
        size_t n = count == SPANS_MAX - 1 || step > size ? size : step;
        spans[count++] = (struct iovec){ (void *)data, n };
        data += n;
        size -= n;
    }
    return count;
}

static void compare_content(const struct wire_reader *a, const struct wire_field *fa, const struct wire_reader *b,
                            const struct wire_field *fb)
{
    uint8_t *copies = malloc(2 * fa->len + 1);
    assert(copies);
    assert(wire_copy(a, fa, copies, fa->len) == fa->len);
    assert(wire_copy(b, fb, copies + fa->len, fa->len) == fa->len);
    assert(memcmp(copies, copies + fa->len, fa->len) == 0);
    free(copies);
}

static void compare(const uint8_t *data, size_t size, size_t step)
{
    struct iovec whole, spans[SPANS_MAX];
    struct wire_reader a, b;
    struct wire_field fa, fb;
    wire_read_flat(&a, &whole, data, size);
    wire_read(&b, spans, cut(spans, data, size, step));
    while (wire_next(&a, &fa)) {
        assert(wire_next(&b, &fb));
        assert(fa.number >= 1 && fa.number < 1u << 29);
        assert(fa.number == fb.number && fa.type == fb.type && fa.value == fb.value && fa.len == fb.len);
        if (fa.type != WIRE_BYTES)
            continue;
        assert(fa.offset == fb.offset && fa.offset + fa.len <= size);
        assert(fa.len == 0 || fa.bytes == data + fa.offset);
        compare_content(&a, &fa, &b, &fb);
    }
    assert(!wire_next(&b, &fb));
    assert(a.malformed == b.malformed);
    assert(a.malformed || a.offset == size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (size_t step = 1; step <= 5; step += 2)
        compare(data, size, step);
    return 0;
}
