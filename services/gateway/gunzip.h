/* gunzip - a request's body as it was before the client packed it (Content-Encoding: gzip), within a limit.
 *
 * Newer clients pack large PutMetricData calls. What does not end, or is larger than the limit, is refused: a few bytes
 * can stand for gigabytes. Pure.  Memory: of the arena. */
#ifndef GATEWAY_GUNZIP_H
#define GATEWAY_GUNZIP_H

#include "arena.h"

#include <stddef.h>

enum gunzip_outcome {
    GUNZIP_OK,
    GUNZIP_BROKEN,   /* no gzip, or not all of it */
    GUNZIP_TOO_LARGE /* more than 'limit' bytes   */
};
enum gunzip_outcome gunzip(const void *bytes, size_t n, size_t limit, struct arena *a, const char **out, size_t *out_n);

#endif
