/* book - one endpoint's lines: those that wait for the disk, and the segments that are there. No I/O.
 * Threads: with the turn.  Memory: the store owns its books. */
#ifndef LOGS_BOOK_H
#define LOGS_BOOK_H

#include "base/buf.h"
#include "logs/store.h"

#include <stdbool.h>
#include <stdint.h>
#include <uthash.h>

#define BOOK_PENDING_MAX ((size_t)256 << 10)

struct segment {
    int64_t first_us, last_us;
    int64_t bytes;
};

struct book {
    char endpoint[LOG_NAME_MAX + 1];
    UT_hash_handle hh;
    struct pl_buf pending; /* lines that are not on their way to disk yet */
    int64_t pending_first_us, last_us;
    uint64_t dropped;         /* since the last line that said so */
    struct segment *segments; /* oldest first */
    unsigned segment_count, segment_room;
    int64_t bytes; /* of the segments */
};

struct book *book_new(const char *endpoint);
void book_free(struct book *b);

/* False: too much waits; the line is counted. */
bool book_append(struct book *b, const struct log_line *l);
/* The segment that 'n' bytes from 'first_us' on go to: the newest, or a new one. */
struct segment *book_segment_for(struct book *b, int64_t first_us, size_t n);
/* A segment that was found on disk, in any order. */
void book_add_segment(struct book *b, const struct segment *s);
/* Forgets the oldest; returns its first_us. */
int64_t book_drop_oldest(struct book *b);

#endif
