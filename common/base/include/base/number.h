/* number - decimal text to a double, correctly rounded and independent of the locale. */
#ifndef BASE_NUMBER_H
#define BASE_NUMBER_H

#include <stddef.h>

/* Longer texts are not numbers: no double needs so many digits. */
#define NUMBER_MAX_CHARS 800

/* Reads the longest number at the start of 's' and returns how many characters it has; 0 = there is none. Grammar:
 * sign, digits with an optional point, exponent; "nan", "inf", "infinity" in any case. Neither hexadecimal nor white
 * space. Beyond a double's range: infinity or 0. */
size_t number_scan(const char *s, size_t n, double *out);

#endif
