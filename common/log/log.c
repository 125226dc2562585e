#include "log/log.h"

#include "base/buf.h"
#include "base/time.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#define STRING_MAX ((size_t)2 << 10)
#define LINE_MAX   ((size_t)256 << 10)
#define LINE_USUAL 512

static const struct {
    const char *name, *padded;
} levels[] = {
    [LOG_LEVEL_DEBUG] = { "debug", "DEBUG" },
    [LOG_LEVEL_INFO] = { "info", "INFO " },
    [LOG_LEVEL_WARN] = { "warn", "WARN " },
    [LOG_LEVEL_ERROR] = { "error", "ERROR" },
};
static const char *const formats[] = { [LOG_FORMAT_TEXT] = "text", [LOG_FORMAT_JSON] = "json" };

_Atomic int log_threshold = LOG_LEVEL_INFO;

/* Written by log_setup() alone, before other threads log. */
static struct {
    const char *service;
    enum log_format format;
} setup = { "", LOG_FORMAT_TEXT };

void log_setup(const char *service, enum log_format format, enum log_level level)
{
    setup.service = service;
    setup.format = format;
    log_threshold = (int)level;
}

bool log_level_parse(const char *text, enum log_level *out)
{
    for (size_t i = 0; i < PL_COUNT(levels); i++)
        if (strcmp(text, levels[i].name) == 0) {
            *out = (enum log_level)i;
            return true;
        }
    return false;
}

bool log_format_parse(const char *text, enum log_format *out)
{
    for (size_t i = 0; i < PL_COUNT(formats); i++)
        if (strcmp(text, formats[i]) == 0) {
            *out = (enum log_format)i;
            return true;
        }
    return false;
}

/* Cut at STRING_MAX, between characters. */
static void add_string(struct pl_buf *line, const char *s)
{
    size_t n = s ? strnlen(s, STRING_MAX + 1) : 0;
    if (n > STRING_MAX) {
        n = STRING_MAX;
        for (int back = 0; back < 3 && ((unsigned char)s[n] & 0xc0) == 0x80; back++)
            n--;
    }
    (void)pl_buf_add_json(line, s, n);
}

static void add_value(struct pl_buf *line, const struct log_field *f)
{
    switch (f->type) {
    case LOG_FIELD_STR:
        add_string(line, f->v.s);
        break;
    case LOG_FIELD_INT:
        (void)pl_buf_addf(line, "%" PRId64, f->v.i);
        break;
    case LOG_FIELD_UINT:
        (void)pl_buf_addf(line, "%" PRIu64, f->v.u);
        break;
    case LOG_FIELD_DOUBLE:
        if (isfinite(f->v.d))
            (void)pl_buf_addf(line, "%.9g", f->v.d);
        else
            (void)pl_buf_adds(line, "null"); /* JSON has no word for it */
        break;
    case LOG_FIELD_BOOL:
        (void)pl_buf_adds(line, f->v.b ? "true" : "false");
        break;
    case LOG_FIELD_END:
        break;
    }
}

static void text_line(struct pl_buf *line, const char *time, enum log_level level, const char *event,
                      const struct log_field *fields)
{
    (void)pl_buf_addf(line, "%s %s %s%s%s", time, levels[level].padded, setup.service, setup.service[0] ? " " : "",
                      event);
    for (const struct log_field *f = fields; f->type != LOG_FIELD_END; f++) {
        (void)pl_buf_addf(line, " %s=", f->key);
        add_value(line, f);
    }
    (void)pl_buf_addc(line, '\n');
}

static void json_line(struct pl_buf *line, const char *time, enum log_level level, const char *event,
                      const struct log_field *fields)
{
    (void)pl_buf_addf(line, "{\"time\":\"%s\",\"level\":\"%s\",\"service\":", time, levels[level].name);
    add_string(line, setup.service);
    (void)pl_buf_adds(line, ",\"event\":");
    add_string(line, event);
    for (const struct log_field *f = fields; f->type != LOG_FIELD_END; f++) {
        (void)pl_buf_addf(line, ",\"%s\":", f->key);
        add_value(line, f);
    }
    (void)pl_buf_adds(line, "}\n");
}

static void make_line(struct pl_buf *line, enum log_level level, const char *event, const struct log_field *fields)
{
    char time[25];
    pl_wall_text(pl_wall_ms(), time);
    (void)pl_buf_room(line, LINE_USUAL);
    if (setup.format == LOG_FORMAT_JSON)
        json_line(line, time, level, event, fields);
    else
        text_line(line, time, level, event, fields);
}

void log_write(enum log_level level, const char *event, const struct log_field *fields)
{
    int saved = errno;
    pl_cleanup(pl_buf_done) struct pl_buf line = PL_BUF_INIT(LINE_MAX);
    make_line(&line, level, event, fields);
    if (line.failed) { /* too long in all: that it happened is worth a line still */
        pl_buf_clear(&line);
        make_line(&line, level, event, (const struct log_field[]){ LOG_BOOL("fields_dropped", true), { 0 } });
    }
    ssize_t n = 0;
    while (line.data && (n = write(STDERR_FILENO, line.data, line.len)) < 0 && errno == EINTR)
        ;
    (void)n; /* a log that cannot be written has nowhere to say so */
    errno = saved;
}
