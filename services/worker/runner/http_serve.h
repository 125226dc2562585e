/* http_serve - an instance of the http runtime: the frames of the host on one side, the model owner's program on the
 * other (http_app.h). */
#ifndef RUNNER_HTTP_SERVE_H
#define RUNNER_HTTP_SERVE_H

/* What the contract promises a program. */
#define HTTP_STOP_GRACE_MS 30000

/* Until the host closes 'host_fd', or the program ends; returns the exit code. The program is killed 'stop_grace_ms'
 * after it has been asked to stop. */
int http_serve(int host_fd, int stop_grace_ms);

#endif
