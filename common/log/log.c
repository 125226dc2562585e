#include "log/log.h"

#include "base/buf.h"
#include "base/time.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/limits.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STRING_MAX  ((size_t)2 << 10)
#define LINE_MAX    ((size_t)256 << 10)
#define LINE_USUAL  512
#define PATIENCE_MS 20 /* for a reader that is slow; one that has been too slow gets none until it reads again */

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

static pthread_once_t once = PTHREAD_ONCE_INIT;
static void before_fork(void);

void log_setup(const char *service, enum log_format format, enum log_level level)
{
    setup.service = service;
    setup.format = format;
    log_threshold = (int)level;
    (void)pthread_once(&once, before_fork);
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

/* ---- out ----
 *
 * A reader that has stopped reading must not stop the service: what does not fit into its pipe at once is lost, and the
 * first line that fits again is preceded by how many were. poll() says that PIPE_BUF bytes fit, so no write is longer,
 * and the lock keeps two threads from filling the same room. */

static struct {
    pthread_mutex_t lock;
    uint64_t lost; /* lines since the last one that was written */
    bool cut;      /* of the last line only the start was written */
} out = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void lock_out(void)
{
    (void)pthread_mutex_lock(&out.lock);
}

static void unlock_out(void)
{
    (void)pthread_mutex_unlock(&out.lock);
}

/* A child must not inherit the lock from a thread that it does not have. */
static void before_fork(void)
{
    (void)pthread_atfork(lock_out, unlock_out, unlock_out);
}

static bool has_room(void)
{
    struct pollfd p = { .fd = STDERR_FILENO, .events = POLLOUT };
    int n;
    while ((n = poll(&p, 1, out.lost ? 0 : PATIENCE_MS)) < 0 && errno == EINTR)
        ;
    return n != 0; /* what cannot be polled says so when it is written to */
}

/* A file takes a line of any length in one piece. */
static size_t piece_of(size_t len)
{
    struct stat st;
    return len <= PIPE_BUF || (fstat(STDERR_FILENO, &st) == 0 && S_ISREG(st.st_mode)) ? len : PIPE_BUF;
}

/* False: the rest has no room. Other failures have nowhere to be told. */
static bool put(const char *bytes, size_t len)
{
    size_t piece = piece_of(len);
    while (len > 0) {
        if (!has_room())
            return false;
        ssize_t n = write(STDERR_FILENO, bytes, len < piece ? len : piece);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return true;
        bytes += n;
        len -= (size_t)n;
        out.cut = len > 0;
    }
    return true;
}

static bool put_loss(void)
{
    pl_cleanup(pl_buf_done) struct pl_buf line = PL_BUF_INIT(LINE_MAX);
    if (out.cut)
        (void)pl_buf_addc(&line, '\n');
    make_line(&line, LOG_LEVEL_WARN, "log_lines_lost",
              (const struct log_field[]){ LOG_UINT("count", out.lost), { 0 } });
    return put(line.data, line.len);
}

static void put_line(const char *bytes, size_t len)
{
    lock_out();
    if (out.lost > 0 && put_loss())
        out.lost = 0;
    if (out.lost > 0 || !put(bytes, len))
        out.lost++;
    unlock_out();
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
    if (line.data)
        put_line(line.data, line.len);
    errno = saved;
}
