/* `pilotlight credentials`: the gateway's access keys. Works on the file: no server is asked. */
#include "command.h"
#include "output.h"
#include "paths.h"
#include "up.h"

#include "base/mem.h"
#include "credentials/credentials.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct request {
    const struct args *args;
    char *path;
    enum output_format format;
    bool secrets, all; /* what to show */
};

static enum ctl_exit failed(const struct pl_err *err)
{
    fprintf(stderr, "pilotlight credentials: %s\n", err->message);
    return err->code == PL_INVALID ? EXIT_USAGE : EXIT_FAILED;
}

/* ---- showing ---- */

static void print_export(const struct credential *k)
{
    printf("export AWS_ACCESS_KEY_ID=%s\nexport AWS_SECRET_ACCESS_KEY='%s'\n", k->id, k->secret);
}

static json_t *key_json(const struct request *r, const struct credential *k)
{
    json_t *v = json_pack("{s:s, s:s, s:b, s:s}", "accessKeyId", k->id, "use", credential_use_name(k->use), "disabled",
                          (int)k->disabled, "note", k->note);
    if (r->secrets)
        json_object_set_new(v, "secretAccessKey", json_string(k->secret));
    return v;
}

static bool is_shown(const struct request *r, const struct credential *k)
{
    return r->all || (!k->disabled && k->use == CREDENTIAL_ALL);
}

static void print_table(const struct request *r, const struct credentials *c)
{
    static const char *const with[] = { "ACCESS KEY ID", "SECRET ACCESS KEY", "CREATED", "NOTE", NULL };
    static const char *const without[] = { "ACCESS KEY ID", "USE", "STATUS", "CREATED", "NOTE", NULL };
    struct table *t = table_new(r->secrets ? with : without);
    for (size_t i = 0; i < credentials_count(c); i++) {
        const struct credential *k = credentials_at(c, i);
        char age[24];
        if (!is_shown(r, k))
            continue;
        table_cell(t, "%s", k->id);
        if (r->secrets) {
            table_cell(t, "%s", k->secret);
        } else {
            table_cell(t, "%s", credential_use_name(k->use));
            table_cell(t, "%s", k->disabled ? "disabled" : "enabled");
        }
        table_cell(t, "%s", output_since(k->created_ms, age));
        table_cell(t, "%s", k->note);
    }
    table_print(t, stdout);
    table_free(t);
}

static void print(const struct request *r, const struct credentials *c)
{
    if (r->format == OUTPUT_TABLE) {
        print_table(r, c);
        return;
    }
    json_t *list = json_array();
    for (size_t i = 0; i < credentials_count(c); i++) {
        const struct credential *k = credentials_at(c, i);
        if (!is_shown(r, k))
            continue;
        if (r->format == OUTPUT_NAME)
            printf("%s\n", k->id);
        else
            json_array_append_new(list, key_json(r, k));
    }
    if (r->format != OUTPUT_NAME)
        output_value(list, r->format, stdout);
    json_decref(list);
}

static enum ctl_exit show(struct request *r)
{
    pl_cleanup(credentials_free_p) struct credentials *c = NULL;
    struct pl_err err;
    if (access(r->path, F_OK) != 0) {
        fprintf(stderr, "pilotlight credentials: %s does not exist; the first `pilotlight up` makes it\n", r->path);
        return EXIT_FAILED;
    }
    if (credentials_load(&c, r->path, &err) != PL_OK)
        return failed(&err);
    if (!args_flag(r->args, "export")) {
        print(r, c);
        return EXIT_OK;
    }
    for (size_t i = 0; i < credentials_count(c); i++)
        if (is_shown(r, credentials_at(c, i))) {
            print_export(credentials_at(c, i));
            return EXIT_OK;
        }
    fprintf(stderr, "pilotlight credentials: there is no key to use; make one with `pilotlight credentials create`\n");
    return EXIT_FAILED;
}

/* ---- changing ---- */

static enum ctl_exit change(struct request *r, enum pl_code (*apply)(struct request *r, struct credentials *c,
                                                                     struct credential *out, struct pl_err *err))
{
    pl_cleanup(credentials_free_p) struct credentials *c = NULL;
    pl_cleanup(pl_close_p) int lock = -1;
    struct credential made = { 0 };
    struct pl_err err;
    if (credentials_lock(r->path, &lock, &err) != PL_OK || credentials_load(&c, r->path, &err) != PL_OK ||
        apply(r, c, &made, &err) != PL_OK || credentials_save(c, r->path, &err) != PL_OK)
        return failed(&err);
    if (!*made.secret)
        return EXIT_OK;
    if (args_flag(r->args, "export")) {
        print_export(&made);
        return EXIT_OK;
    }
    pl_cleanup(credentials_free_p) struct credentials *one = credentials_new();
    if (credentials_add(one, &made, &err) != PL_OK)
        return failed(&err);
    r->secrets = r->all = true;
    print(r, one);
    return EXIT_OK;
}

static enum pl_code create(struct request *r, struct credentials *c, struct credential *out, struct pl_err *err)
{
    const char *note = args_text(r->args, "note");
    if (note && strlen(note) > CREDENTIAL_NOTE_MAX)
        return pl_fail(err, PL_INVALID, "note", "--note has %zu characters: it may have %d", strlen(note),
                       CREDENTIAL_NOTE_MAX);
    credential_make(out, strcmp(args_text(r->args, "use"), "all") ? CREDENTIAL_ARTIFACTS : CREDENTIAL_ALL, note);
    return credentials_add(c, out, err);
}

static enum pl_code set_disabled(struct request *r, struct credentials *c, struct credential *out, struct pl_err *err)
{
    (void)out;
    return credentials_set_disabled(c, r->args->words[1], strcmp(r->args->words[0], "disable") == 0, err);
}

enum ctl_exit cmd_credentials(const struct args *a)
{
    const char *verb = a->word_count ? a->words[0] : "show", *file = args_text(a, "file");
    pl_cleanup(pl_free_p) char *fallback = up_default_state();
    const char *state = args_text(a, "state") ? args_text(a, "state") : fallback;
    bool names_key = !strcmp(verb, "disable") || !strcmp(verb, "enable");
    if (!file && (!state || !*state)) {
        fprintf(stderr, "pilotlight credentials: say where the keys are: --state DIR ($HOME is not set)\n");
        return EXIT_USAGE;
    }
    if (names_key != (a->word_count == 2)) {
        fprintf(stderr, "pilotlight credentials %s: %s (try --help)\n", verb,
                names_key ? "say which access key id" : "one word too many");
        return EXIT_USAGE;
    }
    pl_cleanup(pl_free_p) char *path = file ? pl_strdup(file) : pl_format("%s/credentials.json", state);
    struct request r = { .args = a, .path = path, .format = output_format_of(args_text(a, "output")) };
    r.secrets = !strcmp(verb, "show");
    r.all = !strcmp(verb, "list");
    if (!strcmp(verb, "show") || !strcmp(verb, "list"))
        return show(&r);
    if (!strcmp(verb, "create"))
        return change(&r, create);
    if (names_key)
        return change(&r, set_disabled);
    fprintf(stderr, "pilotlight credentials: no such thing as '%.64s': show, create, list, disable or enable\n", verb);
    return EXIT_USAGE;
}
