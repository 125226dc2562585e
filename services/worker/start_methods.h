/* start_methods - WorkerService's methods that bring an instance up: StartInstance, whose answer is a ready instance, and
 * PrepareModel, which proves a model by one that serves nobody. A caller that goes away ends what was begun for it.
 * Threads: with the turn. */
#ifndef WORKER_START_METHODS_H
#define WORKER_START_METHODS_H

#include <stdint.h>

struct rpc_call;
struct worker_parts;

/* 'service' is the struct worker_parts, as in worker_methods.c. */
void start_instance(struct rpc_call *call, const void *message, void *service);
void prepare_model(struct rpc_call *call, const void *message, void *service);

/* A start that its router has given up may still be going on: we have not heard of the cancellation, and the stop has
 * overtaken it. Left alone it would become an instance that nobody knows. */
void start_give_up(struct worker_parts *w, uint64_t start_key, const char *router_id);

#endif
