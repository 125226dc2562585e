/* mem - allocation of bookkeeping whose size is fixed by us; ends the process when there is no memory.
 * Any size that came from outside is checked against its limit first, or allocated with plain malloc() and refused. */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

void *pl_new0(size_t count, size_t size); /* zeroed; calloc()'s overflow check */
void *pl_grow(void *array, size_t count, size_t size);
char *pl_strdup(const char *s); /* NULL stays NULL */
char *pl_strndup(const char *s, size_t n);
char *pl_format(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#define PL_NEW(type) ((type *)pl_new0(1, sizeof(type)))

#endif
