/* up_state - what one-machine mode does to the file system and the ports before anything starts. */
#ifndef CTL_UP_STATE_H
#define CTL_UP_STATE_H

#include "up_layout.h"

#define UP_LOGS_KEPT 5                   /* older log files of a service */
#define UP_LOG_MAX   ((int64_t)64 << 20) /* bytes of the current one */

/* Makes the folders (0700) and takes the lock; '*out_lock' is a descriptor that holds it until closed.
 * PL_PRECONDITION: another `pilotlight up` has it. */
PL_MUST_CHECK enum pl_code up_state_lock(const struct up_layout *l, int *out_lock, struct pl_err *err);
/* Writes the configs (0600) and puts old logs aside. */
PL_MUST_CHECK enum pl_code up_state_write(const struct up_layout *l, struct pl_err *err);
/* PL_UNAVAILABLE naming the port, when one is in use. Tries again for a moment: services of an `up` that was killed may
 * still be ending. */
PL_MUST_CHECK enum pl_code up_state_check_ports(const struct up_layout *l, const struct up_options *o,
                                                struct pl_err *err);
/* A log that grew beyond UP_LOG_MAX is put aside while its service goes on writing (copy, then cut). */
void up_state_trim_log(const struct up_service *s);
/* The last lines of a log, for when a service did not come up. */
void up_state_print_log_end(const struct up_service *s, FILE *out);

#endif
