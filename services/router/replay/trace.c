#include "trace.h"

#include "base/mem.h"
#include "base/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define FIELDS   5
#define LINE_MAX 512

/* A field's name, and its limits if it is a number. */
struct field {
    const char *name;
    int64_t min, max;
};

static const struct field endpoint_fields[FIELDS] = {
    { "endpoint", 0, 0 }, { "memory_mb", 1, 1 << 20 }, { "init_ms", 0, 180000 }, { "max_concurrency", 1, 200 },
    { "kind", 0, 0 },
};

static const struct field row_fields[FIELDS] = {
    { "t_ms", 0, TRACE_TIME_MAX_MS },    { "endpoint", 0, 0 },           { "count", 1, 100000000 },
    { "span_ms", 0, TRACE_TIME_MAX_MS }, { "duration_ms", 0, 86400000 },
};

/* A line that was read: where it stands, and its words. */
struct line {
    const char *file;
    size_t number;
    char text[LINE_MAX];
    char *words[FIELDS];
    int64_t numbers[FIELDS]; /* of the fields that are numbers */
};

static enum pl_code wrong(const struct line *l, const char *field, struct pl_err *err, const char *what)
{
    return pl_fail(err, PL_INVALID, field, "%s:%zu: %s", l->file, l->number, what);
}

/* The next line without its end; 0: there is none, -1: see err. */
static int next(struct line *l, FILE *in, struct pl_err *err)
{
    size_t n;

    if (!fgets(l->text, sizeof(l->text), in)) {
        if (!ferror(in))
            return 0;
        (void)pl_fail(err, PL_UNKNOWN, NULL, "%s: cannot be read: %s", l->file, strerror(errno));
        return -1;
    }
    l->number++;
    n = strlen(l->text);
    if (n > 0 && l->text[n - 1] == '\n') {
        l->text[n - 1] = '\0';
    } else if (!feof(in)) {
        (void)wrong(l, NULL, err, "a NUL byte, or a line of more than 510 bytes");
        return -1;
    }
    return 1;
}

static enum pl_code split(struct line *l, const struct field *fields, struct pl_err *err)
{
    char *rest = l->text, *word;
    size_t n = 0;

    while ((word = strsep(&rest, ","))) {
        if (n == FIELDS)
            return wrong(l, NULL, err, "more than 5 fields");
        l->words[n++] = word;
    }
    if (n < FIELDS)
        return wrong(l, fields[n].name, err, "fewer than 5 fields");
    return PL_OK;
}

static enum pl_code parse(struct line *l, const struct field *fields, struct pl_err *err)
{
    if (split(l, fields, err) != PL_OK)
        return err->code;
    for (size_t i = 0; i < FIELDS; i++) {
        const struct field *f = &fields[i];

        if (f->max > 0 && !pl_parse_i64(l->words[i], f->min, f->max, &l->numbers[i]))
            return pl_fail(err, PL_INVALID, f->name, "%s:%zu: %s: '%s' is no whole number of %" PRId64 " to %" PRId64,
                           l->file, l->number, f->name, l->words[i], f->min, f->max);
    }
    return PL_OK;
}

/* "# ... horizon_ms=N ...": the first line of both files. */
static enum pl_code read_horizon(struct trace *t, struct line *l, FILE *in, struct pl_err *err)
{
    static const char key[] = "horizon_ms=";
    int got = next(l, in, err);
    char *at = got == 1 && l->text[0] == '#' ? strstr(l->text, key) : NULL;
    int64_t horizon_ms;

    if (got < 0)
        return err->code;
    if (!at)
        return wrong(l, "horizon_ms", err, "the first line must be a comment that says horizon_ms=N");
    at += strlen(key);
    at[strspn(at, "0123456789")] = '\0';
    if (!pl_parse_i64(at, 1, TRACE_TIME_MAX_MS, &horizon_ms))
        return pl_fail(err, PL_INVALID, "horizon_ms", "%s:%zu: horizon_ms: '%s' is no whole number of 1 to %" PRId64,
                       l->file, l->number, at, TRACE_TIME_MAX_MS);
    if (t->horizon_ms > 0 && t->horizon_ms != horizon_ms)
        return pl_fail(err, PL_INVALID, "horizon_ms",
                       "%s:%zu: horizon_ms is %" PRId64 " here and %" PRId64 " in the file of endpoints", l->file,
                       l->number, horizon_ms, t->horizon_ms);
    t->horizon_ms = horizon_ms;
    return PL_OK;
}

