/* serve - an instance's life: `pilotlight-runner serve`, with its end of the host's socketpair as descriptor 3. */
#ifndef RUNNER_SERVE_H
#define RUNNER_SERVE_H

#include <stdbool.h>

struct serving;

struct serving *serving_new(void);
/* Before there is a model: goes through a load and a call with the smallest forest there is, and throws the answers
 * away. What a cold start would otherwise wait for (code that runs for the first time, pages that are written for the
 * first time) has happened then. False, with a log line: it did not work, and the first call will take its time. */
bool serving_rehearse(struct serving *s);
/* Serves on 'host_fd' to the end and frees 's'. Returns the program's exit code: 0 when the host closed its end, 2 when
 * it sent something that is not the protocol. Log lines go to standard error. */
int serving_run(struct serving *s, int host_fd);

#endif
