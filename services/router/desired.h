/* desired - what is to be served, as far as it is known: control's last word, or the snapshot's.
 *
 * Applying a message sets the core's endpoints and the hosts; nothing of it waits.
 * Threads: with the turn.  Memory: owns copies of the messages. */
#ifndef ROUTER_DESIRED_H
#define ROUTER_DESIRED_H

#include "pilotlight/internal/v1/watch.pb-c.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct act;
struct desired;
struct hosts;
struct usage;

struct desired *desired_new(struct act *a, struct hosts *h, struct usage *u);
void desired_free(struct desired *d); /* NULL is fine */

/* Unknown events are ignored: a newer control may send them. */
void desired_apply(struct desired *d, const Pilotlight__Internal__V1__WatchResponse *m);
bool desired_known(const struct desired *d); /* something has been applied */
int64_t desired_version(const struct desired *d);
const char *desired_database_id(const struct desired *d);

/* All of it as one WatchResponse with a snapshot, packed; the caller's to free(). */
void *desired_pack(const struct desired *d, size_t *out_len);

/* NULL: no such endpoint. */
const Pilotlight__Internal__V1__ServedEndpoint *desired_endpoint(const struct desired *d, const char *name);

#endif
