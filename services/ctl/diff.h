/* diff - what a manifest would change of a resource that is there already.
 *
 * Both sides are compared as specs: what a manifest may say, with the server's defaults filled in on both sides, so
 * that leaving a key out and writing its default down are the same. Variants are matched by name. Pure: no server, no
 * clock. */
#ifndef CTL_DIFF_H
#define CTL_DIFF_H

#include "kinds.h"

#include <stdbool.h>
#include <stddef.h>

struct diff_change {
    char *path;      /* "variants[main].memory_size_mb", "environment.LIMIT", "tags.team" */
    char *old_value; /* NULL: was not there   */
    char *new_value; /* NULL: goes away       */
};

struct diff {
    struct diff_change *changes; /* by path, in the order of the contract's fields */
    size_t count;
};

/* 'live' is the server's message, 'wanted' the manifest's; both of kind->resource. */
void diff_resources(const struct kind *kind, const ProtobufCMessage *live, const ProtobufCMessage *wanted,
                    struct diff *out);
void diff_done(struct diff *d);

/* Tags change at any time; everything else of a model or endpoint config never does. */
bool diff_is_tag(const struct diff_change *c);
size_t diff_count_spec(const struct diff *d); /* changes that are not of tags */

#endif
