/* load_common - what the two load clients share, so that both mean the same by a percentile: how long the calls took,
 * and the line of JSON that says so. */
#ifndef BENCH_LOAD_COMMON_H
#define BENCH_LOAD_COMMON_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define FILE_MAX ((size_t)8 << 20)

/* Says what is wrong, and exits with 1. Each client has its own. */
__attribute__((noreturn)) static void die(const char *what, const char *detail);

struct bytes {
    char *data;
    size_t len;
};

struct latencies {
    uint32_t *micros_x10; /* tenths of a microsecond */
    size_t count, room;
};

static inline int64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static inline struct bytes read_file(const char *path)
{
    struct bytes b = { .data = malloc(FILE_MAX) };
    FILE *f = fopen(path, "rb");

    if (!f || !b.data)
        die("cannot read", path);
    b.len = fread(b.data, 1, FILE_MAX, f);
    fclose(f);
    return b;
}

static inline void latencies_add(struct latencies *l, int64_t took_ns)
{
    int64_t tenths = took_ns / 100;

    if (l->count == l->room) {
        l->room = l->room ? l->room * 2 : 65536;
        l->micros_x10 = realloc(l->micros_x10, l->room * sizeof(*l->micros_x10));
        if (!l->micros_x10)
            die("out of memory", "");
    }
    l->micros_x10[l->count++] = tenths > UINT32_MAX ? UINT32_MAX : (uint32_t)tenths;
}

static inline int latencies_compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

static inline double latencies_percentile(const struct latencies *l, double share)
{
    size_t rank = (size_t)(share * (double)l->count);

    return (double)l->micros_x10[rank < l->count ? rank : l->count - 1] / 10;
}

static inline void latencies_report(struct latencies *l, unsigned concurrency, int64_t took_ns)
{
    double seconds = (double)took_ns / 1e9;

    if (l->count == 0)
        die("no call was measured", "");
    qsort(l->micros_x10, l->count, sizeof(*l->micros_x10), latencies_compare);
    printf(
        "{\"calls\": %zu, \"concurrency\": %u, \"seconds\": %.3f, \"qps\": %.1f, \"p50_us\": %.1f, \"p90_us\": %.1f, "
        "\"p99_us\": %.1f, \"min_us\": %.1f, \"max_us\": %.1f}\n",
        l->count, concurrency, seconds, (double)l->count / seconds, latencies_percentile(l, 0.5),
        latencies_percentile(l, 0.9), latencies_percentile(l, 0.99), latencies_percentile(l, 0),
        latencies_percentile(l, 1));
}

#endif
