/* text_number - XGBoost writes its parameters as strings: "10", "5E-1", "[5E-1, 1E0]". */
#ifndef COMPILER_TEXT_NUMBER_H
#define COMPILER_TEXT_NUMBER_H

#include "doc.h"

/* The next value of 'd', a string that is a whole number, or a plain number. Out of range is d's error, and 'min' the
 * answer. */
int64_t text_integer(struct doc *d, int64_t min, int64_t max);
/* A string with one number, or with a list of them. '*out' to free(); how many, 0 after an error. */
size_t text_floats(struct doc *d, float **out, bool *out_list);

#endif
