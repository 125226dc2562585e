/* utf8 - one step through bytes that may be UTF-8; shared by the files of this room. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stddef.h>

/* Length of the character at the front of the 'n' bytes: 1..4, or 0 when none is there (RFC 3629: no overlong forms, no
 * surrogates, nothing above U+10FFFF, nothing cut off). */
size_t utf8_step(const char *bytes, size_t n);

#endif
