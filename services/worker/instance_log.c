#include "instance_log.h"

#include "base/time.h"
#include "log/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* One wake-up reads this often at most, so that a chatterbox cannot hold the turn. */
#define READS_PER_TURN 16

static void report_dropped(struct instance_log *g)
{
    if (g->dropped > 0)
        log_warn("instance_log_dropped", LOG_STR("endpoint", g->endpoint), LOG_STR("variant", g->variant),
                 LOG_STR("instance", g->instance), LOG_UINT("lines", g->dropped));
    g->dropped = 0;
}

static bool within_rate(struct instance_log *g)
{
    int64_t second = pl_now_ms() / 1000;

    if (second != g->second) {
        report_dropped(g);
        g->second = second;
        g->lines = 0;
    }
    if (g->lines < INSTANCE_LOG_RATE) {
        g->lines++;
        return true;
    }
    g->dropped++;
    return false;
}

static void end_line(struct instance_log *g)
{
    g->line[g->len] = '\0';
    if (g->len > 0) {
        (void)snprintf(g->last, sizeof(g->last), "%.*s", (int)sizeof(g->last) - 1, g->line);
        if (within_rate(g))
            log_info("instance_log", LOG_STR("endpoint", g->endpoint), LOG_STR("variant", g->variant),
                     LOG_STR("instance", g->instance), LOG_STR("line", g->line));
    }
    g->len = 0;
}

static void take(struct instance_log *g, const char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (bytes[i] == '\n') {
            if (!g->cutting)
                end_line(g);
            g->cutting = false;
        } else if (!g->cutting && bytes[i] != '\0' && bytes[i] != '\r') {
            g->line[g->len++] = bytes[i];
            if (g->len == INSTANCE_LOG_LINE) {
                end_line(g);
                g->cutting = true;
            }
        }
    }
}

static void shut(struct instance_log *g)
{
    loop_fd_remove(g->loop, &g->watch);
    (void)close(g->watch.fd);
    g->watch.fd = -1;
    end_line(g);
    report_dropped(g);
}

static void read_some(struct instance_log *g)
{
    char block[4096];

    for (int i = 0; i < READS_PER_TURN; i++) {
        ssize_t n = read(g->watch.fd, block, sizeof(block));

        if (n > 0) {
            take(g, block, (size_t)n);
        } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
            shut(g);
            return;
        } else if (errno == EAGAIN) {
            return;
        }
    }
}

static void ready(struct loop_fd *f, uint32_t events)
{
    (void)events;
    read_some(PL_CONTAINER(f, struct instance_log, watch));
}

enum pl_code instance_log_open(struct instance_log *g, struct loop *l, int fd, struct pl_err *err)
{
    g->loop = l;
    g->watch = (struct loop_fd){ .fd = fd, .ready = ready };
    if (loop_fd_add(l, &g->watch, EPOLLIN, err) == PL_OK)
        return PL_OK;
    (void)close(fd);
    g->watch.fd = -1;
    return err->code;
}

void instance_log_close(struct instance_log *g)
{
    if (g->watch.fd < 0)
        return;
    read_some(g);
    if (g->watch.fd >= 0)
        shut(g);
}
