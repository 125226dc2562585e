/* worker_methods - WorkerService as a table. The context of the handlers is a struct worker_parts. */
#ifndef WORKER_WORKER_METHODS_H
#define WORKER_WORKER_METHODS_H

#include "rpc/server.h"

struct rpc_call;

extern const struct rpc_method worker_methods[];

/* Ends a call whose caller went away. */
void fail_cancelled(struct rpc_call *call);

#endif
