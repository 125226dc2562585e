#ifndef GATEWAY_SIGV4_PRIVATE_H
#define GATEWAY_SIGV4_PRIVATE_H

#include <stdbool.h>

/* Is 'name' (any case) in the list "a;b;c" (lower case)? */
bool sigv4_is_signed(const char *signed_headers, const char *name);

#endif
