/* descriptors - how many files, sockets and pipes this process may have open. */
#ifndef BASE_DESCRIPTORS_H
#define BASE_DESCRIPTORS_H

#include <stdint.h>

/* Raises the limit to 'wanted', or as far as the system lets us; a limit that is higher already stays. Returns what it
 * is then. Once, at the start of a program that keeps a descriptor for each thing it counts. */
uint64_t pl_descriptors_raise(uint64_t wanted);

#endif
