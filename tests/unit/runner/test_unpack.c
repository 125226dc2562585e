/* Honest and hostile archives, made here by libarchive, unpacked into a folder inside another one: nothing may appear
 * outside. */
#include "runner_test.h"

#include "unpack.h"

#include <archive.h>
#include <archive_entry.h>

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct fixture {
    char dir[64]; /* holds "secret" and the folder "out" */
    int out;
    struct archive *archive;
    char path[80]; /* the archive file */
};

static const struct unpack_limits wide = { .bytes = (uint64_t)64 << 20, .entries = 1000, .ratio = 200 };

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    char path[80];
    FILE *file;

    if (!f)
        return -1;
    strcpy(f->dir, "/tmp/pilotlight-unpack-XXXXXX");
    if (!mkdtemp(f->dir))
        return -1;
    (void)snprintf(path, sizeof(path), "%s/secret", f->dir);
    file = fopen(path, "w");
    if (!file || fputs("secret", file) < 0 || fclose(file) != 0)
        return -1;
    (void)snprintf(path, sizeof(path), "%s/out", f->dir);
    if (mkdir(path, 0755) != 0)
        return -1;
    f->out = open(path, O_RDONLY | O_DIRECTORY);
    (void)snprintf(f->path, sizeof(f->path), "%s/archive", f->dir);
    *state = f;
    return f->out < 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st, (void)type, (void)at;
    return remove(path);
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    close(f->out);
    (void)nftw(f->dir, remove_one, 32, FTW_DEPTH | FTW_PHYS);
    free(f);
    return 0;
}

static void begin(struct fixture *f, bool zip, bool gzip)
{
    f->archive = archive_write_new();
    if (zip)
        archive_write_set_format_zip(f->archive);
    else
        archive_write_set_format_pax_restricted(f->archive);
    if (gzip)
        archive_write_add_filter_gzip(f->archive);
    assert_int_equal(archive_write_open_filename(f->archive, f->path), ARCHIVE_OK);
}

/* One entry; 'link' is the target of a symbolic (AE_IFLNK) or hard link (type 0). */
static void add(struct fixture *f, const char *name, unsigned type, const char *link, const void *bytes, size_t n)
{
    struct archive_entry *e = archive_entry_new();

    archive_entry_set_pathname(e, name);
    archive_entry_set_perm(e, 04755);
    archive_entry_set_filetype(e, type ? type : AE_IFREG);
    archive_entry_set_size(e, (la_int64_t)n);
    if (type == AE_IFLNK)
        archive_entry_set_symlink(e, link);
    else if (link)
        archive_entry_set_hardlink(e, link);
    assert_true(archive_write_header(f->archive, e) >= ARCHIVE_WARN);
    if (n > 0)
        assert_int_equal(archive_write_data(f->archive, bytes, n), n);
    archive_entry_free(e);
}

static void add_file(struct fixture *f, const char *name, const char *text)
{
    add(f, name, AE_IFREG, NULL, text, strlen(text));
}

static enum pl_code run(struct fixture *f, const struct unpack_limits *limits, struct unpack_result *out,
                        struct pl_err *err)
{
    enum pl_code code;
    int fd;

    if (f->archive) {
        assert_int_equal(archive_write_close(f->archive), ARCHIVE_OK);
        archive_write_free(f->archive);
        f->archive = NULL;
    }
    fd = open(f->path, O_RDONLY);
    assert_true(fd >= 0);
    code = unpack(fd, f->out, limits, out, err);
    close(fd);
    return code;
}

/* The folder around is as it was: "secret" with its content, "out", "archive", nothing else. */
static void assert_nothing_escaped(const struct fixture *f)
{
    DIR *dir = opendir(f->dir);
    struct dirent *entry;
    char path[80], text[16] = "";
    FILE *file;

    assert_non_null(dir);
    while ((entry = readdir(dir)))
        if (entry->d_name[0] != '.' && strcmp(entry->d_name, "secret") != 0 && strcmp(entry->d_name, "out") != 0 &&
            strcmp(entry->d_name, "archive") != 0)
            fail_msg("'%s' was not there before", entry->d_name);
    closedir(dir);
    (void)snprintf(path, sizeof(path), "%s/secret", f->dir);
    file = fopen(path, "r");
    assert_non_null(file);
    assert_non_null(fgets(text, sizeof(text), file));
    fclose(file);
    assert_string_equal(text, "secret");
}

