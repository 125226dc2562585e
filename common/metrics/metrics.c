#include "private.h"

#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct metrics *metrics_new(void)
{
    struct metrics *m = PL_NEW(struct metrics);
    pthread_mutex_init(&m->lock, NULL);
    list_init(&m->families);
    m->spare_histogram = histogram_new();
    return m;
}

static void series_free(struct metrics *m, struct family *f, struct series *s)
{
    HASH_DEL(f->by_labels, s);
    list_remove(&s->link);
    m->series_count--;
    if (f->type == METRICS_HISTOGRAM)
        free(s->histogram);
    free(s->labels);
    free(s);
}

static void family_free(struct metrics *m, struct family *f)
{
    list_each_safe(it, &f->series) series_free(m, f, list_entry(it, struct series, link));
    HASH_DEL(m->by_name, f);
    free(f->name);
    free(f->help);
    free(f);
}

void metrics_free(struct metrics *m)
{
    if (!m)
        return;
    list_each_safe(it, &m->families) family_free(m, list_entry(it, struct family, link));
    free(m->spare_histogram);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

static struct family *get_family(struct metrics *m, enum metrics_type type, const char *name, const char *help)
{
    struct family *f;
    HASH_FIND_STR(m->by_name, name, f);
    if (f) {
        assert(f->type == type); /* one name, one type */
        return f;
    }
    f = PL_NEW(struct family);
    f->name = pl_strdup(name);
    f->help = pl_strdup(help ? help : "");
    f->type = type;
    list_init(&f->series);
    list_push_back(&m->families, &f->link);
    HASH_ADD_KEYPTR(hh, m->by_name, f->name, strlen(f->name), f);
    return f;
}

/* NULL beyond the limit. */
static struct series *get_series(struct metrics *m, enum metrics_type type, const char *name, const char *labels,
                                 const char *help)
{
    struct family *f = get_family(m, type, name, help);
    struct series *s;
    labels = labels ? labels : "";
    HASH_FIND_STR(f->by_labels, labels, s);
    if (s)
        return s;
    if (m->series_count >= METRICS_MAX_SERIES) {
        m->refused++;
        return NULL;
    }
    s = PL_NEW(struct series);
    s->labels = pl_strdup(labels);
    if (type == METRICS_HISTOGRAM)
        s->histogram = histogram_new();
    list_push_back(&f->series, &s->link);
    HASH_ADD_KEYPTR(hh, f->by_labels, s->labels, strlen(s->labels), s);
    m->series_count++;
    return s;
}

struct metrics_counter *metrics_counter(struct metrics *m, const char *name, const char *labels, const char *help)
{
    pthread_mutex_lock(&m->lock);
    struct series *s = get_series(m, METRICS_COUNTER, name, labels, help);
    pthread_mutex_unlock(&m->lock);
    return s ? &s->counter : &m->spare_counter;
}

struct metrics_gauge *metrics_gauge(struct metrics *m, const char *name, const char *labels, const char *help)
{
    pthread_mutex_lock(&m->lock);
    struct series *s = get_series(m, METRICS_GAUGE, name, labels, help);
    pthread_mutex_unlock(&m->lock);
    return s ? &s->gauge : &m->spare_gauge;
}

struct metrics_histogram *metrics_histogram(struct metrics *m, const char *name, const char *labels, const char *help)
{
    pthread_mutex_lock(&m->lock);
    struct series *s = get_series(m, METRICS_HISTOGRAM, name, labels, help);
    pthread_mutex_unlock(&m->lock);
    return s ? s->histogram : m->spare_histogram;
}

void metrics_drop(struct metrics *m, const char *label)
{
    pthread_mutex_lock(&m->lock);
    list_each(it, &m->families)
    {
        struct family *f = list_entry(it, struct family, link);
        list_each_safe(at, &f->series)
        {
            struct series *s = list_entry(at, struct series, link);
            if (labels_hold(s->labels, label))
                series_free(m, f, s);
        }
    }
    pthread_mutex_unlock(&m->lock);
}

void metrics_add_process(struct metrics *m)
{
    m->process = true;
}
