#include "scaling_rule.h"

#include <math.h>

#define MOST 100000.0 /* far above what a variant may have; keeps the arithmetic tame */

struct span {
    bool all_above, all_below, known;
    double sum, max;
};

static void look(const struct scaling_input *in, size_t count, struct span *out)
{
    *out = (struct span){ .all_above = true, .all_below = true, .known = true };
    for (size_t i = SCALING_IN_MINUTES - count; i < SCALING_IN_MINUTES; i++) {
        const struct scaling_point *p = &in->minutes[i];
        double value = p->known ? p->value : 0;
        out->known &= p->known || in->gaps_are_zero;
        out->all_above &= value > in->target;
        out->all_below &= value < SCALING_IN_SHARE * in->target;
        out->sum += value;
        out->max = i == SCALING_IN_MINUTES - count ? value : fmax(out->max, value);
    }
}

static int32_t in_proportion(const struct scaling_input *in, double value)
{
    double wanted = ceil((in->capacity > 0 ? in->capacity : 1) * value / in->target - 1e-9);
    return (int32_t)fmin(fmax(wanted, 0), MOST);
}

int32_t scaling_wanted(const struct scaling_input *in, double *out_value)
{
    struct span out, back;
    int32_t wanted;
    look(in, SCALING_OUT_MINUTES, &out);
    look(in, SCALING_IN_MINUTES, &back);
    *out_value = out.sum / SCALING_OUT_MINUTES;
    if (out.known && out.all_above) {
        wanted = in_proportion(in, *out_value);
        return wanted > in->capacity ? wanted : in->capacity + 1;
    }
    if (!back.known || !back.all_below)
        return in->capacity;
    *out_value = back.max;
    wanted = in_proportion(in, back.max);
    return wanted < in->capacity ? wanted : in->capacity;
}
