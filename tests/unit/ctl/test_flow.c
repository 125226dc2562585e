/* Whole commands against an in-process control and router that keep what they are told: what is printed, what is sent,
 * and which exit code comes out. */
#include "command.h"
#include "fake_server.h"
#include "kinds.h"
#include "loop/loop.h"
#include "message.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

/* ---- commands ---- */

static char out[65536], errors[16384];
static char manifest_path[64];

static void read_back(FILE *f, char *text, size_t size)
{
    rewind(f);
    text[fread(text, 1, size - 1, f)] = '\0';
    fclose(f);
}

/* Runs "pilotlight WORDS --control ... --router ..."; words are split at spaces, "@" is the manifest's path. */
static enum ctl_exit run(const char *words)
{
    char *copy = strdup(words), *rest = copy, *word;
    const char *argv[32];
    char control[80], router[80];
    int argc = 0;
    argv[argc++] = "pilotlight";
    while ((word = strsep(&rest, " ")))
        argv[argc++] = strcmp(word, "@") ? word : manifest_path;
    snprintf(control, sizeof(control), "--control=%s", fake.address);
    snprintf(router, sizeof(router), "--router=%s", fake.address);
    argv[argc++] = control;
    argv[argc++] = router;
    argv[argc] = NULL;
    int saved_out = dup(STDOUT_FILENO), saved_err = dup(STDERR_FILENO);
    FILE *to_out = tmpfile(), *to_err = tmpfile();
    assert_true(to_out && to_err);
    fflush(NULL);
    dup2(fileno(to_out), STDOUT_FILENO);
    dup2(fileno(to_err), STDERR_FILENO);
    enum ctl_exit code = command_main(argc, argv);
    fflush(NULL);
    dup2(saved_out, STDOUT_FILENO);
    dup2(saved_err, STDERR_FILENO);
    close(saved_out);
    close(saved_err);
    read_back(to_out, out, sizeof(out));
    read_back(to_err, errors, sizeof(errors));
    free(copy);
    return code;
}

#define expect(code, words)                                                                                            \
    do {                                                                                                               \
        enum ctl_exit got_ = run(words);                                                                               \
        if (got_ != (code))                                                                                            \
            fail_msg("'%s' exits with %d, not %d\n%s%s", words, got_, code, out, errors);                              \
    } while (0)

#define expect_text(text, part)                                                                                        \
    do {                                                                                                               \
        if (!strstr(text, part))                                                                                       \
            fail_msg("'%s' is not in:\n%s", part, text);                                                               \
    } while (0)

