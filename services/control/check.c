#include "check.h"

#include "base/mem.h"

#include <ctype.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <wctype.h>

/* Values in messages are cut here: a sentence should stay readable. */
#define SHOWN "%.80s"

static enum pl_code out_of_range(const struct limit *row, const char *field, const char *what, int64_t value,
                                 struct pl_err *err)
{
    if (row->step > 1)
        return pl_fail(err, PL_INVALID, field, "%s%s is %lld: it must be %lld to %lld %s in steps of %lld", field, what,
                       (long long)value, (long long)row->min, (long long)row->max, row->unit, (long long)row->step);
    return pl_fail(err, PL_INVALID, field, "%s%s is %lld: it must be %lld to %lld %s", field, what, (long long)value,
                   (long long)row->min, (long long)row->max, row->unit);
}

enum pl_code check_number(const struct limits *l, enum limit_id id, const char *field, int64_t value,
                          struct pl_err *err)
{
    const struct limit *row = &l->row[id];
    if (value < row->min || value > row->max || (value - row->min) % row->step != 0)
        return out_of_range(row, field, "", value, err);
    return PL_OK;
}

enum pl_code check_count(const struct limits *l, enum limit_id id, const char *field, size_t count, struct pl_err *err)
{
    const struct limit *row = &l->row[id];
    if ((int64_t)count < row->min || (int64_t)count > row->max)
        return pl_fail(err, PL_INVALID, field, "%s has %zu: it must have %lld to %lld %s", field, count,
                       (long long)row->min, (long long)row->max, row->unit);
    return PL_OK;
}

static size_t code_points(const char *s)
{
    size_t n = 0;
    for (; *s; s++)
        n += ((unsigned char)*s & 0xC0) != 0x80;
    return n;
}

enum pl_code check_length(const struct limits *l, enum limit_id id, const char *field, const char *value,
                          struct pl_err *err)
{
    const struct limit *row = &l->row[id];
    size_t n = strcmp(row->unit, "characters") == 0 ? code_points(value) : strlen(value);
    if (n == 0 && row->min > 0)
        return pl_fail(err, PL_INVALID, field, "%s is empty: it must have %lld to %lld %s", field, (long long)row->min,
                       (long long)row->max, row->unit);
    if ((int64_t)n < row->min || (int64_t)n > row->max)
        return pl_fail(err, PL_INVALID, field, "%s \"" SHOWN "%s\" has %zu %s: it must have %lld to %lld", field, value,
                       strlen(value) > 80 ? "..." : "", n, row->unit, (long long)row->min, (long long)row->max);
    return PL_OK;
}

static bool ascii_alnum(char c)
{
    return isalnum((unsigned char)c) && !((unsigned char)c & 0x80);
}

enum pl_code check_name(const struct limits *l, enum limit_id id, const char *field, const char *value,
                        struct pl_err *err)
{
    if (check_length(l, id, field, value, err) != PL_OK)
        return err->code;
    size_t n = strlen(value);
    bool good = ascii_alnum(value[0]) && ascii_alnum(value[n - 1]);
    for (size_t i = 0; good && i < n; i++)
        good = ascii_alnum(value[i]) || value[i] == '-';
    if (!good)
        return pl_fail(err, PL_INVALID, field, "%s \"" SHOWN "\" may have only letters, digits and inner hyphens",
                       field, value);
    return PL_OK;
}

/* One code point of valid UTF-8; '*s' moves behind it. */
static wint_t next_code_point(const char **s)
{
    unsigned char c = (unsigned char)*(*s)++;
    int more = c >= 0xF0 ? 3 : c >= 0xE0 ? 2 : c >= 0xC0 ? 1 : 0;
    wint_t cp = more == 3 ? c & 0x07 : more == 2 ? c & 0x0F : more == 1 ? c & 0x1F : c;
    for (; more > 0 && **s; more--)
        cp = cp << 6 | ((unsigned char)*(*s)++ & 0x3F);
    return cp;
}

/* Character classes of Unicode, whatever the environment says; made once and kept. */
static locale_t unicode(void)
{
    static locale_t made;
    if (!made)
        made = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    if (!made)
        pl_die("the C library has no locale C.UTF-8");
    return made;
}

