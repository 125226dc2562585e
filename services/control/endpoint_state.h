/* endpoint_state - the statuses of an endpoint, which may follow which, and the one function that moves an endpoint.
 *
 *     create -> CREATING -> IN_SERVICE -> UPDATING -> IN_SERVICE            delete: from every status -> DELETING ->
 * (gone)
 *                  \-> FAILED                 \-> ROLLING_BACK -> IN_SERVICE
 *
 * Threads: with the store. */
#ifndef CONTROL_ENDPOINT_STATE_H
#define CONTROL_ENDPOINT_STATE_H

#include "record.h"
#include "store.h"

#include <stdbool.h>

#define ENDPOINT_STATUS(s) PILOTLIGHT__V1__ENDPOINT_STATUS__ENDPOINT_STATUS_##s

/* "CREATING"; never NULL. */
const char *endpoint_status_name(int status);
/* Whether 'to' may follow the row's status. */
bool endpoint_may_move(const struct store_row *row, int to);
/* Whether routers serve it: its serving generation was published and it is not going. */
bool endpoint_served(const struct store_row *row, const Pilotlight__Internal__V1__EndpointRecord *r);

/* In a transaction: the row becomes 'to' with the content 'r', at a new version; a pending generation that has no
 * number yet gets that version as its number. 'tell_routers': what they serve changes with it. A move that the table
 * does not allow is a bug. */
PL_MUST_CHECK enum pl_code endpoint_move(struct store *s, struct store_row *row,
                                         Pilotlight__Internal__V1__EndpointRecord *r, int to, bool tell_routers,
                                         int64_t wall_ms, struct pl_err *err);

#endif
