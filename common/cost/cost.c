#include "cost/cost.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

__extension__ typedef __int128 wide;

void cost_rates_default(struct cost_rates *out)
{
    *out = (struct cost_rates){
        .currency = "USD",
        .gb = { .memory_mb = 1024, .request_nano = 20000 }, /* 0.0000200 a GB-second */
        .data_gb_nano = 16000000,                           /* 0.016 */
        .instance_name = "ml.m5.large",
        .instance_hour_nano = 134000000, /* 0.134 */
    };
}

static int64_t rounded(wide amount, wide per)
{
    wide r = (amount + per / 2) / per;
    return r > INT64_MAX ? INT64_MAX : (int64_t)r;
}

static int64_t in_proportion(int64_t nano, int32_t memory_mb)
{
    return rounded((wide)nano * memory_mb, 1024);
}

struct cost_rate cost_rate_of(const struct cost_rates *r, int32_t memory_mb)
{
    for (size_t i = 0; i < r->size_count; i++)
        if (r->sizes[i].memory_mb == memory_mb)
            return r->sizes[i];
    return (struct cost_rate){
        .memory_mb = memory_mb,
        .request_nano = in_proportion(r->gb.request_nano, memory_mb),
        .provisioned_request_nano = in_proportion(r->gb.provisioned_request_nano, memory_mb),
        .provisioned_nano = in_proportion(r->gb.provisioned_nano, memory_mb),
    };
}

int64_t cost_of(const struct cost_rates *r, const struct cost_usage *u)
{
    struct cost_rate rate = cost_rate_of(r, u->memory_mb);
    /* In billionths x milliseconds, so that nothing is rounded before the end. */
    wide time = (wide)(u->billed_ms - u->provisioned_billed_ms) * rate.request_nano +
                (wide)u->provisioned_billed_ms * rate.provisioned_request_nano +
                (wide)u->provisioned_ms * rate.provisioned_nano;
    wide data = (wide)u->bytes * r->data_gb_nano;
    const wide ms = 1000, gb = INT64_C(1) << 30;
    return rounded(time * gb + data * ms, ms * gb);
}

int64_t cost_instance(const struct cost_rates *r, int64_t seconds)
{
    return rounded((wide)r->instance_hour_nano * seconds, 3600);
}

bool cost_parse(const char *text, int64_t *out_nano)
{
    int64_t nano = 0;
    int behind = -1, digits = 0; /* -1: no point yet */
    for (const char *p = text; *p; p++) {
        if (*p == '.' && behind < 0) {
            behind = 0;
            continue;
        }
        if (*p < '0' || *p > '9' || behind == 9 || nano > (INT64_MAX - 9) / 10)
            return false;
        nano = nano * 10 + (*p - '0');
        digits++;
        behind += behind >= 0;
    }
    for (int i = behind < 0 ? 0 : behind; i < 9; i++) {
        if (nano > INT64_MAX / 10)
            return false;
        nano *= 10;
    }
    *out_nano = nano;
    return digits > 0;
}

char *cost_text(int64_t nano, int digits, char out[32])
{
    uint64_t size = nano < 0 ? -(uint64_t)nano : (uint64_t)nano, unit = 1;
    for (int i = digits; i < 9; i++)
        unit *= 10;
    uint64_t steps = size / unit + (size % unit >= (unit + 1) / 2 && unit > 1);
    uint64_t whole = steps / ((uint64_t)COST_NANO / unit), part = steps % ((uint64_t)COST_NANO / unit);
    int n = snprintf(out, 22, "%s%" PRIu64, nano < 0 && steps > 0 ? "-" : "", whole);
    if (digits > 0)
        out[n++] = '.';
    out[n + digits] = '\0';
    for (int i = digits; i-- > 0; part /= 10)
        out[n + i] = (char)('0' + part % 10);
    return out;
}
