/* pilotlight cost estimate: what a month would cost, before there is anything. */
#include "command.h"

#include "base/mem.h"
#include "base/text.h"
#include "bill.h"
#include "client.h"
#include "message.h"
#include "output.h"

#include <string.h>

#define MONTH_S       (INT64_C(30) * 86400)
#define RATES_CALL_MS 2000

/* Control's prices when it can be asked; else the ones that come with the program. */
static enum pl_code read_rates(struct client *c, struct cost_rates *out, bool *out_own, struct pl_err *err)
{
    static const Pilotlight__V1__GetRatesRequest request = PILOTLIGHT__V1__GET_RATES_REQUEST__INIT;
    pl_cleanup(message_free_p) ProtobufCMessage *m = NULL;
    enum pl_code code = client_call(c, CLIENT_CONTROL, "/pilotlight.v1.UsageService/GetRates", &request.base,
                                    &pilotlight__v1__get_rates_response__descriptor, RATES_CALL_MS, &m, err);
    *out_own = code != PL_OK;
    if (code == PL_OK)
        bill_rates(((const Pilotlight__V1__GetRatesResponse *)(const void *)m)->rates, out);
    else
        cost_rates_default(out);
    return code == PL_UNAVAILABLE || code == PL_DEADLINE || code == PL_UNIMPLEMENTED ? PL_OK : code;
}

struct plan {
    int64_t requests, duration_ms, memory_mb, provisioned;
    uint64_t bytes; /* of a request and its answer */
};

struct estimate {
    int64_t requests_nano, data_nano, provisioned_nano, serverless_nano, persistent_nano;
};

static int64_t part(const struct cost_rates *r, const struct plan *p, int64_t billed_ms, int64_t provisioned_ms,
                    int64_t bytes)
{
    const struct cost_usage u = {
        .memory_mb = (int32_t)p->memory_mb, .billed_ms = billed_ms, .provisioned_ms = provisioned_ms, .bytes = bytes
    };
    return cost_of(r, &u);
}

/* Both are 0 or more. What would be more than can be said stays at INT64_MAX. */
static int64_t times(int64_t a, int64_t b)
{
    int64_t product;
    return __builtin_mul_overflow(a, b, &product) ? INT64_MAX : product;
}

static int64_t plus(int64_t a, int64_t b)
{
    int64_t sum;
    return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

static void estimate(const struct cost_rates *r, const struct plan *p, struct estimate *out)
{
    out->requests_nano = part(r, p, times(p->requests, p->duration_ms), 0, 0);
    out->provisioned_nano = part(r, p, 0, times(p->provisioned, MONTH_S * 1000), 0);
    out->data_nano = part(r, p, 0, 0, times((int64_t)p->bytes, p->requests));
    out->serverless_nano = plus(plus(out->requests_nano, out->provisioned_nano), out->data_nano);
    out->persistent_nano = cost_instance(r, MONTH_S);
}

static void print_table(const struct cost_rates *r, const struct plan *p, const struct estimate *e)
{
    char a[32], hour[32], gb[32];
    printf("serverless  %10s %s a month\n", cost_text(e->serverless_nano, 2, a), r->currency);
    printf("  requests  %10s  %lld x %lld ms with %lld MB, %s %s a GB-second\n", cost_text(e->requests_nano, 2, a),
           (long long)p->requests, (long long)p->duration_ms, (long long)p->memory_mb,
           cost_text(r->gb.request_nano, 7, gb), r->currency);
    if (p->bytes > 0)
        printf("  data      %10s  %llu bytes a request\n", cost_text(e->data_nano, 2, a), (unsigned long long)p->bytes);
    if (p->provisioned > 0)
        printf("  provisioned %8s  %lld all month%s\n", cost_text(e->provisioned_nano, 2, a), (long long)p->provisioned,
               cost_rate_of(r, (int32_t)p->memory_mb).provisioned_nano ? "" : "; no price is set for it");
    printf("persistent  %10s %s a month  one %s, %s %s an hour\n", cost_text(e->persistent_nano, 2, a), r->currency,
           r->instance_name, cost_text(r->instance_hour_nano, 3, hour), r->currency);
    printf("saving      %10s %s a month\n", cost_text(e->persistent_nano - e->serverless_nano, 2, a), r->currency);
}

static void print_value(const struct cost_rates *r, const struct estimate *e, bool own, enum output_format format)
{
    json_t *o =
        json_pack("{s:s, s:I, s:I, s:I, s:I, s:s, s:I, s:I, s:s}", "currency", r->currency, "requests_nano",
                  (json_int_t)e->requests_nano, "data_nano", (json_int_t)e->data_nano, "provisioned_nano",
                  (json_int_t)e->provisioned_nano, "serverless_nano", (json_int_t)e->serverless_nano, "instance",
                  r->instance_name, "persistent_nano", (json_int_t)e->persistent_nano, "saving_nano",
                  (json_int_t)(e->persistent_nano - e->serverless_nano), "rates", own ? "default" : "control");
    output_value(o, format, stdout);
    json_decref(o);
}

enum ctl_exit cmd_cost_estimate(const struct args *a)
{
    struct plan p = {
        .requests = args_number(a, "requests"),
        .duration_ms = args_number(a, "duration"),
        .memory_mb = args_number(a, "memory"),
        .provisioned = args_number(a, "provisioned"),
    };
    enum output_format format = output_format_of(args_text(a, "output"));
    const char *bytes = args_text(a, "bytes");
    struct cost_rates rates;
    struct estimate e;
    struct pl_err err;
    bool own;
    if (!args_given(a, "requests") || !args_given(a, "duration")) {
        fprintf(stderr, "pilotlight cost estimate: --requests and --duration are needed (try --help)\n");
        return EXIT_USAGE;
    }
    if (bytes && (!pl_parse_bytes(bytes, &p.bytes) || p.bytes > (1 << 30))) {
        fprintf(stderr, "pilotlight cost estimate: --bytes '%s' must be like 600, 4KiB or 1MiB, at most 1GiB\n", bytes);
        return EXIT_USAGE;
    }
    pl_cleanup(client_free_p) struct client *c = client_open(a);
    if (!c)
        return EXIT_USAGE;
    if (read_rates(c, &rates, &own, &err) != PL_OK)
        return exit_report(stderr, &err);
    estimate(&rates, &p, &e);
    if (format != OUTPUT_TABLE && format != OUTPUT_NAME) {
        print_value(&rates, &e, own, format);
        return EXIT_OK;
    }
    print_table(&rates, &p, &e);
    if (own)
        fprintf(stderr, "(control cannot be reached: prices are the default ones)\n");
    return EXIT_OK;
}
