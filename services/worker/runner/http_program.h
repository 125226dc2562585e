/* http_program - a program of the model's owner, which serves HTTP: started, watched, stopped.
 *
 * It is a process group of its own below this process, which is the first of its pid namespace: whatever it leaves
 * behind goes when we go.
 *
 * Threads: one; SIGCHLD is blocked but while we wait.  Memory: embedded. */
#ifndef RUNNER_HTTP_PROGRAM_H
#define RUNNER_HTTP_PROGRAM_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct http_program {
    pid_t pid;  /* 0: ended, or never started */
    int status; /* as of waitpid(), when it has ended */
};

/* 'path' with the one argument "serve", in 'dir', with 'env' (NULL-terminated) and nothing else of ours. PL_MODEL: it
 * cannot be run, and why. */
PL_MUST_CHECK enum pl_code http_program_start(struct http_program *p, const char *path, const char *dir,
                                              char *const *env, struct pl_err *err);

enum http_wait {
    HTTP_WAIT_READY, /* one of 'events' */
    HTTP_WAIT_TIME,  /* is over         */
    HTTP_WAIT_GONE,  /* the program has ended: p->status */
};
/* Until 'until_ms' (monotonic; INT64_MAX = for ever). 'fd' -1: only for the program and the time. */
enum http_wait http_program_wait(struct http_program *p, int fd, short events, int64_t until_ms);
/* The same for several, each to be read, and for ever. */
enum http_wait http_program_wait_any(struct http_program *p, const int *fds, unsigned count);
#define HTTP_WAIT_FDS 2 /* at most */

/* SIGTERM, up to 'grace_ms', SIGKILL; reaped. */
void http_program_stop(struct http_program *p, int64_t grace_ms);

/* "exited with 3", "was killed by signal 11 (Segmentation fault)". */
void http_program_how(const struct http_program *p, char *out, size_t size);

#endif
