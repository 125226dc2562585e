/* tree - writes files below one directory and nowhere else, whatever the names are.
 *
 * A path is walked component by component with O_NOFOLLOW from the directory's descriptor, so that no link is ever
 * followed; symbolic links are kept back until tree_finish(), so that there is none to follow while files are written.
 * A symbolic link may only go up first and down after ("../../a/b"), and no higher than the directory: then no chain of
 * links leads out either. */
#ifndef RUNNER_TREE_H
#define RUNNER_TREE_H

#include "base/cleanup.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

#define TREE_MAX_PATH  1024
#define TREE_MAX_DEPTH 32
#define TREE_MAX_LINKS 1024

struct tree_link {
    char *path, *target;
};

struct tree {
    int root;
    struct tree_link *links;
    unsigned link_count;
    size_t folders; /* made so far, also by the names of what is in them */
};

void tree_init(struct tree *t, int root);
void tree_done(struct tree *t);

/* Brings an archive's name into the form that the others take: no "./", no "//", no "/" at the end; "" is the root
 * itself. PL_PRECONDITION: absolute, "..", too long, too deep. */
PL_MUST_CHECK enum pl_code tree_path(const char *name, char out[TREE_MAX_PATH], struct pl_err *err);

/* Missing folders on the way are made. A file that is there already is replaced. PL_PRECONDITION, PL_INTERNAL. */
PL_MUST_CHECK enum pl_code tree_folder(struct tree *t, const char *path, struct pl_err *err);
PL_MUST_CHECK enum pl_code tree_file(struct tree *t, const char *path, bool executable, int *out_fd,
                                     struct pl_err *err);
PL_MUST_CHECK enum pl_code tree_hard_link(struct tree *t, const char *path, const char *to, struct pl_err *err);
PL_MUST_CHECK enum pl_code tree_symbolic_link(struct tree *t, const char *path, const char *target, struct pl_err *err);

/* Makes the symbolic links. */
PL_MUST_CHECK enum pl_code tree_finish(struct tree *t, struct pl_err *err);

#endif
