/* Manifests: what they become, and what is said, and where, about those that are wrong. */
#include "manifest.h"
#include "message.h"

#include "pilotlight/v1/endpoint.pb-c.h"
#include "pilotlight/v1/endpoint_config.pb-c.h"
#include "pilotlight/v1/model.pb-c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static const char whole[] =
    "kind: Endpoint\n"
    "name: fraud\n"
    "tags: { team: risk, tier: '1' }\n"
    "annotations:\n"
    "  note: |\n"
    "    two\n"
    "    lines\n"
    "spec:\n"
    "  endpoint_config_name: fraud-1\n"
    "---\n"
    "kind: Model\n"
    "name: fraud\n"
    "spec:\n"
    "  artifact_uri: ../models/./fraud.tar.gz\n"
    "  runtime: xgboost\n"
    "  environment: { SAGEMAKER_INFERENCE_ENSEMBLE: true, MAX_CONTENT_LENGTH: 1000, EMPTY: '' }\n"
    "---\n"
    "---\n"
    "kind: EndpointConfig\n"
    "name: fraud-1\n"
    "spec:\n"
    "  variants:\n"
    "    - name: main\n"
    "      model_name: fraud\n"
    "      memory_size_mb: 2048\n"
    "      max_concurrency: 10\n"
    "      provisioned_concurrency: 2\n"
    "      weight: 0.25\n"
    "      keep_alive: 10s\n"
    "      invoke_timeout: 1500ms\n"
    "      start_timeout: 3m\n"
    "    - { name: other, model_name: fraud, memory_size_mb: 1024, max_concurrency: 1 }\n";

static void documents_become_messages_in_order(void **state)
{
    struct manifest m = { 0 };
    struct pl_err err;
    (void)state;
    assert_int_equal(manifest_add_text(&m, "x.yaml", "/srv/manifests", whole, strlen(whole), &err), PL_OK);
    assert_int_equal(m.count, 3);

    const Pilotlight__V1__Model *model = (const void *)m.items[0].message;
    assert_int_equal(m.items[0].kind->id, KIND_MODEL);
    assert_int_equal(m.items[0].line, 11);
    assert_string_equal(model->name, "fraud");
    assert_string_equal(model->artifact_uri, "file:///srv/models/fraud.tar.gz");
    assert_string_equal(model->artifact_sha256, "");
    assert_int_equal(model->n_environment, 3);
    assert_string_equal(model->environment[0]->key, "SAGEMAKER_INFERENCE_ENSEMBLE");
    assert_string_equal(model->environment[0]->value, "true");
    assert_string_equal(model->environment[1]->value, "1000");
    assert_string_equal(model->environment[2]->value, "");

    const Pilotlight__V1__EndpointConfig *c = (const void *)m.items[1].message;
    assert_int_equal(c->n_variants, 2);
    assert_int_equal(c->variants[0]->memory_size_mb, 2048);
    assert_int_equal(c->variants[0]->max_concurrency, 10);
    assert_int_equal(c->variants[0]->provisioned_concurrency, 2);
    assert_int_equal(c->variants[0]->initial_weight_case, PILOTLIGHT__V1__PRODUCTION_VARIANT__INITIAL_WEIGHT_WEIGHT);
    assert_true(c->variants[0]->weight == 0.25);
    assert_int_equal(c->variants[0]->keep_alive->idle_ms, 10000);
    assert_int_equal(c->variants[0]->invoke_timeout_ms, 1500);
    assert_int_equal(c->variants[0]->start_timeout_ms, 180000);
    assert_string_equal(c->variants[1]->name, "other");
    assert_int_equal(c->variants[1]->initial_weight_case, PILOTLIGHT__V1__PRODUCTION_VARIANT__INITIAL_WEIGHT__NOT_SET);
    assert_null(c->variants[1]->keep_alive);

    const Pilotlight__V1__Endpoint *e = (const void *)m.items[2].message;
    assert_string_equal(e->endpoint_config_name, "fraud-1");
    assert_int_equal(e->n_tags, 2);
    assert_string_equal(e->tags[1]->key, "tier");
    assert_string_equal(e->tags[1]->value, "1");
    assert_string_equal(e->annotations[0]->value, "two\nlines\n");
    manifest_done(&m);
}

