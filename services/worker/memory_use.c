#include "memory_use.h"

#include "base/mem.h"
#include "base/text.h"
#include "base/time.h"
#include "instance.h"
#include "loop/loop.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TICK_MS    1000
#define AT_ONCE    64
#define SETTLED_MS 500   /* a new instance has touched by then what it will need */
#define ACTIVE_MS  5000  /* one that has served since it was measured */
#define IDLE_MS    60000 /* any */
#define ROLLUP_MAX 4096

struct measured {
    uint64_t id;
    pid_t pid, beside;
    struct memory_sample sample;
    bool good;
};

struct memory_use {
    struct loop *loop;
    struct instances *all;
    struct loop_timer tick;
    struct loop_job job;
    bool running;
    struct measured list[AT_ONCE]; /* of the job that runs */
    unsigned count;
};

/* ---- one ---- */

/* The value of a line "Pss:     1234 kB", in bytes; -1: there is no such line. */
static int64_t line_value(const char *text, const char *key)
{
    const char *line = strstr(text, key);
    long long kib;

    return line && sscanf(line + strlen(key), " %lld kB", &kib) == 1 && kib >= 0 ? (int64_t)kib * 1024 : -1;
}

bool memory_use_parse(const char *text, struct memory_sample *out)
{
    int64_t pss = line_value(text, "\nPss:");
    int64_t clean = line_value(text, "\nPrivate_Clean:");
    int64_t dirty = line_value(text, "\nPrivate_Dirty:");

    if (pss < 0 || clean < 0 || dirty < 0)
        return false;
    *out = (struct memory_sample){ .used_bytes = pss, .own_bytes = clean + dirty };
    return true;
}

static bool sample(pid_t pid, struct memory_sample *out)
{
    char path[48], text[ROLLUP_MAX];
    int fd;
    ssize_t n;

    (void)snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    n = read(fd, text, sizeof(text) - 1);
    (void)close(fd);
    if (n <= 0)
        return false;
    text[n] = '\0';
    return memory_use_parse(text, out);
}

static int64_t cpu_us(pid_t pid)
{
    struct timespec t;
    clockid_t clock;

    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &t) != 0)
        return 0;
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void take(struct instance *in, const struct memory_sample *s)
{
    instance_measured(in, s->used_bytes, s->own_bytes);
    in->memory.cpu_us = cpu_us(in->child.pid);
}

void memory_use_measure(struct instance *in)
{
    struct memory_sample s;

    if (in->child.watch.fd >= 0 && sample(in->child.pid, &s))
        take(in, &s);
}

/* ---- many ---- */

static void work(struct loop_job *j)
{
    struct memory_use *m = PL_CONTAINER(j, struct memory_use, job);

    for (unsigned i = 0; i < m->count; i++) {
        struct measured *one = &m->list[i];
        struct memory_sample beside;

        one->good = sample(one->pid, &one->sample);
        if (one->beside > 0 && sample(one->beside, &beside))
            one->sample.used_bytes += beside.used_bytes;
    }
}

/* Those that have gone meanwhile are found no more, or under another process. */
static void done(struct loop_job *j)
{
    struct memory_use *m = PL_CONTAINER(j, struct memory_use, job);

    m->running = false;
    for (unsigned i = 0; i < m->count; i++) {
        const struct measured *one = &m->list[i];
        struct instance *in = instances_find_any(m->all, one->id);

        if (one->good && in && in->child.pid == one->pid)
            take(in, &one->sample);
    }
}

/* Of one that is lent its work is seen by the time that its process has run. */
static bool has_worked(const struct instance *in)
{
    return in->served > in->memory.served || (in->borrower && cpu_us(in->child.pid) > in->memory.cpu_us);
}

static bool is_due(const struct instance *in, int64_t now_ms)
{
    if (in->state != INSTANCE_IDLE && in->state != INSTANCE_BUSY)
        return false;
    if (in->memory.used_bytes == 0)
        return in->state == INSTANCE_BUSY || now_ms - in->since_ms >= SETTLED_MS;
    return now_ms - in->memory.at_ms >= (has_worked(in) ? ACTIVE_MS : IDLE_MS);
}

static void choose(struct instance *in, void *arg)
{
    struct memory_use *m = arg;

    if (m->count < AT_ONCE && is_due(in, pl_now_ms()))
        m->list[m->count++] = (struct measured){ .id = in->id, .pid = in->child.pid, .beside = in->beside };
}

static void tick(struct loop_timer *t)
{
    struct memory_use *m = PL_CONTAINER(t, struct memory_use, tick);

    if (instances_count(m->all) == 0)
        return;
    loop_timer_set(m->loop, t, pl_now_ms() + TICK_MS);
    if (m->running)
        return;
    m->count = 0;
    instances_each(m->all, choose, m);
    if (m->count == 0)
        return;
    m->running = true;
    m->job.work = work;
    m->job.done = done;
    loop_job(m->loop, &m->job);
}

void memory_use_wake(struct memory_use *m)
{
    if (m->tick.slot == 0)
        loop_timer_set(m->loop, &m->tick, pl_now_ms() + TICK_MS);
}

bool memory_use_busy(const struct memory_use *m)
{
    return m->running;
}

struct memory_use *memory_use_new(struct loop *l, struct instances *all)
{
    struct memory_use *m = PL_NEW(struct memory_use);

    m->loop = l;
    m->all = all;
    m->tick.fire = tick;
    return m;
}

void memory_use_free(struct memory_use *m)
{
    if (!m)
        return;
    loop_timer_clear(m->loop, &m->tick);
    free(m);
}
