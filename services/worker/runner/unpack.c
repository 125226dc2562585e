#include "unpack.h"

#include "base/mem.h"
#include "base/text.h"
#include "layout/forest_folder.h"
#include "tree.h"

#include <archive.h>
#include <archive_entry.h>

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BARE_NAME   "xgboost-model" /* as training jobs name it */
#define BLOCK_BYTES ((size_t)64 << 10)

enum { EXIT_DONE = 0, EXIT_CANNOT = 1, EXIT_USAGE = 2, EXIT_REFUSED = 3 };

struct unpacker {
    struct archive *archive;
    struct tree tree;
    const struct unpack_limits *limits;
    uint64_t archive_bytes, entries;
    struct unpack_result result;
    char block[BLOCK_BYTES];
};

static enum pl_code refused(struct pl_err *err, const char *why)
{
    return pl_fail_reason(err, PL_PRECONDITION, "ARTIFACT_REFUSED", NULL, "%s", why);
}

static enum pl_code entry_refused(struct pl_err *err, const char *path, const char *why)
{
    return pl_fail_reason(err, PL_PRECONDITION, "ARTIFACT_REFUSED", NULL, "entry '%.200s': %s", path, why);
}

static enum pl_code broken(struct unpacker *u, struct pl_err *err)
{
    const char *why = archive_error_string(u->archive);

    return pl_fail_reason(err, PL_PRECONDITION, "ARTIFACT_REFUSED", NULL, "the archive is damaged: %.300s",
                          why ? why : "no reason given");
}

/* 'n' more bytes are about to be written. */
static enum pl_code charge(struct unpacker *u, uint64_t n, struct pl_err *err)
{
    uint64_t total = u->result.bytes + n;

    if (n > u->limits->bytes || total > u->limits->bytes)
        return pl_fail_reason(err, PL_PRECONDITION, "ARTIFACT_REFUSED", NULL,
                              "the unpacked artifact is larger than the limit of %" PRIu64 " bytes", u->limits->bytes);
    if (total > UNPACK_RATIO_FLOOR && total / u->limits->ratio > u->archive_bytes)
        return pl_fail_reason(err, PL_PRECONDITION, "ARTIFACT_REFUSED", NULL,
                              "the archive unpacks to more than %" PRIu64 " times its size", u->limits->ratio);
    u->result.bytes = total;
    return PL_OK;
}

static enum pl_code write_all(int fd, const char *bytes, size_t n, struct pl_err *err)
{
    while (n > 0) {
        ssize_t written = write(fd, bytes, n);

        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return pl_fail(err, PL_INTERNAL, NULL, "cannot write: %s", strerror(errno));
        bytes += written;
        n -= (size_t)written;
    }
    return PL_OK;
}

static enum pl_code copy_entry(struct unpacker *u, int fd, struct pl_err *err)
{
    la_ssize_t n;

    while ((n = archive_read_data(u->archive, u->block, sizeof(u->block))) > 0)
        if (charge(u, (uint64_t)n, err) != PL_OK || write_all(fd, u->block, (size_t)n, err) != PL_OK)
            return err->code;
    return n < 0 ? broken(u, err) : PL_OK;
}

static enum pl_code take_file(struct unpacker *u, struct archive_entry *entry, const char *path, struct pl_err *err)
{
    pl_cleanup(pl_close_p) int fd = -1;

    /* Refused before a byte is written, when the header says so itself. */
    if (archive_entry_size_is_set(entry) &&
        (archive_entry_size(entry) < 0 || (uint64_t)archive_entry_size(entry) > u->limits->bytes))
        return pl_fail_reason(err, PL_PRECONDITION, "ARTIFACT_REFUSED", NULL,
                              "the unpacked artifact is larger than the limit of %" PRIu64 " bytes", u->limits->bytes);
    if (tree_file(&u->tree, path, archive_entry_perm(entry) & 0100, &fd, err) != PL_OK)
        return err->code;
    u->result.files++;
    return copy_entry(u, fd, err);
}

static enum pl_code take_hard_link(struct unpacker *u, const char *path, const char *to, struct pl_err *err)
{
    char target[TREE_MAX_PATH];

