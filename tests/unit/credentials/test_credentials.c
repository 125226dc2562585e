#include "credentials/credentials.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char path[64];

static int make_path(void **state)
{
    (void)state;
    strcpy(path, "/tmp/pl-credentials-XXXXXX");
    int fd = mkstemp(path);
    close(fd);
    unlink(path);
    return fd < 0 ? -1 : 0;
}

static int remove_path(void **state)
{
    char lock[80];
    (void)state;
    snprintf(lock, sizeof(lock), "%s.lock", path);
    unlink(lock);
    return unlink(path);
}

static void put(const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void keys_survive_their_file(void **state)
{
    struct credentials *c;
    struct credential key, other;
    struct pl_err err;
    struct stat st;
    int lock;
    (void)state;
    assert_int_equal(credentials_load(&c, path, &err), PL_OK); /* not there: empty */
    assert_int_equal(credentials_count(c), 0);
    credential_make(&key, CREDENTIAL_ALL, "a note");
    credential_make(&other, CREDENTIAL_ARTIFACTS, NULL);
    assert_true(strlen(key.id) == 20 && strlen(key.secret) == 40 && strcmp(key.id, other.id) != 0);
    assert_int_equal(credentials_add(c, &key, &err), PL_OK);
    assert_int_equal(credentials_add(c, &other, &err), PL_OK);
    assert_int_equal(credentials_add(c, &key, &err), PL_EXISTS);
    assert_int_equal(credentials_set_disabled(c, other.id, true, &err), PL_OK);
    assert_int_equal(credentials_set_disabled(c, "nobody", true, &err), PL_NOT_FOUND);
    assert_int_equal(credentials_lock(path, &lock, &err), PL_OK);
    assert_int_equal(credentials_save(c, path, &err), PL_OK);
    close(lock);
    credentials_free(c);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(credentials_load(&c, path, &err), PL_OK);
    const struct credential *found = credentials_find(c, key.id);
    assert_non_null(found);
    assert_string_equal(found->secret, key.secret);
    assert_string_equal(found->note, "a note");
    assert_int_equal(found->created_ms, key.created_ms);
    found = credentials_find(c, other.id);
    assert_true(found && found->disabled && found->use == CREDENTIAL_ARTIFACTS);
    assert_null(credentials_find(c, "PLx"));
    strcpy(key.secret, "another-secret");
    assert_int_equal(credentials_put(c, &key, &err), PL_OK);
    assert_string_equal(credentials_find(c, key.id)->secret, "another-secret");
    assert_int_equal(credentials_count(c), 2);
    credentials_free(c);
}

static void bad_keys_are_refused(void **state)
{
    static const struct {
        const char *id, *secret, *note, *field;
    } cases[] = { { "", "12345678", "", "access_key_id" },
                  { "a b", "12345678", "", "access_key_id" },
                  { "abc", "short", "", "secret_access_key" },
                  { "abc", "with space", "", "secret_access_key" },
                  { "abc", "12345678", "tab\there", "note" } };
    struct credentials *c = credentials_new();
    struct pl_err err;
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct credential key = { 0 };
        strcpy(key.id, cases[i].id);
        strcpy(key.secret, cases[i].secret);
        strcpy(key.note, cases[i].note);
        assert_int_equal(credentials_add(c, &key, &err), PL_INVALID);
        assert_string_equal(err.field, cases[i].field);
    }
    credentials_free(c);
}

static void bad_files_are_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "{",
        "[]",
        "{}",
        "{\"version\": 2, \"keys\": []}",
        "{\"version\": 1}",
        "{\"version\": 1, \"keys\": [5]}",
        "{\"version\": 1, \"keys\": [{\"access_key_id\": \"abc\"}]}",
        "{\"version\": 1, \"keys\": [{\"access_key_id\": \"abc\", \"secret_access_key\": \"12345678\", \"use\": "
        "\"most\"}]}",
        "{\"version\": 1, \"keys\": [{\"access_key_id\": \"abc\", \"secret_access_key\": \"12345678\"},"
        " {\"access_key_id\": \"abc\", \"secret_access_key\": \"12345678\"}]}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        struct credentials *c = NULL;
        struct pl_err err;
        put(texts[i]);
        if (credentials_load(&c, path, &err) != PL_INVALID)
            fail_msg("'%s' passes", texts[i]);
        assert_non_null(strstr(err.message, path));
        assert_null(c);
    }
}

/* What root writes belongs to whom the file did, else to whom its folder does: the gateway has to read it. */
static void root_gives_the_file_to_its_owner(void **state)
{
    char folder[] = "/tmp/pl-credentials-XXXXXX", file[64];
    struct credentials *c;
    struct credential key;
    struct pl_err err;
    struct stat st;
    (void)state;
    if (geteuid() != 0)
        skip();
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chown(folder, 1234, 1235), 0);
    snprintf(file, sizeof(file), "%s/keys", folder);
    assert_int_equal(credentials_load(&c, file, &err), PL_OK);
    credential_make(&key, CREDENTIAL_ALL, NULL);
    assert_int_equal(credentials_add(c, &key, &err), PL_OK);
    assert_int_equal(credentials_save(c, file, &err), PL_OK);
    assert_int_equal(stat(file, &st), 0);
    assert_true(st.st_uid == 1234 && st.st_gid == 1235 && (st.st_mode & 0777) == 0600);
    assert_int_equal(chown(file, 2345, 2346), 0);
    assert_int_equal(credentials_save(c, file, &err), PL_OK);
    assert_int_equal(stat(file, &st), 0);
    assert_true(st.st_uid == 2345 && st.st_gid == 2346 && (st.st_mode & 0777) == 0600);
    credentials_free(c);
    unlink(file);
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(keys_survive_their_file),
                                        cmocka_unit_test(bad_keys_are_refused), cmocka_unit_test(bad_files_are_refused),
                                        cmocka_unit_test(root_gives_the_file_to_its_owner) };
    return cmocka_run_group_tests(tests, make_path, remove_path);
}
