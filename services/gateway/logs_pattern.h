/* logs_pattern - the filter patterns of CloudWatch Logs for lines of text.
 *
 *     error timeout      both words, anywhere in the line, as they are written
 *     "out of memory"    a phrase
 *     ?error ?timeout    one of them is enough
 *     -debug             not this one
 *
 * An empty pattern matches everything. Patterns of JSON ({...}), of fields ([...]) and regular expressions (%...%) are
 * refused. Pure. */
#ifndef GATEWAY_LOGS_PATTERN_H
#define GATEWAY_LOGS_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

#define LOGS_PATTERN_TERMS 64

struct logs_pattern {
    struct logs_term {
        const char *text; /* not ended by a zero */
        size_t len;
        enum { TERM_ALL, TERM_ANY, TERM_NOT } kind;
    } terms[LOGS_PATTERN_TERMS];
    size_t count;
};

/* Points into 'text'. NULL, or why it is refused. */
const char *logs_pattern_read(struct logs_pattern *out, const char *text);
bool logs_pattern_matches(const struct logs_pattern *p, const char *line);

#endif
