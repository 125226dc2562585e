/* pilotlight-worker: one host's instances. worker.h tells how its parts are wired; service.h, what happens before and
 * after. */
#include "worker.h"

#include "artifacts.h"
#include "settings.h"

static enum pl_code start(struct service *s, const void *config, void **out_state, struct pl_err *err)
{
    struct worker *w = NULL;
    if (worker_start(&w, service_loop(s), service_rpc(s), service_metrics(s), config, err) != PL_OK)
        return err->code;
    *out_state = w;
    return PL_OK;
}

static void drained(void *arg)
{
    service_drained(arg);
}

static void drain(struct service *s, void *state)
{
    worker_drain(state, drained, s);
}

static void stop(void *state)
{
    worker_free(state);
}

static const char *ready(void *state)
{
    return worker_ready(state);
}

int main(int argc, char **argv)
{
    static const struct service_def def = {
        .name = "worker",
        .summary = "one host: fetches models, starts instances, feeds and ends them",
        .rows = worker_config_rows,
        .config_size = sizeof(struct worker_config),
        .job_threads = ARTIFACTS_FETCHES + ARTIFACTS_OTHER_JOBS,
        .check = worker_config_check,
        .start = start,
        .drain = drain,
        .stop = stop,
        .ready = ready,
    };
    return service_main(argc, argv, &def);
}
