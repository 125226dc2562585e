/* ends - the descriptors by which the worker and a process of its own know each other: the channel and the log.
 * Threads: any. */
#ifndef WORKER_ENDS_H
#define WORKER_ENDS_H

#include <stdbool.h>

struct ends {
    int channel, log;             /* ours: non-blocking. -1: not made */
    int their_channel, their_log; /* blocking, as they expect them */
};

/* All close-on-exec. False, with errno: what has been made so far is in there, to be closed. */
bool ends_make(struct ends *out);

#endif
