/* model_files - the files of a model's folder that are models: the regular files of its top level whose name does not
 * start with ".", in the order of their names. Their place in that order is what compiled forests are named by. */
#ifndef RUNNER_MODEL_FILES_H
#define RUNNER_MODEL_FILES_H

#include "base/cleanup.h"
#include "base/err.h"

#include <stddef.h>

#define MODEL_MAX_FILES 64

struct model_files {
    int dir_fd; /* of the folder; owned */
    char *names[MODEL_MAX_FILES];
    unsigned count;
};

/* 'dir' is below 'at' (AT_FDCWD, or a folder's descriptor) when it is relative. PL_MODEL 500 "Unable to load model:
 * ...": no such folder, no file in it, or too many. */
PL_MUST_CHECK enum pl_code model_files_open(struct model_files *out, int at, const char *dir, struct pl_err *err);
void model_files_done(struct model_files *f);

/* One file's bytes, read-only, until model_file_done(). PL_MODEL 500. */
struct model_file {
    void *bytes;
    size_t n;
};
PL_MUST_CHECK enum pl_code model_file_map(const struct model_files *f, unsigned which, struct model_file *out,
                                          struct pl_err *err);
void model_file_done(struct model_file *m);

#endif