static void assert_hostile(struct fixture *f, const char *message)
{
    struct unpack_result result;
    struct pl_err err = { 0 };

    assert_int_equal(run(f, &wide, &result, &err), PL_PRECONDITION);
    assert_string_equal(err.message, message);
    assert_nothing_escaped(f);
}

static void assert_content(struct fixture *f, const char *name, const char *text)
{
    int fd = openat(f->out, name, O_RDONLY);
    char content[64] = "";
    struct stat st;

    assert_true(fd >= 0);
    assert_int_equal(read(fd, content, sizeof(content) - 1), strlen(text));
    assert_string_equal(content, text);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_mode & 07022, 0); /* no setuid, nobody else writes */
    close(fd);
}

static void honest_archives_unpack(void **state)
{
    static const struct {
        bool zip, gzip;
    } kinds[] = { { false, true }, { false, false }, { true, false } };

    (void)state;
    for (size_t i = 0; i < PL_COUNT(kinds); i++) {
        struct fixture *f;
        struct unpack_result result;
        struct pl_err err = { 0 };

        assert_int_equal(setup((void **)&f), 0);
        begin(f, kinds[i].zip, kinds[i].gzip);
        add(f, "./code/", AE_IFDIR, NULL, NULL, 0);
        add_file(f, "./xgboost-model", "model");
        add_file(f, "code//deep/./inference.py", "print()");
        if (run(f, &wide, &result, &err) != PL_OK)
            fail_msg("%s", err.message);
        assert_int_equal(result.files, 2);
        assert_int_equal(result.bytes, 12);
        assert_content(f, "xgboost-model", "model");
        assert_content(f, "code/deep/inference.py", "print()");
        teardown((void **)&f);
    }
}

static void links_inside_are_made(void **state)
{
    struct fixture *f = *state;
    struct unpack_result result;
    struct pl_err err = { 0 };

    begin(f, false, true);
    add_file(f, "a/b/model", "model");
    add(f, "xgboost-model", AE_IFLNK, "a/b/model", NULL, 0);
    add(f, "a/up", AE_IFLNK, "../a/b/model", NULL, 0);
    add(f, "same", 0, "a/b/model", NULL, 0);
    if (run(f, &wide, &result, &err) != PL_OK)
        fail_msg("%s", err.message);
    assert_content(f, "xgboost-model", "model");
    assert_content(f, "a/up", "model");
    assert_content(f, "same", "model");
    assert_nothing_escaped(f);
}

static void a_later_file_replaces_an_earlier_one(void **state)
{
    struct fixture *f = *state;
    struct unpack_result result;
    struct pl_err err = { 0 };

    begin(f, false, false);
    add_file(f, "model", "the first is longer");
    add_file(f, "model", "second");
    if (run(f, &wide, &result, &err) != PL_OK)
        fail_msg("%s", err.message);
    assert_content(f, "model", "second");
}

/* Nothing that has been written is taken away: it could hide what a subverted unpacker writes. */
static void what_has_links_is_not_replaced_nor_replaced_by_one(void **state)
{
    struct fixture *f = *state;

    begin(f, false, false);
    add_file(f, "model", "first");
    add(f, "link", 0, "model", NULL, 0);
    add_file(f, "model", "second");
    assert_hostile(f, "entry 'model': it would replace a file that has hard links");
    begin(f, false, false);
    add_file(f, "first", "first");
    add_file(f, "there", "there");
    add(f, "there", 0, "first", NULL, 0);
    assert_hostile(f, "entry 'there': a hard link in the place of something else");
}