#define MODEL(spec)  "kind: Model\nname: m\nspec:\n" spec
#define CONFIG(rest) "kind: EndpointConfig\nname: c\nspec:\n  variants:\n    - name: v\n      model_name: m\n" rest

static void wrong_ones_are_told_with_line_and_column(void **state)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        { MODEL("  artifact_url: /x\n"),
          "f.yaml:4:3: unknown key 'artifact_url' in spec; did you mean 'artifact_uri'?" },
        { MODEL("  zzz: /x\n"),
          "f.yaml:4:3: unknown key 'zzz' in spec; known are artifact_uri, artifact_sha256, runtime, environment" },
        { "kind: Modell\nname: m\nspec: {}\n", "f.yaml:1:7: unknown kind 'Modell'; did you mean 'Model'?" },
        { "kind: Pod\nname: m\nspec: {}\n",
          "f.yaml:1:7: unknown kind 'Pod'; known are Model, EndpointConfig and Endpoint" },
        { "kid: Model\nname: m\nspec: {}\n", "f.yaml:1:1: unknown key 'kid'; did you mean 'kind'?" },
        { "name: m\nspec: {}\n", "f.yaml:1:1: 'kind' is missing: Model, EndpointConfig or Endpoint" },
        { "kind: Model\nname: m\n",
          "f.yaml:1:1: 'spec' is missing: what it is; `pilotlight help manifest` lists the keys of each kind" },
        { MODEL("  runtime: xgboost\n"), "f.yaml:4:3: spec: 'artifact_uri' is missing: file://, https:// or s3:// URI "
                                         "(http:// where worker hosts allow it), "
                                         "or a path relative to this file" },
        { MODEL("  artifact_uri:\n"), "f.yaml:4:16: spec.artifact_uri has no value (write '' for the empty text)" },
        { MODEL("  artifact_uri: ''\n"), "f.yaml:4:17: spec.artifact_uri is empty" },
        { MODEL("  artifact_uri: [a]\n"), "f.yaml:4:17: spec.artifact_uri must be a single value, not a sequence" },
        { MODEL("  artifact_uri: /x\n  artifact_uri: /y\n"), "f.yaml:5:3: 'artifact_uri' is there twice" },
        { MODEL("  artifact_uri: /x\n  environment: { A: 1, A: 2 }\n"),
          "f.yaml:5:24: spec.environment: 'A' is there twice" },
        { MODEL("  artifact_uri: /x\n  environment: [A]\n"),
          "f.yaml:5:16: spec.environment must be a mapping, 'key: value' on each line" },
        { MODEL("  artifact_uri: /x\n  environment: { A: { B: 1 } }\n"),
          "f.yaml:5:21: spec.environment.A must be a single value, not a mapping" },
        { CONFIG("      memory_size_mb: 1GB\n      max_concurrency: 1\n"),
          "f.yaml:7:23: spec.variants[0].memory_size_mb: '1GB' is not a whole number" },
        { CONFIG("      memory_size_mb: 99999999999\n      max_concurrency: 1\n"),
          "f.yaml:7:23: spec.variants[0].memory_size_mb: '99999999999' is not a whole number" },
        { CONFIG("      memroy_size_mb: 1024\n"),
          "f.yaml:7:7: unknown key 'memroy_size_mb' in spec.variants[0]; did you mean 'memory_size_mb'?" },
        { CONFIG("      memory_size_mb: 1024\n      max_concurrency: 1\n      keep_alive: 10\n"),
          "f.yaml:9:19: spec.variants[0].keep_alive: '10' is not a duration with its unit, like 500ms, 10s or 5m" },
        { CONFIG("      memory_size_mb: 1024\n      max_concurrency: 1\n      weight: -1\n"),
          "f.yaml:9:15: spec.variants[0].weight: '-1' is not a number >= 0" },
        { CONFIG("      memory_size_mb: 1024\n      max_concurrency: 1\n      weight: .inf\n"),
          "f.yaml:9:15: spec.variants[0].weight: '.inf' is not a number >= 0" },
        { CONFIG("      memory_size_mb: 1024\n      max_concurrency: 1\n      invoke_timeout: soon\n"),
          "f.yaml:9:23: spec.variants[0].invoke_timeout: 'soon' is not a duration with its unit, like 500ms, 10s or "
          "5m" },
        { "kind: EndpointConfig\nname: c\nspec:\n  variants: { a: 1 }\n",
          "f.yaml:4:13: spec.variants must be a sequence, each entry starting with '- name: ...'" },
        { "just text\n", "f.yaml:1:1: a document must be a mapping, 'key: value' on each line" },
        { "# nothing\n", "f.yaml: no document" },
        { MODEL("  artifact_uri: /x\n") "---\n" MODEL("  artifact_uri: /y\n"),
          "f.yaml:6:1: Model 'm' is there twice; the other is at f.yaml:1" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct manifest m = { 0 };
        struct pl_err err;
        assert_int_equal(manifest_add_text(&m, "f.yaml", "/", cases[i].text, strlen(cases[i].text), &err), PL_INVALID);
        assert_string_equal(err.message, cases[i].message);
        assert_int_equal(m.count, 0);
        manifest_done(&m);
    }
}

