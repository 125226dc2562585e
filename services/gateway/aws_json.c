#include "aws_json.h"

#include "base/text.h"
#include "base/time.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

/* ---- reading ---- */

/* jansson refuses by recursion only at 2048; bodies are refused before that costs anything. */
static bool is_too_deep(const char *text, size_t n)
{
    int depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < n; i++) {
        char c = text[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            if (++depth > AWS_JSON_DEPTH)
                return true;
        } else if (c == '}' || c == ']') {
            depth--;
        }
    }
    return false;
}

json_t *aws_json_read(const char *text, size_t n, struct arena *a, const char **out_why)
{
    json_error_t why;
    if (n == 0)
        return json_object();
    if (is_too_deep(text, n)) {
        *out_why = arena_format(a, "the body is nested deeper than %d", AWS_JSON_DEPTH);
        return NULL;
    }
    json_t *v = json_loadb(text, n, JSON_REJECT_DUPLICATES, &why);
    if (v && json_is_object(v))
        return v;
    if (v)
        *out_why = "the body is not a JSON object";
    else
        *out_why = arena_format(a, "the body is not JSON: line %d, column %d: %s", why.line, why.column, why.text);
    json_decref(v);
    return NULL;
}

/* ---- writing ---- */

static const char *content_type(const struct aws_call *c)
{
    return c->protocol == AWS_JSON_1_1   ? "application/x-amz-json-1.1"
           : c->protocol == AWS_JSON_1_0 ? "application/x-amz-json-1.0"
                                         : "application/json";
}

void aws_send_json(struct aws_call *c, int status, json_t *body)
{
    /* Sixteen digits: exact for epoch milliseconds, and no 0.30000000000000004. */
    char *text = json_dumps(body, JSON_COMPACT | JSON_REAL_PRECISION(16));
    json_decref(body);
    http_answer_take(c->http, status, content_type(c), text, text ? strlen(text) : 0);
}

/* ---- members ---- */

const char *aws_text(const json_t *object, const char *member)
{
    return json_string_value(json_object_get(object, member));
}

bool aws_number(const json_t *object, const char *member, double *out)
{
    const json_t *v = json_object_get(object, member);
    if (json_is_number(v)) {
        *out = json_number_value(v);
        return true;
    }
    const char *text = json_string_value(v);
    char *end;
    if (!text || !*text || strspn(text, " \t\n") > 0)
        return false;
    double d = strtod(text, &end);
    if (*end || !isfinite(d))
        return false;
    *out = d;
    return true;
}

bool aws_integer(const json_t *object, const char *member, int64_t *out)
{
    const json_t *v = json_object_get(object, member);
    if (json_is_integer(v)) {
        *out = json_integer_value(v);
        return true;
    }
    if (json_is_real(v)) { /* 10.0 */
        double d = json_real_value(v);
        if (d != floor(d) || fabs(d) > 9e15)
            return false;
        *out = (int64_t)d;
        return true;
    }
    const char *text = json_string_value(v);
    return text && pl_parse_i64(text, INT64_MIN, INT64_MAX, out);
}

bool aws_bool(const json_t *object, const char *member, bool fallback)
{
    const json_t *v = json_object_get(object, member);
    const char *text = json_string_value(v);
    if (json_is_boolean(v))
        return json_is_true(v);
    if (!text)
        return fallback;
    return strcasecmp(text, "true") == 0 ? true : strcasecmp(text, "false") == 0 ? false : fallback;
}

/* ---- time ---- */

json_t *aws_time(const struct aws_call *c, int64_t unix_ms)
{
    char text[25];
    if (c->protocol == AWS_QUERY || c->protocol == AWS_REST_XML)
        return json_string(pl_wall_text(unix_ms, text));
    return unix_ms % 1000 == 0 ? json_integer(unix_ms / 1000) : json_real((double)unix_ms / 1000);
}

/* "2026-02-11T00:00:00Z", with a fraction, with "+01:00", or without any zone (then UTC). */
static bool read_iso(const char *text, int64_t *out_ms)
{
    struct tm tm = { 0 };
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
    if (!rest && (rest = strptime(text, "%Y-%m-%d", &tm)) && *rest)
        return false;
    if (!rest)
        return false;
    double fraction = 0;
    int hours, minutes;
    char sign;
    if (*rest == '.') {
        double place = 0.1;
        for (rest++; *rest >= '0' && *rest <= '9'; rest++, place /= 10)
            fraction += place * (*rest - '0');
    }
    int64_t offset_s = 0;
    if (*rest == 'Z' || *rest == 'z') {
        rest++;
    } else if (sscanf(rest, "%c%2d:%2d", &sign, &hours, &minutes) == 3 && (sign == '+' || sign == '-') &&
               strlen(rest) == 6) {
        offset_s = (sign == '+' ? 1 : -1) * (hours * 3600 + minutes * 60);
        rest += 6;
    }
    if (*rest)
        return false;
    *out_ms = ((int64_t)timegm(&tm) - offset_s) * 1000 + (int64_t)(fraction * 1000 + 0.5);
    return true;
}

bool aws_read_time(const json_t *v, int64_t *out_ms)
{
    const char *text = json_string_value(v);
    double seconds = json_number_value(v);
    if (text) {
        char *end;
        if (read_iso(text, out_ms))
            return true;
        seconds = strtod(text, &end);
        if (!*text || *end)
            return false;
    } else if (!json_is_number(v)) {
        return false;
    }
    if (!(fabs(seconds) < 1e13))
        return false;
    *out_ms = (int64_t)floor(seconds * 1000 + 0.5);
    return true;
}
