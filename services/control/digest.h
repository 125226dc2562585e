/* digest - FNV-1a, 64 bits: tells contents apart; no defence against somebody who looks for collisions. */
#ifndef CONTROL_DIGEST_H
#define CONTROL_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#define DIGEST_START UINT64_C(0xcbf29ce484222325)

static inline uint64_t digest_add(uint64_t digest, const void *bytes, size_t n)
{
    const unsigned char *p = bytes;
    for (size_t i = 0; i < n; i++)
        digest = (digest ^ p[i]) * UINT64_C(0x100000001b3);
    return digest;
}

#endif
