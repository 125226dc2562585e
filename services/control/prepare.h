/* prepare - the lifecycle's way to worker hosts: WorkerService/PrepareModel on a live host. See lifecycle.h for the
 * contract. Threads: with the turn. */
#ifndef CONTROL_PREPARE_H
#define CONTROL_PREPARE_H

#include "lifecycle.h"

struct hosts;

/* As lifecycle_ports.prepare and .cancel. */
void *prepare_start(struct hosts *h, const Pilotlight__Internal__V1__VariantSpec *spec, const char *avoid,
                    int64_t timeout_ms, lifecycle_prepared_fn *done, void *done_arg,
                    char out_host[LIFECYCLE_HOST_SIZE]);
void prepare_cancel(void *call);

#endif
