/* aws-chunked bodies, cut into pieces anywhere. How they are cut must not change what comes out. The first byte says
 * how. */
#include "s3_chunk.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct outcome {
    enum s3_chunk_result result;
    bool complete;
    size_t len;
    uint32_t sum;
};

static struct outcome read_all(const char *bytes, size_t n, size_t piece, bool trailer)
{
    const struct s3_chunk_options o = { .has_trailer = trailer };
    struct s3_chunks *c = s3_chunks_new(&o);
    struct outcome out = { 0 };
    const char *got;
    size_t at = 0, taken, len;
    while (at < n && out.result == S3_CHUNK_OK) {
        size_t most = n - at < piece ? n - at : piece;
        out.result = s3_chunks_read(c, bytes + at, most, &taken, &got, &len);
        assert(taken <= most && len <= taken && (taken > 0 || out.result != S3_CHUNK_OK));
        for (size_t i = 0; i < len; i++)
            out.sum = out.sum * 31 + (unsigned char)got[i];
        out.len += len;
        at += taken;
    }
    out.complete = out.result == S3_CHUNK_OK && s3_chunks_complete(c);
    (void)s3_chunks_trailer(c, "x-amz-checksum-crc32");
    s3_chunks_free(c);
    return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const char *bytes = (const char *)data + 1;
    bool trailer = data[0] & 1;
    struct outcome whole = read_all(bytes, size - 1, SIZE_MAX, trailer);
    struct outcome pieces = read_all(bytes, size - 1, (data[0] >> 1) + 1u, trailer);
    assert(whole.complete == pieces.complete && whole.result == pieces.result && whole.len == pieces.len &&
           whole.sum == pieces.sum);
    return 0;
}
