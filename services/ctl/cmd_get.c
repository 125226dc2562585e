#include "api.h"
#include "command.h"
#include "get_rows.h"
#include "message.h"
#include "output.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/text.h"

#include "pilotlight/v1/instance.pb-c.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* What the router lists: it has no Get, so NAME filters. */
static const struct live {
    const char *word, *plural;
    const char *path;
    const ProtobufCMessageDescriptor *request, *response;
    const char *request_field; /* takes NAME; NULL: NAME is compared with 'name_field' */
    const char *name_field;    /* what -o name prints and --name-contains looks at */
    const char *const *titles;
    void (*row)(struct table *t, const ProtobufCMessage *m);
} lives[] = {
    { "instance", "instances", "/pilotlight.v1.InstanceService/ListInstances",
      &pilotlight__v1__list_instances_request__descriptor, &pilotlight__v1__list_instances_response__descriptor,
      "endpoint_name", "id", get_instance_titles, get_instance_row },
    { "variant", "variants", "/pilotlight.v1.InstanceService/ListVariantStats",
      &pilotlight__v1__list_variant_stats_request__descriptor, &pilotlight__v1__list_variant_stats_response__descriptor,
      "endpoint_name", "variant_name", get_variant_titles, get_variant_row },
    { "host", "hosts", "/pilotlight.v1.InstanceService/ListHosts", &pilotlight__v1__list_hosts_request__descriptor,
      &pilotlight__v1__list_hosts_response__descriptor, NULL, "id", get_host_titles, get_host_row },
};

static const struct live *live_by_word(const char *word)
{
    for (size_t i = 0; i < PL_COUNT(lives); i++) {
        if (!strcmp(lives[i].word, word) || !strcmp(lives[i].plural, word))
            return &lives[i];
    }
    return NULL;
}

/* Where resources go as they come in: rows, names or values. */
struct sink {
    const struct kind *kind;
    enum output_format format;
    struct table *table;
    json_t *values;
};

static void take(void *arg, const ProtobufCMessage *m)
{
    struct sink *s = arg;
    if (s->format == OUTPUT_TABLE)
        get_row(s->table, s->kind, m);
    else if (s->format == OUTPUT_NAME)
        printf("%s\n", message_text(m, "name"));
    else
        json_array_append_new(s->values, message_json(m));
}

static enum pl_code get_resources(struct client *c, const struct kind *k, const char *name, const char *contains,
                                  enum output_format format, struct pl_err *err)
{
    struct sink s = { .kind = k, .format = format, .table = table_new(get_titles[k->id]), .values = json_array() };
    pl_cleanup(message_free_p) ProtobufCMessage *one = NULL;
    enum pl_code code = name ? api_get(c, k, name, &one, err) : api_list(c, k, contains, take, &s, err);
    if (code == PL_OK && one)
        take(&s, one);
    if (code == PL_OK && format == OUTPUT_TABLE)
        table_print(s.table, stdout);
    else if (code == PL_OK && format != OUTPUT_NAME)
        output_value(name ? json_array_get(s.values, 0) : s.values, format, stdout);
    table_free(s.table);
    json_decref(s.values);
    return code;
}

static bool wanted(const struct live *l, const ProtobufCMessage *m, const char *name, const char *contains)
{
    const char *own = message_text(m, l->name_field);
    if (name && !l->request_field && strcmp(own, name))
        return false;
    return !contains || strcasestr(l->request_field ? message_text(m, l->request_field) : own, contains);
}

static enum pl_code get_live(struct client *c, const struct live *l, const char *name, const char *contains,
                             enum output_format format, struct pl_err *err)
{
    pl_cleanup(message_free_p) ProtobufCMessage *request = message_new(l->request);
    pl_cleanup(message_free_p) ProtobufCMessage *reply = NULL;
    if (name && l->request_field)
        message_set_text(request, l->request_field, name);
    if (client_call(c, CLIENT_ROUTER, l->path, request, l->response, CLIENT_CALL_MS, &reply, err) != PL_OK)
        return err->code;
    struct table *t = table_new(l->titles);
    json_t *values = json_array();
    ProtobufCMessage *const *entries;
    size_t count = message_list(reply, l->response->fields[0].name, &entries);
    for (size_t i = 0; i < count; i++) {
        if (!wanted(l, entries[i], name, contains))
            continue;
        if (format == OUTPUT_TABLE)
            l->row(t, entries[i]);
        else if (format == OUTPUT_NAME)
            printf("%s\n", message_text(entries[i], l->name_field));
        else
            json_array_append_new(values, message_json(entries[i]));
    }
    if (format == OUTPUT_TABLE)
        table_print(t, stdout);
    else if (format != OUTPUT_NAME)
        output_value(values, format, stdout);
    json_decref(values);
    table_free(t);
    return PL_OK;
}

static enum ctl_exit unknown_kind(const char *word)
{
    const char *known[KIND_COUNT + PL_COUNT(lives)];
    size_t count = 0;
    for (size_t i = 0; i < KIND_COUNT; i++)
        known[count++] = kinds[i].plural;
    for (size_t i = 0; i < PL_COUNT(lives); i++)
        known[count++] = lives[i].plural;
    const char *near = pl_nearest(word, known, count);
    fprintf(stderr, "pilotlight get: unknown kind '%s'; %s%s\n", word, near ? "did you mean " : "known are ",
            near ? near : "models, endpoint-configs, endpoints, instances, variants and hosts");
    return EXIT_USAGE;
}

enum ctl_exit cmd_get(const struct args *a)
{
    const struct kind *k = kind_by_word(a->words[0]);
    const struct live *l = live_by_word(a->words[0]);
    if (!k && !l)
        return unknown_kind(a->words[0]);
    const char *name = a->word_count > 1 ? a->words[1] : NULL;
    const char *contains = args_text(a, "name-contains");
    enum output_format format = output_format_of(args_text(a, "output"));
    pl_cleanup(client_free_p) struct client *c = client_open(a);
    struct pl_err err;
    if (!c)
        return EXIT_USAGE;
    enum pl_code code =
        k ? get_resources(c, k, name, contains, format, &err) : get_live(c, l, name, contains, format, &err);
    return code == PL_OK ? EXIT_OK : exit_report(stderr, &err);
}
