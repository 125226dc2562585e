/* Encoded sketches from anywhere: what is accepted is sorted, counted right, and encodes to something equal. */
#include "sketch/sketch.h"

#include <assert.h>
#include <math.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sketch s = { 0 }, t = { 0 };
    pl_cleanup(pl_buf_done) struct pl_buf b = PL_BUF_INIT(SKETCH_MAX_BYTES * 2);
    if (sketch_decode(&s, data, size)) {
        uint64_t total = 0;
        for (uint32_t i = 0; i < s.len; i++) {
            assert(i == 0 || s.buckets[i - 1].index < s.buckets[i].index);
            assert(isfinite(sketch_value(s.buckets[i].index)));
            total += s.buckets[i].count;
        }
        assert(total == sketch_total(&s) && s.len <= SKETCH_MAX_BUCKETS);
        assert(sketch_encode(&s, &b) && sketch_decode(&t, b.data, b.len));
        assert(t.len == s.len && t.total == s.total);
        for (uint32_t i = 0; i < s.len; i++)
            assert(s.buckets[i].index == t.buckets[i].index && s.buckets[i].count == t.buckets[i].count);
        sketch_merge(&t, &s);
        (void)sketch_at(&t, total / 2);
    }
    sketch_done(&s);
    sketch_done(&t);
    return 0;
}
