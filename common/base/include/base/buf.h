/* buf - a byte string that grows, up to a limit its owner states.
 * Memory: grows by doubling; pl_buf_done() frees.  Errors: appending past 'limit' (or out of memory) sets 'failed',
 * changes nothing and returns false; every later append fails too, so a sequence may be checked once at its end. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/cleanup.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pl_buf {
    char *data; /* NUL-terminated at [len] whenever it is not NULL */
    size_t len;
    size_t cap;
    size_t limit; /* largest 'len'; 0 = PL_BUF_DEFAULT_LIMIT */
    bool failed;
};

#define PL_BUF_DEFAULT_LIMIT     ((size_t)64 << 20)
#define PL_BUF_INIT(limit_bytes) ((struct pl_buf){ .limit = (limit_bytes) })

void pl_buf_done(struct pl_buf *b);  /* for pl_cleanup too; the struct may be used again */
void pl_buf_clear(struct pl_buf *b); /* keeps the memory */
bool pl_buf_add(struct pl_buf *b, const void *bytes, size_t n);
bool pl_buf_adds(struct pl_buf *b, const char *s);
bool pl_buf_addc(struct pl_buf *b, char c);
bool pl_buf_addf(struct pl_buf *b, const char *fmt, ...) PL_PRINTF(2, 3);
/* Space for 'n' more bytes (not yet counted in len), or NULL. */
char *pl_buf_room(struct pl_buf *b, size_t n);
/* A JSON string with its quotes: escapes, and U+FFFD for what is not UTF-8. */
bool pl_buf_add_json(struct pl_buf *b, const char *s, size_t n);
/* The bytes, NUL-terminated, now the caller's to free(); NULL when failed. */
char *pl_buf_take(struct pl_buf *b, size_t *out_len);

#endif
