/* The check values of the CRC catalogue for "123456789", in base64. */
#include "rig.h"
#include "s3_checksum.h"

static void check_values(void **state)
{
    static const struct {
        enum s3_checksum_kind kind;
        const char *header, *value;
    } cases[] = { { S3_CHECKSUM_CRC32, "X-Amz-Checksum-CRC32", "y/Q5Jg==" },
                  { S3_CHECKSUM_CRC32C, "x-amz-checksum-crc32c", "4waSgw==" },
                  { S3_CHECKSUM_CRC64NVME, "x-amz-checksum-crc64nvme", "rosUhgp5mIg=" },
                  { S3_CHECKSUM_SHA1, "x-amz-checksum-sha1", "98O8HYCOBHMq32eZZczDTKeuNEE=" },
                  { S3_CHECKSUM_SHA256, "x-amz-checksum-sha256", "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU=" } };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct s3_checksum c;
        char out[64];
        assert_int_equal(s3_checksum_of(cases[i].header), cases[i].kind);
        s3_checksum_start(&c, cases[i].kind);
        s3_checksum_add(&c, "1234", 4);
        s3_checksum_add(&c, "56789", 5);
        s3_checksum_finish(&c, out);
        s3_checksum_done(&c);
        assert_string_equal(out, cases[i].value);
    }
    assert_int_equal(s3_checksum_of("x-amz-checksum-mode"), S3_CHECKSUM_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(check_values) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