    if (tree_path(to, target, err) != PL_OK)
        return pl_err_prefix(err, "hard link '%.200s'", path);
    return tree_hard_link(&u->tree, path, target, err);
}

static enum pl_code take_entry(struct unpacker *u, struct archive_entry *entry, struct pl_err *err)
{
    const char *name = archive_entry_pathname(entry), *to = archive_entry_hardlink(entry);
    char path[TREE_MAX_PATH];

    if (!name || !*name)
        return refused(err, "an entry has no name");
    if (tree_path(name, path, err) != PL_OK)
        return err->code;
    if (strncmp(path, FOREST_FOLDER_PREFIX, strlen(FOREST_FOLDER_PREFIX)) == 0)
        return entry_refused(err, path, "has a name that is kept for Pilotlight's own files");
    if (to)
        return take_hard_link(u, path, to, err);
    switch (archive_entry_filetype(entry)) {
    case AE_IFREG:
        return take_file(u, entry, path, err);
    case AE_IFDIR:
        return tree_folder(&u->tree, path, err);
    case AE_IFLNK:
        to = archive_entry_symlink(entry);
        return tree_symbolic_link(&u->tree, path, to ? to : "", err);
    case AE_IFBLK:
    case AE_IFCHR:
        return entry_refused(err, path, "is a device");
    case AE_IFIFO:
        return entry_refused(err, path, "is a fifo");
    case AE_IFSOCK:
        return entry_refused(err, path, "is a socket");
    default:
        return entry_refused(err, path, "is neither a file, a folder nor a link");
    }
}

static enum pl_code take_entries(struct unpacker *u, struct archive_entry *entry, struct pl_err *err)
{
    int got = ARCHIVE_OK;

    while (got != ARCHIVE_EOF) {
        if (++u->entries > u->limits->entries)
            return pl_fail_reason(err, PL_PRECONDITION, "ARTIFACT_REFUSED", NULL,
                                  "the archive has more than %" PRIu64 " entries", u->limits->entries);
        if (take_entry(u, entry, err) != PL_OK)
            return err->code;
        if (u->tree.folders > u->limits->entries) /* one name may make many */
            return pl_fail_reason(err, PL_PRECONDITION, "ARTIFACT_REFUSED", NULL,
                                  "the archive has more than %" PRIu64 " folders", u->limits->entries);
        do
            got = archive_read_next_header(u->archive, &entry);
        while (got == ARCHIVE_RETRY);
        if (got == ARCHIVE_FATAL)
            return broken(u, err);
    }
    if (tree_finish(&u->tree, err) != PL_OK)
        return err->code;
    return u->result.files ? PL_OK : refused(err, "the archive holds no file");
}

/* What is no archive must not be a compressed something either: nobody serves that as a model. */
static const char *compressed_kind(const uint8_t *head, size_t n)
{
    static const struct {
        const char *magic;
        size_t len;
        const char *name;
    } kinds[] = {
        { "\x1f\x8b", 2, "gzip" },
        { "PK", 2, "zip" },
        { "BZh", 3, "bzip2" },
        { "\xfd"
          "7zXZ",
          5, "xz" },
        { "\x28\xb5\x2f\xfd", 4, "zstd" },
        { "7z\xbc\xaf", 4, "7-zip" },
        { "Rar!", 4, "rar" },
    };

    for (size_t i = 0; i < PL_COUNT(kinds); i++)
        if (n >= kinds[i].len && memcmp(head, kinds[i].magic, kinds[i].len) == 0)
            return kinds[i].name;
    return NULL;
}

static enum pl_code take_bare(struct unpacker *u, int fd, struct pl_err *err)
{
    pl_cleanup(pl_close_p) int out = -1;
    const char *kind;
    ssize_t n = pread(fd, u->block, 512, 0);
    off_t at = 0;

