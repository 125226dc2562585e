#include "options.h"

#include "base/mem.h"
#include "base/text.h"
#include "base/time.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PRICE_MAX 1e9

/* What a request that waits is worth, in GB.s of idle memory. */
static const struct {
    const char *name;
    double price;
} prices[] = { { "cost", 1500 }, { "balanced", 5000 }, { "latency", 15000 } };

static const char default_keep_alives[] = "0s,1m,5m,10m,20m,1h,4h";

void options_help(FILE *out)
{
    fprintf(
        out,
        "Usage: pilotlight-replay [OPTIONS] TRACE\n"
        "\n"
        "Lets the router's own decisions run over recorded calls, once for each keep-alive time, and says what each\n"
        "would have cost in memory and in waiting.\n"
        "\n"
        "TRACE is NAME, for NAME.endpoints.csv and NAME.trace.csv. Both begin with a comment that says horizon_ms=N,\n"
        "the end of the record, and a line with the names of the fields:\n"
        "\n"
        "  NAME.endpoints.csv   endpoint,memory_mb,init_ms,max_concurrency,kind\n"
        "  NAME.trace.csv       t_ms,endpoint,count,span_ms,duration_ms      sorted by t_ms; request k of count\n"
        "                       arrives at t_ms + floor(k * span_ms / count)\n"
        "\n"
        "Options:\n"
        "  --keep-alive LIST    times to compare, with commas between them, at most %d of 0s to 7d\n"
        "                       (%s)\n"
        "  --price PRICE        what it is worth that one request does not wait, in GB.s of idle memory: a number, or\n"
        "                       cost (1500), balanced (5000), latency (15000); the cheapest time is found with it\n"
        "                       (balanced)\n"
        "  --by-endpoint        also the cheapest time of each endpoint\n"
        "  -o, --output FORMAT  table or json (table)\n"
        "  -h, --help           this text\n"
        "  --version            the version\n"
        "\n"
        "Exit codes: 0 done, 1 the trace cannot be read or is wrong, 2 wrong usage.\n",
        OPTIONS_KEEP_ALIVES_MAX, default_keep_alives);
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static enum pl_code parse_keep_alives(struct options *o, const char *text, struct pl_err *err)
{
    pl_cleanup(pl_free_p) char *copy = pl_strdup(text);
    char *rest = copy, *word;

    o->keep_alive_count = 0;
    while ((word = strsep(&rest, ","))) {
        int64_t ms;

        if (!pl_duration_parse(word, &ms) || ms > OPTIONS_KEEP_ALIVE_MAX)
            return pl_fail(err, PL_INVALID, "--keep-alive",
                           "--keep-alive: '%s' is no time of 0s to 7d, like 90s or 10m", word);
        if (o->keep_alive_count == OPTIONS_KEEP_ALIVES_MAX)
            return pl_fail(err, PL_INVALID, "--keep-alive", "--keep-alive: more than %d times",
                           OPTIONS_KEEP_ALIVES_MAX);
        o->keep_alives_ms[o->keep_alive_count++] = ms;
    }
    qsort(o->keep_alives_ms, o->keep_alive_count, sizeof(*o->keep_alives_ms), compare);
    for (size_t i = 1; i < o->keep_alive_count; i++) {
        char shown[24];

        if (o->keep_alives_ms[i] == o->keep_alives_ms[i - 1])
            return pl_fail(err, PL_INVALID, "--keep-alive", "--keep-alive: %s is there twice",
                           pl_duration_text(o->keep_alives_ms[i], shown));
    }
    return PL_OK;
}

static enum pl_code parse_price(struct options *o, const char *text, struct pl_err *err)
{
    char *end;

    for (size_t i = 0; i < PL_COUNT(prices); i++) {
        if (strcmp(text, prices[i].name) == 0) {
            o->price = prices[i].price;
            return PL_OK;
        }
    }
    o->price = strtod(text, &end);
    if (end == text || *end || !isfinite(o->price) || o->price < 0 || o->price > PRICE_MAX)
        return pl_fail(err, PL_INVALID, "--price", "--price: '%s' is neither cost, balanced, latency nor 0 to %.0f",
                       text, PRICE_MAX);
    return PL_OK;
}

static enum pl_code parse_output(struct options *o, const char *text, struct pl_err *err)
{
    o->json = strcmp(text, "json") == 0;
    if (!o->json && strcmp(text, "table") != 0)
        return pl_fail(err, PL_INVALID, "--output", "--output: '%s' is neither table nor json", text);
    return PL_OK;
}

typedef enum pl_code parse_fn(struct options *o, const char *text, struct pl_err *err);

/* Either a switch, or with a value that is parsed. */
static const struct option {
    const char *name, *letter;
    size_t flag;
    parse_fn *parse;
} known[] = {
    { "--keep-alive", NULL, 0, parse_keep_alives },
    { "--price", NULL, 0, parse_price },
    { "--by-endpoint", NULL, offsetof(struct options, by_endpoint), NULL },
    { "--output", "-o", 0, parse_output },
    { "--help", "-h", offsetof(struct options, help), NULL },
    { "--version", NULL, offsetof(struct options, version), NULL },
};

/* "--name", "--name=value" or "-o". */
static const struct option *find(const char *word, size_t len)
{
    for (size_t i = 0; i < PL_COUNT(known); i++) {
        const struct option *k = &known[i];

        if ((strlen(k->name) == len && memcmp(word, k->name, len) == 0) || (k->letter && strcmp(word, k->letter) == 0))
            return k;
    }
    return NULL;
}

static enum pl_code unknown(const char *word, struct pl_err *err)
{
    const char *names[PL_COUNT(known)], *near;

    for (size_t i = 0; i < PL_COUNT(known); i++)
        names[i] = known[i].name;
    near = pl_nearest(word, names, PL_COUNT(names));
    return pl_fail(err, PL_INVALID, word, "unknown option '%s'%s%s%s", word, near ? "; did you mean '" : "",
                   near ? near : "", near ? "'?" : "");
}

static enum pl_code parse_option(struct options *o, int argc, char **argv, int *at, struct pl_err *err)
{
    const char *word = argv[*at], *value = strchr(word, '=');
    const struct option *k = find(word, value ? (size_t)(value - word) : strlen(word));

    if (!k)
        return unknown(word, err);
    if (!k->parse) {
        if (value)
            return pl_fail(err, PL_INVALID, k->name, "%s takes no value", k->name);
        *(bool *)((char *)o + k->flag) = true;
        return PL_OK;
    }
    if (!value && *at + 1 >= argc)
        return pl_fail(err, PL_INVALID, k->name, "%s needs a value", k->name);
    return k->parse(o, value ? value + 1 : argv[++*at], err);
}

enum pl_code options_parse(struct options *out, int argc, char **argv, struct pl_err *err)
{
    struct options o = { .price = 5000 };

    if (parse_keep_alives(&o, default_keep_alives, err) != PL_OK)
        return err->code;
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] == '-' && argv[i][1]) {
            if (parse_option(&o, argc, argv, &i, err) != PL_OK)
                return err->code;
        } else if (o.trace) {
            return pl_fail(err, PL_INVALID, NULL, "one trace at a time: '%s' and '%s' are two", o.trace, argv[i]);
        } else {
            o.trace = argv[i];
        }
    }
    if (!o.trace && !o.help && !o.version)
        return pl_fail(err, PL_INVALID, NULL, "which trace? Give the NAME of NAME.trace.csv and NAME.endpoints.csv");
    *out = o;
    return PL_OK;
}
