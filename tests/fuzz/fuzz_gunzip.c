/* Packed bodies: never more than the limit comes out. */
#include "gunzip.h"

#include <assert.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a = { 0 };
    const char *out = NULL;
    size_t n = 0;
    if (gunzip(data, size, 100000, &a, &out, &n) == GUNZIP_OK)
        assert(out && n <= 100000);
    arena_done(&a);
    return 0;
}
