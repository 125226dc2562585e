/* serve - an instance's life: `pilotlight-runner serve`, with its end of the host's socketpair as descriptor 3. */
#ifndef RUNNER_SERVE_H
#define RUNNER_SERVE_H

/* Returns the program's exit code: 0 when the host closed its end, 2 when it sent something that is not the protocol.
 * Log lines go to standard error. */
int serve(int host_fd);

#endif