static void put_bytes(struct fixture *f, const void *bytes, size_t n)
{
    FILE *file = fopen(f->path, "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    fclose(file);
}

static void a_bare_file_is_the_model(void **state)
{
    static const char json[] = "{\"learner\": {}}";
    struct fixture *f = *state;
    struct unpack_result result;
    struct pl_err err = { 0 };

    put_bytes(f, json, sizeof(json) - 1);
    if (run(f, &wide, &result, &err) != PL_OK)
        fail_msg("%s", err.message);
    assert_int_equal(result.files, 1);
    assert_int_equal(result.bytes, sizeof(json) - 1);
    assert_content(f, "xgboost-model", json);
}

static void hostile_names_are_refused(void **state)
{
    static const struct {
        const char *name, *message;
    } cases[] = {
        { "../secret", "entry '../secret': the path contains '..'" },
        { "a/../../secret", "entry 'a/../../secret': the path contains '..'" },
        { "a/..", "entry 'a/..': the path contains '..'" },
        { "/etc/passwd", "entry '/etc/passwd': the path is absolute" },
        { "//secret", "entry '//secret': the path is absolute" },
        { "1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17/18/19/20/21/22/23/24/25/26/27/28/29/30/31/32/33",
          "entry '1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17/18/19/20/21/22/23/24/25/26/27/28/29/30/31/32/33': the path "
          "is too "
          "deep" },
        { ".", "entry '': a file without a name" },
    };

    (void)state;
    for (size_t i = 0; i < PL_COUNT(cases); i++) {
        struct fixture *f;

        assert_int_equal(setup((void **)&f), 0);
        begin(f, false, true);
        add(f, cases[i].name, AE_IFREG, NULL, "x", 1);
        assert_hostile(f, cases[i].message);
        teardown((void **)&f);
    }
}

static void over_long_names_are_refused(void **state)
{
    static const size_t lengths[] = { 256, 1020 };

    (void)state;
    for (size_t i = 0; i < PL_COUNT(lengths); i++) {
        struct fixture *f;
        struct unpack_result result;
        struct pl_err err = { 0 };
        char name[1100];

        assert_int_equal(setup((void **)&f), 0);
        memset(name, 'n', sizeof(name));
        for (size_t at = 100; lengths[i] > 256 && at < sizeof(name); at += 100)
            name[at] = '/';
        name[lengths[i]] = '\0';
        strcat(name, "abcd");
        begin(f, false, true);
        add_file(f, name, "x");
        assert_int_equal(run(f, &wide, &result, &err), PL_PRECONDITION);
        assert_non_null(strstr(err.message, "the name is too long"));
        teardown((void **)&f);
    }
}

static void links_out_are_refused(void **state)
{
    static const struct {
        const char *name, *target;
    } cases[] = {
        { "l", "/etc" }, { "l", ".." },        { "l", "../secret" },           { "a/l", "../../secret" },
        { "l", "a/.." }, { "l", "a/../../s" }, { "a/b/l", "../../../secret" }, { "l", "./.." },
    };

    (void)state;
    for (size_t i = 0; i < PL_COUNT(cases); i++) {
        struct fixture *f;
        char message[256];

        assert_int_equal(setup((void **)&f), 0);
        begin(f, false, true);
        add_file(f, "model", "x");
        add(f, cases[i].name, AE_IFLNK, cases[i].target, NULL, 0);
        (void)snprintf(message, sizeof(message), "entry '%s': the symbolic link to '%s' may lead out of the archive",
                       cases[i].name, cases[i].target);
        assert_hostile(f, message);
        teardown((void **)&f);
    }
}

/* The classic: a link first, then a file through it. Links are made last, so the file lands in a folder of that name.
 */
static void nothing_is_written_through_a_link(void **state)
{
    struct fixture *f = *state;

    begin(f, false, true);
    add_file(f, "b/model", "x");
    add(f, "l", AE_IFLNK, "b", NULL, 0);
    add_file(f, "l/model", "y");
    assert_hostile(f, "entry 'l': a symbolic link in the place of something else");
    assert_content(f, "b/model", "x");
}

static void hard_links_out_are_refused(void **state)
{
    static const struct {
        const char *target, *message;
    } cases[] = {
        { "../secret", "hard link 'h': entry '../secret': the path contains '..'" },
        { "/etc/passwd", "hard link 'h': entry '/etc/passwd': the path is absolute" },
        { "nothing", "entry 'h': a hard link to something that is not a file of this archive" },
        { "folder", "entry 'h': a hard link to something that is not a file of this archive" },
        { "h", "entry 'h': a hard link to nothing" },
    };

    (void)state;
    for (size_t i = 0; i < PL_COUNT(cases); i++) {
        struct fixture *f;

        assert_int_equal(setup((void **)&f), 0);
        begin(f, false, true);
        add(f, "folder", AE_IFDIR, NULL, NULL, 0);
        add(f, "h", 0, cases[i].target, NULL, 0);
        assert_hostile(f, cases[i].message);
        teardown((void **)&f);
    }
}

static void special_files_are_refused(void **state)
{
    static const struct {
        unsigned type;
        const char *message;
    } cases[] = {
        { AE_IFCHR, "entry 'd': is a device" },
        { AE_IFBLK, "entry 'd': is a device" },
        { AE_IFIFO, "entry 'd': is a fifo" },
    };

    (void)state;
    for (size_t i = 0; i < PL_COUNT(cases); i++) {
        struct fixture *f;

        assert_int_equal(setup((void **)&f), 0);
        begin(f, false, true);
        add(f, "d", cases[i].type, NULL, NULL, 0);
        assert_hostile(f, cases[i].message);
        teardown((void **)&f);
    }
}

static void a_file_and_a_folder_of_one_name(void **state)
{
    struct fixture *f = *state, *g;

    begin(f, false, true);
    add_file(f, "a", "x");
    add_file(f, "a/b", "x");
    assert_hostile(f, "entry 'a/b': a part of the path is not a folder");
    assert_int_equal(setup((void **)&g), 0);
    begin(g, false, true);
    add_file(g, "a/b", "x");
    add_file(g, "a", "x");
    assert_hostile(g, "entry 'a': there is a folder of that name");
    teardown((void **)&g);
}

static void bombs_are_refused(void **state)
{
    static const struct {
        struct unpack_limits limits;
        const char *message;
    } cases[] = {
        { { (uint64_t)64 << 20, 1000, 100 }, "the archive unpacks to more than 100 times its size" },
        { { (uint64_t)1 << 20, 1000, 100000 }, "the unpacked artifact is larger than the limit of 1048576 bytes" },
    };
    size_t n = (size_t)20 << 20;
    char *zeros = calloc(1, n);

    (void)state;
    assert_non_null(zeros);
    for (size_t i = 0; i < PL_COUNT(cases); i++) {
        struct fixture *f;
        struct unpack_result result;
        struct pl_err err = { 0 };

        assert_int_equal(setup((void **)&f), 0);
        begin(f, false, true);
        add(f, "bomb", AE_IFREG, NULL, zeros, n);
        assert_int_equal(run(f, &cases[i].limits, &result, &err), PL_PRECONDITION);
        assert_string_equal(err.message, cases[i].message);
        teardown((void **)&f);
    }
    free(zeros);
}

/* Many small files count together. */
static void the_limit_of_bytes_is_for_all(void **state)
{
    struct unpack_limits limits = { .bytes = 10, .entries = 100, .ratio = 100 };
    struct fixture *f = *state;
    struct unpack_result result;
    struct pl_err err = { 0 };

    begin(f, false, true);
    add_file(f, "a", "123456");
    add_file(f, "b", "123456");
    assert_int_equal(run(f, &limits, &result, &err), PL_PRECONDITION);
    assert_string_equal(err.message, "the unpacked artifact is larger than the limit of 10 bytes");
}

static void too_many_entries_are_refused(void **state)
{
    char name[] = "0/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s"; /* as many folders as it has parts */
    struct fixture *f = *state;

    begin(f, false, true);
    for (int i = 0; i < 100000; i++)
        add(f, "a", AE_IFDIR, NULL, NULL, 0);
    assert_hostile(f, "the archive has more than 1000 entries");
    begin(f, false, true);
    for (int i = 0; i < 60; i++, name[0]++)
        add_file(f, name, "x");
    assert_hostile(f, "the archive has more than 1000 folders");
}

static void damaged_archives_are_refused(void **state)
{
    struct fixture *f = *state;
    struct unpack_result result;
    struct pl_err err = { 0 };
    char noise[20000];
    char *whole;
    size_t n;

    for (size_t i = 0; i < sizeof(noise); i++)
        noise[i] = (char)(i * i >> 3 ^ i * 31);
    begin(f, false, true);
    add(f, "model", AE_IFREG, NULL, noise, sizeof(noise));
    assert_int_equal(run(f, &wide, &result, &err), PL_OK);
    whole = read_whole(f->path, &n);
    for (size_t cut = 2; cut < n - 8; cut += n / 9) {
        put_bytes(f, whole, cut);
        if (run(f, &wide, &result, &err) == PL_OK)
            fail_msg("an archive cut at %zu of %zu bytes was taken", cut, n);
        assert_int_equal(err.code, PL_PRECONDITION);
    }
    free(whole);
    put_bytes(f, "", 0);
    assert_hostile(f, "the artifact is empty");
    put_bytes(f, "\x1f\x8b\x08", 3);
    assert_hostile(f, "a gzip file, but neither a gzipped tar nor a zip archive that can be read");
    put_bytes(f, "BZh91AY&SY", 10);
    assert_hostile(f, "a bzip2 file, but neither a gzipped tar nor a zip archive that can be read");
}

static void an_archive_without_a_file_is_refused(void **state)
{
    struct fixture *f = *state;

    begin(f, false, true);
    add(f, "folder", AE_IFDIR, NULL, NULL, 0);
    assert_hostile(f, "the archive holds no file");
}

struct output {
    int exit_code;
    char out[256], err[256];
};

/* The real program with the archive as 3 and the folder as 4. */
static struct output run_program(struct fixture *f, const char *option, const char *value)
{
    int out[2], err[2], status;
    struct output o = { 0 };
    pid_t pid;

    assert_int_equal(pipe(out) | pipe(err), 0);
    assert_true((pid = fork()) >= 0);
    if (pid == 0) {
        int archive = fcntl(open(f->path, O_RDONLY), F_DUPFD, 10), folder = fcntl(f->out, F_DUPFD, 10);

        dup2(out[1], 1), dup2(err[1], 2), dup2(archive, 3), dup2(folder, 4);
        execl(RUNNER_PROGRAM, RUNNER_PROGRAM, "unpack", option, value, (char *)NULL);
        _exit(99);
    }
    close(out[1]), close(err[1]);
    assert_true(read(out[0], o.out, sizeof(o.out) - 1) >= 0);
    assert_true(read(err[0], o.err, sizeof(o.err) - 1) >= 0);
    assert_true(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
    o.exit_code = WEXITSTATUS(status);
    close(out[0]), close(err[0]);
    return o;
}

static void the_program_says_what_it_did(void **state)
{
    struct fixture *f = *state;
    struct output o;

    begin(f, false, true);
    add_file(f, "../two\nlines", "x");
    assert_int_equal(archive_write_free(f->archive), ARCHIVE_OK);
    o = run_program(f, "--max-bytes", "1000");
    assert_int_equal(o.exit_code, 3);
    assert_string_equal(o.out, "");
    assert_string_equal(o.err, "entry '../two?lines': the path contains '..'\n");
    begin(f, false, true);
    add_file(f, "model", "model");
    assert_int_equal(archive_write_free(f->archive), ARCHIVE_OK);
    o = run_program(f, "--max-entries", "10");
    assert_int_equal(o.exit_code, 0);
    assert_string_equal(o.out, "{\"files\":1,\"bytes\":5}\n");
    assert_string_equal(o.err, "");
    o = run_program(f, "--max-ratio", "many");
    assert_int_equal(o.exit_code, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(honest_archives_unpack),
        TEST(links_inside_are_made),
        TEST(what_has_links_is_not_replaced_nor_replaced_by_one),
        TEST(a_later_file_replaces_an_earlier_one),
        TEST(a_bare_file_is_the_model),
        cmocka_unit_test(hostile_names_are_refused),
        cmocka_unit_test(over_long_names_are_refused),
        cmocka_unit_test(links_out_are_refused),
        TEST(nothing_is_written_through_a_link),
        cmocka_unit_test(hard_links_out_are_refused),
        cmocka_unit_test(special_files_are_refused),
        TEST(a_file_and_a_folder_of_one_name),
        cmocka_unit_test(bombs_are_refused),
        TEST(the_limit_of_bytes_is_for_all),
        TEST(too_many_entries_are_refused),
        TEST(damaged_archives_are_refused),
        TEST(an_archive_without_a_file_is_refused),
        TEST(the_program_says_what_it_did),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
