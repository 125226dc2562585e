/* rig - a loop on a thread of its own, and ways to wait for what it does. */
#ifndef TESTS_LOOP_RIG_H
#define TESTS_LOOP_RIG_H

#include "loop/loop.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <semaphore.h>

struct rig {
    struct loop *loop;
    pthread_t thread;
};

void rig_start(struct rig *g);
void rig_stop(struct rig *g); /* and frees the loop */

/* Fails the test after a time that only a hang takes. */
void wait_for(sem_t *event);

/* How often the loop was woken from outside. */
uint64_t wake_count(const struct loop *l);
/* Until the loop is on its way into epoll_wait() for no earlier end than 'until_ms', and nobody has woken it. */
void wait_asleep(struct loop *l, int64_t until_ms);

#endif
