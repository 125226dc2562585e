/* http_serve - an instance of the http runtime: the frames of the host on one side, the model owner's program on the
 * other (http_app.h). */
#ifndef RUNNER_HTTP_SERVE_H
#define RUNNER_HTTP_SERVE_H

/* Until the host closes 'host_fd', or the program ends; returns the exit code. */
int http_serve(int host_fd);

#endif
