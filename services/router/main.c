/* pilotlight-router: what happens now. router.h tells how its parts are wired; service.h, what happens before and
 * after. */
#include "router.h"

#include "base/mem.h"
#include "router_config.h"

#include <stdlib.h>

struct program {
    struct router *router;
    int64_t drain_ms;
};

static enum pl_code start(struct service *s, const void *config, void **out_state, struct pl_err *err)
{
    const struct router_config *c = config;
    struct program *p = PL_NEW(struct program);

    p->drain_ms = c->base.drain_ms;
    if (router_start(&p->router, service_loop(s), service_rpc(s), service_metrics(s), c, err) != PL_OK) {
        free(p);
        return err->code;
    }
    *out_state = p;
    return PL_OK;
}

static void drained(void *arg)
{
    service_drained(arg);
}

static void drain(struct service *s, void *state)
{
    struct program *p = state;

    router_drain(p->router, p->drain_ms, drained, s);
}

static void stop(void *state)
{
    struct program *p = state;

    router_stop(p->router);
    free(p);
}

static const char *ready(void *state)
{
    return router_ready(((struct program *)state)->router);
}

int main(int argc, char **argv)
{
    static const struct service_def def = {
        .name = "router",
        .summary = "admits requests, keeps instances warm, starts and stops them",
        .rows = router_config_rows,
        .config_size = sizeof(struct router_config),
        .check = router_config_check,
        .start = start,
        .drain = drain,
        .stop = stop,
        .ready = ready,
    };

    return service_main(argc, argv, &def);
}
