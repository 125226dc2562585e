/* turn - the lock behind a loop: cheap when nobody else wants it, and fair when somebody does.
 *
 * A plain mutex is given to whoever asks first once it is free. The rpc pump asks again within a microsecond and a
 * sleeping thread needs tens of them to wake up, so under load the sleeper could wait for seconds. Strict order costs a
 * switch of threads for each turn. So here those who come may pass those who sleep, but only TURN_PASSES times; then
 * the turn is handed over. Threads: any.  Memory: no allocation; who waits does so with a node on its own stack. */
#ifndef LOOP_TURN_H
#define LOOP_TURN_H

#include "base/list.h"

#include <pthread.h>
#include <stdbool.h>

struct turn {
    pthread_mutex_t lock; /* guards the rest; held for a few instructions only */
    bool taken;
    unsigned passes;              /* turns taken by others since the first in 'waiting' came to be first */
    struct list waiting;          /* struct waiter, longest first */
    _Atomic(unsigned) wanted;     /* length of 'waiting', for a look without the lock */
    _Atomic(const void *) holder; /* who has the turn: turn_self() of its thread */
};

void turn_init(struct turn *t);
void turn_done(struct turn *t);
void turn_take(struct turn *t);
void turn_give(struct turn *t);
/* Somebody waits: giving and taking it again would let them in. */
bool turn_wanted(const struct turn *t);
/* The calling thread; compares equal to itself only. */
const void *turn_self(void);

#endif
