/* Buckets on a disk: names, order, charges, and what is found again after a restart. */
#include "bucket.h"
#include "bucket_file.h"
#include "gateway_config.h"
#include "rig.h"

#include "base/mem.h"
#include "loop/loop.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];
static struct gateway_config config;
static struct loop *loop;

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/pl-bucket-XXXXXX");
    config = (struct gateway_config){ .bucket_dir = folder, .bucket_bytes = 1000, .object_bytes = 1000, .uploads = 4 };
    loop = loop_new(1);
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    loop_free(loop);
    return nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static struct bucket_store *open_store(void)
{
    struct bucket_store *s;
    struct pl_err err;
    assert_int_equal(bucket_store_open(&s, loop, &config, &err), PL_OK);
    return s;
}

static void put(struct bucket_store *s, const char *bucket, const char *key, const char *content)
{
    pl_cleanup(pl_free_p) char *path = bucket_new_path(s);
    struct bucket_object o = { .key = pl_strdup(key),
                               .etag = pl_strdup("etag"),
                               .content_type = pl_strdup("t/x"),
                               .headers = json_pack("{s:s}", "x-amz-meta-a", "b"),
                               .size = (int64_t)strlen(content),
                               .modified_ms = 1234 };
    struct pl_err err;
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
    assert_true(fd >= 0 && bucket_charge(s, o.size));
    assert_int_equal(bucket_file_write(fd, content, strlen(content), 0, &err), PL_OK);
    assert_int_equal(bucket_file_finish(fd, &o, &err), PL_OK);
    close(fd);
    assert_int_equal(bucket_commit(s, bucket, path, &o, &err), PL_OK);
}

static void names_of_buckets(void **state)
{
    static const char *const good[] = { "abc", "a-b.c", "sagemaker-us-east-1-000000000000", "123" };
    static const char *const bad[] = { "", "ab", "Abc", "a_b", ".abc", "abc.", "-abc", "a..b", "..", "a/b", ".new" };
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
        assert_true(bucket_name_valid(good[i]));
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_false(bucket_name_valid(bad[i]));
    static const char *const taken[] = { "1.2.3.4", "xn--abc", "sthree-x",    "amzn-s3-demo-b", "b-s3alias", "b--ol-s3",
                                         "b.mrap",  "b--x-s3", "b--table-s3", "a.-b",           "a-.b",      "Abc" };
    for (size_t i = 0; i < sizeof(taken) / sizeof(*taken); i++)
        assert_false(bucket_name_allowed(taken[i]));
    assert_true(bucket_name_allowed("1.2.3") && bucket_name_allowed("1.2.3.4a") &&
                bucket_name_allowed("sagemaker-us-east-1-000000000000"));
}

static void objects_come_back(void **state)
{
    static const char *const keys[] = { "b", "a/x", "../../up", "\xC3\xBC", "a/0" };
    struct bucket_store *s = open_store();
    struct pl_err err;
    (void)state;
    assert_int_equal(bucket_create(s, "one", &err), PL_OK);
    for (size_t i = 0; i < 5; i++)
        put(s, "one", keys[i], "12345");
    put(s, "one", "b", "1234567"); /* replaces; its old bytes are given back */
    assert_false(bucket_charge(s, 1000 - 27 + 1));
    assert_true(bucket_charge(s, 1000 - 27));
    bucket_store_close(s);
    s = open_store();
    struct bucket *b = bucket_find(s, "one");
    assert_non_null(b);
    assert_int_equal(bucket_count(b), 5);
    for (size_t i = 1; i < 5; i++)
        assert_true(strcmp(bucket_at(b, i - 1)->key, bucket_at(b, i)->key) < 0);
    const struct bucket_object *o = bucket_get(b, "b");
    assert_true(o && o->size == 7 && o->modified_ms == 1234);
    assert_string_equal(json_string_value(json_object_get(o->headers, "x-amz-meta-a")), "b");
    assert_false(bucket_charge(s, 1000 - 27 + 1)); /* what is there is charged again */
    assert_int_equal(bucket_seek(b, "a"), 1);
    assert_int_equal(bucket_delete(s, "one", &err), PL_PRECONDITION);
    for (size_t i = 0; i < 5; i++) {
        assert_true(bucket_remove(s, b, keys[i]));
        assert_false(bucket_remove(s, b, keys[i]));
    }
    assert_true(bucket_charge(s, 1000));
    assert_int_equal(bucket_delete(s, "one", &err), PL_OK);
    assert_null(bucket_find(s, "one"));
    bucket_store_close(s);
}

static void damaged_files_are_left_out(void **state)
{
    static const char *const contents[] = { "", "short", "PLO1ffffffff", "xxxxxxxxxxxxPLO100000002{}",
                                            "{}PLO100000002" };
    struct bucket_store *s = open_store();
    struct pl_err err;
    (void)state;
    assert_int_equal(bucket_create(s, "bad", &err), PL_OK);
    put(s, "bad", "good", "x");
    for (size_t i = 0; i < sizeof(contents) / sizeof(*contents); i++) {
        pl_cleanup(pl_free_p) char *path = pl_format("%s/bad/%064zu.obj", folder, i);
        int fd = open(path, O_WRONLY | O_CREAT, 0600);
        assert_true(fd >= 0 && write(fd, contents[i], strlen(contents[i])) == (ssize_t)strlen(contents[i]));
        close(fd);
    }
    bucket_store_close(s);
    s = open_store();
    assert_int_equal(bucket_count(bucket_find(s, "bad")), 1);
    bucket_store_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(names_of_buckets), cmocka_unit_test(objects_come_back),
                                        cmocka_unit_test(damaged_files_are_left_out) };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
