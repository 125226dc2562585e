#include "compile_model.h"

#include "booster.h"
#include "compiler/compile.h"
#include "compiler/prove.h"
#include "compiler/source.h"
#include "matrix.h"
#include "model_files.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MODEL_FD 3
#define OUT_FD   4

/* ---- by the library ---- */

static void booster_close_p(struct booster **b)
{
    booster_close(*b);
}

static enum pl_code ask_library(void *arg, const float *rows, size_t count, bool margins, const float **out_values,
                                size_t *out_width, bool *out_list, struct pl_err *err)
{
    struct booster *b = arg;
    const struct matrix m = { .rows = count,
                              .cols = booster_facts(b)->features,
                              .values = (float *)rows,
                              .count = count * booster_facts(b)->features };

    *out_list = false;
    if (margins)
        return booster_margins(b, rows, count, out_values, out_width, err);
    return booster_predict(b, &m, 0, count, out_values, out_width, out_list, err);
}

static enum pl_code compile_loaded(struct booster *b, struct forest_image *out, struct pl_err *err)
{
    pl_cleanup(source_free_p) struct source *s = NULL;
    struct forest_image image;
    const void *bytes;
    size_t n;

    if (booster_save(b, &bytes, &n, err) != PL_OK || source_read(&s, bytes, n, true, err) != PL_OK ||
        forest_compile(s, &image, err) != PL_OK)
        return err->code;
    if (forest_prove(&image, ask_library, b, err) != PL_OK) {
        forest_image_done(&image);
        return err->code;
    }
    *out = image;
    return PL_OK;
}

/* ---- by ourselves ---- */

/* 'why' the library is no help. */
static enum pl_code compile_unproven(const struct model_file *file, const char *why, struct forest_image *out,
                                     struct pl_err *err)
{
    pl_cleanup(source_free_p) struct source *s = NULL;
    struct forest_header *h;
    char library[32];

    if (source_read(&s, file->bytes, file->n, true, err) != PL_OK || forest_compile(s, out, err) != PL_OK)
        return err->code;
    booster_version(library, sizeof(library));
    h = out->bytes;
    (void)snprintf(h->note, sizeof(h->note), "not compared with %s: %.90s", library, why);
    forest_image_seal(out);
    return PL_OK;
}

/* The library's words without the beginning that all its refusals share. */
static const char *essence(const char *message)
{
    const char *cut = strstr(message, "XGBoost cannot read it: ");

    return cut ? cut : message;
}

enum pl_code compile_model_file(const struct model_files *files, unsigned which, struct forest_image *out,
                                struct pl_err *err)
{
    pl_cleanup(model_file_done) struct model_file file = { 0 };
    pl_cleanup(booster_close_p) struct booster *b = NULL;
    pl_cleanup(source_free_p) struct source *outline = NULL;
    struct pl_err refused, unread;
    const char *misread;

    if (model_file_map(files, which, &file, err) != PL_OK)
        return err->code;
    if (source_read(&outline, file.bytes, file.n, false, &unread) != PL_OK)
        outline = NULL;
    misread = outline ? booster_misreads(outline) : NULL;
    if (misread)
        return compile_unproven(&file, misread, out, err);
    if (booster_open(&b, files->names[which], file.bytes, file.n, &refused) == PL_OK)
        return compile_loaded(b, out, err);
    if (outline)
        return compile_unproven(&file, essence(refused.message), out, err);
    *err = refused;
    return err->code;
}

/* ---- the subcommand ---- */

static bool write_file(const char *name, const void *bytes, size_t n)
{
    pl_cleanup(pl_close_p) int fd = openat(OUT_FD, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    const char *at = bytes;

    while (fd >= 0 && n > 0) {
        ssize_t written = write(fd, at, n);

        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            break;
        at += written;
        n -= (size_t)written;
    }
    if (fd >= 0 && n == 0)
        return true;
    (void)fprintf(stderr, "pilotlight-runner: cannot write %s: %s\n", name, strerror(errno));
    return false;
}

static bool write_forest(unsigned which, const struct forest_image *image)
{
    const struct forest_header *h = image->bytes;
    char name[32];

    (void)snprintf(name, sizeof(name), "%u.forest", which);
    (void)printf("%s: %" PRIu32 " trees, %" PRIu32 " of %" PRIu32 " leaves compared%s%s\n", name, h->trees,
                 h->leaves_reached, h->leaves, h->note[0] ? "; " : "", h->note);
    return write_file(name, image->bytes, image->n);
}

static bool write_why(unsigned which, const char *why)
{
    char name[32];

    (void)snprintf(name, sizeof(name), "%u.why", which);
    (void)printf("%s: %s\n", name, why);
    return write_file(name, why, strlen(why));
}

static bool compile_one(const struct model_files *files, unsigned which)
{
    struct forest_image image;
    struct pl_err err = { 0 };
    bool written;

    if (compile_model_file(files, which, &image, &err) != PL_OK)
        return write_why(which, err.message);
    written = write_forest(which, &image);
    forest_image_done(&image);
    return written;
}

int compile_main(int argc, char **argv)
{
    pl_cleanup(model_files_done) struct model_files files = { .dir_fd = -1 };
    struct pl_err err;

    (void)argv;
    if (argc != 1) {
        (void)fprintf(stderr, "usage: pilotlight-runner compile\n");
        return 2;
    }
    if (model_files_open(&files, MODEL_FD, ".", &err) != PL_OK) {
        (void)fprintf(stderr, "%s\n", err.message);
        return EXIT_FAILURE;
    }
    for (unsigned i = 0; i < files.count; i++)
        if (!compile_one(&files, i))
            return EXIT_FAILURE;
    return EXIT_SUCCESS;
}
