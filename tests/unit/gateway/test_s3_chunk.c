/* The example that S3's documentation gives: 65 KiB of 'a' in chunks of 64 KiB, signed; and what is not well formed. */
#include "rig.h"
#include "s3_chunk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct outcome {
    enum s3_chunk_result result;
    size_t len;
    bool complete;
    char trailer[64];
};

static struct outcome read_all(const struct s3_chunk_options *o, const char *bytes, size_t n, size_t piece)
{
    struct s3_chunks *c = s3_chunks_new(o);
    struct outcome out = { 0 };
    const char *data;
    size_t taken, len;
    for (size_t at = 0; at < n && out.result == S3_CHUNK_OK; at += taken) {
        out.result = s3_chunks_read(c, bytes + at, n - at < piece ? n - at : piece, &taken, &data, &len);
        out.len += len;
    }
    out.complete = s3_chunks_complete(c);
    const char *trailer = s3_chunks_trailer(c, "x-amz-checksum-crc32");
    snprintf(out.trailer, sizeof(out.trailer), "%s", trailer ? trailer : "");
    s3_chunks_free(c);
    return out;
}

static struct sigv4_claim claim = {
    .date = "20130524",
    .region = "us-east-1",
    .service = "s3",
    .scope = "20130524/us-east-1/s3/aws4_request",
    .timestamp = "20130524T000000Z",
    .signature = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
};

static char *signed_body(size_t *out_len)
{
    char *body = malloc(70000), *at = body;
    at += sprintf(at, "10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n");
    memset(at, 'a', 65536);
    at += 65536;
    at += sprintf(at, "\r\n400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n");
    memset(at, 'a', 1024);
    at += 1024;
    at += sprintf(at, "\r\n0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n");
    *out_len = (size_t)(at - body);
    return body;
}

static void the_published_example_is_verified(void **state)
{
    static const size_t pieces[] = { 1, 7, 1024, 100000 };
    struct s3_chunk_options o = { .is_signed = true, .claim = &claim };
    size_t n;
    char *body = signed_body(&n);
    (void)state;
    sigv4_key("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", &claim, o.key);
    for (size_t i = 0; i < 4; i++) {
        struct outcome out = read_all(&o, body, n, pieces[i]);
        assert_int_equal(out.result, S3_CHUNK_OK);
        assert_int_equal(out.len, 66560);
        assert_true(out.complete);
    }
    for (size_t changed = 100; changed < n; changed += 20000) { /* one byte of data is another */
        body[changed] ^= 1;
        assert_int_equal(read_all(&o, body, n, 4096).result, S3_CHUNK_UNSIGNED);
        body[changed] ^= 1;
    }
    assert_false(read_all(&o, body, n - 2, 4096).complete);
    assert_int_equal(read_all(&o, "5\r\nhello\r\n", 10, 10).result, S3_CHUNK_UNSIGNED); /* no signature at all */
    o.key[0] ^= 1;
    assert_int_equal(read_all(&o, body, n, 4096).result, S3_CHUNK_UNSIGNED);
    free(body);
}

static void trailers_are_read(void **state)
{
    static const char body[] = "5\r\nhello\r\n0\r\nX-Amz-Checksum-CRC32: NhCmhg==\r\n\r\n";
    const struct s3_chunk_options o = { .has_trailer = true };
    (void)state;
    for (size_t piece = 1; piece < sizeof(body); piece++) {
        struct outcome out = read_all(&o, body, sizeof(body) - 1, piece);
        assert_true(out.result == S3_CHUNK_OK && out.complete && out.len == 5);
        assert_string_equal(out.trailer, "NhCmhg==");
    }
}

static void malformed_bodies_are_refused(void **state)
{
    static const char *const bodies[] = {
        "x\r\n",        "-1\r\n",        "5\nhello\n",        "5\r\nhelloX\r\n",        "\r\n",
        "5\r\nhello\n", "0\r\n\r\nmore", "0\r\nno colon\r\n", "ffffffffffffffffff\r\n", "5 \r\nhello\r\n",
    };
    const struct s3_chunk_options o = { .has_trailer = true };
    char line[S3_CHUNK_LINE + 20];
    (void)state;
    for (size_t i = 0; i < sizeof(bodies) / sizeof(*bodies); i++)
        for (size_t piece = 1; piece < 8; piece++)
            if (read_all(&o, bodies[i], strlen(bodies[i]), piece).result != S3_CHUNK_MALFORMED)
                fail_msg("'%s' passes in pieces of %zu", bodies[i], piece);
    memset(line, '1', sizeof(line));
    assert_int_equal(read_all(&o, line, sizeof(line), 100).result, S3_CHUNK_MALFORMED);
    const struct s3_chunk_options none = { 0 }; /* trailers that were not announced */
    assert_int_equal(read_all(&none, "0\r\na:b\r\n\r\n", 11, 100).result, S3_CHUNK_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_published_example_is_verified),
        cmocka_unit_test(trailers_are_read),
        cmocka_unit_test(malformed_bodies_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
