/* compiling - one run of `pilotlight-runner compile`: an unpacked model that nobody trusts, into an empty folder. Then
 * a job measures what came out and makes sure that it is on disk.
 *
 * A run that fails is no failure of the model: the folder then says why (layout/forest_folder.h).
 * Threads: with the turn.  Memory: owns itself until 'done' has been called. */
#ifndef WORKER_COMPILING_H
#define WORKER_COMPILING_H

#include "base/err.h"

#include <stdint.h>

struct compiling;
struct loop;
struct spawner;

struct compiling_spec {
    const char *model_dir;
    const char *dir; /* the empty folder; kept as a copy */
    int dir_fd;      /* the same, open; stays the caller's, may be closed after the call */
    int64_t timeout_ms;
};

/* Once, never from inside compiling_start(). 'bytes' is what lies on disk now; 'said' is what the run printed, or why
 * it failed, one line. PL_CANCELLED, PL_INTERNAL: the folder is of no use. PL_UNAVAILABLE: somebody killed the run, or
 * it never began, so that another one may do better; when 'bytes' is not 0, the folder says so, as after any failure.
 */
typedef void compiling_done_fn(void *arg, int64_t bytes, const char *said, const struct pl_err *err);

PL_MUST_CHECK enum pl_code compiling_start(struct compiling **out, struct loop *l, struct spawner *s,
                                           const struct compiling_spec *spec, compiling_done_fn *done, void *arg,
                                           struct pl_err *err);
/* It will end soon, with PL_CANCELLED. */
void compiling_cancel(struct compiling *c);

#endif