static void write_manifest(const char *text)
{
    FILE *f = fopen(manifest_path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

#define ALL(uri, memory, config)                                                                                       \
    "kind: Endpoint\nname: fraud\ntags: { team: risk }\nspec: { endpoint_config_name: " config " }\n---\n"             \
    "kind: EndpointConfig\nname: " config                                                                              \
    "\nspec:\n  variants: [ { name: main, model_name: m, memory_size_mb: " memory ", max_concurrency: 2 } ]\n---\n"    \
    "kind: Model\nname: m\nspec: { artifact_uri: " uri " }\n"

static void apply_creates_in_order_and_waits(void **state)
{
    (void)state;
    write_manifest(ALL("/a", "1024", "c"));
    expect(EXIT_OK, "apply -f @ --dry-run");
    assert_string_equal(out, "+ Model          m\n+ EndpointConfig c\n+ Endpoint       fraud\n"
                             "dry run: 3 to create, 0 to change, 0 unchanged\n");
    assert_int_equal(fake.writes, 0);
    expect(EXIT_OK, "apply -f @");
    char *model = strstr(out, "+ Model          m created\n"),
         *endpoint = strstr(out, "+ Endpoint       fraud created\n");
    assert_true(model && endpoint && model < endpoint);
    expect_text(out, "  Endpoint fraud: CREATING after ");
    expect_text(out, "  Endpoint fraud: IN_SERVICE after ");
    assert_string_equal(errors, "");
    unsigned writes = fake.writes;
    expect(EXIT_OK, "apply -f @");
    expect_text(out, "= Model          m unchanged\n= EndpointConfig c unchanged\n= Endpoint       fraud unchanged\n");
    assert_int_equal(fake.writes, writes);
}

static void changed_spec_is_refused_or_replaced(void **state)
{
    (void)state;
    write_manifest(ALL("/a", "1024", "c"));
    expect(EXIT_OK, "apply -f @");
    unsigned writes = fake.writes;
    write_manifest(ALL("/a", "2048", "c"));
    expect(EXIT_FAILED, "apply -f @");
    expect_text(errors, "variants[main].memory_size_mb: 1024 -> 2048");
    expect_text(errors, "--replace");
    assert_int_equal(fake.writes, writes);
    expect(EXIT_FAILED, "apply -f @ --dry-run");
    expect_text(out, "! EndpointConfig c  (cannot change)\n    variants[main].memory_size_mb: 1024 -> 2048\n");
    expect(EXIT_OK, "apply -f @ --replace");
    expect_text(out, "~ EndpointConfig c replaced\n~ Endpoint       fraud being updated\n");
    assert_int_equal(fake.updates, 1);
    expect(EXIT_OK, "apply -f @");
    expect_text(out, "= Endpoint       fraud unchanged\n");
}

static void a_new_config_updates_the_endpoint(void **state)
{
    (void)state;
    write_manifest(ALL("/a", "1024", "c"));
    expect(EXIT_OK, "apply -f @");
    write_manifest(ALL("/a", "2048", "c-2"));
    expect(EXIT_OK, "apply -f @");
    expect_text(out, "  Endpoint fraud: UPDATING after ");
    expect(EXIT_OK, "get endpoint fraud -o json");
    expect_text(out, "\"endpoint_config_name\": \"c-2\"");
}

static void failures_are_told_with_their_cause(void **state)
{
    (void)state;
    write_manifest(ALL("/a", "1024", "bad"));
    expect(EXIT_FAILED, "apply -f @");
    expect_text(out, "  Endpoint fraud: FAILED after ");
    expect_text(errors, "endpoint 'fraud' failed: model 'm' does not load: it is a picture");
    write_manifest(ALL("/a", "1024", "good"));
    expect(EXIT_OK, "apply -f @"); /* a failed one is created anew */
    expect_text(out, "~ Endpoint       fraud created anew\n");
    write_manifest(ALL("/a", "1024", "bad-2"));
    expect(EXIT_FAILED, "apply -f @"); /* rolled back */
    expect_text(errors, "could not be moved to 'bad-2' and still serves what it did: model 'm' does not load");
    write_manifest(ALL("ftp://x/y", "1024", "c"));
    assert_int_equal(fake_empty(NULL), 0);
    expect(EXIT_FAILED, "apply -f @");
    expect_text(errors, "manifest:11: Model 'm': artifact_uri: scheme 'ftp' is none of file, https, s3");
    expect_text(errors, "field: artifact_uri");
}

/* What is wrong with the last document is told before anything is made of the first. */
static void nothing_is_made_of_what_cannot_all_be_made(void **state)
{
    static const char *const ways[] = { "apply -f @ --dry-run", "apply -f @" };
    (void)state;
    for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
        write_manifest("kind: Model\nname: first\nspec: { artifact_uri: /a }\n---\n"
                       "kind: Model\nname: m\nspec: { artifact_uri: 'ftp://x/y' }\n");
        expect(EXIT_FAILED, ways[i]);
        expect_text(errors, "manifest:5: Model 'm': artifact_uri: scheme 'ftp'");
        write_manifest(
            ALL("/a", "1024", "c") "---\nkind: EndpointConfig\nname: d\nspec:\n  variants:\n"
                                   "  - { name: main, model_name: m, memory_size_mb: 1024, max_concurrency: 2 }\n"
                                   "  - { name: b, model_name: no, memory_size_mb: 1024, max_concurrency: 2 }\n");
        expect(EXIT_NOT_FOUND, ways[i]);
        expect_text(errors, "EndpointConfig 'd': no model 'no'");
        expect_text(errors, "field: variants[1].model_name");
        write_manifest("kind: Endpoint\nname: e\nspec: { endpoint_config_name: no }\n");
        expect(EXIT_NOT_FOUND, ways[i]);
        expect_text(errors, "manifest:1: Endpoint 'e': no endpoint-config 'no'");
    }
    assert_int_equal(fake.writes, 0);
}

static void what_could_not_be_replaced_is_put_back(void **state)
{
    (void)state;
    write_manifest(ALL("/a", "1024", "c"));
    expect(EXIT_OK, "apply -f @");
    assert_int_equal(SURPRISING_MB, 5120);
    write_manifest(ALL("/a", "5120", "c"));
    expect(EXIT_FAILED, "apply -f @ --replace");
    expect_text(errors, "10000 endpoint configs already, which is the limit (the old one is there again)");
    expect(EXIT_OK, "get endpoint-config c -o json");
    expect_text(out, "\"memory_size_mb\": 1024");
}

static void no_wait_does_not_wait(void **state)
{
    (void)state;
    write_manifest(ALL("/a", "1024", "bad"));
    expect(EXIT_OK, "apply -f @ --no-wait");
    assert_null(strstr(out, "after"));
}

static void tags_change_alone(void **state)
{
    (void)state;
    write_manifest("kind: Model\nname: m\ntags: { a: x }\nspec: { artifact_uri: /a }\n");
    expect(EXIT_OK, "apply -f @");
    write_manifest("kind: Model\nname: m\ntags: { a: y, b: z }\nspec: { artifact_uri: /a }\n");
    expect(EXIT_OK, "apply -f @");
    expect_text(out, "~ Model          m tags changed\n");
    expect(EXIT_OK, "apply -f @");
    expect_text(out, "= Model          m unchanged\n");
}

static void lists_go_over_all_pages(void **state)
{
    (void)state;
    write_manifest("kind: Model\nname: aa\nspec: { artifact_uri: /a }\n---\nkind: Model\nname: ab\nspec: { "
                   "artifact_uri: /a }\n---\n"
                   "kind: Model\nname: b\nspec: { artifact_uri: /a }\n");
    expect(EXIT_OK, "apply -f @");
    expect(EXIT_OK, "get models -o name");
    assert_string_equal(out, "aa\nab\nb\n");
    expect(EXIT_OK, "get models --name-contains a -o name");
    assert_string_equal(out, "aa\nab\n");
    expect(EXIT_OK, "get models -o json");
    json_t *list = json_loads(out, 0, NULL);
    assert_int_equal(json_array_size(list), 3);
    assert_string_equal(json_string_value(json_object_get(json_array_get(list, 2), "name")), "b");
    json_decref(list);
    expect(EXIT_OK, "get model b");
    assert_int_equal(strncmp(out, "NAME  RUNTIME  ARTIFACT  ", 25), 0);
    expect_text(out, "\nb     xgboost  file:///a ");
    expect(EXIT_NOT_FOUND, "get model c");
    expect_text(errors, "no model 'c'");
    expect_text(errors, "code: NOT_FOUND");
    expect(EXIT_OK, "get configs -o yaml");
    assert_string_equal(out, "[]\n");
}

static void endpoints_are_described_with_what_runs(void **state)
{
    (void)state;
    write_manifest(ALL("/a", "1024", "c"));
    expect(EXIT_OK, "apply -f @");
    expect(EXIT_OK, "describe endpoint fraud");
    expect_text(out, "status                     IN_SERVICE\n");
    expect_text(out, "  team                     risk\n");
    expect_text(out, "instances now: 1\n");
    expect_text(out, "host-1/7");
    expect(EXIT_OK, "describe endpoint fraud -o json");
    json_t *value = json_loads(out, 0, NULL);
    assert_int_equal(json_array_size(json_object_get(value, "instances")), 1);
    assert_int_equal(
        json_integer_value(json_object_get(json_array_get(json_object_get(value, "stats"), 0), "invocations")), 41);
    json_decref(value);
    expect(EXIT_OK, "describe config c");
    expect_text(out, "  memory size, MB          1024\n");
    expect(EXIT_NOT_FOUND, "describe endpoint nothing");
}

static void instances_are_listed(void **state)
{
    (void)state;
    expect(EXIT_OK, "get instances fraud");
    expect_text(out, "host-1/7  fraud");
    expect(EXIT_OK, "get instances none -o json");
    assert_string_equal(out, "[]\n");
    expect(EXIT_OK, "get variants -o yaml");
    expect_text(out, "invocations: 41\n");
}

static void deletes_go_backwards(void **state)
{
    (void)state;
    write_manifest(ALL("/a", "1024", "c"));
    expect(EXIT_OK, "apply -f @");
    expect(EXIT_OK, "delete -f @ --wait");
    assert_string_equal(out,
                        "- Endpoint       fraud deleted\n- EndpointConfig c deleted\n- Model          m deleted\n");
    expect(EXIT_NOT_FOUND, "delete -f @");
    expect(EXIT_OK, "delete -f @ --ignore-missing");
    expect(EXIT_NOT_FOUND, "delete model m");
}

static void answers_come_out_as_they_are(void **state)
{
    (void)state;
    expect(EXIT_OK, "invoke echo 1,2 --content-type text/csv --accept text/x --target-variant main");
    assert_string_equal(out, "[text/csv|text/x|main]1,2");
    assert_string_equal(errors, "");
    expect(EXIT_OK, "invoke echo -1,2 -v");
    assert_string_equal(out, "[||]-1,2");
    expect_text(errors, "main             cold");
    expect_text(errors, "4.21ms");
    expect(EXIT_OK, "invoke echo x -q");
    assert_string_equal(out, "");
}

static void rows_are_answered_in_order(void **state)
{
    char text[4096] = "", wanted[8192] = "";
    (void)state;
    for (int i = 0; i < 300; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%d\r\n%s", i, i % 7 ? "" : "\n");
    for (int i = 0; i < 600; i++)
        snprintf(wanted + strlen(wanted), sizeof(wanted) - strlen(wanted), "[||]%d\n", i % 300);
    write_manifest(text);
    expect(EXIT_OK, "invoke echo -f @ --rows --repeat 600 --concurrency 8");
    assert_string_equal(out, wanted);
    expect_text(errors, "calls     600 in ");
    expect_text(errors, "8 at once\nanswered  600, of them 600 cold\nlatency   min ");
    expect(EXIT_OK, "invoke echo -f @ --rows -q");
    expect_text(errors, "calls     300 in ");
}

static void failed_calls_have_their_exit_code(void **state)
{
    (void)state;
    expect(EXIT_MODEL, "invoke model 1");
    assert_string_equal(out, "");
    expect_text(errors, "pilotlight: feature 3 is no number\n");
    expect_text(errors, "reason: MODEL_ERROR");
    expect_text(errors, "model status: 415");
    expect(EXIT_THROTTLED, "invoke busy 1");
    expect_text(errors, "code: EXHAUSTED  reason: MAX_CONCURRENCY  field: endpoint_name  retry after: 100ms\n");
    expect(EXIT_NOT_FOUND, "invoke nothing 1");
    expect(EXIT_THROTTLED, "invoke many 1 --repeat 9 -q");
    expect_text(errors, "calls     9 in ");
    expect_text(errors, "answered  6, of them 6 cold\n");
    expect_text(errors, "failed    3: MAX_CONCURRENCY 3\n");
}

static void unreachable_servers_are_named(void **state)
{
    char kept[64];
    (void)state;
    memcpy(kept, fake.address, sizeof(kept));
    snprintf(fake.address, sizeof(fake.address), "127.0.0.1:1");
    enum ctl_exit get = run("get models");
    char first[sizeof(errors)];
    snprintf(first, sizeof(first), "%s", errors);
    enum ctl_exit invoke = run("invoke echo 1");
    enum ctl_exit version = run("version");
    memcpy(fake.address, kept, sizeof(kept));
    assert_int_equal(get, EXIT_UNAVAILABLE);
    expect_text(first, "cannot reach control at 127.0.0.1:1; is `pilotlight up` running there?");
    assert_int_equal(invoke, EXIT_UNAVAILABLE);
    expect_text(out, "server     unknown: cannot reach the router at 127.0.0.1:1");
    assert_int_equal(version, EXIT_OK);
}

static void version_tells_both(void **state)
{
    (void)state;
    expect(EXIT_OK, "version");
    assert_string_equal(out, "pilotlight " PL_VERSION "\nserver     pilotlight 9.8.7\n");
    expect(EXIT_OK, "version -o yaml");
    assert_string_equal(out, "version: \"" PL_VERSION "\"\nserver:\n  name: pilotlight\n  version: \"9.8.7\"\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(apply_creates_in_order_and_waits, fake_empty),
        cmocka_unit_test_setup(changed_spec_is_refused_or_replaced, fake_empty),
        cmocka_unit_test_setup(a_new_config_updates_the_endpoint, fake_empty),
        cmocka_unit_test_setup(failures_are_told_with_their_cause, fake_empty),
        cmocka_unit_test_setup(nothing_is_made_of_what_cannot_all_be_made, fake_empty),
        cmocka_unit_test_setup(what_could_not_be_replaced_is_put_back, fake_empty),
        cmocka_unit_test_setup(no_wait_does_not_wait, fake_empty),
        cmocka_unit_test_setup(tags_change_alone, fake_empty),
        cmocka_unit_test_setup(lists_go_over_all_pages, fake_empty),
        cmocka_unit_test_setup(endpoints_are_described_with_what_runs, fake_empty),
        cmocka_unit_test(instances_are_listed),
        cmocka_unit_test_setup(deletes_go_backwards, fake_empty),
        cmocka_unit_test(answers_come_out_as_they_are),
        cmocka_unit_test(rows_are_answered_in_order),
        cmocka_unit_test(failed_calls_have_their_exit_code),
        cmocka_unit_test(unreachable_servers_are_named),
        cmocka_unit_test(version_tells_both),
    };
    char dir[] = "/tmp/pl-flow-XXXXXX";
    if (!mkdtemp(dir))
        return 1;
    snprintf(manifest_path, sizeof(manifest_path), "%s/manifest", dir);
    int failed = cmocka_run_group_tests(tests, fake_start, fake_stop);
    unlink(manifest_path);
    rmdir(dir);
    return failed;
}
