/* token - where the next page of a list starts, as an opaque text: the last entry's key, and a digest that ties it to
 * the list's filters. For lists whose key is a text; page.c has its own for resources. */
#ifndef CONTROL_TOKEN_H
#define CONTROL_TOKEN_H

#include "base/err.h"

#include <stdint.h>

/* To be freed. */
char *token_make(uint64_t filters, const char *key);
/* '*out_key' is to be freed; NULL for the empty token: the start. PL_INVALID names page_token. */
PL_MUST_CHECK enum pl_code token_read(const char *token, uint64_t filters, char **out_key, struct pl_err *err);

#endif
