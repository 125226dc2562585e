/* line - one line that an instance printed, as it is kept:
 *
 *     AT_US VARIANT INSTANCE REQUEST TEXT\n       1770768000123456 AllTraffic 73014444033 000000000000002a loading
 * weights
 *
 * AT_US is wall time in microseconds, and rises from line to line on one host: it is the line's name there. REQUEST is
 * "-" between requests. TEXT is UTF-8 without control characters but tab: whatever else was printed stands there as
 * \xNN, so that a reader's terminal does what the reader wants.
 *
 * Pure; any thread. */
#ifndef LOGS_LINE_H
#define LOGS_LINE_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Largest TEXT; a longer one is cut. */
#define LOG_TEXT_MAX    ((size_t)16 << 10)
#define LOG_VARIANT_MAX 63

struct log_line {
    int64_t at_us;
    const char *variant; /* not NUL-terminated, as 'text' */
    size_t variant_len;
    uint64_t instance;
    uint64_t request; /* 0 = none */
    const char *text;
    size_t text_len;
};

/* Appends 'l' with its text made printable. False: 'out' has no room. */
bool log_line_write(struct pl_buf *out, const struct log_line *l);

/* Reads the line at 's' (its '\n' not included); the strings point into it. False: damaged. */
bool log_line_read(struct log_line *out, const char *s, size_t n);

/* How many of the first 'n' bytes of 's' are whole characters: 'n' less a character that is cut at its end. */
size_t log_whole_characters(const char *s, size_t n);

#endif