    kind = n > 0 ? compressed_kind((const uint8_t *)u->block, (size_t)n) : NULL;
    if (kind)
        return pl_fail_reason(err, PL_PRECONDITION, "ARTIFACT_REFUSED", NULL,
                              "a %s file, but neither a gzipped tar nor a zip archive that can be read", kind);
    if (tree_file(&u->tree, BARE_NAME, false, &out, err) != PL_OK)
        return err->code;
    while ((n = pread(fd, u->block, sizeof(u->block), at)) > 0) {
        if (charge(u, (uint64_t)n, err) != PL_OK || write_all(out, u->block, (size_t)n, err) != PL_OK)
            return err->code;
        at += n;
    }
    u->result.files = 1;
    return n < 0 ? pl_fail(err, PL_INTERNAL, NULL, "cannot read the artifact: %s", strerror(errno)) : PL_OK;
}

static enum pl_code read_archive(struct unpacker *u, int fd, struct pl_err *err)
{
    struct archive_entry *entry;
    int got;

    u->archive = archive_read_new();
    if (!u->archive)
        pl_die("no memory");
    (void)archive_read_support_filter_gzip(u->archive);
    (void)archive_read_support_format_tar(u->archive);
    (void)archive_read_support_format_zip(u->archive);
    if (archive_read_open_fd(u->archive, fd, BLOCK_BYTES) != ARCHIVE_OK)
        return take_bare(u, fd, err);
    do
        got = archive_read_next_header(u->archive, &entry);
    while (got == ARCHIVE_RETRY);
    if (got == ARCHIVE_OK || got == ARCHIVE_WARN)
        return take_entries(u, entry, err);
    if (got == ARCHIVE_EOF)
        return refused(err, "the archive holds no file");
    return archive_format(u->archive) == 0 ? take_bare(u, fd, err) : broken(u, err);
}

enum pl_code unpack(int archive_fd, int dir_fd, const struct unpack_limits *limits, struct unpack_result *out,
                    struct pl_err *err)
{
    struct unpacker *u;
    struct stat st;
    enum pl_code code;

    if (fstat(archive_fd, &st) != 0 || !S_ISREG(st.st_mode))
        return pl_fail(err, PL_INTERNAL, NULL, "the artifact is not a file");
    if (st.st_size == 0)
        return refused(err, "the artifact is empty");
    u = PL_NEW(struct unpacker);
    u->limits = limits;
    u->archive_bytes = (uint64_t)st.st_size;
    tree_init(&u->tree, dir_fd);
    code = read_archive(u, archive_fd, err);
    if (code == PL_OK)
        *out = u->result;
    if (u->archive)
        (void)archive_read_free(u->archive);
    tree_done(&u->tree);
    free(u);
    return code;
}

/* "--max-bytes N" and its sisters. */
static bool read_options(int argc, char **argv, struct unpack_limits *out)
{
    static const struct option options[] = { { "max-bytes", required_argument, NULL, 'b' },
                                             { "max-entries", required_argument, NULL, 'e' },
                                             { "max-ratio", required_argument, NULL, 'r' },
                                             { 0 } };
    int which;

    while ((which = getopt_long(argc, argv, "", options, NULL)) != -1) {
        uint64_t *value = which == 'b' ? &out->bytes : which == 'e' ? &out->entries : which == 'r' ? &out->ratio : NULL;

        if (!value || !pl_parse_u64(optarg, INT64_MAX, value) || *value == 0)
            return false;
    }
    return optind == argc;
}

/* The reason is one line, whatever names the archive has. */
static void print_reason(char *message)
{
    for (char *c = message; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
    (void)fprintf(stderr, "%s\n", message);
}

int unpack_main(int argc, char **argv)
{
    struct unpack_limits limits = { .bytes = (uint64_t)1 << 30, .entries = 10000, .ratio = 200 };
    struct unpack_result result;
    struct pl_err err = { 0 };

    if (!read_options(argc, argv, &limits)) {
        (void)fprintf(stderr, "usage: pilotlight-runner unpack [--max-bytes N] [--max-entries N] [--max-ratio N]\n");
        return EXIT_USAGE;
    }
    if (unpack(3, 4, &limits, &result, &err) != PL_OK) {
        print_reason(err.message);
        return err.code == PL_PRECONDITION ? EXIT_REFUSED : EXIT_CANNOT;
    }
    (void)printf("{\"files\":%" PRIu64 ",\"bytes\":%" PRIu64 "}\n", result.files, result.bytes);
    return fflush(stdout) == 0 ? EXIT_DONE : EXIT_CANNOT;
}
