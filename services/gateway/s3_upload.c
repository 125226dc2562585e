/* Multipart uploads: create, complete, abort. Parts come by s3_put.c. */
#include "aws_error.h"
#include "aws_xml.h"
#include "base/mem.h"
#include "base/text.h"
#include "bucket.h"
#include "s3.h"
#include "s3_uploads.h"
#include "xml_read.h"

#include <stdlib.h>
#include <string.h>

static void send_xml(struct aws_call *c, struct text *xml)
{
    http_answer(c->http, 200, "application/xml", xml->data, xml->len);
}

void s3_create_upload(struct aws_call *c)
{
    const struct s3_call *s = s3_call_of(c);
    const char *type = http_header(c->http, "Content-Type"), *id;
    struct pl_err err;
    if (!s3_bucket_of(c))
        return;
    struct bucket_object o = { .key = pl_strdup(s->key),
                               .content_type = pl_strdup(type ? type : "binary/octet-stream"),
                               .headers = s3_kept_headers(c) };
    enum pl_code code = s3_uploads_create(s3_store(c), s->bucket, &o, &id, &err);
    bucket_object_done(&o);
    if (code != PL_OK) {
        s3_fail(c, 503, "SlowDown", err.message);
        return;
    }
    struct text xml = { .arena = c->arena };
    text_adds(&xml,
              XML_DECLARATION "<InitiateMultipartUploadResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
    xml_element(&xml, "Bucket", s->bucket);
    xml_element(&xml, "Key", s->key);
    xml_element(&xml, "UploadId", id);
    text_adds(&xml, "</InitiateMultipartUploadResult>");
    send_xml(c, &xml);
}

static struct s3_upload *upload_of(struct aws_call *c)
{
    const struct s3_call *s = s3_call_of(c);
    struct s3_upload *u = s3_uploads_find(s3_store(c), s3_parameter(c, "uploadId"), s->bucket, s->key);
    if (!u)
        s3_fail(
            c, 404, "NoSuchUpload",
            "The specified multipart upload does not exist. The upload ID may be invalid, or the upload may have been "
            "aborted or completed.");
    return u;
}

void s3_abort_upload(struct aws_call *c)
{
    struct s3_upload *u = upload_of(c);
    if (!u)
        return;
    s3_uploads_abort(s3_store(c), u);
    http_answer(c->http, 204, NULL, "", 0);
}

/* ---- complete ---- */

static void forget(struct s3_call *s)
{
    struct aws_call *c = s->state;
    if (c)
        s3_uploads_forget(s3_store(c), c);
}

static void completed(void *arg, const struct pl_err *status, const char *etag)
{
    struct aws_call *c = arg;
    const struct s3_call *s = s3_call_of(c);
    if (status->code != PL_OK) {
        s3_fail_status(c, status);
        return;
    }
    struct text xml = { .arena = c->arena };
    text_adds(&xml,
              XML_DECLARATION "<CompleteMultipartUploadResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
    xml_elementf(&xml, "Location", "http://%s/%s/%s", http_header(c->http, "Host"), s->bucket, s->key);
    xml_element(&xml, "Bucket", s->bucket);
    xml_element(&xml, "Key", s->key);
    xml_elementf(&xml, "ETag", "\"%s\"", etag);
    text_adds(&xml, "</CompleteMultipartUploadResult>");
    send_xml(c, &xml);
}

/* <CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>"..."</ETag></Part>...; false: malformed. */
static bool read_parts(struct aws_call *c, struct s3_part **out_parts, size_t *out_count)
{
    size_t n, count = 0;
    const char *body = http_body(c->http, &n);
    struct s3_part *parts = arena_get(c->arena, S3_PARTS_MAX * sizeof(*parts)), *part = NULL;
    struct xml_reader r;
    xml_read(&r, body, n, c->arena);
    while (xml_next(&r)) {
        int64_t number;
        if (r.event == XML_START && r.depth == 2 && strcmp(r.name, "Part") == 0) {
            if (count == S3_PARTS_MAX)
                return false;
            part = &parts[count++];
        } else if (r.event == XML_TEXT && r.depth == 3 && part && strcmp(r.name, "PartNumber") == 0) {
            if (!pl_parse_i64(r.text, 1, S3_PARTS_MAX, &number))
                return false;
            part->number = (int)number;
        } else if (r.event == XML_TEXT && r.depth == 3 && part && strcmp(r.name, "ETag") == 0) {
            size_t skip = strspn(r.text, "\""), len = strcspn(r.text + skip, "\"");
            if (len >= sizeof(part->etag))
                return false;
            memcpy(part->etag, r.text + skip, len);
        }
    }
    *out_parts = parts;
    *out_count = count;
    return !r.malformed && count > 0;
}

void s3_complete_upload(struct aws_call *c)
{
    struct s3_upload *u = upload_of(c);
    struct s3_call *s = s3_call_of(c);
    struct s3_part *parts;
    struct pl_err err;
    size_t count;
    if (!u)
        return;
    if (!read_parts(c, &parts, &count)) {
        s3_fail_xml(c);
        return;
    }
    if (!s3_may_write(c))
        return;
    if (s3_uploads_complete(s3_store(c), u, parts, count, completed, c, &err) != PL_OK) {
        s3_fail(c, 400, strcmp(err.reason, "INVALID_PART") == 0 ? "InvalidPart" : "InvalidPartOrder", err.message);
        return;
    }
    s->state = c;
    s->ended = forget;
}
