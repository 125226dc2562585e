/* unpacking - one run of `pilotlight-runner unpack`: an archive that nobody trusts, into an empty folder, within
 * limits. Then a job measures what came out and makes sure that it is on disk. Threads: with the turn.  Memory: owns
 * itself until 'done' has been called. */
#ifndef WORKER_UNPACKING_H
#define WORKER_UNPACKING_H

#include "base/err.h"

#include <stdint.h>

struct loop;
struct spawner;
struct unpacking;

struct unpacking_spec {
    int archive_fd;  /* stays the caller's; may be closed after the call */
    const char *dir; /* the empty folder; kept as a copy */
    int dir_fd;      /* the same, open; as archive_fd */
    int64_t max_bytes;
    int64_t timeout_ms;
};

/* Once, never from inside unpacking_start(). 'bytes' is what lies on disk now. PL_PRECONDITION (ARTIFACT_REFUSED): with
 * the unpacker's reason. */
typedef void unpacking_done_fn(void *arg, int64_t bytes, const struct pl_err *err);

PL_MUST_CHECK enum pl_code unpacking_start(struct unpacking **out, struct loop *l, struct spawner *s,
                                           const struct unpacking_spec *spec, unpacking_done_fn *done, void *arg,
                                           struct pl_err *err);
/* It will end soon, with PL_CANCELLED. */
void unpacking_cancel(struct unpacking *u);

#endif
