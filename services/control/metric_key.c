#include "metric_key.h"

#include "base/mem.h"
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAIR  '\x1f'
#define ENTRY '\x1e'

#define TRY(call)                                                                                                      \
    do {                                                                                                               \
        enum pl_code try_ = (call);                                                                                    \
        if (try_ != PL_OK)                                                                                             \
            return try_;                                                                                               \
    } while (0)
#define FIELD(out, ...) (snprintf((out), sizeof(out), __VA_ARGS__), (out))

/* ---- checks ---- */

static enum pl_code check_text(const struct limits *l, enum limit_id id, const char *field, const char *value,
                               struct pl_err *err)
{
    TRY(check_printable(l, id, field, value, err));
    if (*value == ':' || strspn(value, " ") == strlen(value))
        return pl_fail(err, PL_INVALID, field, "%s \"%.80s\" must not start with ':' or be blank", field, value);
    return PL_OK;
}

static enum pl_code check_namespace(const struct limits *l, const char *field, const char *value, struct pl_err *err)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_/#: ";
    TRY(check_text(l, LIMIT_metric_namespace, field, value, err));
    if (strspn(value, allowed) != strlen(value))
        return pl_fail(err, PL_INVALID, field,
                       "%s \"%.80s\" may have only letters, digits, spaces and . - _ / # :", field, value);
    return PL_OK;
}

static const char *dimension_name(const void *list, size_t i)
{
    return ((Pilotlight__V1__Dimension *const *)list)[i]->name;
}

enum pl_code metric_check_dimensions(const struct limits *l, const char *field,
                                     Pilotlight__V1__Dimension *const *dimensions, size_t count, struct pl_err *err)
{
    char at[96];
    TRY(check_count(l, LIMIT_dimensions, FIELD(at, "%s.dimensions", field), count, err));
    for (size_t i = 0; i < count; i++) {
        const Pilotlight__V1__Dimension *d = dimensions[i];
        TRY(check_text(l, LIMIT_dimension_name, FIELD(at, "%s.dimensions[%zu].name", field, i), d->name, err));
        TRY(check_printable(l, LIMIT_dimension_value, FIELD(at, "%s.dimensions[%zu].value", field, i), d->value, err));
    }
    return check_unique(FIELD(at, "%s.dimensions", field), dimension_name, dimensions, count, err);
}

enum pl_code metric_check(const struct limits *l, const char *field, const Pilotlight__V1__Metric *m,
                          struct pl_err *err)
{
    char at[96];
    if (!m)
        return pl_fail(err, PL_INVALID, field, "%s is missing: it must name a metric", field);
    TRY(check_namespace(l, FIELD(at, "%s.namespace", field), m->namespace_, err));
    TRY(check_text(l, LIMIT_metric_name, FIELD(at, "%s.name", field), m->name, err));
    return metric_check_dimensions(l, field, m->dimensions, m->n_dimensions, err);
}

/* ---- keys ---- */

static int by_name(const void *a, const void *b)
{
    const Pilotlight__V1__Dimension *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

char *metric_key(Pilotlight__V1__Dimension *const *dimensions, size_t count)
{
    pl_cleanup(pl_free_p) Pilotlight__V1__Dimension **sorted = pl_new0(count + 1, sizeof(*sorted));
    struct pl_buf key = PL_BUF_INIT(0);
    size_t len;
    for (size_t i = 0; i < count; i++)
        sorted[i] = dimensions[i];
    qsort(sorted, count, sizeof(*sorted), by_name);
    (void)pl_buf_adds(&key, "");
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            (void)pl_buf_addc(&key, ENTRY);
        (void)pl_buf_adds(&key, sorted[i]->name);
        (void)pl_buf_addc(&key, PAIR);
        (void)pl_buf_adds(&key, sorted[i]->value);
    }
    char *text = pl_buf_take(&key, &len);
    return text ? text : pl_strdup("");
}

char *metric_key_of_variant(const char *endpoint, const char *variant)
{
    return pl_format("EndpointName%c%s%cVariantName%c%s", PAIR, endpoint, ENTRY, PAIR, variant);
}

bool metric_key_next(char **at, char **out_name, char **out_value)
{
    char *name = *at, *value, *end;
    if (!name || !*name || !(value = strchr(name, PAIR)))
        return false;
    *value++ = '\0';
    end = strchr(value, ENTRY);
    if (end)
        *end++ = '\0';
    *at = end;
    *out_name = name;
    *out_value = value;
    return true;
}

Pilotlight__V1__Metric *metric_message(const char *name_space, const char *name, const char *key)
{
    Pilotlight__V1__Metric *m = PL_NEW(Pilotlight__V1__Metric);
    pl_cleanup(pl_free_p) char *copy = pl_strdup(key);
    char *at = copy, *dimension, *value;
    pilotlight__v1__metric__init(m);
    m->namespace_ = pl_strdup(name_space);
    m->name = pl_strdup(name);
    while (metric_key_next(&at, &dimension, &value)) {
        Pilotlight__V1__Dimension *d = PL_NEW(Pilotlight__V1__Dimension);
        pilotlight__v1__dimension__init(d);
        d->name = pl_strdup(dimension);
        d->value = pl_strdup(value);
        m->dimensions = pl_grow(m->dimensions, m->n_dimensions + 1, sizeof(*m->dimensions));
        m->dimensions[m->n_dimensions++] = d;
    }
    return m;
}

/* ---- units ---- */

/* CloudWatch's. The index is in the database. */
static const char *const units[] = {
    "None",
    "Count",
    "Percent",
    "Seconds",
    "Microseconds",
    "Milliseconds",
    "Bytes",
    "Kilobytes",
    "Megabytes",
    "Gigabytes",
    "Terabytes",
    "Bits",
    "Kilobits",
    "Megabits",
    "Gigabits",
    "Terabits",
    "Bytes/Second",
    "Kilobytes/Second",
    "Megabytes/Second",
    "Gigabytes/Second",
    "Terabytes/Second",
    "Bits/Second",
    "Kilobits/Second",
    "Megabits/Second",
    "Gigabits/Second",
    "Terabits/Second",
    "Count/Second",
};

int metric_unit(const char *name)
{
    if (!*name)
        return 0;
    for (size_t i = 0; i < PL_COUNT(units); i++)
        if (strcmp(units[i], name) == 0)
            return (int)i;
    return -1;
}

const char *metric_unit_name(int unit)
{
    return units[unit >= 0 && unit < (int)PL_COUNT(units) ? unit : 0];
}

enum pl_code metric_check_unit(const char *field, const char *name, struct pl_err *err)
{
    if (metric_unit(name) >= 0)
        return PL_OK;
    return pl_fail(
        err, PL_INVALID, field,
        "%s \"%.40s\" is no unit: it must be None, Count, Percent, Seconds, Milliseconds, Microseconds, Bits, "
        "Bytes and multiples of them (Kilo- to Tera-), each with or without /Second where that makes sense",
        field, name);
}
