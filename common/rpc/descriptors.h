/* descriptors - finds files and symbols in a serialized google.protobuf.FileDescriptorSet.
 *
 * The set is scanned where it lies, never unpacked: opening notes each file's bytes and name, a look-up walks the names
 * in the file. Threads: read-only after opening.  Memory: keeps pointers into the set, which must outlive it. */
#ifndef RPC_DESCRIPTORS_H
#define RPC_DESCRIPTORS_H

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>

struct descriptors;

struct descriptors *descriptors_open(const void *set, size_t len); /* NULL: malformed */
void descriptors_close(struct descriptors *d);                     /* NULL is fine */

/* The index of a file, or -1. */
int descriptors_find_file(const struct descriptors *d, const char *name);
/* The file that defines "package.Message.Nested", "package.Service.Method", an enum, a field or an enum's value; or -1.
 */
int descriptors_find_symbol(const struct descriptors *d, const char *symbol);
/* The file and all it imports, directly or not, each once; the array is the caller's to free. Returns how many. */
size_t descriptors_with_imports(const struct descriptors *d, int file, ProtobufCBinaryData **out);

#endif
