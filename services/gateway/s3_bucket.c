/* Buckets, and lists of objects. */
#include "aws_error.h"
#include "aws_xml.h"
#include "base/text.h"
#include "bucket.h"
#include "gateway.h"
#include "s3.h"
#include "uri.h"
#include "xml_read.h"

#include <stdlib.h>
#include <string.h>

#define XMLNS    " xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
#define KEYS_MAX 1000

static void send_xml(struct aws_call *c, struct text *xml)
{
    http_answer(c->http, 200, "application/xml", xml->data, xml->len);
}

/* ---- buckets ---- */

void s3_list_buckets(struct aws_call *c)
{
    struct text xml = { .arena = c->arena };
    text_adds(&xml, XML_DECLARATION "<ListAllMyBucketsResult" XMLNS "<Owner>");
    xml_element(&xml, "ID", c->account);
    xml_element(&xml, "DisplayName", "pilotlight");
    text_adds(&xml, "</Owner><Buckets>");
    for (size_t i = 0; i < bucket_store_count(s3_store(c)); i++) {
        const struct bucket *b = bucket_store_at(s3_store(c), i);
        text_adds(&xml, "<Bucket>");
        xml_element(&xml, "Name", bucket_name(b));
        xml_element(&xml, "CreationDate", s3_iso_date(c->arena, bucket_created_ms(b)));
        text_adds(&xml, "</Bucket>");
    }
    text_adds(&xml, "</Buckets></ListAllMyBucketsResult>");
    send_xml(c, &xml);
}

/* Nothing, or a CreateBucketConfiguration: what is in it is of no consequence, but it must be one. */
static bool is_configuration(struct aws_call *c)
{
    size_t n;
    const char *body = http_body(c->http, &n);
    struct xml_reader r;
    if (n == 0)
        return true;
    xml_read(&r, body, n, c->arena);
    bool good = xml_next(&r) && r.event == XML_START && strcmp(r.name, "CreateBucketConfiguration") == 0;
    while (good && xml_next(&r))
        continue;
    return good && !r.malformed;
}

/* Region and owner are nobody's concern here: a bucket is there for every key. */
void s3_create_bucket(struct aws_call *c)
{
    const char *name = s3_call_of(c)->bucket;
    struct pl_err err;
    if (!bucket_name_allowed(name)) {
        s3_fail(c, 400, "InvalidBucketName", "The specified bucket is not valid.");
        return;
    }
    if (!is_configuration(c)) {
        s3_fail_xml(c);
        return;
    }
    bool exists = bucket_find(s3_store(c), name) != NULL;
    if (exists && strcmp(c->region, "us-east-1") != 0) {
        s3_fail(c, 409, "BucketAlreadyOwnedByYou",
                "Your previous request to create the named bucket succeeded and you already own it.");
        return;
    }
    if (!exists && bucket_create(s3_store(c), name, &err) != PL_OK) {
        if (err.code == PL_EXHAUSTED)
            aws_fail(c, AWS_LIMIT_EXCEEDED, "%s", err.message);
        else
            s3_fail_status(c, &err);
        return;
    }
    http_set_header(c->http, "Location", arena_format(c->arena, "/%s", name));
    http_answer(c->http, 200, NULL, "", 0);
}

void s3_head_bucket(struct aws_call *c)
{
    if (!s3_bucket_of(c))
        return;
    http_set_header(c->http, "x-amz-bucket-region", c->region);
    http_answer_head(c->http, 200, "application/xml", 0);
}

void s3_delete_bucket(struct aws_call *c)
{
    struct pl_err err;
    if (!s3_bucket_of(c))
        return;
    if (bucket_delete(s3_store(c), s3_call_of(c)->bucket, &err) != PL_OK)
        s3_fail(c, 409, "BucketNotEmpty", err.message);
    else
        http_answer(c->http, 204, NULL, "", 0);
}

void s3_get_location(struct aws_call *c)
{
    struct text xml = { .arena = c->arena };
    if (!s3_bucket_of(c))
        return;
    text_adds(&xml, XML_DECLARATION "<LocationConstraint" XMLNS);
    if (strcmp(c->region, "us-east-1") != 0)
        xml_add_escaped(&xml, c->region);
    text_adds(&xml, "</LocationConstraint>");
    send_xml(c, &xml);
}

void s3_get_versioning(struct aws_call *c)
{
    struct text xml = { .arena = c->arena };
    if (!s3_bucket_of(c))
        return;
    text_adds(&xml, XML_DECLARATION "<VersioningConfiguration" XMLNS "</VersioningConfiguration>");
    send_xml(c, &xml);
}

/* ---- lists of objects ---- */

struct list_query {
    bool v2, encode;
    const char *prefix, *delimiter, *after; /* keys and common prefixes up to 'after' were told already */
    int64_t max;
};

/* A continuation token is the last key, in hex: it needs no memory of ours. */
static char *token_of(struct aws_call *c, const char *key)
{
    size_t n = strlen(key);
    char *out = arena_get(c->arena, 2 * n + 1);
    pl_hex(key, n, out);
    return out;
}

static const char *key_of_token(struct aws_call *c, const char *token)
{
    size_t n = strlen(token);
    char *out = arena_get(c->arena, n / 2 + 1);
    unsigned byte;
    if (n % 2 || n > 2 * BUCKET_KEY_MAX || strspn(token, "0123456789abcdef") != n)
        return NULL;
    for (size_t i = 0; i < n / 2; i++) {
        (void)sscanf(token + 2 * i, "%2x", &byte);
        out[i] = (char)byte;
    }
    return out;
}

