/* child - a process of ours, watched by its pidfd: killed by it, reaped when it ends, with how it ended in words.
 * Threads: with the turn.  Memory: embedded in its owner; nothing is allocated. */
#ifndef WORKER_CHILD_H
#define WORKER_CHILD_H

#include "base/err.h"
#include "loop/loop.h"

#include <stdbool.h>
#include <sys/types.h>

struct child {
    struct loop *loop;
    struct loop_fd watch; /* of the pidfd; -1: reaped */
    pid_t pid;
    /* Once, after the process has been reaped; may free the owner. 'how': "killed by signal 11 (Segmentation fault)".
     */
    void (*exited)(struct child *c, int status, const char *how);
};

/* Takes 'pidfd' over, also on failure: then the process has been killed and reaped. */
PL_MUST_CHECK enum pl_code child_watch(struct child *c, struct loop *l, pid_t pid, int pidfd,
                                       void (*exited)(struct child *c, int status, const char *how),
                                       struct pl_err *err);
/* SIGKILL; 'exited' follows. Harmless after the end. */
void child_kill(struct child *c);

/* Kills it and waits for its end, without a callback. Harmless after the end, or when there never was one (-1). */
void child_end(struct child *c);
/* The same for one that nobody watches; closes 'pidfd'. */
void child_abandon(pid_t pid, int pidfd);
/* Gives it to another watcher, child_watch(): the process goes on, no callback comes from here any more. */
void child_release(struct child *c, pid_t *out_pid, int *out_pidfd);

#define CHILD_HOW_MAX 96
/* 'status' as of waitpid(). */
void child_how(int status, char out[CHILD_HOW_MAX]);

#endif
