/* model_mount - a folder as a mount of its own that is attached nowhere, without devices and set-uid programs. As a
 * descriptor it can be given to a process that has nothing else of the host in sight: ".." ends at its top. */
#ifndef SANDBOX_MODEL_MOUNT_H
#define SANDBOX_MODEL_MOUNT_H

#include "sandbox/plan.h"

#include <stdbool.h>

/* Read-only. Close-on-exec descriptor, or -1 with errno (EPERM without CAP_SYS_ADMIN). 'exec': programs and libraries
 * in it may be run. Cost: some 10 us. */
int sandbox_model_mount(const char *folder, bool exec);
/* A new, empty folder in memory that everybody may write, of the size that the profile gives. The same otherwise. */
int sandbox_scratch_mount(enum sandbox_profile p);

#endif
