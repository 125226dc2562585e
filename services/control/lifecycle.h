/* lifecycle - brings endpoints from one settled status to the next.
 *
 * One normal creation: the handler commits a row that is CREATING and calls lifecycle_start(). Every variant's model is
 * proven on a worker host (fetched, unpacked, loaded once), all variants at the same time. When the last one is, the
 * digests and facts go into the generation, which becomes the serving one in the same commit that tells the routers.
 * When every router has applied that version the endpoint is IN_SERVICE. Updating: the same, while the old
 * generation serves; what fails is rolled back and the old one stays. Deleting: routers are told, and the row goes when
 * no router has requests of it in flight any more. A host that is away, busy or cannot reach the artifact's source is
 * tried again, or another one is, with a growing pause; what a host says about the artifact itself is final. After a
 * crash lifecycle_resume() takes up every endpoint from its row alone: what was not committed is done again.
 *
 * All effects but the database go through ports, time too, so that tests run whole lives on virtual time.
 * Threads: with the turn.  Memory: owns its operations; at most one per endpoint. */
#ifndef CONTROL_LIFECYCLE_H
#define CONTROL_LIFECYCLE_H

#include "base/err.h"

#include "pilotlight/internal/v1/worker.pb-c.h"
#include "pilotlight/v1/endpoint.pb-c.h"

#include <stdbool.h>
#include <stdint.h>

struct lifecycle;
struct limits;
struct store;

/* 'status' PL_OK: 'reply' is the host's answer, gone after the call. */
typedef void lifecycle_prepared_fn(void *arg, const struct pl_err *status,
                                   const Pilotlight__Internal__V1__PrepareModelResponse *reply);

#define LIFECYCLE_HOST_SIZE 64

struct lifecycle_ports {
    void *arg;
    int64_t (*now_ms)(void *arg);  /* monotonic */
    int64_t (*wall_ms)(void *arg); /* since 1970 */
    /* lifecycle_tick() is wanted at that time; INT64_MAX = not at all. Replaces what was wanted before. */
    void (*wake_at)(void *arg, int64_t at_ms);
    /* Asks a live host that offers the spec's runtime, rather not 'avoid' ("" = any). NULL: there is none. Its name
     * goes to 'out_host'. 'done' is called once, later, unless cancel() comes first. */
    void *(*prepare)(void *arg, const Pilotlight__Internal__V1__VariantSpec *spec, const char *avoid,
                     int64_t timeout_ms, lifecycle_prepared_fn *done, void *done_arg,
                     char out_host[LIFECYCLE_HOST_SIZE]);
    void (*cancel)(void *arg, void *call);
    /* Whether every router has applied 'version' ... */
    bool (*applied)(void *arg, int64_t version);
    /* ... and has nothing of the endpoint in flight. */
    bool (*drained)(void *arg, const char *endpoint, int64_t version);
    /* The endpoint's row changed, and is committed; it went, and this was its last state. */
    void (*changed)(void *arg, const char *endpoint);
    void (*deleted)(void *arg, const Pilotlight__V1__Endpoint *last);
};

struct lifecycle_settings {
    int64_t prepare_ms; /* longest time to prove a generation */
    int64_t publish_ms; /* longest wait for routers to apply it */
    int64_t drain_ms;   /* longest wait for requests of a deleted endpoint */
};

/* Everything is borrowed. */
struct lifecycle *lifecycle_new(struct store *s, const struct limits *l, const struct lifecycle_ports *ports,
                                const struct lifecycle_settings *settings);
/* Cancels what runs; rows stay as they are. NULL is fine. */
void lifecycle_free(struct lifecycle *l);

/* Takes up everything that is between two settled statuses. */
PL_MUST_CHECK enum pl_code lifecycle_resume(struct lifecycle *l, struct pl_err *err);
/* The endpoint's row was committed with a status that is not settled; what ran for it before is cancelled. */
void lifecycle_start(struct lifecycle *l, const char *endpoint);
void lifecycle_tick(struct lifecycle *l);
/* A router acknowledged, came or went. */
void lifecycle_routers_changed(struct lifecycle *l);
/* A host came, or offers other things. */
void lifecycle_hosts_changed(struct lifecycle *l);
/* What is in the way of the endpoint's operation just now; false: nothing that is known, or it has none. */
bool lifecycle_waits_for(const struct lifecycle *l, const char *endpoint, struct pl_err *out);
/* Operations under way. */
unsigned lifecycle_count(const struct lifecycle *l);

#endif
