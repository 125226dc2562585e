/* bucket_file - an object's file: its bytes, then its description as JSON, then twelve bytes that say how long that is
 * ("PLO1" and eight hex digits). One file, so that bytes and description cannot disagree. Threads: any; blocks. */
#ifndef GATEWAY_BUCKET_FILE_H
#define GATEWAY_BUCKET_FILE_H

#include "bucket.h"

/* Appends the description at 'o->size', and syncs. Its result is err->code, too. */
enum pl_code bucket_file_finish(int fd, const struct bucket_object *o, struct pl_err *err);
/* PL_DATA_LOSS: not such a file, or cut short. */
PL_MUST_CHECK enum pl_code bucket_file_read(int fd, struct bucket_object *out, struct pl_err *err);
/* Writes all of it. */
PL_MUST_CHECK enum pl_code bucket_file_write(int fd, const void *bytes, size_t n, int64_t at, struct pl_err *err);
/* Makes the renames in a folder last. */
void bucket_file_sync_dir(const char *path);

#endif
