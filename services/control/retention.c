#include "retention.h"

#define HOUR_S ((int64_t)3600)
#define DAY_S  ((int64_t)86400)

const struct retention_class retention_classes[] = {
    { 1, 3 * HOUR_S },
    { 60, 15 * DAY_S },
    { 300, 63 * DAY_S },
    { 3600, RETENTION_LONGEST_S },
};

int64_t retention_floor(int64_t s, int64_t step)
{
    int64_t over = s % step;
    return s - (over < 0 ? over + step : over);
}

const struct retention_class *retention_class_of(int64_t at_s, int32_t resolution_s, int64_t now_s)
{
    for (size_t i = 0; i < RETENTION_CLASSES; i++) {
        const struct retention_class *c = &retention_classes[i];
        if (c->resolution_s >= resolution_s && retention_floor(at_s, c->resolution_s) >= retention_due_before(i, now_s))
            return c;
    }
    return NULL;
}

int64_t retention_due_before(size_t i, int64_t now_s)
{
    int64_t next = i + 1 < RETENTION_CLASSES ? retention_classes[i + 1].resolution_s : HOUR_S;
    return retention_floor(now_s - retention_classes[i].keep_s, next);
}

/* The finest class whose rows still hold that moment. */
static size_t class_at(int64_t start_s, int64_t now_s)
{
    for (size_t i = 0; i < RETENTION_CLASSES; i++)
        if (now_s - start_s <= retention_classes[i].keep_s)
            return i;
    return RETENTION_CLASSES - 1;
}

int64_t retention_query_start(int64_t start_ms, int32_t period_s, int64_t now_s)
{
    int64_t start_s = retention_floor(start_ms, 1000) / 1000;
    size_t c = class_at(start_s, now_s);
    int64_t step = c < 1 ? 60 : retention_classes[c].resolution_s;
    return retention_floor(start_s, period_s < step && period_s < 60 ? period_s : step);
}

bool retention_period_valid(int64_t period_s)
{
    return period_s == 1 || period_s == 5 || period_s == 10 || period_s == 20 || period_s == 30 ||
           (period_s >= 60 && period_s <= 365 * DAY_S && period_s % 60 == 0);
}

bool retention_has_data(int64_t start_s, int32_t period_s, int64_t now_s)
{
    size_t c = class_at(start_s, now_s);
    return period_s % retention_classes[c].resolution_s == 0;
}
