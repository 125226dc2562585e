#include "api.h"
#include "command.h"
#include "endpoint_wait.h"
#include "manifest_load.h"
#include "message.h"

#include "base/mem.h"

struct deletion {
    struct client *client;
    bool wait, ignore_missing;
    int64_t timeout_ms;
};

static enum pl_code delete_one(const struct deletion *d, const struct kind *k, const char *name, struct pl_err *err)
{
    enum pl_code code = api_delete(d->client, k, name, err);
    if (code == PL_NOT_FOUND && d->ignore_missing) {
        printf("  %-14s %s is not there\n", k->title, name);
        return PL_OK;
    }
    bool wait = k->id == KIND_ENDPOINT && d->wait;
    struct endpoint_state state;
    if (code == PL_OK && wait)
        code = endpoint_wait(d->client, name, ENDPOINT_GONE, d->timeout_ms, NULL, &state, err);
    if (code == PL_OK)
        printf("- %-14s %s %s\n", k->title, name, k->id == KIND_ENDPOINT && !wait ? "is being deleted" : "deleted");
    return code;
}

static enum ctl_exit delete_manifest(struct deletion *d, const struct manifest *m)
{
    enum ctl_exit first = EXIT_OK;
    struct pl_err err;
    for (size_t i = m->count; i > 0; i--) {
        const struct manifest_item *item = &m->items[i - 1];
        if (delete_one(d, item->kind, manifest_name(item), &err) == PL_OK)
            continue;
        enum ctl_exit code = exit_report(stderr, &err);
        first = first ? first : code;
    }
    return first;
}

enum ctl_exit cmd_delete(const struct args *a)
{
    bool by_file = args_given(a, "file");
    const struct kind *k = a->word_count == 2 ? kind_by_word(a->words[0]) : NULL;
    if (by_file == (a->word_count > 0) || (!by_file && a->word_count != 2)) {
        fprintf(stderr, "pilotlight delete: say what: KIND NAME, or -f FILE\n");
        return EXIT_USAGE;
    }
    if (!by_file && !k) {
        fprintf(stderr, "pilotlight delete: unknown kind '%s'; known are model, endpoint-config and endpoint\n",
                a->words[0]);
        return EXIT_USAGE;
    }
    struct manifest m = { 0 };
    enum ctl_exit code = by_file ? manifest_load(&m, a, "delete") : EXIT_OK;
    struct deletion d = { NULL, args_flag(a, "wait"), args_flag(a, "ignore-missing"), args_number(a, "timeout") };
    struct pl_err err;
    if (code == EXIT_OK && !(d.client = client_open(a)))
        code = EXIT_USAGE;
    if (code == EXIT_OK && by_file)
        code = delete_manifest(&d, &m);
    else if (code == EXIT_OK && delete_one(&d, k, a->words[1], &err) != PL_OK)
        code = exit_report(stderr, &err);
    client_free(d.client);
    manifest_done(&m);
    return code;
}
