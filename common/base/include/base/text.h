/* text - checks and small conversions of strings that came from outside. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool pl_utf8_valid(const char *s, size_t n); /* RFC 3629: no overlong forms, no surrogates */
void pl_utf8_clean(char *s, size_t n);       /* makes it so: each byte that belongs to no character becomes '?' */

/* Whole string, decimal, in range; no sign for unsigned, no white space. */
bool pl_parse_i64(const char *s, int64_t min, int64_t max, int64_t *out);
bool pl_parse_u64(const char *s, uint64_t max, uint64_t *out);
/* "64KiB", "6MiB", "4GiB", or plain bytes. */
bool pl_parse_bytes(const char *s, uint64_t *out);

/* The entry nearest to 'word' by edit distance, or NULL when none is near (more than a third of its letters differ). */
const char *pl_nearest(const char *word, const char *const *known, size_t count);

/* Lower-case hex of 'n' bytes into 'out' (2n+1). */
void pl_hex(const void *bytes, size_t n, char *out);

/* From getrandom(): cannot fail on Linux after boot. */
void pl_random(void *out, size_t n);
uint64_t pl_random_u64(void);
/* "prefix-" + 16 hex digits, into 'out' (at least strlen(prefix) + 18). */
void pl_random_id(const char *prefix, char *out, size_t size);

#endif