static bool read_query(struct aws_call *c, struct list_query *q)
{
    const char *type = s3_parameter(c, "list-type"), *max = s3_parameter(c, "max-keys");
    const char *encoding = s3_parameter(c, "encoding-type"), *token = s3_parameter(c, "continuation-token");
    *q = (struct list_query){ .v2 = type && strcmp(type, "2") == 0, .max = KEYS_MAX };
    q->encode = encoding && strcmp(encoding, "url") == 0;
    q->prefix = s3_parameter(c, "prefix");
    q->delimiter = s3_parameter(c, "delimiter");
    q->after = s3_parameter(c, q->v2 ? "start-after" : "marker");
    if (q->v2 && token && !(q->after = key_of_token(c, token))) {
        s3_fail(c, 400, "InvalidArgument", "The continuation token provided is incorrect");
        return false;
    }
    if (max && !pl_parse_i64(max, 0, INT32_MAX, &q->max)) {
        s3_fail(c, 400, "InvalidArgument", "Argument max-keys must be an integer between 0 and 2147483647");
        return false;
    }
    q->max = q->max > KEYS_MAX ? KEYS_MAX : q->max;
    q->prefix = q->prefix ? q->prefix : "";
    q->after = q->after ? q->after : "";
    q->delimiter = q->delimiter && *q->delimiter ? q->delimiter : NULL;
    return true;
}

static const char *shown(struct aws_call *c, const struct list_query *q, const char *key)
{
    return q->encode ? uri_encode(key, strlen(key), true, c->arena) : key;
}

static void add_object(struct aws_call *c, struct text *xml, const struct list_query *q, const struct bucket_object *o)
{
    text_adds(xml, "<Contents>");
    xml_element(xml, "Key", shown(c, q, o->key));
    xml_element(xml, "LastModified", s3_iso_date(c->arena, o->modified_ms));
    xml_element(xml, "ETag", s3_quoted(c->arena, o->etag));
    xml_elementf(xml, "Size", "%lld", (long long)o->size);
    text_adds(xml, "<StorageClass>STANDARD</StorageClass></Contents>");
}

/* The common prefix that hides the key, or NULL. */
static const char *common_prefix(struct aws_call *c, const struct list_query *q, const char *key)
{
    const char *rest = key + strlen(q->prefix), *at = q->delimiter ? strstr(rest, q->delimiter) : NULL;
    return at ? arena_strndup(c->arena, key, (size_t)(at - key) + strlen(q->delimiter)) : NULL;
}

static bool has_prefix(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

/* Contents and prefixes go to their texts; returns how many, '*out_last' the key or prefix told last, '*out_more'. */
static int64_t list(struct aws_call *c, const struct bucket *b, const struct list_query *q, struct text *contents,
                    struct text *prefixes, const char **out_last, bool *out_more)
{
    int64_t told = 0;
    const char *last_prefix = NULL;
    size_t i = bucket_seek(b, strcmp(q->after, q->prefix) > 0 ? q->after : q->prefix);
    *out_last = "";
    *out_more = false;
    for (; i < bucket_count(b); i++) {
        const struct bucket_object *o = bucket_at(b, i);
        if (!has_prefix(o->key, q->prefix))
            break;
        const char *prefix = common_prefix(c, q, o->key);
        /* Told on an earlier page, or just now. */
        if (prefix ? (*q->after && strcmp(prefix, q->after) <= 0) || (last_prefix && strcmp(prefix, last_prefix) == 0)
                   : *q->after && strcmp(o->key, q->after) <= 0)
            continue;
        if (told == q->max) {
            *out_more = q->max > 0;
            break;
        }
        told++;
        *out_last = prefix ? prefix : o->key;
        if (prefix) {
            text_adds(prefixes, "<CommonPrefixes>");
            xml_element(prefixes, "Prefix", shown(c, q, prefix));
            text_adds(prefixes, "</CommonPrefixes>");
            last_prefix = prefix;
        } else {
            add_object(c, contents, q, o);
        }
    }
    return told;
}

void s3_list_objects(struct aws_call *c)
{
    const struct bucket *b = s3_bucket_of(c);
    struct text xml = { .arena = c->arena }, contents = { .arena = c->arena }, prefixes = { .arena = c->arena };
    struct list_query q;
    const char *last;
    bool more;
    if (!b || !read_query(c, &q))
        return;
    int64_t told = list(c, b, &q, &contents, &prefixes, &last, &more);
    text_adds(&xml, XML_DECLARATION "<ListBucketResult" XMLNS);
    xml_element(&xml, "Name", s3_call_of(c)->bucket);
    xml_element(&xml, "Prefix", shown(c, &q, q.prefix));
    if (q.delimiter)
        xml_element(&xml, "Delimiter", shown(c, &q, q.delimiter));
    xml_elementf(&xml, "MaxKeys", "%lld", (long long)q.max);
    if (q.encode)
        xml_element(&xml, "EncodingType", "url");
    if (q.v2)
        xml_elementf(&xml, "KeyCount", "%lld", (long long)told);
    else
        xml_element(&xml, "Marker", shown(c, &q, q.after));
    xml_element(&xml, "IsTruncated", more ? "true" : "false");
    if (more && q.v2)
        xml_element(&xml, "NextContinuationToken", token_of(c, last));
    else if (more)
        xml_element(&xml, "NextMarker", shown(c, &q, last));
    text_adds(&xml, text_take(&contents));
    text_adds(&xml, text_take(&prefixes));
    text_adds(&xml, "</ListBucketResult>");
    send_xml(c, &xml);
}
