#include "model_files.h"

#include "base/mem.h"
#include "refuse.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool is_model(int dir_fd, const char *name)
{
    struct stat st;

    return name[0] != '.' && fstatat(dir_fd, name, &st, 0) == 0 && S_ISREG(st.st_mode);
}

/* What one piece of the folder names. */
static enum pl_code take_names(struct model_files *f, const char *entries, size_t n, struct pl_err *err)
{
    const struct dirent64 *entry;

    for (size_t at = 0; at < n; at += entry->d_reclen) {
        entry = (const struct dirent64 *)(const void *)(entries + at);
        if (!is_model(f->dir_fd, entry->d_name))
            continue;
        if (f->count == MODEL_MAX_FILES)
            return refuse(err, STATUS_FAILED, "Unable to load model: more than %d model files", MODEL_MAX_FILES);
        f->names[f->count++] = pl_strdup(entry->d_name);
    }
    return PL_OK;
}

/* Not by readdir(): its buffer of 32 KiB is eight pages that a new instance would be the first to touch, to read two or
 * three names. */
static enum pl_code read_names(struct model_files *f, struct pl_err *err)
{
    _Alignas(struct dirent64) char entries[1024];
    ssize_t n;

    while ((n = getdents64(f->dir_fd, entries, sizeof(entries))) > 0)
        if (take_names(f, entries, (size_t)n, err) != PL_OK)
            return PL_MODEL;
    if (n < 0)
        return refuse(err, STATUS_FAILED, "Unable to load model: cannot read the model directory: %s", strerror(errno));
    if (f->count == 0)
        return refuse(err, STATUS_FAILED,
                      "Unable to load model: there is no model file in the top level of the artifact");
    qsort(f->names, f->count, sizeof(f->names[0]), by_name);
    return PL_OK;
}

enum pl_code model_files_open(struct model_files *out, int at, const char *path, struct pl_err *err)
{
    struct model_files f = { .dir_fd = openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) };

    if (f.dir_fd < 0)
        return refuse(err, STATUS_FAILED, "Unable to load model: cannot open the model directory: %s", strerror(errno));
    if (read_names(&f, err) != PL_OK) {
        model_files_done(&f);
        return PL_MODEL;
    }
    *out = f;
    return PL_OK;
}

void model_files_done(struct model_files *f)
{
    for (unsigned i = 0; i < f->count; i++)
        free(f->names[i]);
    f->count = 0;
    pl_close_p(&f->dir_fd);
}

enum pl_code model_file_map(const struct model_files *f, unsigned which, struct model_file *out, struct pl_err *err)
{
    const char *name = f->names[which];
    pl_cleanup(pl_close_p) int fd = openat(f->dir_fd, name, O_RDONLY | O_CLOEXEC);
    struct refuse_quote q = refuse_quote(name, strlen(name));
    struct stat st;
    void *bytes;

    if (fd < 0 || fstat(fd, &st) != 0)
        return refuse(err, STATUS_FAILED, "Unable to load model: %s: %s", q.text, strerror(errno));
    if (st.st_size == 0)
        return refuse(err, STATUS_FAILED, "Unable to load model: %s: the file is empty", q.text);
    bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (bytes == MAP_FAILED)
        return refuse(err, STATUS_FAILED, "Unable to load model: %s: %s", q.text, strerror(errno));
    *out = (struct model_file){ .bytes = bytes, .n = (size_t)st.st_size };
    return PL_OK;
}

void model_file_done(struct model_file *m)
{
    if (m->bytes)
        (void)munmap(m->bytes, m->n);
    *m = (struct model_file){ 0 };
}
