/* uri - percent-encoding, as AWS does it: everything but letters, digits and - . _ ~ becomes %XX, upper case. */
#ifndef GATEWAY_URI_H
#define GATEWAY_URI_H

#include "arena.h"

#include <stdbool.h>

char *uri_encode(const char *bytes, size_t n, bool keep_slash, struct arena *a);
/* What is no %XX stays as it is. 'form': '+' is a space. The result has a NUL behind it and may have some in it. */
char *uri_decode(const char *text, size_t n, bool form, struct arena *a, size_t *out_len);
/* The decoded value of the first parameter of that name, "" when it has none; NULL when it is not there. */
char *uri_query_value(const char *query, const char *name, struct arena *a);

#endif
