/* doc_format - what doc.c asks of each format. 'd' has no error when these are called; they may set one. */
#ifndef COMPILER_DOC_FORMAT_H
#define COMPILER_DOC_FORMAT_H

#include "doc.h"

/* Opens a level; doc.c has checked the depth. */
void doc_json_enter(struct doc *d, struct doc_level *level);
void doc_ubjson_enter(struct doc *d, struct doc_level *level);
/* False at the container's end, which is then taken. */
bool doc_json_more(struct doc *d, struct doc_level *level);
bool doc_ubjson_more(struct doc *d, struct doc_level *level);
struct doc_text doc_json_key(struct doc *d);
struct doc_text doc_ubjson_key(struct doc *d);

enum doc_kind doc_json_peek(struct doc *d);
enum doc_kind doc_ubjson_peek(struct doc *d);
struct doc_text doc_json_text(struct doc *d);
struct doc_text doc_ubjson_text(struct doc *d);
double doc_json_number(struct doc *d);
double doc_ubjson_number(struct doc *d);
/* true, false, null */
bool doc_json_word(struct doc *d);
bool doc_ubjson_word(struct doc *d);

/* The bytes of a typed array whose head has been entered: all its elements at once, and its level is left. NULL: it is
 * no typed array. '*out_type' = UBJSON's letter. */
const uint8_t *doc_ubjson_bulk(struct doc *d, size_t *out_count, uint8_t *out_type);
double doc_ubjson_decode(const uint8_t *at, uint8_t type);
size_t doc_ubjson_size(uint8_t type); /* of a number; 0 = not one */

#endif
