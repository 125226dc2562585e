/* DeleteObject and DeleteObjects. What is not there is deleted already. */
#include "aws_xml.h"
#include "bucket.h"
#include "s3.h"
#include "xml_read.h"

#include <string.h>

#define KEYS_MAX 1000

void s3_delete_object(struct aws_call *c)
{
    struct bucket *b = s3_bucket_of(c);
    if (!b)
        return;
    (void)bucket_remove(s3_store(c), b, s3_call_of(c)->key);
    http_answer(c->http, 204, NULL, "", 0);
}

static bool malformed(struct aws_call *c)
{
    s3_fail_xml(c);
    return false;
}

/* <Delete><Quiet>true</Quiet><Object><Key>k</Key></Object>...; false: answered. */
static bool read_keys(struct aws_call *c, const char *keys[KEYS_MAX], size_t *out_count, bool *out_quiet)
{
    struct xml_reader r;
    size_t n, count = 0;
    const char *body = http_body(c->http, &n);
    *out_quiet = false;
    xml_read(&r, body, n, c->arena);
    while (xml_next(&r)) {
        if (r.event != XML_TEXT)
            continue;
        if (r.depth == 2 && strcmp(r.name, "Quiet") == 0)
            *out_quiet = strcmp(r.text, "true") == 0;
        if (r.depth != 3 || strcmp(r.name, "Key") != 0)
            continue;
        if (count == KEYS_MAX)
            return malformed(c);
        keys[count++] = r.text;
    }
    *out_count = count;
    return r.malformed || count == 0 ? malformed(c) : true;
}

void s3_delete_objects(struct aws_call *c)
{
    struct bucket *b = s3_bucket_of(c);
    const char **keys = arena_get(c->arena, KEYS_MAX * sizeof(*keys));
    struct text xml = { .arena = c->arena };
    size_t count;
    bool quiet;
    if (!b || !read_keys(c, keys, &count, &quiet))
        return;
    text_adds(&xml, XML_DECLARATION "<DeleteResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
    for (size_t i = 0; i < count; i++) {
        (void)bucket_remove(s3_store(c), b, keys[i]);
        if (quiet)
            continue;
        text_adds(&xml, "<Deleted>");
        xml_element(&xml, "Key", keys[i]);
        text_adds(&xml, "</Deleted>");
    }
    text_adds(&xml, "</DeleteResult>");
    http_answer(c->http, 200, "application/xml", xml.data, xml.len);
}
