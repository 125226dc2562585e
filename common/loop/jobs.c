#include "loop_private.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

void jobs_init(struct jobs *j, unsigned threads)
{
    pthread_mutex_init(&j->lock, NULL);
    pthread_cond_init(&j->more, NULL);
    list_init(&j->waiting);
    list_init(&j->finished);
    j->threads = pl_new0(threads, sizeof(*j->threads));
    j->thread_max = threads;
}

/* Running jobs end; those that wait never start, and nothing more is told: the owners are on their way out. */
void jobs_done(struct jobs *j)
{
    pthread_mutex_lock(&j->lock);
    j->ending = true;
    pthread_cond_broadcast(&j->more);
    pthread_mutex_unlock(&j->lock);
    for (unsigned i = 0; i < j->thread_count; i++)
        pthread_join(j->threads[i], NULL);
    free(j->threads);
    pthread_cond_destroy(&j->more);
    pthread_mutex_destroy(&j->lock);
}

/* With the lock; NULL: the end. */
static struct loop_job *wait_for_job(struct jobs *j)
{
    while (list_empty(&j->waiting) && !j->ending) {
        j->idle_count++;
        pthread_cond_wait(&j->more, &j->lock);
        j->idle_count--;
    }
    if (j->ending)
        return NULL;
    struct loop_job *job = list_first(&j->waiting, struct loop_job, link);
    list_remove(&job->link);
    j->waiting_count--;
    return job;
}

/* The whole of a pool thread. */
static void *work(void *arg)
{
    struct loop *l = arg;
    struct jobs *j = &l->jobs;
    pthread_mutex_lock(&j->lock);
    for (struct loop_job *job; (job = wait_for_job(j));) {
        pthread_mutex_unlock(&j->lock);
        job->work(job);
        pthread_mutex_lock(&j->lock);
        list_push_back(&j->finished, &job->link);
        j->finished_count++;
        loop_pend(l);
    }
    pthread_mutex_unlock(&j->lock);
    return NULL;
}

/* With the lock. */
static void start_thread(struct loop *l)
{
    struct jobs *j = &l->jobs;
    pthread_t *thread = &j->threads[j->thread_count];
    int failed = pthread_create(thread, NULL, work, l);
    if (!failed) {
        pthread_setname_np(*thread, "loop-job");
        j->thread_count++;
    } else if (j->thread_count == 0) { /* else the others do it, later */
        pl_die("loop: cannot start a thread for jobs: %s", strerror(failed));
    }
}

void loop_job(struct loop *l, struct loop_job *job)
{
    struct jobs *j = &l->jobs;
    pthread_mutex_lock(&j->lock);
    list_push_back(&j->waiting, &job->link);
    j->waiting_count++;
    if (j->waiting_count > j->idle_count && j->thread_count < j->thread_max)
        start_thread(l);
    pthread_cond_signal(&j->more);
    pthread_mutex_unlock(&j->lock);
}

static struct loop_job *next_finished(struct jobs *j)
{
    pthread_mutex_lock(&j->lock);
    struct loop_job *job = list_first(&j->finished, struct loop_job, link);
    if (job) {
        list_remove(&job->link);
        j->finished_count--;
    }
    pthread_mutex_unlock(&j->lock);
    return job;
}

void jobs_finish(struct loop *l)
{
    pthread_mutex_lock(&l->jobs.lock);
    size_t most = l->jobs.finished_count;
    pthread_mutex_unlock(&l->jobs.lock);
    for (; most > 0; most--) {
        struct loop_job *job = next_finished(&l->jobs);
        job->done(job);
        loop_let_others(l);
    }
}