static enum pl_code check_names(struct line *l, const struct field *fields, struct pl_err *err)
{
    if (split(l, fields, err) != PL_OK)
        return err->code;
    for (size_t i = 0; i < FIELDS; i++) {
        if (strcmp(l->words[i], fields[i].name) != 0)
            return pl_fail(err, PL_INVALID, fields[i].name, "%s:%zu: field %zu is called '%s' where '%s' belongs",
                           l->file, l->number, i + 1, l->words[i], fields[i].name);
    }
    return PL_OK;
}

typedef enum pl_code add_fn(struct trace *t, const struct line *l, struct pl_err *err);

static enum pl_code read_file(struct trace *t, FILE *in, const char *name, const struct field *fields, add_fn *add,
                              struct pl_err *err)
{
    struct line l = { .file = name };
    bool named = false;
    int got;

    if (read_horizon(t, &l, in, err) != PL_OK)
        return err->code;
    while ((got = next(&l, in, err)) == 1) {
        if (l.text[0] == '#')
            continue;
        if (!named) {
            if (check_names(&l, fields, err) != PL_OK)
                return err->code;
            named = true;
        } else if (parse(&l, fields, err) != PL_OK || add(t, &l, err) != PL_OK) {
            return err->code;
        }
    }
    if (got < 0)
        return err->code;
    return named ? PL_OK : pl_fail(err, PL_INVALID, NULL, "%s: the line with the names of the fields is missing", name);
}

/* ---- endpoints ---- */

static struct trace_endpoint *find(const struct trace *t, const char *name)
{
    struct trace_endpoint *e;

    HASH_FIND_STR(t->by_name, name, e);
    return e;
}

static enum pl_code add_endpoint(struct trace *t, const struct line *l, struct pl_err *err)
{
    const char *name = l->words[0];
    struct trace_endpoint *e;

    if (!*name || strlen(name) >= sizeof(e->name))
        return wrong(l, "endpoint", err, "endpoint: a name has 1 to 63 bytes");
    if (find(t, name))
        return pl_fail(err, PL_INVALID, "endpoint", "%s:%zu: endpoint: '%s' is there twice", l->file, l->number, name);
    if (t->endpoint_count == TRACE_ENDPOINTS_MAX)
        return pl_fail(err, PL_EXHAUSTED, "endpoint", "%s:%zu: more than %d endpoints", l->file, l->number,
                       TRACE_ENDPOINTS_MAX);
    if (t->endpoint_count == t->endpoint_room) {
        t->endpoint_room = t->endpoint_room ? 2 * t->endpoint_room : 64;
        t->endpoints = pl_grow(t->endpoints, t->endpoint_room, sizeof(struct trace_endpoint *));
    }
    e = PL_NEW(struct trace_endpoint);
    e->index = (uint32_t)t->endpoint_count;
    memcpy(e->name, name, strlen(name));
    e->memory_mb = l->numbers[1];
    e->init_ms = l->numbers[2];
    e->max_concurrency = l->numbers[3];
    t->endpoints[t->endpoint_count++] = e;
    HASH_ADD_STR(t->by_name, name, e);
    return PL_OK;
}

enum pl_code trace_read_endpoints(struct trace *t, FILE *in, const char *name, struct pl_err *err)
{
    return read_file(t, in, name, endpoint_fields, add_endpoint, err);
}

/* ---- rows ---- */

static enum pl_code add_row(struct trace *t, const struct line *l, struct pl_err *err)
{
    const struct trace_endpoint *e = find(t, l->words[1]);
    struct trace_row *row;

