/* Targets: paths and queries, decoded and encoded again. Decoding what was encoded gives the same bytes. */
#include "uri.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a = { 0 };
    size_t len;
    char *encoded = uri_encode((const char *)data, size, size & 1, &a);
    char *back = uri_decode(encoded, strlen(encoded), false, &a, &len);
    assert(len == size && memcmp(back, data, size) == 0);
    (void)uri_decode((const char *)data, size, true, &a, &len);
    assert(len <= size);
    (void)uri_query_value(arena_strndup(&a, (const char *)data, size), "X-Amz-Signature", &a);
    arena_done(&a);
    return 0;
}
