/* What is an artifact's address, what is not, and what of it may be shown. */
#include "artifact_uri.h"
#include "unit_test.h"

#include <stdlib.h>

static struct pl_err err;

static struct artifact_uri parsed(const char *text)
{
    struct artifact_uri u;

    assert_ok(artifact_uri_parse(&u, text, &err), err);
    return u;
}

static void refused(const char *text, const char *why)
{
    struct artifact_uri u = { .path = (char *)1 };

    assert_int_equal(artifact_uri_parse(&u, text, &err), PL_INVALID);
    assert_string_equal(err.field, "artifact_uri");
    assert_text(err.message, why);
    assert_ptr_equal(u.path, (char *)1); /* nothing is written on failure */
}

static void files(void **state)
{
    static const struct {
        const char *text, *path;
    } good[] = {
        { "file:///models/a.tar.gz", "/models/a.tar.gz" },
        { "file://localhost/models/a", "/models/a" },
        { "file:///a%20b%2Fc", "/a b/c" },
        { "file:///100%", "/100%" },
        { "file:///%zz%4", "/%zz%4" },
        { "file:///%25", "/%" },
    };
    (void)state;
    for (size_t i = 0; i < PL_COUNT(good); i++) {
        struct artifact_uri u = parsed(good[i].text);

        assert_int_equal(u.scheme, ARTIFACT_FILE);
        assert_string_equal(u.path, good[i].path);
        artifact_uri_done(&u);
    }
    refused("file://models/a", "absolute path");
    refused("file://", "absolute path");
    refused("file:///a%00b", "NUL byte");
}

static void objects(void **state)
{
    struct artifact_uri u = parsed("s3://my-models/team a/model@1.tar.gz?x");

    (void)state;
    assert_int_equal(u.scheme, ARTIFACT_S3);
    assert_string_equal(u.bucket, "my-models");
    assert_string_equal(u.key, "team a/model@1.tar.gz?x"); /* a key is not encoded, and has no query */
    assert_string_equal(u.shown, "s3://my-models/team a/model@1.tar.gz?x");
    artifact_uri_done(&u);
    refused("s3://my-models", "no key");
    refused("s3://my-models/", "no key");
    refused("s3:///key", "no bucket name");
    refused("s3://ab/key", "no bucket name");
    refused("s3://-abc/key", "no bucket name");
    refused("s3://a b c/key", "no bucket name");
    refused("s3://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/key", "no bucket name");
}

static void sites(void **state)
{
    struct artifact_uri u = parsed("https://me:secret@host.example:8443/a/model?signature=secret#part");

    (void)state;
    assert_int_equal(u.scheme, ARTIFACT_HTTPS);
    assert_string_equal(u.url, "https://me:secret@host.example:8443/a/model?signature=secret#part");
    assert_string_equal(u.shown, "https://host.example:8443/a/model");
    artifact_uri_done(&u);
    u = parsed("http://host/p@th");
    assert_int_equal(u.scheme, ARTIFACT_HTTP);
    assert_string_equal(u.shown, "http://host/p@th");
    artifact_uri_done(&u);
    refused("https://host", "no host or no path");
    refused("https:///path", "no host or no path");
}

static void nothing_else(void **state)
{
    char longest[ARTIFACT_URI_MAX + 2];

    (void)state;
    refused("", "0 bytes");
    refused("ftp://host/path", "does not start with");
    refused("/models/a", "does not start with");
    refused("FILE:///a", "does not start with");
    refused("file:///a\nb", "control character at byte 9");
    refused("file:///a\x7f", "control character");
    refused("https://me:secret@host", "has no host or no path");
    assert_null(strstr(err.message, "secret"));
    memset(longest, 'a', sizeof(longest));
    memcpy(longest, "file:///", 8);
    longest[sizeof(longest) - 1] = '\0';
    refused(longest, "1 to 2048");
    longest[sizeof(longest) - 2] = '\0';
    struct artifact_uri u = parsed(longest);
    artifact_uri_done(&u);
}

static void urls_of_objects(void **state)
{
    static const struct {
        const char *endpoint;
        bool path_style;
        const char *url;
    } wanted[] = {
        { "", false, "https://my-models.s3.eu-central-1.amazonaws.com/a%20b/%2B~.tar" },
        { "", true, "https://s3.eu-central-1.amazonaws.com/my-models/a%20b/%2B~.tar" },
        { "http://127.0.0.1:9000", true, "http://127.0.0.1:9000/my-models/a%20b/%2B~.tar" },
        { "http://minio:9000//", true, "http://minio:9000/my-models/a%20b/%2B~.tar" },
        { "https://minio", false, "https://my-models.minio/a%20b/%2B~.tar" },
    };
    struct artifact_uri u = parsed("s3://my-models/a b/+~.tar");

    (void)state;
    for (size_t i = 0; i < PL_COUNT(wanted); i++) {
        char *url = artifact_s3_url(&u, wanted[i].endpoint, "eu-central-1", wanted[i].path_style);

        assert_string_equal(url, wanted[i].url);
        free(url);
    }
    artifact_uri_done(&u);
    u = parsed("s3://my-models/\xc3\xa4"); /* bytes of UTF-8 are encoded one by one */
    char *url = artifact_s3_url(&u, "http://h", "r", true);
    assert_string_equal(url, "http://h/my-models/%C3%A4");
    free(url);
    artifact_uri_done(&u);
}

int main(void)
{
    const struct CMUnitTest tests[] = { T(files), T(objects), T(sites), T(nothing_else), T(urls_of_objects) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
