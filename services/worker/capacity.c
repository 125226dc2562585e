#include "capacity.h"

#include "base/mem.h"
#include "base/time.h"
#include "cache.h"
#include "instance.h"
#include "memory_use.h"
#include "sandbox/cgroup.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MIB ((int64_t)1 << 20)
/* The machine's own figure is asked for again after this time; while there is plenty, after the second. */
#define AVAILABLE_AGE_MS 500
#define PLENTY_AGE_MS    10000
#define HEADROOM_PERCENT 5
#define HEADROOM_MAX     (512 * MIB)
#define RETRY_AFTER_MS   1000

/* Before an instance of a model has been measured. A compiled forest is pages of a file. */
#define FOREST_BYTES (8 * MIB)
#define BASE_BYTES   (32 * MIB) /* a runner with libxgboost and an empty model */
#define MODEL_RATIO  8          /* memory per byte of unpacked model, JSON, the worst format */

struct capacity {
    struct instances *all;
    struct memory_use *use;
    struct capacity_options o;
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

/* -1: no such line. */
static int64_t meminfo(const char *key)
{
    char text[4096];
    const char *line = read_text("/proc/meminfo", text, sizeof(text)) ? strstr(text, key) : NULL;
    long long kib;

    return line && sscanf(line + strlen(key), ": %lld kB", &kib) == 1 ? (int64_t)kib * 1024 : -1;
}

static int64_t machine_memory(void)
{
    int64_t total = meminfo("MemTotal");
    int64_t limit = cgroups_memory_given();

    if (total < 0)
        total = 1024 * MIB;
    return limit < total ? limit : total;
}

static bool is_fresh(const struct capacity *c, int64_t now_ms)
{
    bool plenty = c->available_bytes > c->o.memory_bytes / 4;

    return c->available_at_ms > 0 && now_ms - c->available_at_ms <= (plenty ? PLENTY_AGE_MS : AVAILABLE_AGE_MS);
}

static int64_t available(struct capacity *c)
{
    int64_t now_ms = pl_now_ms();

    if (!is_fresh(c, now_ms)) {
        int64_t bytes = meminfo("MemAvailable");

        c->available_bytes = bytes < 0 ? c->o.memory_bytes : bytes;
        c->available_at_ms = now_ms;
    }
    return c->available_bytes;
}

/* ---- sums ---- */

static int64_t free_bytes(struct capacity *c)
{
    int64_t estimated, used = instances_used_bytes(c->all, &estimated);
    int64_t offered = c->o.memory_bytes - used;
    int64_t machine = available(c) - estimated;

    if (machine < offered)
        offered = machine;
    return offered > 0 ? offered : 0;
}

static void add_promise(struct instance *in, void *arg)
{
    *(int64_t *)arg += in->memory_size_mb;
}

static int64_t promised_mb(const struct capacity *c)
{
    int64_t mb = 0;

    instances_each(c->all, add_promise, &mb);
    return mb;
}

/* ---- answers ---- */

static int64_t headroom(const struct capacity *c)
{
    int64_t bytes = c->o.memory_bytes / 100 * HEADROOM_PERCENT;

    return bytes < HEADROOM_MAX ? bytes : HEADROOM_MAX;
}

int64_t capacity_estimate(int memory_size_mb, struct cache_item *model, const struct cache_item *code)
{
    int64_t most = (int64_t)memory_size_mb * MIB;
    int64_t unpacked = cache_item_unpacked_bytes(model) + (code ? cache_item_unpacked_bytes(code) : 0);
    int64_t seen = cache_item_instance_bytes(model);
    int64_t guess;

    if (seen > 0)
        guess = seen;
    else if (!code && cache_item_compiled(model))
        guess = FOREST_BYTES;
    else
        guess = unpacked < most ? BASE_BYTES + unpacked * MODEL_RATIO : most;
    return guess < most ? guess : most;
}

static enum pl_code refuse(struct pl_err *err)
{
    err->retry_after_ms = RETRY_AFTER_MS;
    return err->code;
}

static enum pl_code check_count(const struct capacity *c, struct pl_err *err)
{
    unsigned count = instances_count(c->all);

    if (count < (uint64_t)c->o.instance_limit)
        return PL_OK;
    (void)pl_fail_reason(err, PL_EXHAUSTED, "NO_CAPACITY", NULL,
                         "this host has %u instances; its instance_limit is %" PRId64, count, c->o.instance_limit);
    return refuse(err);
}

static enum pl_code check_promises(const struct capacity *c, int memory_size_mb, struct pl_err *err)
{
    int64_t most_mb = (int64_t)(c->o.overcommit * (double)(c->o.memory_bytes / MIB));
    int64_t now_mb = c->o.overcommit > 0 ? promised_mb(c) : 0;

    if (c->o.overcommit <= 0 || now_mb + memory_size_mb <= most_mb)
        return PL_OK;
    (void)pl_fail_reason(err, PL_EXHAUSTED, "NO_CAPACITY", NULL,
                         "the memory sizes of this host's instances are %" PRId64
                         " MB together and may not exceed %" PRId64 " MB: overcommit %g of %" PRId64 " MB",
                         now_mb, most_mb, c->o.overcommit, c->o.memory_bytes / MIB);
    return refuse(err);
}

static enum pl_code check_memory(struct capacity *c, int64_t estimate_bytes, struct pl_err *err)
{
    int64_t left = free_bytes(c), keep = headroom(c), estimated;

    if (left >= estimate_bytes + keep)
        return PL_OK;
    (void)pl_fail_reason(err, PL_EXHAUSTED, "NO_CAPACITY", NULL,
                         "the instance needs about %" PRId64 " MB and %" PRId64
                         " MB stay free as headroom; this host has %" PRId64 " MB of %" PRId64
                         " MB left: its instances use %" PRId64 " MB, and the machine has %" PRId64 " MB to spare",
                         (estimate_bytes + MIB - 1) / MIB, keep / MIB, left / MIB, c->o.memory_bytes / MIB,
                         instances_used_bytes(c->all, &estimated) / MIB, c->available_bytes / MIB);
    return refuse(err);
}

enum pl_code capacity_admit(struct capacity *c, int memory_size_mb, int64_t estimate_bytes, struct pl_err *err)
{
    if (check_count(c, err) != PL_OK || check_promises(c, memory_size_mb, err) != PL_OK ||
        check_memory(c, estimate_bytes, err) != PL_OK)
        return err->code;
    memory_use_wake(c->use);
    return PL_OK;
}

void capacity_load(struct capacity *c, struct capacity_load *out)
{
    int64_t left = free_bytes(c) - headroom(c), estimated;

    *out = (struct capacity_load){
        .memory_mb = c->o.memory_bytes / MIB,
        .memory_free_mb = left > 0 ? left / MIB : 0,
        .memory_used_mb = (instances_used_bytes(c->all, &estimated) + MIB - 1) / MIB,
        .instances = (int32_t)instances_count(c->all),
        .instance_limit = (int32_t)c->o.instance_limit,
    };
}

bool capacity_busy(const struct capacity *c)
{
    return memory_use_busy(c->use);
}

struct capacity *capacity_new(struct loop *l, struct instances *all, const struct capacity_options *o)
{
    struct capacity *c = PL_NEW(struct capacity);

    c->all = all;
    c->o = *o;
    if (c->o.memory_bytes <= 0)
        c->o.memory_bytes = machine_memory();
    c->use = memory_use_new(l, all);
    return c;
}

void capacity_free(struct capacity *c)
{
    if (!c)
        return;
    memory_use_free(c->use);
    free(c);
}
