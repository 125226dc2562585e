/* up_probe - asks an admin port whether its service is ready: one GET /readyz, blocking, for a pool thread. */
#ifndef CTL_UP_PROBE_H
#define CTL_UP_PROBE_H

#include <stdbool.h>
#include <stddef.h>

/* True on 200. Otherwise 'why' gets a short text: the body's first line, or what failed. At most 'timeout_ms' per step.
 */
bool up_probe(const char *host, int port, int timeout_ms, char *why, size_t size);

#endif
