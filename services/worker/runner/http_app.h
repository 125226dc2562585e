/* http_app - the http runtime: a program of the model's owner that serves the container contract, and the bridge to it.
 *
 *     LOAD     the program is found (SAGEMAKER_PROGRAM, default "serve", in the code's folder, code/ or the artifact's
 *              top) and started with the one argument "serve"; GET /ping is asked until it answers 200
 *     INVOKE   POST /invocations, with content type, accept, custom attributes and inference id; a 2xx is the answer,
 *              anything else is the caller's error with its status and body
 *     end      SIGTERM, up to stop_grace_ms (30 seconds, http.stop_grace of the worker), SIGKILL
 *
 * It listens on port SAGEMAKER_BIND_TO_PORT (8080) of 127.0.0.1, in a network namespace that it is alone in, or on the
 * unix socket whose path is in PILOTLIGHT_SOCKET.
 *
 * Threads: one.  Memory: owns the program and the connection. */
#ifndef RUNNER_HTTP_APP_H
#define RUNNER_HTTP_APP_H

#include "base/buf.h"
#include "base/err.h"
#include "http_answer.h"
#include "http_program.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http_app;
struct request;

struct http_app_spec {
    const char *model_dir, *code_dir; /* code_dir "": in the artifact */
    const char *program;              /* "" = "serve" */
    char *const *env;                 /* NULL-terminated; the model's own, which lives as long as the app */
    const char *socket_path;
    int port;
    int start_timeout_ms; /* 0 = no limit of ours */
    int stop_grace_ms;    /* from SIGTERM to SIGKILL */
};

/* Started, and ready. PL_MODEL: why not; the program is gone then. */
PL_MUST_CHECK enum pl_code http_app_open(struct http_app **out, const struct http_app_spec *spec, struct pl_err *err);
void http_app_close(struct http_app *app);

/* Waits until one of 'fds' (HTTP_WAIT_FDS at most) can be read; false: the program has ended, and 'err' says how. */
PL_MUST_CHECK bool http_app_idle(struct http_app *app, const int *fds, unsigned count, struct pl_err *err);

/* False: the program has ended; there is nobody left to ask. */
bool http_app_alive(const struct http_app *app);

/* One exchange: the body is appended to 'body', the rest is in http_app_answer(), whatever its status. PL_MODEL: there
 * was no answer, or the request cannot be passed on. */
PL_MUST_CHECK enum pl_code http_app_invoke(struct http_app *app, const struct request *request, struct pl_buf *body,
                                           struct pl_err *err);
/* Of the last exchange; its body has gone to 'body'. */
const struct http_answer *http_app_answer(const struct http_app *app);

/* "serve": the program's name. */
const char *http_app_name(const struct http_app *app);

#endif
