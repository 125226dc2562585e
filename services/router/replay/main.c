/* pilotlight-replay: which keep-alive time would have been right for these calls? options.c says how it is asked,
 * trace.c reads what was called, replay.c lets the router's core decide again, figures.c says what came of it. */
#include "base/mem.h"
#include "figures.h"
#include "options.h"
#include "replay.h"
#include "trace.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DONE, FAILED, USAGE };

static int failed(int code, const char *message)
{
    fprintf(stderr, "pilotlight-replay: %s%s\n", message, code == USAGE ? " (try --help)" : "");
    return code;
}

static void print(const struct options *o, const struct trace *t, struct replay *replays)
{
    const struct figures f = { .trace = t,
                               .replays = replays,
                               .replay_count = o->keep_alive_count,
                               .price = o->price,
                               .by_endpoint = o->by_endpoint };

    (o->json ? figures_json : figures_table)(&f, stdout);
}

static int run(const struct options *o)
{
    pl_cleanup(trace_done) struct trace t = { 0 };
    struct replay replays[OPTIONS_KEEP_ALIVES_MAX];
    struct pl_err err;

    if (trace_load(&t, o->trace, &err) != PL_OK)
        return failed(FAILED, err.message);
    for (size_t i = 0; i < o->keep_alive_count; i++)
        replay_run(&replays[i], &t, o->keep_alives_ms[i]);
    print(o, &t, replays);
    for (size_t i = 0; i < o->keep_alive_count; i++)
        replay_done(&replays[i]);
    return DONE;
}

int main(int argc, char **argv)
{
    struct options o;
    struct pl_err err;
    int code = DONE;

    if (options_parse(&o, argc, argv, &err) != PL_OK)
        return failed(USAGE, err.message);
    if (o.help)
        options_help(stdout);
    else if (o.version)
        puts("pilotlight-replay " PL_VERSION);
    else
        code = run(&o);
    if (fflush(stdout) != 0)
        return failed(FAILED, strerror(errno));
    return code;
}
