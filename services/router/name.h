/* name - names of endpoints, variants and members as they come from outside: 1..63 letters, digits and inner hyphens.
 */
#ifndef ROUTER_NAME_H
#define ROUTER_NAME_H

#include <stdbool.h>
#include <stddef.h>

#define NAME_LENGTH_MAX 63 /* SageMaker EndpointName, VariantName */

bool name_valid(const char *s, size_t n);

#endif