static void broken_yaml_is_told_with_line_and_column(void **state)
{
    static const char *const texts[] = { "kind: [a\nname: b\n", "a: b: c\n", "\tkind: x\n", "a: *nothing\n",
                                         "\xff\xfe\xfd" };
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        struct manifest m = { 0 };
        struct pl_err err;
        assert_int_equal(manifest_add_text(&m, "f.yaml", "/", texts[i], strlen(texts[i]), &err), PL_INVALID);
        assert_true(!strncmp(err.message, "f.yaml:", 7));
        assert_non_null(strstr(err.message, "not "));
        manifest_done(&m);
    }
}

/* A value that refers to the mapping it is in must not be followed. */
static void self_reference_is_refused(void **state)
{
    const char *text = "kind: Model\nname: m\nspec: &s\n  artifact_uri: /x\n  environment: *s\n";
    struct manifest m = { 0 };
    struct pl_err err;
    (void)state;
    assert_int_equal(manifest_add_text(&m, "f.yaml", "/", text, strlen(text), &err), PL_INVALID);
    manifest_done(&m);
}

static void failure_keeps_what_was_there(void **state)
{
    const char *good = MODEL("  artifact_uri: /x\n");
    const char *bad = "kind: Model\nname: a\nspec: { artifact_uri: /a }\n---\nkind: Model\nname: b\nspec: {}\n";
    struct manifest m = { 0 };
    struct pl_err err;
    (void)state;
    assert_int_equal(manifest_add_text(&m, "f", "/", good, strlen(good), &err), PL_OK);
    assert_int_equal(manifest_add_text(&m, "g", "/", bad, strlen(bad), &err), PL_INVALID);
    assert_int_equal(m.count, 1);
    assert_string_equal(manifest_name(&m.items[0]), "m");
    manifest_done(&m);
}

static void files_give_their_folder_to_artifacts(void **state)
{
    char dir[] = "/tmp/pl-manifest-XXXXXX", path[64], uri[128];
    struct manifest m = { 0 };
    struct pl_err err;
    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/m.yaml", dir);
    snprintf(uri, sizeof(uri), "file://%s/model.tar.gz", dir);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(MODEL("  artifact_uri: model.tar.gz\n"), f);
    fclose(f);
    assert_int_equal(manifest_add_file(&m, path, &err), PL_OK);
    assert_string_equal(message_text(m.items[0].message, "artifact_uri"), uri);
    manifest_done(&m);
    unlink(path);
    assert_int_equal(manifest_add_file(&m, path, &err), PL_NOT_FOUND);
    assert_non_null(strstr(err.message, path));
    rmdir(dir);
}

static void uris_stay_as_they_are(void **state)
{
    const char *text = MODEL("  artifact_uri: s3://bucket/a/../key\n");
    struct manifest m = { 0 };
    struct pl_err err;
    (void)state;
    assert_int_equal(manifest_add_text(&m, "f", "/", text, strlen(text), &err), PL_OK);
    assert_string_equal(message_text(m.items[0].message, "artifact_uri"), "s3://bucket/a/../key");
    manifest_done(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(documents_become_messages_in_order),
        cmocka_unit_test(wrong_ones_are_told_with_line_and_column),
        cmocka_unit_test(broken_yaml_is_told_with_line_and_column),
        cmocka_unit_test(self_reference_is_refused),
        cmocka_unit_test(failure_keeps_what_was_there),
        cmocka_unit_test(files_give_their_folder_to_artifacts),
        cmocka_unit_test(uris_stay_as_they_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
