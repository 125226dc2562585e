#include "loop_private.h"

#include <assert.h>

void tasks_init(struct tasks *t)
{
    pthread_mutex_init(&t->lock, NULL);
    list_init(&t->waiting);
}

void tasks_done(struct tasks *t)
{
    pthread_mutex_destroy(&t->lock);
}

/* A zeroed link has never been in a list, a removed one points to itself. */
static bool waits(const struct loop_task *t)
{
    return t->link.next && t->link.next != &t->link;
}

void loop_post(struct loop *l, struct loop_task *t)
{
    pthread_mutex_lock(&l->tasks.lock);
    bool added = !waits(t);
    if (added) {
        list_push_back(&l->tasks.waiting, &t->link);
        l->tasks.count++;
    }
    pthread_mutex_unlock(&l->tasks.lock);
    if (added)
        loop_pend(l);
}

static struct loop_task *next(struct tasks *t)
{
    pthread_mutex_lock(&t->lock);
    struct loop_task *first = list_first(&t->waiting, struct loop_task, link);
    if (first) {
        list_remove(&first->link);
        t->count--;
    }
    pthread_mutex_unlock(&t->lock);
    return first;
}

void loop_later(struct loop *l, struct loop_task *t)
{
    assert(loop_taken(l));
    if (!waits(t))
        list_push_back(&l->later, &t->link);
}

void tasks_run_later(struct loop *l)
{
    for (struct loop_task *t; (t = list_first(&l->later, struct loop_task, link));) {
        list_remove(&t->link);
        t->run(t);
    }
}

/* Those that wait now; what they post in turn comes after the descriptors had theirs. */
void tasks_run(struct loop *l)
{
    pthread_mutex_lock(&l->tasks.lock);
    size_t most = l->tasks.count;
    pthread_mutex_unlock(&l->tasks.lock);
    for (; most > 0; most--) {
        struct loop_task *t = next(&l->tasks);
        t->run(t);
        loop_let_others(l);
    }
}
