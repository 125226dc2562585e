/* spool - records on disk that a crash does not lose: appended, read back at the next start, dropped all at once.
 *
 * The file starts with a magic word; a record is its length and checksum, then its bytes. What a crash left half
 * written ends the file and is cut off. Nothing is synced: a process that dies loses nothing that was written, a
 * machine that dies may lose the newest records. Errors: PL_INTERNAL naming the file and the reason.  Threads: one at a
 * time; everything blocks on the disk. */
#ifndef ROUTER_SPOOL_H
#define ROUTER_SPOOL_H

#include "base/err.h"

#include <stddef.h>

struct spool;

/* Opens or makes the file, and calls 'each' for every record in it, in order. */
PL_MUST_CHECK enum pl_code spool_open(struct spool **out, const char *path, size_t record_max,
                                      void (*each)(void *arg, const void *bytes, size_t len), void *arg,
                                      struct pl_err *err);
void spool_close(struct spool *s); /* NULL is fine */
PL_MUST_CHECK enum pl_code spool_append(struct spool *s, const void *bytes, size_t len, struct pl_err *err);
/* No record is left. */
PL_MUST_CHECK enum pl_code spool_clear(struct spool *s, struct pl_err *err);

#endif
