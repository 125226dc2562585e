#include "instance_log.h"

#include "base/time.h"
#include "log/log.h"
#include "logs/store.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* One wake-up reads this often at most, so that a chatterbox cannot hold the turn; it is as much as a pipe has. */
#define READS_PER_TURN 16
#define BLOCK_BYTES    4096
#define SECOND_MS      1000

/* ---- lines ---- */

static void keep(struct instance_log *g, const char *text, size_t n)
{
    struct log_line l = { .variant = g->variant,
                          .variant_len = strlen(g->variant),
                          .instance = g->instance,
                          .request = g->request,
                          .text = text,
                          .text_len = n };

    if (g->store)
        log_store_append(g->store, g->endpoint, &l);
    else
        log_info("zygote_log", LOG_STR("zygote", g->instance_text), LOG_STR("line", text));
}

static void report_dropped(struct instance_log *g)
{
    char text[96];
    int n = snprintf(text, sizeof(text), "(%" PRIu64 " lines are missing here: more than %d in a second)", g->dropped,
                     INSTANCE_LOG_RATE);

    if (g->dropped > 0)
        keep(g, text, (size_t)n);
    g->dropped = 0;
}

static void count_window(struct instance_log *g)
{
    int64_t now_ms = pl_now_ms();

    if (now_ms - g->window_ms < SECOND_MS)
        return;
    report_dropped(g);
    g->window_ms = now_ms;
    g->lines = 0;
    g->bytes = 0;
}

static void end_piece(struct instance_log *g, size_t n)
{
    char after = g->line[n];

    g->line[n] = '\0';
    (void)snprintf(g->last, sizeof(g->last), "%.*s", (int)sizeof(g->last) - 1, g->line);
    if (g->lines < INSTANCE_LOG_RATE) {
        g->lines++;
        keep(g, g->line, n);
    } else {
        g->dropped++;
    }
    g->line[n] = after;
}

static void end_line(struct instance_log *g)
{
    if (g->len > 0 && g->line[g->len - 1] == '\r')
        g->len--;
    if (g->len > 0)
        end_piece(g, g->len);
    g->len = 0;
    g->pieces = 0;
}

/* The line is longer than there is room: a piece of it is kept, and what is left of a character stays. */
static void cut_line(struct instance_log *g)
{
    size_t whole = log_whole_characters(g->line, g->len);

    if (g->pieces < INSTANCE_LOG_PIECES) {
        g->pieces++;
        end_piece(g, whole);
    }
    g->len -= whole;
    memmove(g->line, g->line + whole, g->len);
}

static void take(struct instance_log *g, const char *bytes, size_t n)
{
    while (n > 0) {
        const char *newline = memchr(bytes, '\n', n);
        size_t part = newline ? (size_t)(newline - bytes) : n;
        size_t room = INSTANCE_LOG_LINE - g->len;
        size_t taken = part < room ? part : room;

        memcpy(g->line + g->len, bytes, taken);
        g->len += taken;
        bytes += taken;
        n -= taken;
        if (taken == part && newline) {
            end_line(g);
            bytes++;
            n--;
        } else if (g->len == INSTANCE_LOG_LINE) {
            cut_line(g);
        }
    }
}

/* ---- the pipe ---- */

static void shut(struct instance_log *g)
{
    loop_timer_clear(g->loop, &g->resume);
    loop_fd_remove(g->loop, &g->watch);
    (void)close(g->watch.fd);
    g->watch.fd = -1;
    end_line(g);
    report_dropped(g);
}

static void read_some(struct instance_log *g)
{
    char block[BLOCK_BYTES];

    count_window(g);
    for (int i = 0; i < READS_PER_TURN; i++) {
        ssize_t n = read(g->watch.fd, block, sizeof(block));

        if (n > 0) {
            g->bytes += (size_t)n;
            take(g, block, (size_t)n);
        } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
            shut(g);
            return;
        } else if (errno == EAGAIN) {
            return;
        }
    }
}

static void resume(struct loop_timer *t)
{
    struct instance_log *g = PL_CONTAINER(t, struct instance_log, resume);

    count_window(g);
    if (!g->asked)
        loop_fd_want(g->loop, &g->watch, EPOLLIN);
}

/* After reading: a chatterbox waits for the next second. */
static void go_on(struct instance_log *g)
{
    if (g->watch.fd < 0 || g->bytes < INSTANCE_LOG_BYTES)
        return;
    loop_fd_want(g->loop, &g->watch, 0);
    loop_timer_set(g->loop, &g->resume, g->window_ms + SECOND_MS);
}

static void ready(struct loop_fd *f, uint32_t events)
{
    struct instance_log *g = PL_CONTAINER(f, struct instance_log, watch);

    (void)events;
    if (g->asks_whose && g->asks_whose(g)) {
        g->asked = true;
        loop_fd_remove(g->loop, &g->watch);
        return;
    }
    read_some(g);
    go_on(g);
}

void instance_log_resume(struct instance_log *g)
{
    struct pl_err err;

    if (!g->asked)
        return;
    g->asked = false;
    if (g->watch.fd < 0)
        return;
    if (loop_fd_add(g->loop, &g->watch, EPOLLIN, &err) == PL_OK)
        go_on(g);
    else
        shut(g);
}

enum pl_code instance_log_open(struct instance_log *g, struct loop *l, int fd, struct pl_err *err)
{
    g->loop = l;
    g->watch = (struct loop_fd){ .fd = fd, .ready = ready };
    g->resume.fire = resume;
    g->window_ms = pl_now_ms();
    if (loop_fd_add(l, &g->watch, EPOLLIN, err) == PL_OK)
        return PL_OK;
    (void)close(fd);
    g->watch.fd = -1;
    return err->code;
}

void instance_log_say(struct instance_log *g, const char *line)
{
    instance_log_catch_up(g);
    keep(g, line, strlen(line));
}

void instance_log_catch_up(struct instance_log *g)
{
    if (g->watch.fd >= 0)
        read_some(g);
}

void instance_log_close(struct instance_log *g)
{
    if (g->watch.fd < 0)
        return;
    read_some(g);
    if (g->watch.fd >= 0)
        shut(g);
}
