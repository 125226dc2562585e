/* What an S3 request's headers ask for beside the object itself: kept with it, or refused by S3's own error, so that
 * nobody believes in what there is not.
 *
 * Encryption "as the service does it" (AES256, aws:kms without a key) is accepted, since the SageMaker SDK asks for it
 * with every upload, but the answer does not say that it was done: on a disk of one's own that is the disk's affair. */
#include "aws_error.h"
#include "base/text.h"
#include "s3.h"

#include <string.h>
#include <strings.h>

#define METADATA     "x-amz-meta-"
#define METADATA_MAX 2048

enum refusal { NO_ACLS, NO_BUCKET_ACLS, NO_LOCKS, NO_CLASSES, NOT_OFFERED };

static const struct {
    int status;
    const char *code, *message; /* at ": " the header's name is put */
} refusals[] = {
    [NO_ACLS] = { 400, "AccessControlListNotSupported", "The bucket does not allow ACLs" },
    [NO_BUCKET_ACLS] = { 400, "InvalidBucketAclWithObjectOwnership",
                         "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting" },
    [NO_LOCKS] = { 400, "InvalidRequest", "Bucket is missing Object Lock Configuration" },
    [NO_CLASSES] = { 400, "InvalidStorageClass", "The storage class you specified is not valid; there is STANDARD" },
    [NOT_OFFERED] = { 501, "NotImplemented", "A header you provided implies functionality that is not implemented: " },
};

/* The first row that fits decides. */
static const struct {
    int level;               /* of the operation */
    enum refusal refusal;    /* of all but */
    const char *header;      /* with '*' at its end: all that begin so */
    const char *accepted[4]; /* values, which ask for what is so anyway */
} rules[] = {
    { S3_BUCKET, NO_BUCKET_ACLS, "x-amz-acl", { "private" } },
    { S3_BUCKET, NO_BUCKET_ACLS, "x-amz-grant-*", { NULL } },
    { S3_BUCKET, NOT_OFFERED, "x-amz-object-ownership", { "BucketOwnerEnforced" } },
    { S3_BUCKET, NOT_OFFERED, "x-amz-bucket-object-lock-enabled", { "false" } },
    { S3_OBJECT, NO_ACLS, "x-amz-acl", { "private", "bucket-owner-full-control", "bucket-owner-read" } },
    { S3_OBJECT, NO_ACLS, "x-amz-grant-*", { NULL } },
    { S3_OBJECT, NO_LOCKS, "x-amz-object-lock-*", { NULL } },
    { S3_OBJECT, NO_CLASSES, "x-amz-storage-class", { "STANDARD" } },
    { S3_OBJECT, NOT_OFFERED, "x-amz-tagging", { "" } },
    { S3_OBJECT, NOT_OFFERED, "x-amz-website-redirect-location", { NULL } },
    { S3_OBJECT, NOT_OFFERED, "x-amz-write-offset-bytes", { NULL } },
    { S3_OBJECT, NOT_OFFERED, "x-amz-server-side-encryption", { "AES256", "aws:kms" } },
    { S3_OBJECT, NOT_OFFERED, "x-amz-server-side-encryption-bucket-key-enabled", { "true", "false" } },
    { S3_OBJECT, NOT_OFFERED, "x-amz-server-side-encryption-*", { NULL } }, /* a key or a context of one's own */
};

static bool named(const char *header, const char *name)
{
    size_t n = strlen(header);
    return header[n - 1] == '*' ? strncasecmp(name, header, n - 1) == 0 : strcasecmp(name, header) == 0;
}

static bool is_accepted(const char *const accepted[4], const char *value)
{
    for (size_t i = 0; i < 4 && accepted[i]; i++)
        if (strcasecmp(accepted[i], value) == 0) /* clients write True and true */
            return true;
    return false;
}

/* False: answered. */
static bool check(struct aws_call *c, const struct http_header *h)
{
    for (size_t i = 0; i < PL_COUNT(rules); i++) {
        if (rules[i].level != (int)s3_call_of(c)->operation->level || !named(rules[i].header, h->name))
            continue;
        if (is_accepted(rules[i].accepted, h->value))
            return true;
        const char *message = refusals[rules[i].refusal].message;
        if (message[strlen(message) - 1] == ' ')
            message = arena_format(c->arena, "%s%.64s", message, h->name);
        s3_fail(c, refusals[rules[i].refusal].status, refusals[rules[i].refusal].code, message);
        return false;
    }
    return true;
}

bool s3_check_headers(struct aws_call *c)
{
    size_t count, metadata = 0;
    const struct http_header *h = http_headers(c->http, &count);
    for (size_t i = 0; i < count; i++) {
        if (strncasecmp(h[i].name, METADATA, strlen(METADATA)) == 0)
            metadata += strlen(h[i].name) - strlen(METADATA) + strlen(h[i].value);
        else if (!check(c, &h[i]))
            return false;
    }
    if (metadata <= METADATA_MAX)
        return true;
    s3_fail(c, 400, "MetadataTooLarge",
            arena_format(c->arena,
                         "Your metadata headers exceed the maximum allowed metadata size: names and values "
                         "have %zu bytes, the limit is %d.",
                         metadata, METADATA_MAX));
    return false;
}

json_t *s3_kept_headers(struct aws_call *c)
{
    static const char *const kept[] = { "Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language",
                                        "Expires" };
    json_t *out = json_object();
    size_t count;
    const struct http_header *h = http_headers(c->http, &count);
    for (size_t i = 0; i < count; i++) {
        if (strncasecmp(h[i].name, METADATA, strlen(METADATA)) == 0)
            json_object_set_new(out, h[i].name, json_string(h[i].value));
        for (size_t k = 0; k < PL_COUNT(kept); k++)
            if (strcasecmp(h[i].name, kept[k]) == 0 && strcasecmp(h[i].value, "aws-chunked") != 0)
                json_object_set_new(out, kept[k], json_string(h[i].value));
    }
    return out;
}