    if (!e)
        return pl_fail(err, PL_INVALID, "endpoint", "%s:%zu: endpoint: '%s' is not in the file of endpoints", l->file,
                       l->number, l->words[1]);
    if (t->row_count > 0 && l->numbers[0] < t->rows[t->row_count - 1].t_ms)
        return pl_fail(err, PL_INVALID, "t_ms", "%s:%zu: t_ms: %" PRId64 " comes after %" PRId64 "; sort the lines",
                       l->file, l->number, l->numbers[0], t->rows[t->row_count - 1].t_ms);
    if (l->numbers[0] > t->horizon_ms)
        return pl_fail(err, PL_INVALID, "t_ms", "%s:%zu: t_ms: %" PRId64 " is beyond horizon_ms, %" PRId64, l->file,
                       l->number, l->numbers[0], t->horizon_ms);
    if (t->row_count == TRACE_ROWS_MAX || t->requests + l->numbers[2] > TRACE_REQUESTS_MAX)
        return pl_fail(err, PL_EXHAUSTED, "count", "%s:%zu: more than %d lines or %" PRId64 " requests", l->file,
                       l->number, TRACE_ROWS_MAX, TRACE_REQUESTS_MAX);
    if (t->row_count == t->row_room) {
        t->row_room = t->row_room ? 2 * t->row_room : 1024;
        t->rows = pl_grow(t->rows, t->row_room, sizeof(*t->rows));
    }
    row = &t->rows[t->row_count++];
    *row = (struct trace_row){ .t_ms = l->numbers[0],
                               .endpoint = e->index,
                               .count = (uint32_t)l->numbers[2],
                               .span_ms = l->numbers[3],
                               .duration_ms = l->numbers[4] };
    t->requests += row->count;
    return PL_OK;
}

enum pl_code trace_read_rows(struct trace *t, FILE *in, const char *name, struct pl_err *err)
{
    return read_file(t, in, name, row_fields, add_row, err);
}

int64_t trace_arrival_ms(const struct trace_row *row, uint32_t k)
{
    return row->t_ms + (int64_t)k * row->span_ms / row->count;
}

/* ---- both ---- */

typedef enum pl_code read_fn(struct trace *t, FILE *in, const char *name, struct pl_err *err);

static enum pl_code load(struct trace *t, const char *name, int name_len, const char *suffix, read_fn *read,
                         struct pl_err *err)
{
    pl_cleanup(pl_free_p) char *path = pl_format("%.*s%s", name_len, name, suffix);
    FILE *in = fopen(path, "re");
    enum pl_code code;

    if (!in)
        return pl_fail(err, PL_NOT_FOUND, NULL, "%s: cannot be opened: %s", path, strerror(errno));
    code = read(t, in, path, err);
    (void)fclose(in);
    return code;
}

enum pl_code trace_load(struct trace *out, const char *name, struct pl_err *err)
{
    static const char *const suffixes[] = { ".endpoints.csv", ".trace.csv" };
    pl_cleanup(trace_done) struct trace t = { 0 };
    size_t len = strlen(name);

    for (size_t i = 0; i < PL_COUNT(suffixes); i++) {
        size_t n = strlen(suffixes[i]);

        if (len > n && strcmp(name + len - n, suffixes[i]) == 0) {
            len -= n;
            break;
        }
    }
    if (len > 4096)
        return pl_fail(err, PL_INVALID, NULL, "the trace's name has more than 4096 bytes");
    if (load(&t, name, (int)len, suffixes[0], trace_read_endpoints, err) != PL_OK ||
        load(&t, name, (int)len, suffixes[1], trace_read_rows, err) != PL_OK)
        return err->code;
    *out = t;
    t = (struct trace){ 0 };
    return PL_OK;
}

void trace_done(struct trace *t)
{
    HASH_CLEAR(hh, t->by_name);
    for (size_t i = 0; i < t->endpoint_count; i++)
        free(t->endpoints[i]);
    free(t->endpoints);
    free(t->rows);
    *t = (struct trace){ 0 };
}
