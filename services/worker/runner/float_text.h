/* float_text - a float as Python prints it: str(float(numpy.float32(x))), the shortest decimal that reads back as the
 * same double, with an exponent below 1e-4 and from 1e16 on: "0.43861907720565796", "1e-05", "12.0", "nan", "inf". */
#ifndef RUNNER_FLOAT_TEXT_H
#define RUNNER_FLOAT_TEXT_H

#include <stddef.h>

#define FLOAT_TEXT_MAX 32

/* Writes at most FLOAT_TEXT_MAX bytes without a terminator; returns how many. */
size_t float_text(float value, char out[FLOAT_TEXT_MAX]);

#endif
