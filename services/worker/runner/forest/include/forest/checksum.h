/* checksum - tells a file that is as it was written from one that is not. No defence against an author: whoever can
 * write a file can write its checksum, and gains nothing, because indexes are checked apart from it.
 *
 * Four lanes of rotate(lane ^ word) * odd number, which is one to one: a change of any one word always changes the
 * result. Reads at memory speed without special instructions. */
#ifndef FOREST_CHECKSUM_H
#define FOREST_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/* 'n' may be anything; the last words are filled up with zeros. */
uint64_t forest_checksum(const void *bytes, size_t n);

#endif
