/* log_methods - WorkerService's methods that read what instances printed: a request checked, a read of the store, an
 * answer. The read goes on when its caller goes away, because it is short, and nobody hears of it.
 * Threads: with the turn. */
#ifndef WORKER_LOG_METHODS_H
#define WORKER_LOG_METHODS_H

struct rpc_call;

/* 'service' is the struct worker_parts, as in worker_methods.c. */
void read_instance_logs(struct rpc_call *call, const void *message, void *service);
void list_instance_logs(struct rpc_call *call, const void *message, void *service);

#endif
