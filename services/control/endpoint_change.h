/* endpoint_change - what the calls on endpoints write: one transaction each, which sets the first status of what was
 * asked for. What that status asks for is then the lifecycle's to do (lifecycle_start()). Errors: PL_INVALID,
 * PL_NOT_FOUND, PL_EXISTS, PL_EXHAUSTED; PL_PRECONDITION when the status does not allow it; those of store.h. Threads:
 * with the store.  Memory: answers are freed by record_free(). */
#ifndef CONTROL_ENDPOINT_CHANGE_H
#define CONTROL_ENDPOINT_CHANGE_H

#include "base/err.h"

#include "pilotlight/internal/v1/record.pb-c.h"
#include "pilotlight/v1/endpoint.pb-c.h"

#include <stdbool.h>
#include <stdint.h>

struct limits;
struct store;

/* A new row, CREATING. A repeated request id answers as before and leaves store_version() as it is; so for
 * endpoint_update(). So does one that is validate_only, and '*out_endpoint' stays as it is. */
PL_MUST_CHECK enum pl_code endpoint_create(struct store *s, const struct limits *l,
                                           const Pilotlight__V1__CreateEndpointRequest *r, int64_t wall_ms,
                                           Pilotlight__V1__Endpoint **out_endpoint, struct pl_err *err);
/* IN_SERVICE -> UPDATING. */
PL_MUST_CHECK enum pl_code endpoint_update(struct store *s, const struct limits *l,
                                           const Pilotlight__V1__UpdateEndpointRequest *r, int64_t wall_ms,
                                           Pilotlight__V1__Endpoint **out_endpoint, struct pl_err *err);
/* The same, to a changed copy of what serves. */
PL_MUST_CHECK enum pl_code endpoint_update_capacity(struct store *s, const struct limits *l,
                                                    const Pilotlight__V1__UpdateEndpointCapacityRequest *r,
                                                    int64_t wall_ms, Pilotlight__V1__Endpoint **out_endpoint,
                                                    struct pl_err *err);
/* Any but DELETING -> DELETING. */
PL_MUST_CHECK enum pl_code endpoint_delete(struct store *s, const char *name, int64_t wall_ms, struct pl_err *err);

/* ---- between endpoint_change.c and endpoint_capacity.c ---- */
struct store_row;
/* PL_PRECONDITION unless IN_SERVICE. */
PL_MUST_CHECK enum pl_code endpoint_may_update(const struct store_row *row, struct pl_err *err);
/* Gives variants of 'next' what variants of the same name have in 'serving' (NULL: nothing serves). */
void endpoint_retain(const Pilotlight__Internal__V1__EndpointGeneration *serving, bool weights, bool provisioned,
                     Pilotlight__Internal__V1__EndpointGeneration *next);

#endif
