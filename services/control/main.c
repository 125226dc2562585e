/* pilotlight-control: what exists. control.h tells how its parts are wired; service.h, what happens before and after.
 */
#include "control.h"

#include "base/mem.h"
#include "control_config.h"

#include <stdlib.h>

struct program {
    struct control *control;
    int64_t drain_ms;
};

static enum pl_code start(struct service *s, const void *config, void **out_state, struct pl_err *err)
{
    const struct control_config *c = config;
    struct program *p = PL_NEW(struct program);
    p->drain_ms = c->base.drain_ms;
    if (control_start(&p->control, service_loop(s), service_rpc(s), service_metrics(s), c, err) != PL_OK) {
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
    control_drain(p->control, p->drain_ms, drained, s);
}

static void stop(void *state)
{
    struct program *p = state;
    control_stop(p->control);
    free(p);
}

static const char *ready(void *state)
{
    return control_ready(((struct program *)state)->control);
}

int main(int argc, char **argv)
{
    static const struct service_def def = {
        .name = "control",
        .summary = "models, endpoint configs and endpoints; who serves them; the only service with a database",
        .rows = control_config_rows,
        .config_size = sizeof(struct control_config),
        .check = control_config_check,
        .start = start,
        .drain = drain,
        .stop = stop,
        .ready = ready,
    };
    return service_main(argc, argv, &def);
}
