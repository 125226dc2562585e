/* xml_read - the little XML that S3 clients send: elements and text. A reader that is pulled; no DTDs, no entities but
 * the five and numbers, no processing instructions but the declaration, attributes are skipped.
 * Memory: names and texts are in the arena. Limits: XML_DEPTH elements deep, XML_NAME bytes a name. Nothing recurses.
 */
#ifndef GATEWAY_XML_READ_H
#define GATEWAY_XML_READ_H

#include "arena.h"

#include <stdbool.h>
#include <stddef.h>

#define XML_DEPTH 16
#define XML_NAME  64

enum xml_event { XML_START, XML_TEXT, XML_END };

struct xml_reader {
    struct arena *arena;
    const char *at, *end;
    char names[XML_DEPTH][XML_NAME + 1];
    enum xml_event event;
    int depth;        /* of the element: the outermost is 1 */
    const char *name; /* of the element, without a prefix   */
    const char *text; /* XML_TEXT                           */
    bool empty, leave, seen_root, malformed;
};

void xml_read(struct xml_reader *r, const char *bytes, size_t n, struct arena *a);
/* False at the end, or with 'malformed'. Text of white space alone is left out, unless it is all that an element has.
 */
bool xml_next(struct xml_reader *r);

#endif
