/* paths - file names: joined, cleaned, made absolute; and small files read whole. */
#ifndef CTL_PATHS_H
#define CTL_PATHS_H

#include "base/buf.h"
#include "base/err.h"

/* 'path' as an absolute path without ".", ".." and double slashes; a relative one starts at 'folder' (itself relative
 * to the working directory). Links are not followed. The caller frees it. */
char *paths_resolve(const char *folder, const char *path);
/* "a/b.yaml" -> "a", "b.yaml" -> ".". The caller frees it. */
char *paths_folder(const char *path);
/* Appends a whole file, or standard input for "-", up to the buffer's limit (PL_EXHAUSTED beyond it). */
PL_MUST_CHECK enum pl_code paths_read(const char *path, struct pl_buf *out, struct pl_err *err);

#endif
