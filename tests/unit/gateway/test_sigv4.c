/* The examples that AWS publishes (S3's and the general documentation, and its test suite's get-vanilla family), which
 * botocore computes alike; then what is no signature. */
#include "rig.h"
#include "sigv4.h"

#include <stdio.h>
#include <string.h>

#define EMPTY     "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define ZEROS     "0000000000000000000000000000000000000000000000000000000000000000"
#define S3_SECRET "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
#define SECRET    "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"

struct example {
    const char *name, *secret, *scope, *signed_headers;
    struct sigv4_request request;
    struct http_header headers[8];
    const char *payload;
    bool once;
    const char *signature;
};

#define S3_HOST                                                                                                        \
    {                                                                                                                  \
        "Host", "examplebucket.s3.amazonaws.com"                                                                       \
    }
#define S3_DATE                                                                                                        \
    {                                                                                                                  \
        "x-amz-date", "20130524T000000Z"                                                                               \
    }
#define GENERAL_HEADERS                                                                                                \
    {                                                                                                                  \
        { "Host", "example.amazonaws.com" },                                                                           \
        {                                                                                                              \
            "X-Amz-Date", "20150830T123600Z"                                                                           \
        }                                                                                                              \
    }
#define GENERAL "20150830/us-east-1/service/aws4_request"

static const struct example examples[] = {
    { "S3: get object",
      S3_SECRET,
      "20130524/us-east-1/s3/aws4_request",
      "host;range;x-amz-content-sha256;x-amz-date",
      { "GET", "/test.txt", "" },
      { S3_HOST, { "Range", "bytes=0-9" }, { "x-amz-content-sha256", EMPTY }, S3_DATE },
      EMPTY,
      true,
      "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41" },
    { "S3: put object",
      S3_SECRET,
      "20130524/us-east-1/s3/aws4_request",
      "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
      { "PUT", "/test%24file.text", "" },
      { S3_HOST,
        { "Date", "Fri, 24 May 2013 00:00:00 GMT" },
        S3_DATE,
        { "x-amz-storage-class", "REDUCED_REDUNDANCY" },
        { "x-amz-content-sha256", "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072" } },
      "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
      true,
      "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd" },
    { "S3: a parameter without a value",
      S3_SECRET,
      "20130524/us-east-1/s3/aws4_request",
      "host;x-amz-content-sha256;x-amz-date",
      { "GET", "/", "lifecycle" },
      { S3_HOST, { "x-amz-content-sha256", EMPTY }, S3_DATE },
      EMPTY,
      true,
      "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543" },
    { "S3: list objects",
      S3_SECRET,
      "20130524/us-east-1/s3/aws4_request",
      "host;x-amz-content-sha256;x-amz-date",
      { "GET", "/", "max-keys=2&prefix=J" },
      { S3_HOST, { "x-amz-content-sha256", EMPTY }, S3_DATE },
      EMPTY,
      true,
      "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7" },
    { "get-vanilla",
      SECRET,
      GENERAL,
      "host;x-amz-date",
      { "GET", "/", "" },
      GENERAL_HEADERS,
      EMPTY,
      false,
      "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31" },
    { "get-slash-dot-slash",
      SECRET,
      GENERAL,
      "host;x-amz-date",
      { "GET", "/./", "" },
      GENERAL_HEADERS,
      EMPTY,
      false,
      "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31" },
    { "get-relative-relative",
      SECRET,
      GENERAL,
      "host;x-amz-date",
      { "GET", "/example1/example2/../..", "" },
      GENERAL_HEADERS,
      EMPTY,
      false,
      "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31" },
    { "get-vanilla-query-order-key-case",
      SECRET,
      GENERAL,
      "host;x-amz-date",
      { "GET", "/", "Param2=value2&Param1=value1" },
      GENERAL_HEADERS,
      EMPTY,
      false,
      "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500" },
    { "post-vanilla",
      SECRET,
      GENERAL,
      "host;x-amz-date",
      { "POST", "/", "" },
      GENERAL_HEADERS,
      EMPTY,
      false,
      "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b" },
    { "get-header-value-trim",
      SECRET,
      GENERAL,
      "host;my-header1;my-header2;x-amz-date",
      { "GET", "/", "" },
      { { "Host", "example.amazonaws.com" },
        { "My-Header1", " value1" },
        { "My-Header2", " \"a   b   c\"" },
        { "X-Amz-Date", "20150830T123600Z" } },
      EMPTY,
      false,
      "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736" },
};

