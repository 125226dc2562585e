/* arena - the memory of one request: taken piece by piece, given back all at once.
 *
 * Everything that an answer is made of (parsed names, messages for upstream, error texts) lives here, so that no path
 * through a handler has anything to free. Pieces never move. Threads: one at a time.
 * A request's arena is charged with a limit by what fills it (bodies and headers have theirs); bookkeeping is not. */
#ifndef GATEWAY_ARENA_H
#define GATEWAY_ARENA_H

#include "base/cleanup.h"

#include <stdarg.h>
#include <stddef.h>

struct arena_block;

struct arena {
    struct arena_block *block; /* newest */
    size_t left;               /* in it  */
    char *at;
};

void arena_done(struct arena *a);           /* frees all; may be used again */
void *arena_get(struct arena *a, size_t n); /* aligned for anything; zeroed */
char *arena_strndup(struct arena *a, const char *s, size_t n);
char *arena_strdup(struct arena *a, const char *s); /* NULL stays NULL */
char *arena_format(struct arena *a, const char *fmt, ...) PL_PRINTF(2, 3);
char *arena_vformat(struct arena *a, const char *fmt, va_list args);

#define ARENA_NEW(a, type) ((type *)arena_get((a), sizeof(type)))

#endif
