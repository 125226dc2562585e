/* worker_methods - WorkerService as a table. The context of the handlers is a struct worker_parts. */
#ifndef WORKER_WORKER_METHODS_H
#define WORKER_WORKER_METHODS_H

#include "rpc/server.h"

extern const struct rpc_method worker_methods[];

#endif