enum pl_code check_tag_text(const struct limits *l, enum limit_id id, const char *field, const char *value,
                            struct pl_err *err)
{
    if (check_length(l, id, field, value, err) != PL_OK)
        return err->code;
    for (const char *p = value; *p;) {
        wint_t cp = next_code_point(&p);
        bool good = cp < 0x80 ? ascii_alnum((char)cp) || strchr(" _.:/=+-@", (int)cp)
                              : iswalnum_l(cp, unicode()) || iswspace_l(cp, unicode());
        if (!good)
            return pl_fail(err, PL_INVALID, field,
                           "%s \"" SHOWN "\" may have only letters, digits, spaces and _ . : / = + - @", field, value);
    }
    return PL_OK;
}

enum pl_code check_identifier(const struct limits *l, enum limit_id id, const char *field, const char *value,
                              struct pl_err *err)
{
    if (check_length(l, id, field, value, err) != PL_OK)
        return err->code;
    bool good = !isdigit((unsigned char)value[0]);
    for (const char *p = value; good && *p; p++)
        good = ascii_alnum(*p) || *p == '_';
    if (!good)
        return pl_fail(err, PL_INVALID, field,
                       "%s \"" SHOWN "\" may have only letters, digits and underscores, and no digit first", field,
                       value);
    return PL_OK;
}

enum pl_code check_printable(const struct limits *l, enum limit_id id, const char *field, const char *value,
                             struct pl_err *err)
{
    if (check_length(l, id, field, value, err) != PL_OK)
        return err->code;
    for (const char *p = value; *p; p++)
        if (*p < 0x20 || *p > 0x7e)
            return pl_fail(err, PL_INVALID, field, "%s \"" SHOWN "\" may have only printable ASCII characters", field,
                           value);
    return PL_OK;
}

enum pl_code check_sha256(const char *field, const char *value, struct pl_err *err)
{
    size_t n = strlen(value);
    if (n == 0)
        return PL_OK;
    if (n != 64 || strspn(value, "0123456789abcdef") != n)
        return pl_fail(err, PL_INVALID, field, "%s \"" SHOWN "\" is no SHA-256: it must have 64 lower-case hex digits",
                       field, value);
    return PL_OK;
}

/* "..", a part of a path that climbs. */
static bool climbs(const char *path)
{
    for (const char *p = path; (p = strstr(p, "/..")); p += 3)
        if (p[3] == '\0' || p[3] == '/')
            return true;
    return false;
}

static bool host_and_path(const char *rest, const char *host_set)
{
    const char *slash = strchr(rest, '/');
    return slash && slash > rest && slash[1] != '\0' && strspn(rest, host_set) == (size_t)(slash - rest);
}

#define ALNUM "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

enum pl_code check_artifact_uri(const struct limits *l, const char *field, const char *value, struct pl_err *err)
{
    if (check_length(l, LIMIT_artifact_uri, field, value, err) != PL_OK)
        return err->code;
    for (const char *p = value; *p; p++)
        if ((unsigned char)*p <= 0x20 || *p == 0x7f)
            return pl_fail(err, PL_INVALID, field, "%s \"" SHOWN "\" must have no spaces or control characters", field,
                           value);
    bool good = false;
    if (strncmp(value, "file://", 7) == 0)
        good = value[7] == '/' && value[8] != '\0' && !climbs(value + 7);
    else if (strncmp(value, "s3://", 5) == 0)
        good = host_and_path(value + 5, ALNUM ".-");
    else if (strncmp(value, "https://", 8) == 0)
        good = host_and_path(value + 8, ALNUM ".-:[]"); /* no user:password@, which would be a secret in the open */
    else if (strncmp(value, "http://", 7) == 0)
        good = host_and_path(value + 7, ALNUM ".-:[]"); /* whether it is fetched is for each worker host's allow_http */
    if (!good)
        return pl_fail(err, PL_INVALID, field,
                       "%s \"" SHOWN "\" must be file:///path (without ..), https://host/path or s3://bucket/key",
                       field, value);
    return PL_OK;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

enum pl_code check_unique(const char *field, const char *(*at)(const void *list, size_t i), const void *list,
                          size_t count, struct pl_err *err)
{
    if (count < 2)
        return PL_OK;
    pl_cleanup(pl_free_p) const char **sorted = pl_new0(count, sizeof(*sorted));
    for (size_t i = 0; i < count; i++)
        sorted[i] = at(list, i);
    qsort(sorted, count, sizeof(*sorted), by_text);
    for (size_t i = 1; i < count; i++)
        if (strcmp(sorted[i - 1], sorted[i]) == 0)
            return pl_fail(err, PL_INVALID, field, "%s has \"" SHOWN "\" more than once: it must be unique", field,
                           sorted[i]);
    return PL_OK;
}
