/* disk - the store's files. All of it blocks: call it in a job, or at start and end. Threads: any. */
#ifndef LOGS_DISK_H
#define LOGS_DISK_H

#include "base/buf.h"
#include "base/err.h"

#include <stdint.h>

/* Creates 'dir'; calls 'found' for each segment in it. */
PL_MUST_CHECK enum pl_code disk_scan(const char *dir,
                                     void (*found)(void *arg, const char *endpoint, int64_t first_us, int64_t bytes,
                                                   int64_t modified_us),
                                     void *arg, struct pl_err *err);
/* Appends to a segment, which begins if it is not there. False: errno. */
PL_MUST_CHECK bool disk_append(const char *dir, const char *endpoint, int64_t first_us, const char *bytes, size_t n);
/* The whole segment; false when it is gone. A segment is never larger than DISK_SEGMENT_MAX. */
PL_MUST_CHECK bool disk_load(const char *dir, const char *endpoint, int64_t first_us, struct pl_buf *out);
/* And the endpoint's folder with the last one. */
void disk_remove(const char *dir, const char *endpoint, int64_t first_us);

#define DISK_SEGMENT_BYTES ((int64_t)1 << 20) /* no more is appended to a segment that has so much */
#define DISK_SEGMENT_MAX   ((size_t)2 << 20)

#endif