/* The request with an Authorization header made for it. */
static struct sigv4_request complete(const struct example *e, struct http_header headers[10], char *authorization,
                                     const char *signature)
{
    struct sigv4_request r = e->request;
    sprintf(authorization, "AWS4-HMAC-SHA256 Credential=AKID/%s, SignedHeaders=%s, Signature=%s", e->scope,
            e->signed_headers, signature);
    for (r.header_count = 0; e->headers[r.header_count].name; r.header_count++)
        headers[r.header_count] = e->headers[r.header_count];
    headers[r.header_count++] = (struct http_header){ "Authorization", authorization };
    r.headers = headers;
    return r;
}

static void published_examples_are_reproduced(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(examples) / sizeof(*examples); i++) {
        const struct example *e = &examples[i];
        struct arena a = { 0 };
        struct http_header headers[10];
        struct sigv4_claim claim;
        unsigned char key[SHA256_BYTES];
        char authorization[512], signature[SHA256_HEX];
        const char *why = "";
        struct sigv4_request r = complete(e, headers, authorization, e->signature);
        if (sigv4_read(&r, &a, &claim, &why) != SIGV4_OK)
            fail_msg("%s: %s", e->name, why);
        sigv4_key(e->secret, &claim, key);
        sigv4_sign(&claim, &r, e->payload, e->once, key, &a, signature);
        if (strcmp(signature, e->signature) != 0)
            fail_msg("%s:\n%s\nis %s, not %s", e->name, sigv4_canonical_request(&claim, &r, e->payload, e->once, &a),
                     signature, e->signature);
        assert_true(sigv4_same(&claim, signature));
        signature[10] = signature[10] == '0' ? '1' : '0';
        assert_false(sigv4_same(&claim, signature));
        arena_done(&a);
    }
}

static void a_presigned_url_is_reproduced(void **state)
{
    static const char signature[] = "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";
    const struct http_header headers[] = { { "Host", "examplebucket.s3.amazonaws.com" } };
    struct sigv4_request r = { "GET", "/test.txt", NULL, headers, 1 };
    struct sigv4_claim claim;
    struct arena a = { 0 };
    unsigned char key[SHA256_BYTES];
    char out[SHA256_HEX];
    const char *why;
    (void)state;
    r.query =
        arena_format(&a,
                     "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%%2F20130524%%2Fus-east-1"
                     "%%2Fs3%%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders="
                     "host&X-Amz-Signature=%s",
                     signature);
    assert_int_equal(sigv4_read(&r, &a, &claim, &why), SIGV4_OK);
    assert_true(claim.presigned);
    assert_string_equal(claim.access_key, "AKIAIOSFODNN7EXAMPLE");
    sigv4_key(S3_SECRET, &claim, key);
    sigv4_sign(&claim, &r, SIGV4_UNSIGNED_PAYLOAD, true, key, &a, out);
    assert_string_equal(out, signature);
    assert_int_equal(sigv4_check_time(&claim, 1369353600 + 86400, 900, &a, &why), SIGV4_OK);
    assert_int_equal(sigv4_check_time(&claim, 1369353600 + 86401, 900, &a, &why), SIGV4_EXPIRED);
    assert_int_equal(sigv4_check_time(&claim, 1369353600 - 901, 900, &a, &why), SIGV4_SKEWED);
    arena_done(&a);
}

static void time_may_differ_by_so_much(void **state)
{
    const int64_t at = 1440938160; /* 20150830T123600Z */
    static const struct {
        int64_t offset;
        enum sigv4_result result;
        const char *text;
    } cases[] = { { 0, SIGV4_OK, "" },
                  { 900, SIGV4_OK, "" },
                  { -900, SIGV4_OK, "" },
                  { 901, SIGV4_SKEWED,
                    "Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z "
                    "(20150830T125101Z - 15 min.)" },
                  { -901, SIGV4_SKEWED,
                    "Signature not yet current: 20150830T123600Z is still later than "
                    "20150830T123559Z (20150830T122059Z + 15 min.)" } };
    struct http_header headers[10];
    struct sigv4_claim claim;
    struct arena a = { 0 };
    char authorization[512];
    const char *why;
    struct sigv4_request r = complete(&examples[4], headers, authorization, ZEROS);
    (void)state;
    assert_int_equal(sigv4_read(&r, &a, &claim, &why), SIGV4_OK);
    assert_int_equal(claim.time_s, at);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        why = "";
        assert_int_equal(sigv4_check_time(&claim, at + cases[i].offset, 900, &a, &why), cases[i].result);
        assert_string_equal(why, cases[i].text);
    }
    arena_done(&a);
}

