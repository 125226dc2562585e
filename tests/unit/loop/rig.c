#include "rig.h"

#include "loop_private.h"

#include "base/time.h"

#include <sched.h>
#include <stdio.h>
#include <time.h>

#define HANG_S 60

static void *run(void *arg)
{
    loop_run(arg);
    return NULL;
}

void rig_start(struct rig *g)
{
    if (!g->loop)
        g->loop = loop_new(2);
    assert_int_equal(pthread_create(&g->thread, NULL, run, g->loop), 0);
}

void rig_stop(struct rig *g)
{
    loop_stop(g->loop);
    pthread_join(g->thread, NULL);
    loop_free(g->loop);
    g->loop = NULL;
}

void wait_for(sem_t *event)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += HANG_S;
    if (sem_timedwait(event, &until) != 0)
        fail_msg("waited for %d s", HANG_S);
}

/* The loop never reads its eventfd: the counter is the number of writes. */
uint64_t wake_count(const struct loop *l)
{
    char path[64], line[128];
    unsigned long long count = 0;
    bool found = false;
    snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", l->wake.fd);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    while (!found && fgets(line, sizeof(line), f))
        found = sscanf(line, "eventfd-count: %llx", &count) == 1;
    fclose(f);
    assert_true(found);
    return count;
}

void wait_asleep(struct loop *l, int64_t until_ms)
{
    int64_t hang_ms = pl_now_ms() + HANG_S * 1000;
    for (bool asleep = false; !asleep; sched_yield()) {
        loop_enter(l);
        asleep = l->asleep && !l->pending && l->asleep_until_ms == until_ms;
        loop_leave(l);
        if (pl_now_ms() > hang_ms)
            fail_msg("the loop does not fall asleep");
    }
}
