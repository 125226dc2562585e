#include "capacity.h"

#include "base/mem.h"
#include "base/text.h"
#include "base/time.h"
#include "instance.h"
#include "loop/loop.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MIB              ((int64_t)1 << 20)
#define MEASURE_EVERY_MS 2000
#define MEASURE_AT_ONCE  64 /* per tick, so that a host with hundreds keeps its turns short */
#define AVAILABLE_AGE_MS 500
#define BASE_BYTES       (32 * MIB) /* a runner with libxgboost and an empty model */
#define MODEL_RATIO      8          /* memory per byte of unpacked model, JSON, the worst format */
#define HEADROOM_PERCENT 5
#define HEADROOM_MAX     (512 * MIB)
#define RETRY_AFTER_MS   1000

struct capacity {
    struct loop *loop;
    struct instances *all;
    int64_t memory_bytes;
    int64_t instance_limit;
    struct loop_timer measure;
    int64_t available_bytes, available_at_ms; /* of the machine */
};

/* ---- reading /proc ---- */

static bool read_text(const char *path, char *out, size_t size)
{
    pl_cleanup(pl_close_p) int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, out, size - 1);

    if (n <= 0)
        return false;
    out[n] = '\0';
    return true;
}

int64_t capacity_parse_statm(const char *text)
{
    long long size, resident, shared;

    if (sscanf(text, "%lld %lld %lld", &size, &resident, &shared) != 3 || resident < shared)
        return -1;
    return (int64_t)(resident - shared) * sysconf(_SC_PAGESIZE);
}

/* -1: no such line. */
static int64_t meminfo(const char *key)
{
    char text[4096];
    const char *line = read_text("/proc/meminfo", text, sizeof(text)) ? strstr(text, key) : NULL;
    long long kib;

    return line && sscanf(line + strlen(key), ": %lld kB", &kib) == 1 ? (int64_t)kib * 1024 : -1;
}

/* The cgroup's limit, version 2 then 1; INT64_MAX: none. */
static int64_t cgroup_limit(void)
{
    static const char *const files[] = { "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes" };

    for (size_t i = 0; i < PL_COUNT(files); i++) {
        char text[32];
        int64_t limit;

        if (!read_text(files[i], text, sizeof(text)))
            continue;
        text[strcspn(text, "\n")] = '\0';
        if (pl_parse_i64(text, 1, INT64_MAX, &limit))
            return limit;
    }
    return INT64_MAX;
}

static int64_t machine_memory(void)
{
    int64_t total = meminfo("MemTotal");
    int64_t limit = cgroup_limit();

    if (total < 0)
        total = 1024 * MIB;
    return limit < total ? limit : total;
}

static int64_t available(struct capacity *c)
{
    int64_t now_ms = pl_now_ms();

    if (c->available_at_ms == 0 || now_ms - c->available_at_ms > AVAILABLE_AGE_MS) {
        int64_t bytes = meminfo("MemAvailable");

        c->available_bytes = bytes < 0 ? c->memory_bytes : bytes;
        c->available_at_ms = now_ms;
    }
    return c->available_bytes;
}

/* ---- measuring instances ---- */

struct round {
    int64_t now_ms;
    int left;
};

static void measure_one(struct instance *in, void *arg)
{
    struct round *r = arg;
    char path[48], text[128];
    int64_t bytes;

    if (r->left == 0 || r->now_ms - in->measured_ms < MEASURE_EVERY_MS || in->state <= INSTANCE_LOADING)
        return;
    r->left--;
    in->measured_ms = r->now_ms;
    (void)snprintf(path, sizeof(path), "/proc/%d/statm", (int)in->child.pid);
    bytes = read_text(path, text, sizeof(text)) ? capacity_parse_statm(text) : -1;
    if (bytes >= 0)
        in->rss_bytes = bytes > 0 ? bytes : 1;
}

