/* log - one line per event: a name that stays the same, and typed fields.
 *
 *     log_info("instance_started", LOG_STR("endpoint", e->name), LOG_INT("pid", pid), LOG_MS("took_ms", took));
 *
 *     text: 2026-02-11T08:15:30.123Z INFO  router instance_started endpoint="fraud" pid=4711 took_ms=3
 *     json:
 * {"time":"...","level":"info","service":"router","event":"instance_started","endpoint":"fraud","pid":4711,...}
 *
 * Strings from outside are always quoted and cut at 2 KiB. Never pass a secret.
 * A reader of stderr that does not read loses lines, and is told how many; nobody waits for it.
 * Threads: any; one write(2) per line to stderr.  Cost: a disabled level costs one load and formats nothing.
 * Log nothing per request above debug level. */
#ifndef LOG_LOG_H
#define LOG_LOG_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

struct log_field {
    const char *key;
    enum { LOG_FIELD_END, LOG_FIELD_STR, LOG_FIELD_INT, LOG_FIELD_UINT, LOG_FIELD_DOUBLE, LOG_FIELD_BOOL } type;
    union {
        const char *s;
        int64_t i;
        uint64_t u;
        double d;
        bool b;
    } v;
};

#define LOG_STR(k, x)    ((struct log_field){ (k), LOG_FIELD_STR, { .s = (x) } }) /* NULL is logged as "" */
#define LOG_INT(k, x)    ((struct log_field){ (k), LOG_FIELD_INT, { .i = (x) } })
#define LOG_UINT(k, x)   ((struct log_field){ (k), LOG_FIELD_UINT, { .u = (x) } })
#define LOG_DOUBLE(k, x) ((struct log_field){ (k), LOG_FIELD_DOUBLE, { .d = (x) } })
#define LOG_BOOL(k, x)   ((struct log_field){ (k), LOG_FIELD_BOOL, { .b = (x) } })
#define LOG_MS(k, x)     LOG_INT(k, x)
#define LOG_CODE(err)    LOG_STR("code", pl_code_name((err)->code))
#define LOG_ERR(err)     LOG_STR("error", (err)->message)

/* Before the first line; 'service' is not copied. Default: text, info, service "". */
void log_setup(const char *service, enum log_format format, enum log_level level);
bool log_level_parse(const char *text, enum log_level *out);   /* debug, info, warn, error */
bool log_format_parse(const char *text, enum log_format *out); /* text, json */

extern _Atomic int log_threshold; /* read by the macros only */
void log_write(enum log_level level, const char *event, const struct log_field *fields);

#define log_at_(level, event, ...)                                                                                     \
    do {                                                                                                               \
        if ((int)(level) >= log_threshold)                                                                             \
            log_write((level), (event), (const struct log_field[]){ __VA_ARGS__ __VA_OPT__(, ){ 0 } });                \
    } while (0)
#define log_debug(event, ...) log_at_(LOG_LEVEL_DEBUG, event, ##__VA_ARGS__)
#define log_info(event, ...)  log_at_(LOG_LEVEL_INFO, event, ##__VA_ARGS__)
#define log_warn(event, ...)  log_at_(LOG_LEVEL_WARN, event, ##__VA_ARGS__)
#define log_error(event, ...) log_at_(LOG_LEVEL_ERROR, event, ##__VA_ARGS__)

#endif
