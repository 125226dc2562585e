#include "up_set.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/text.h"

#include <string.h>
#include <yaml.h>

static json_t *text_of(const yaml_node_t *n)
{
    if (!n || n->type != YAML_SCALAR_NODE)
        return NULL;
    return json_stringn((const char *)n->data.scalar.value, n->data.scalar.length);
}

/* A list or mapping of texts; NULL for anything else. */
static json_t *collection(yaml_document_t *d)
{
    yaml_node_t *root = yaml_document_get_root_node(d);
    json_t *value = NULL;
    int bad = 0;
    if (root && root->type == YAML_SEQUENCE_NODE) {
        value = json_array();
        for (yaml_node_item_t *it = root->data.sequence.items.start; it < root->data.sequence.items.top; it++)
            bad |= json_array_append_new(value, text_of(yaml_document_get_node(d, *it)));
    } else if (root && root->type == YAML_MAPPING_NODE) {
        value = json_object();
        for (yaml_node_pair_t *p = root->data.mapping.pairs.start; p < root->data.mapping.pairs.top; p++) {
            json_t *key = text_of(yaml_document_get_node(d, p->key));
            bad |= !key ||
                   json_object_set_new(value, json_string_value(key), text_of(yaml_document_get_node(d, p->value)));
            json_decref(key);
        }
    }
    if (bad) {
        json_decref(value);
        return NULL;
    }
    return value;
}

static json_t *read_value(const char *text)
{
    if (*text != '[' && *text != '{')
        return json_string(text);
    yaml_parser_t parser;
    yaml_document_t d;
    json_t *value = NULL;
    if (!yaml_parser_initialize(&parser))
        pl_die("out of memory");
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, strlen(text));
    if (yaml_parser_load(&parser, &d)) {
        value = collection(&d);
        yaml_document_delete(&d);
    }
    yaml_parser_delete(&parser);
    return value;
}

/* "log.level" -> {log: {level: value}}; what is in between and no mapping is replaced. Takes 'value'. */
static void put(json_t *object, const char *path, json_t *value)
{
    const char *dot = strchr(path, '.');
    if (!dot) {
        json_object_set_new(object, path, value);
        return;
    }
    pl_cleanup(pl_free_p) char *key = pl_strndup(path, (size_t)(dot - path));
    json_t *inner = json_object_get(object, key);
    if (!json_is_object(inner)) {
        inner = json_object();
        json_object_set_new(object, key, inner);
    }
    put(inner, dot + 1, value);
}

enum pl_code up_set(const char *text, const char *const *services, json_t *const *configs, size_t count,
                    size_t *out_which, struct pl_err *err)
{
    const char *dot = strchr(text, '.'), *equals = strchr(text, '=');
    if (!dot || !equals || dot > equals || dot + 1 == equals)
        return pl_fail(err, PL_INVALID, "set", "--set '%.200s' is not SERVICE.KEY=VALUE, like router.keep_alive=30s",
                       text);
    pl_cleanup(pl_free_p) char *service = pl_strndup(text, (size_t)(dot - text));
    pl_cleanup(pl_free_p) char *path = pl_strndup(dot + 1, (size_t)(equals - dot - 1));
    size_t i = 0;
    while (i < count && strcmp(services[i], service))
        i++;
    if (i == count) {
        const char *near = pl_nearest(service, services, count);
        return pl_fail(err, PL_INVALID, "set", "--set '%.200s': no service '%s'; %s%s", text, service,
                       near ? "did you mean " : "there are ", near ? near : "control, worker, router and gateway");
    }
    json_t *value = strstr(path, "..") || path[strlen(path) - 1] == '.' || *path == '.' ? NULL : read_value(equals + 1);
    if (!value)
        return pl_fail(err, PL_INVALID, "set", "--set '%.200s': not a key and a text, list or mapping of texts", text);
    put(configs[i], path, value);
    *out_which = i;
    return PL_OK;
}
