/* doc - a JSON or UBJSON document, read once from front to back; no tree of it is ever in memory.
 *
 *     struct doc d;
 *     struct doc_text key;
 *
 *     doc_open(&d, bytes, n);
 *     doc_enter(&d, DOC_OBJECT);
 *     while (doc_key(&d, &key))
 *         if (doc_is(key, "answer"))
 *             answer = doc_integer(&d, 0, 100);
 *         else
 *             doc_skip(&d);
 *
 * The first error stays: from then on every call reads nothing, loops end, and doc_failed() says so at the end. So only
 * what allocates looks in between. Each value must be read or skipped exactly once. Both formats are XGBoost's
 * dialects: JSON with NaN and Infinity; UBJSON with typed arrays, without high-precision numbers.
 *
 * Hostile input: nesting is limited by DOC_MAX_DEPTH, arrays by what their own bytes hold, so that memory is at most a
 * small multiple of the document. Threads: one.  Memory: texts point into the document; arrays are the caller's. */
#ifndef COMPILER_DOC_H
#define COMPILER_DOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DOC_MAX_DEPTH 32

enum doc_kind { DOC_OBJECT, DOC_ARRAY, DOC_TEXT, DOC_NUMBER, DOC_BOOL, DOC_NULL, DOC_NOTHING };

struct doc_level {
    bool object, first;
    uint8_t type; /* UBJSON: of each element, stated once for all; 0 = with each */
    int64_t left; /* UBJSON: elements to come; -1 = until the end mark */
};

struct doc {
    const uint8_t *start, *at, *end;
    bool ubjson;
    unsigned depth;
    struct doc_level levels[DOC_MAX_DEPTH];
    const char *wrong; /* what is wrong, static text; NULL = nothing so far */
    size_t wrong_at;
};

/* As it stands in the document; escapes of JSON are not undone. */
struct doc_text {
    const char *s;
    size_t n;
};

void doc_open(struct doc *d, const void *bytes, size_t n);
/* Something went wrong, or (once all has been read) something follows. */
bool doc_failed(struct doc *d);
/* For readers that find a value to be wrong: as if the document were. 'what' is static text. */
void doc_fail(struct doc *d, const char *what);

/* What comes next, without taking it. */
enum doc_kind doc_peek(struct doc *d);
void doc_enter(struct doc *d, enum doc_kind object_or_array);
bool doc_key(struct doc *d, struct doc_text *out);
bool doc_item(struct doc *d);
struct doc_text doc_text(struct doc *d);
bool doc_is(struct doc_text text, const char *word);
/* A whole number, also when written as true or false. Out of range is an error, and 'min' the answer. */
int64_t doc_integer(struct doc *d, int64_t min, int64_t max);
double doc_number(struct doc *d);
void doc_skip(struct doc *d);

/* A whole array at once, '*out' to free(); its length, 0 after an error. */
size_t doc_integers(struct doc *d, int32_t **out);
size_t doc_floats(struct doc *d, float **out);

#endif
