/* expose - Prometheus text format 0.0.4. Every name of ours gets the prefix "pilotlight_"; the process figures keep the
 * names that all exporters use. */
#include "private.h"

#define PREFIX "pilotlight_"

static const char *const type_names[] = {
    [METRICS_COUNTER] = "counter",
    [METRICS_GAUGE] = "gauge",
    [METRICS_HISTOGRAM] = "histogram",
};

static void add_help(struct pl_buf *out, const char *help)
{
    for (; *help; help++) {
        if (*help == '\n')
            pl_buf_adds(out, "\\n");
        else if (*help == '\\')
            pl_buf_adds(out, "\\\\");
        else
            pl_buf_addc(out, *help);
    }
}

/* name_suffix{labels} */
static void add_name(struct pl_buf *out, const struct family *f, const char *suffix, const struct series *s)
{
    pl_buf_addf(out, PREFIX "%s%s", f->name, suffix);
    if (*s->labels)
        pl_buf_addf(out, "{%s}", s->labels);
}

static void add_bucket(struct pl_buf *out, const struct family *f, const struct series *s, const char *le, uint64_t n)
{
    pl_buf_addf(out, PREFIX "%s_bucket{%s%sle=\"%s\"} %llu\n", f->name, s->labels, *s->labels ? "," : "", le,
                (unsigned long long)n);
}

static void add_histogram(struct pl_buf *out, const struct family *f, const struct series *s)
{
    /* 2^5 .. 2^28 us as seconds: exact in decimal. */
    static const char *const le[] = { "3.2e-05",  "6.4e-05",   "0.000128",  "0.000256",  "0.000512",   "0.001024",
                                      "0.002048", "0.004096",  "0.008192",  "0.016384",  "0.032768",   "0.065536",
                                      "0.131072", "0.262144",  "0.524288",  "1.048576",  "2.097152",   "4.194304",
                                      "8.388608", "16.777216", "33.554432", "67.108864", "134.217728", "268.435456" };
    _Static_assert(PL_COUNT(le) == HISTOGRAM_SHOWN, "one text for each bucket shown");
    uint64_t counts[HISTOGRAM_SHOWN];
    uint64_t total = histogram_cumulative(s->histogram, counts);
    for (unsigned i = 0; i < HISTOGRAM_SHOWN; i++)
        add_bucket(out, f, s, le[i], counts[i]);
    add_bucket(out, f, s, "+Inf", total);
    uint64_t us = histogram_sum_us(s->histogram);
    add_name(out, f, "_sum", s);
    pl_buf_addf(out, " %llu.%06llu\n", (unsigned long long)(us / 1000000), (unsigned long long)(us % 1000000));
    add_name(out, f, "_count", s);
    pl_buf_addf(out, " %llu\n", (unsigned long long)total);
}

static void add_series(struct pl_buf *out, const struct family *f, struct series *s)
{
    if (f->type == METRICS_HISTOGRAM) {
        add_histogram(out, f, s);
        return;
    }
    add_name(out, f, "", s);
    if (f->type == METRICS_COUNTER)
        pl_buf_addf(out, " %llu\n", (unsigned long long)atomic_load_explicit(&s->counter.value, memory_order_relaxed));
    else
        pl_buf_addf(out, " %lld\n", (long long)atomic_load_explicit(&s->gauge.value, memory_order_relaxed));
}

static void add_family(struct pl_buf *out, const struct family *f)
{
    if (list_empty(&f->series))
        return;
    pl_buf_addf(out, "# HELP " PREFIX "%s ", f->name);
    add_help(out, f->help);
    pl_buf_addf(out, "\n# TYPE " PREFIX "%s %s\n", f->name, type_names[f->type]);
    list_each(it, &f->series) add_series(out, f, list_entry(it, struct series, link));
}

void metrics_expose(struct metrics *m, struct pl_buf *out)
{
    pthread_mutex_lock(&m->lock);
    list_each(it, &m->families) add_family(out, list_entry(it, struct family, link));
    pl_buf_addf(out,
                "# HELP " PREFIX "metrics_series_refused_total Registrations beyond the limit of %d series.\n"
                "# TYPE " PREFIX "metrics_series_refused_total counter\n" PREFIX "metrics_series_refused_total %llu\n",
                METRICS_MAX_SERIES, (unsigned long long)m->refused);
    pthread_mutex_unlock(&m->lock);
    if (m->process)
        process_expose(out);
}
