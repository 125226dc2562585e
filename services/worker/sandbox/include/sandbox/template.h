/* template - an instance's process that has loaded its model and then makes copies of itself instead of serving.
 *
 *     worker                                zygote              template                       copy
 *       | zygote_request, kind TEMPLATE ----> | clone3 -----------> |                            .
 *       | zygote_assignment, LOAD ----------------------- channel -> | the script's model_fn      .
 *       | <-- LOADED ------------------------------------------------| and a first prediction     .
 *       |     looks at it from outside: one thread? nothing mapped that copies would share?       .
 *       | zygote_request, kind COPY -------------------- control --> | clone --------------------> | steps of
 * STAGE_COPY | <-- zygote_reply, pidfd -----------------------------------|                             | after_fork()
 *       | puts it into its own control group                         .                             |
 *       | LOAD ------------------------------------------------------ channel -------------------> | LOADED, at once
 *
 * What the template runs is its model's owner's code, so nothing that it says or does afterwards is trusted: what keeps
 * a copy in is what the template cannot take off, and what the worker does itself.
 *
 *     From the template, for good     its user namespace without rights outside, its root and mounts, its limits, the
 *                                     system call filter: that of an instance, and clone() with exactly
 *                                     FILTER_COPY_FLAGS, which makes namespaces and no plain process
 *     By the worker                   the control group (memory, CPU, processes), the scratch folder, the channel; the
 *                                     pidfd that the template hands over is looked at, and that process must be a child
 *                                     of the worker that nobody else has
 *     By the copy itself              it drops the capability that clone() needed and takes an instance's filter on top
 *
 * A template has no pid namespace of its own, or all copies would be inside it and end with it. It sees no /proc, and
 * its filter lets calls that name a process name only the caller, so it can neither see nor signal another one.
 * All copies of a template share its address layout; that is why one belongs to one variant of one endpoint.
 *
 * Threads: one.  Messages: as zygote.h, whose structs they are; the control socket is descriptor 4 of the template. */
#ifndef SANDBOX_TEMPLATE_H
#define SANDBOX_TEMPLATE_H

#include "sandbox/zygote.h"

#define TEMPLATE_CONTROL_FD 4

/* After sandbox_zygote_assigned(): 1 when this process is to be a template. */
SANDBOX_API int sandbox_is_template(void);
/* When the model is loaded. Does not return in the template; in each copy it returns the channel's descriptor (3). */
SANDBOX_API int sandbox_template_serve(void);

#endif
