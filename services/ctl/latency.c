#include "latency.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "output.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void latency_init(struct latency *l, size_t calls)
{
    *l = (struct latency){ .micros = pl_new0(calls ? calls : 1, sizeof(uint32_t)), .room = calls };
}

void latency_done(struct latency *l)
{
    free(l->micros);
    *l = (struct latency){ 0 };
}

void latency_answered(struct latency *l, int64_t us, bool cold)
{
    if (l->answered == l->room)
        return;
    l->micros[l->answered++] = us < 0 ? 0 : us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
    l->cold += cold;
    l->sorted = false;
}

void latency_failed(struct latency *l, const char *label)
{
    size_t i = 0;
    l->failed++;
    while (i < l->kind_count && strcmp(l->kinds[i].label, label))
        i++;
    if (i == LATENCY_KINDS)
        i = LATENCY_KINDS - 1;
    if (i == l->kind_count) {
        l->kind_count++;
        snprintf(l->kinds[i].label, sizeof(l->kinds[i].label), "%s", i == LATENCY_KINDS - 1 ? "OTHER" : label);
    }
    l->kinds[i].count++;
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

int64_t latency_percentile(struct latency *l, double percent)
{
    if (!l->answered)
        return 0;
    if (!l->sorted)
        qsort(l->micros, l->answered, sizeof(*l->micros), compare);
    l->sorted = true;
    size_t rank = (size_t)ceil(percent / 100 * (double)l->answered);
    return l->micros[rank ? rank - 1 : 0];
}

void latency_print(struct latency *l, int64_t elapsed_us, unsigned concurrency, FILE *out)
{
    static const struct {
        const char *name;
        double percent;
    } points[] = { { "min", 0 }, { "p50", 50 }, { "p90", 90 }, { "p99", 99 }, { "max", 100 } };
    size_t calls = l->answered + l->failed;
    char text[24];
    double seconds = (double)(elapsed_us ? elapsed_us : 1) / 1e6;
    fprintf(out, "calls     %zu in %s, %.1f calls/s, %u at once\n", calls, output_micros(elapsed_us, text),
            (double)calls / seconds, concurrency);
    fprintf(out, "answered  %zu, of them %zu cold\n", l->answered, l->cold);
    if (l->answered) {
        fprintf(out, "latency  ");
        for (size_t i = 0; i < PL_COUNT(points); i++)
            fprintf(out, "%s %s %s", i ? " " : "", points[i].name,
                    output_micros(latency_percentile(l, points[i].percent), text));
        fputc('\n', out);
    }
    if (l->failed) {
        fprintf(out, "failed    %zu:", l->failed);
        for (size_t i = 0; i < l->kind_count; i++)
            fprintf(out, "%s %s %zu", i ? "," : "", l->kinds[i].label, l->kinds[i].count);
        fputc('\n', out);
    }
}
