/* log_cursor - how far somebody has read what each host's instances printed. Lines of one host have numbers that rise;
 * those of different hosts come late or early, so each host has its own place, and no line is missed or told twice.
 *
 * As text, a page token: "1770768000123456-host-1/1770768000120000-host-2". Pure. Memory: log_cursor_done() frees. */
#ifndef ROUTER_LOG_CURSOR_H
#define ROUTER_LOG_CURSOR_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

struct log_cursor {
    struct log_place {
        char *host;
        int64_t at_us;
    } * places;
    size_t count;
};

void log_cursor_done(struct log_cursor *c);

/* 'otherwise' when the host has no place yet. */
int64_t log_cursor_get(const struct log_cursor *c, const char *host, int64_t otherwise);
void log_cursor_set(struct log_cursor *c, const char *host, int64_t at_us);

/* The caller frees it; "" when there is no place. */
char *log_cursor_text(const struct log_cursor *c);
/* PL_INVALID, field page_token: not such a text, or one with more than 1000 places. */
PL_MUST_CHECK enum pl_code log_cursor_parse(struct log_cursor *out, const char *text, struct pl_err *err);

#endif
