#include "book.h"

#include "base/mem.h"
#include "disk.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct book *book_new(const char *endpoint)
{
    struct book *b = PL_NEW(struct book);

    (void)snprintf(b->endpoint, sizeof(b->endpoint), "%s", endpoint);
    b->pending = PL_BUF_INIT(BOOK_PENDING_MAX);
    return b;
}

void book_free(struct book *b)
{
    pl_buf_done(&b->pending);
    free(b->segments);
    free(b);
}

/* The place of lines that were lost, as a line. */
static void say_dropped(struct book *b, const struct log_line *next)
{
    char text[96];
    struct log_line l = *next;

    l.request = 0;
    l.text = text;
    l.text_len =
        (size_t)snprintf(text, sizeof(text), "(%" PRIu64 " lines are missing here: the disk was too slow)", b->dropped);
    if (log_line_write(&b->pending, &l))
        b->dropped = 0;
}

bool book_append(struct book *b, const struct log_line *l)
{
    size_t before = b->pending.len;

    if (b->dropped > 0)
        say_dropped(b, l);
    if (b->dropped > 0 || !log_line_write(&b->pending, l)) {
        b->dropped++;
        return false;
    }
    if (before == 0)
        b->pending_first_us = l->at_us;
    b->last_us = l->at_us;
    return true;
}

void book_add_segment(struct book *b, const struct segment *s)
{
    unsigned at = b->segment_count;

    if (b->segment_count == b->segment_room) {
        b->segment_room = b->segment_room ? 2 * b->segment_room : 8;
        b->segments = pl_grow(b->segments, b->segment_room, sizeof(*b->segments));
    }
    while (at > 0 && b->segments[at - 1].first_us > s->first_us)
        at--;
    memmove(b->segments + at + 1, b->segments + at, (b->segment_count - at) * sizeof(*s));
    b->segments[at] = *s;
    b->segment_count++;
    b->bytes += s->bytes;
    if (s->last_us > b->last_us)
        b->last_us = s->last_us;
}

struct segment *book_segment_for(struct book *b, int64_t first_us, size_t n)
{
    struct segment *newest = b->segment_count ? &b->segments[b->segment_count - 1] : NULL;

    if (!newest || newest->bytes + (int64_t)n > DISK_SEGMENT_BYTES)
        book_add_segment(b, &(struct segment){ .first_us = first_us, .last_us = first_us });
    return &b->segments[b->segment_count - 1];
}

int64_t book_drop_oldest(struct book *b)
{
    int64_t first_us = b->segments[0].first_us;

    assert(b->segment_count > 0);
    b->bytes -= b->segments[0].bytes;
    b->segment_count--;
    memmove(b->segments, b->segments + 1, b->segment_count * sizeof(*b->segments));
    return first_us;
}
