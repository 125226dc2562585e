#include "aws_call.h"

#include "aws_json.h"
#include "aws_xml.h"

#include <string.h>

struct kept {
    json_t *value;
    struct kept *next;
};

json_t *aws_keep(struct aws_call *c, json_t *v)
{
    struct kept *k = ARENA_NEW(c->arena, struct kept);
    *k = (struct kept){ v, c->kept };
    c->kept = k;
    return v;
}

void aws_call_done(struct aws_call *c)
{
    for (struct kept *k = c->kept; k; k = k->next)
        json_decref(k->value);
    json_decref(c->input);
}

static void reply_query(struct aws_call *c, json_t *result)
{
    struct text xml = { .arena = c->arena };
    const char *name = c->operation->name;
    text_addf(&xml, "<%sResponse xmlns=\"%s\">", name, c->service->xmlns);
    if (result) {
        text_addf(&xml, "<%sResult>", name);
        xml_add_value(&xml, result);
        text_addf(&xml, "</%sResult>", name);
    }
    text_adds(&xml, "<ResponseMetadata>");
    xml_element(&xml, "RequestId", c->request_id);
    text_addf(&xml, "</ResponseMetadata></%sResponse>", name);
    json_decref(result);
    http_answer(c->http, 200, "text/xml", xml.data, xml.len);
}

void aws_reply(struct aws_call *c, json_t *result)
{
    if (c->protocol == AWS_QUERY)
        reply_query(c, result);
    else
        aws_send_json(c, 200, result);
}

void aws_reply_empty(struct aws_call *c)
{
    if (c->protocol == AWS_QUERY)
        reply_query(c, NULL);
    else if (c->protocol == AWS_JSON_1_0)
        aws_send_json(c, 200, json_object());
    else
        http_answer(c->http, 200, c->protocol == AWS_JSON_1_1 ? "application/x-amz-json-1.1" : NULL, "", 0);
}

json_t *aws_map(const struct aws_call *c, json_t *object)
{
    return c->protocol == AWS_QUERY ? json_pack("{s:o}", XML_MAP_MARK, object) : object;
}

char *aws_arn(const struct aws_call *c, const char *service, const char *kind_and_name)
{
    return arena_format(c->arena, "arn:aws:%s:%s:%s:%s", service, c->region, c->account, kind_and_name);
}