static void what_cannot_be_verified_says_why(void **state)
{
#define START "AWS4-HMAC-SHA256 Credential=A/20150830/r/s/aws4_request, SignedHeaders="
    static const char *const cases[][3] = {
        /* Authorization, X-Amz-Date, what is said */
        { "Basic abc", "20150830T123600Z", "requires the algorithm" },
        { "AWS4-HMAC-SHA256", "20150830T123600Z", "requires the algorithm" },
        { START "host", "20150830T123600Z", "'Signature'" },
        { START "host;x-amz-date, Signature=abc", "20150830T123600Z", "64 lower-case" },
        { START "x-amz-date, Signature=" ZEROS, "20150830T123600Z", "'host'" },
        { START "Host;x-amz-date, Signature=" ZEROS, "20150830T123600Z", "lower-case names" },
        { START "host;;x-amz-date, Signature=" ZEROS, "20150830T123600Z", "lower-case names" },
        { START "host;x-amz-date, Signature=" ZEROS, "20150830", "X-Amz-Date" },
        { START "host;x-amz-date, Signature=" ZEROS, "20150831T000000Z", "does not match" },
        { START "host, Signature=" ZEROS, "20150830T123600Z", "was not signed" },
        { START "host;x-amz-date, SignedHeaders=host, Signature=" ZEROS, "20150830T123600Z", "twice" },
        { "AWS4-HMAC-SHA256 Credential=A/20150830/r/s, SignedHeaders=host, Signature=" ZEROS, "20150830T123600Z",
          "Credential must be" },
        { "AWS4-HMAC-SHA256 Credential=A/20150830/r/s/aws5_request, SignedHeaders=host, Signature=" ZEROS,
          "20150830T123600Z", "Credential must be" },
        { "AWS4-HMAC-SHA256 Credential=/20150830/r/s/aws4_request, SignedHeaders=host, Signature=" ZEROS,
          "20150830T123600Z", "Credential must be" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        const struct http_header headers[] = { { "Host", "h" },
                                               { "Authorization", cases[i][0] },
                                               { "X-Amz-Date", cases[i][1] } };
        const struct sigv4_request r = { "GET", "/", "", headers, 3 };
        struct sigv4_claim claim;
        struct arena a = { 0 };
        const char *why = "";
        assert_int_equal(sigv4_read(&r, &a, &claim, &why), SIGV4_INCOMPLETE);
        if (!strstr(why, cases[i][2]))
            fail_msg("case %zu: '%s' is not in '%s'", i, cases[i][2], why);
        arena_done(&a);
    }
    const struct sigv4_request nothing = { "GET", "/", "a=b", NULL, 0 };
    struct sigv4_claim claim;
    struct arena a = { 0 };
    const char *why;
    assert_int_equal(sigv4_read(&nothing, &a, &claim, &why), SIGV4_MISSING);
    arena_done(&a);
}

static void canonical_forms(void **state)
{
    static const char *const cases[][4] = {
        /* path, query, canonical path and query when encoded once, and twice */
        { "/a b", "", "/a%20b\n", "/a%20b\n" },
        { "/a%20b", "", "/a%20b\n", "/a%2520b\n" },
        { "/a//b/../c", "", "/a//b/../c\n", "/a/c\n" },
        { "/endpoints//invocations", "", "/endpoints//invocations\n", "/endpoints/invocations\n" },
        { "/", "b=2&a=1&b=1&c", "/\na=1&b=1&b=2&c=", "/\na=1&b=1&b=2&c=" },
        { "/", "a=%2f&B=x+y&a=~", "/\nB=x%2By&a=%2F&a=~", "/\nB=x%2By&a=%2F&a=~" },
        { "/", "&&a=&", "/\na=", "/\na=" },
    };
    struct sigv4_claim claim = { .signed_headers = "host" };
    const struct http_header headers[] = { { "HOST", "  h  x " }, { "host", "y" } };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        for (int twice = 0; twice < 2; twice++) {
            const struct sigv4_request r = { "GET", cases[i][0], cases[i][1], headers, 2 };
            struct arena a = { 0 };
            char expected[256];
            sprintf(expected, "GET\n%s\nhost:h x,y\n\nhost\nHASH", cases[i][2 + twice]);
            if (!*cases[i][1])
                sprintf(expected, "GET\n%s\nhost:h x,y\n\nhost\nHASH", cases[i][2 + twice]);
            assert_string_equal(sigv4_canonical_request(&claim, &r, "HASH", !twice, &a), expected);
            arena_done(&a);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_examples_are_reproduced),
        cmocka_unit_test(a_presigned_url_is_reproduced),
        cmocka_unit_test(time_may_differ_by_so_much),
        cmocka_unit_test(what_cannot_be_verified_says_why),
        cmocka_unit_test(canonical_forms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
