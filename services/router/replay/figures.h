/* figures - what replays say, for people and for programs. */
#ifndef REPLAY_FIGURES_H
#define REPLAY_FIGURES_H

#include "replay.h"

#include <stdbool.h>
#include <stdio.h>

struct figures {
    const struct trace *trace;
    struct replay *replays; /* one for each keep-alive time, ascending */
    size_t replay_count;
    double price;
    bool by_endpoint;
};

void figures_table(const struct figures *f, FILE *out);
void figures_json(const struct figures *f, FILE *out);

#endif
