#include "output.h"

#include "base/mem.h"
#include "base/time.h"

#include <stdlib.h>
#include <string.h>

const char *const output_formats[] = { "table", "json", "yaml", "name", NULL };

enum output_format output_format_of(const char *text)
{
    for (int i = 0; output_formats[i]; i++) {
        if (!strcmp(output_formats[i], text))
            return (enum output_format)i;
    }
    return OUTPUT_TABLE;
}

void output_json(const json_t *value, FILE *out)
{
    json_dumpf(value, out, JSON_INDENT(2) | JSON_ENCODE_ANY | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(15));
    fputc('\n', out);
}

void output_value(const json_t *value, enum output_format format, FILE *out)
{
    if (format == OUTPUT_YAML)
        output_yaml(value, out);
    else
        output_json(value, out);
}

/* The two largest units that matter; the smaller one with two digits, so that columns line up. */
char *output_age(int64_t ms, char out[24])
{
    int64_t s = ms / 1000;
    if (ms < 1000)
        snprintf(out, 24, "%lldms", (long long)(ms < 0 ? 0 : ms));
    else if (s < 60)
        snprintf(out, 24, "%llds", (long long)s);
    else if (s < 3600)
        snprintf(out, 24, "%lldm%02llds", (long long)(s / 60), (long long)(s % 60));
    else if (s < 86400)
        snprintf(out, 24, "%lldh%02lldm", (long long)(s / 3600), (long long)(s / 60 % 60));
    else
        snprintf(out, 24, "%lldd%02lldh", (long long)(s / 86400), (long long)(s / 3600 % 24));
    return out;
}

char *output_micros(int64_t us, char out[24])
{
    if (us < 1000)
        snprintf(out, 24, "%lldus", (long long)us);
    else if (us < 1000000)
        snprintf(out, 24, "%.2fms", (double)us / 1e3);
    else
        snprintf(out, 24, "%.3fs", (double)us / 1e6);
    return out;
}

char *output_bytes(int64_t bytes, char out[24])
{
    static const char *const units[] = { "KiB", "MiB", "GiB", "TiB" };
    if (bytes < 1024) {
        snprintf(out, 24, "%lld B", (long long)bytes);
        return out;
    }
    double value = (double)bytes / 1024;
    size_t unit = 0;
    while (value >= 1024 && unit + 1 < sizeof(units) / sizeof(*units)) {
        value /= 1024;
        unit++;
    }
    snprintf(out, 24, "%.1f %s", value, units[unit]);
    return out;
}

char *output_since(int64_t unix_ms, char out[24])
{
    if (unix_ms == 0) {
        memcpy(out, "-", 2);
        return out;
    }
    return output_age(pl_wall_ms() - unix_ms, out);
}
