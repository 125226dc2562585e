#include "turn.h"

#include <assert.h>
#include <stdatomic.h>

#define TURN_PASSES 16
#define TURN_LOOKS  200

struct waiter {
    struct list link;
    pthread_cond_t look;
    bool told;    /* signalled, and has not looked since: no need to do so again */
    bool granted; /* the turn is this one's: it was never free in between */
};

const void *turn_self(void)
{
    static _Thread_local char self;
    return &self;
}

void turn_init(struct turn *t)
{
    *t = (struct turn){ .taken = false };
    pthread_mutex_init(&t->lock, NULL);
    list_init(&t->waiting);
}

void turn_done(struct turn *t)
{
    assert(!t->taken && list_empty(&t->waiting));
    pthread_mutex_destroy(&t->lock);
}

bool turn_wanted(const struct turn *t)
{
    return atomic_load_explicit(&t->wanted, memory_order_relaxed) > 0;
}

/* With the lock. Sleeps until the turn is free and this one is first, or it is granted. */
static void wait_for(struct turn *t)
{
    struct waiter w = { .told = false };
    pthread_cond_init(&w.look, NULL);
    list_push_back(&t->waiting, &w.link);
    t->wanted++;
    while (!w.granted && (t->taken || t->waiting.next != &w.link)) {
        w.told = false;
        pthread_cond_wait(&w.look, &t->lock);
    }
    list_remove(&w.link);
    t->wanted--;
    t->passes = 0;
    pthread_cond_destroy(&w.look);
}

/* A hint to the processor that this is a loop which waits for another one. */
static void breathe(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* A turn is mostly over before a thread could be put to sleep and woken; so look for about as long as that takes. */
static void look_for(const struct turn *t)
{
    for (int i = 0; i < TURN_LOOKS && atomic_load_explicit(&t->holder, memory_order_relaxed); i++)
        breathe();
}

void turn_take(struct turn *t)
{
    look_for(t);
    pthread_mutex_lock(&t->lock);
    if (t->taken)
        wait_for(t);
    else if (!list_empty(&t->waiting))
        t->passes++;
    t->taken = true;
    pthread_mutex_unlock(&t->lock);
    atomic_store_explicit(&t->holder, turn_self(), memory_order_relaxed);
}

void turn_give(struct turn *t)
{
    atomic_store_explicit(&t->holder, NULL, memory_order_relaxed);
    pthread_mutex_lock(&t->lock);
    struct waiter *first = list_first(&t->waiting, struct waiter, link);
    t->taken = false;
    if (first && t->passes >= TURN_PASSES)
        t->taken = first->granted = true;
    if (first && !first->told) {
        first->told = true;
        pthread_cond_signal(&first->look); /* with the lock: the node goes with its thread's stack */
    }
    pthread_mutex_unlock(&t->lock);
}