static void measure(struct loop_timer *t)
{
    struct capacity *c = PL_CONTAINER(t, struct capacity, measure);
    struct round r = { .now_ms = pl_now_ms(), .left = MEASURE_AT_ONCE };

    instances_each(c->all, measure_one, &r);
    if (instances_count(c->all) > 0)
        loop_timer_set(c->loop, &c->measure, r.now_ms + (r.left == 0 ? MEASURE_EVERY_MS / 20 : MEASURE_EVERY_MS));
}

struct use {
    int64_t bytes, unseen_bytes;
};

static void add_use(struct instance *in, void *arg)
{
    struct use *u = arg;

    u->bytes += in->rss_bytes > 0 ? in->rss_bytes : in->estimate_bytes;
    u->unseen_bytes += in->rss_bytes > 0 ? 0 : in->estimate_bytes;
}

static int64_t free_bytes(struct capacity *c)
{
    struct use u = { 0 };
    int64_t offered, machine;

    instances_each(c->all, add_use, &u);
    offered = c->memory_bytes - u.bytes;
    machine = available(c) - u.unseen_bytes;
    if (machine < offered)
        offered = machine;
    return offered > 0 ? offered : 0;
}

/* ---- answers ---- */

static int64_t headroom(const struct capacity *c)
{
    int64_t bytes = c->memory_bytes / 100 * HEADROOM_PERCENT;

    return bytes < HEADROOM_MAX ? bytes : HEADROOM_MAX;
}

int64_t capacity_estimate(int memory_size_mb, int64_t unpacked_bytes)
{
    int64_t most = (int64_t)memory_size_mb * MIB;
    int64_t guess = unpacked_bytes < most ? BASE_BYTES + unpacked_bytes * MODEL_RATIO : most;

    return guess < most ? guess : most;
}

static enum pl_code refuse(struct pl_err *err)
{
    err->retry_after_ms = RETRY_AFTER_MS;
    return err->code;
}

enum pl_code capacity_admit(struct capacity *c, int64_t estimate_bytes, struct pl_err *err)
{
    unsigned count = instances_count(c->all);
    int64_t left = free_bytes(c), keep = headroom(c);

    if (count >= (uint64_t)c->instance_limit) {
        (void)pl_fail_reason(err, PL_EXHAUSTED, "NO_CAPACITY", NULL,
                             "this host has %u instances; its instance_limit is %" PRId64, count, c->instance_limit);
        return refuse(err);
    }
    if (left < estimate_bytes + keep) {
        (void)pl_fail_reason(err, PL_EXHAUSTED, "NO_CAPACITY", NULL,
                             "the instance needs about %" PRId64 " MB and %" PRId64
                             " MB stay free as headroom; this host"
                             " has %" PRId64 " MB of %" PRId64 " MB left",
                             estimate_bytes / MIB, keep / MIB, left / MIB, c->memory_bytes / MIB);
        return refuse(err);
    }
    if (c->measure.slot == 0)
        loop_timer_set(c->loop, &c->measure, pl_now_ms() + MEASURE_EVERY_MS);
    return PL_OK;
}

void capacity_load(struct capacity *c, struct capacity_load *out)
{
    int64_t left = free_bytes(c) - headroom(c);

    *out = (struct capacity_load){
        .memory_mb = c->memory_bytes / MIB,
        .memory_free_mb = left > 0 ? left / MIB : 0,
        .instances = (int32_t)instances_count(c->all),
        .instance_limit = (int32_t)c->instance_limit,
    };
}

struct capacity *capacity_new(struct loop *l, struct instances *all, int64_t memory_bytes, int64_t instance_limit)
{
    struct capacity *c = PL_NEW(struct capacity);

    c->loop = l;
    c->all = all;
    c->memory_bytes = memory_bytes > 0 ? memory_bytes : machine_memory();
    c->instance_limit = instance_limit;
    c->measure.fire = measure;
    return c;
}

void capacity_free(struct capacity *c)
{
    if (!c)
        return;
    loop_timer_clear(c->loop, &c->measure);
    free(c);
}
