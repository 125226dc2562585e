/* What a manifest would change, and what apply then does. */
#include "apply_plan.h"
#include "diff.h"
#include "manifest.h"
#include "message.h"

#include "pilotlight/v1/endpoint.pb-c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct manifest parse(const char *text)
{
    struct manifest m = { 0 };
    struct pl_err err;
    if (manifest_add_text(&m, "f", "/", text, strlen(text), &err) != PL_OK)
        fail_msg("%s", err.message);
    return m;
}

#define VARIANT(name, memory)                                                                                          \
    "    - { name: " name ", model_name: m, memory_size_mb: " memory ", max_concurrency: 2 }\n"
#define CONFIG(variants) "kind: EndpointConfig\nname: c\nspec:\n  variants:\n" variants
#define MODEL(uri)       "kind: Model\nname: m\nspec: { artifact_uri: " uri " }\n"
#define ENDPOINT(config) "kind: Endpoint\nname: e\nspec: { endpoint_config_name: " config " }\n"

/* The changes from one document to another, one "path: old -> new" a line. */
static char *changes(const char *from, const char *to)
{
    static char out[2048];
    struct manifest a = parse(from), b = parse(to);
    struct diff d;
    *out = '\0';
    diff_resources(a.items[0].kind, a.items[0].message, b.items[0].message, &d);
    for (size_t i = 0; i < d.count; i++)
        snprintf(out + strlen(out), sizeof(out) - strlen(out), "%s: %s -> %s\n", d.changes[i].path,
                 d.changes[i].old_value ? d.changes[i].old_value : "(none)",
                 d.changes[i].new_value ? d.changes[i].new_value : "(none)");
    diff_done(&d);
    manifest_done(&a);
    manifest_done(&b);
    return out;
}

static void same_is_no_change(void **state)
{
    (void)state;
    assert_string_equal(changes(MODEL("/a"), MODEL("/a")), "");
    assert_string_equal(changes(ENDPOINT("c"), ENDPOINT("c")), "");
}

static void defaults_written_down_are_no_change(void **state)
{
    (void)state;
    assert_string_equal(changes(MODEL("/a"), "kind: Model\nname: m\nspec: { artifact_uri: /a, runtime: xgboost }\n"),
                        "");
    assert_string_equal(
        changes(CONFIG(VARIANT("v", "1024")),
                CONFIG("    - { name: v, model_name: m, memory_size_mb: 1024, max_concurrency: 2, weight: 1,\n"
                       "        provisioned_concurrency: 0, invoke_timeout: 60s, start_timeout: 180s }\n")),
        "");
}

static void each_field_is_named_with_both_values(void **state)
{
    (void)state;
    assert_string_equal(changes(MODEL("/a"), "kind: Model\nname: m\ntags: { t: x }\n"
                                             "spec: { artifact_uri: /b, environment: { K: v } }\n"),
                        "artifact_uri: file:///a -> file:///b\nenvironment.K: (none) -> v\ntags.t: (none) -> x\n");
    assert_string_equal(
        changes(CONFIG(VARIANT("v", "1024")),
                CONFIG("    - { name: v, model_name: m, memory_size_mb: 2048, max_concurrency: 2, keep_alive: 5s, "
                       "weight: 0.5 }\n")),
        "variants[v].memory_size_mb: 1024 -> 2048\nvariants[v].weight: 1 -> 0.5\n"
        "variants[v].keep_alive.idle_ms: (none) -> 5000\n");
}

static void variants_are_matched_by_name(void **state)
{
    (void)state;
    assert_string_equal(
        changes(CONFIG(VARIANT("a", "1024") VARIANT("b", "2048")), CONFIG(VARIANT("b", "2048") VARIANT("a", "1024"))),
        "");
    char *out = changes(CONFIG(VARIANT("a", "1024")), CONFIG(VARIANT("a", "1024") VARIANT("b", "2048")));
    assert_non_null(strstr(out, "variants[b].memory_size_mb: (none) -> 2048\n"));
    assert_null(strstr(out, "variants[a]"));
}

/* ---- plans ---- */

/* A plan for 'wanted' where 'live' is there; the live endpoint has that status. */
struct scene {
    struct manifest live, wanted;
    struct apply_plan plan;
};

static void make(struct scene *s, const char *live, const char *wanted, int status, bool replace)
{
    *s = (struct scene){ .live = parse(live), .wanted = parse(wanted) };
    s->plan.count = s->wanted.count;
    s->plan.steps = calloc(s->plan.count, sizeof(*s->plan.steps));
    for (size_t i = 0; i < s->plan.count; i++) {
        s->plan.steps[i].item = &s->wanted.items[i];
        for (size_t k = 0; k < s->live.count; k++) {
            if (s->live.items[k].kind == s->wanted.items[i].kind)
                s->plan.steps[i].live = message_copy(s->live.items[k].message);
        }
        if (s->plan.steps[i].live && s->wanted.items[i].kind->id == KIND_ENDPOINT)
            message_set_int(s->plan.steps[i].live, "status", status);
    }
    apply_plan_decide(&s->plan, replace);
}

static void done(struct scene *s)
{
    apply_plan_done(&s->plan);
    manifest_done(&s->live);
    manifest_done(&s->wanted);
}

#define ALL(uri, memory, config) MODEL(uri) "---\n" CONFIG(VARIANT("v", memory)) "---\n" ENDPOINT(config)
#define IN_SERVICE               PILOTLIGHT__V1__ENDPOINT_STATUS__ENDPOINT_STATUS_IN_SERVICE
#define FAILED                   PILOTLIGHT__V1__ENDPOINT_STATUS__ENDPOINT_STATUS_FAILED
#define DELETING                 PILOTLIGHT__V1__ENDPOINT_STATUS__ENDPOINT_STATUS_DELETING

static void plans_follow_what_differs(void **state)
{
    static const struct {
        const char *live, *wanted;
        int status;
        bool replace;
        enum apply_action model, config, endpoint;
    } cases[] = {
        { ALL("/a", "1024", "c"), ALL("/a", "1024", "c"), IN_SERVICE, false, APPLY_NOTHING, APPLY_NOTHING,
          APPLY_NOTHING },
        { ALL("/a", "1024", "c"), ALL("/b", "1024", "c"), IN_SERVICE, false, APPLY_REFUSED, APPLY_NOTHING,
          APPLY_NOTHING },
        { ALL("/a", "1024", "c"), ALL("/a", "2048", "c"), IN_SERVICE, false, APPLY_NOTHING, APPLY_REFUSED,
          APPLY_NOTHING },
        { ALL("/a", "1024", "c"), ALL("/b", "1024", "c"), IN_SERVICE, true, APPLY_REPLACE, APPLY_NOTHING,
          APPLY_UPDATE },
        { ALL("/a", "1024", "c"), ALL("/a", "2048", "c"), IN_SERVICE, true, APPLY_NOTHING, APPLY_REPLACE,
          APPLY_UPDATE },
        { ALL("/a", "1024", "x"), ALL("/a", "1024", "c"), IN_SERVICE, false, APPLY_NOTHING, APPLY_NOTHING,
          APPLY_UPDATE },
        { ALL("/a", "1024", "c"), ALL("/a", "1024", "c"), FAILED, false, APPLY_NOTHING, APPLY_NOTHING, APPLY_RECREATE },
        { ALL("/a", "1024", "c"), ALL("/a", "1024", "c"), DELETING, false, APPLY_NOTHING, APPLY_NOTHING,
          APPLY_RECREATE },
        { MODEL("/a"), ALL("/a", "1024", "c"), IN_SERVICE, false, APPLY_NOTHING, APPLY_CREATE, APPLY_CREATE },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct scene s;
        make(&s, cases[i].live, cases[i].wanted, cases[i].status, cases[i].replace);
        assert_int_equal(s.plan.steps[0].action, cases[i].model);
        assert_int_equal(s.plan.steps[1].action, cases[i].config);
        assert_int_equal(s.plan.steps[2].action, cases[i].endpoint);
        done(&s);
    }
}

static void an_update_that_runs_counts_as_done(void **state)
{
    struct scene s;
    (void)state;
    make(&s, ENDPOINT("old"), ENDPOINT("new"), IN_SERVICE, false);
    message_set_text(s.plan.steps[0].live, "pending_endpoint_config_name", "new");
    diff_done(&s.plan.steps[0].diff);
    apply_plan_decide(&s.plan, false);
    assert_int_equal(s.plan.steps[0].action, APPLY_NOTHING);
    done(&s);
}

static void only_tags_differ(void **state)
{
    struct scene s;
    (void)state;
    make(&s, "kind: Model\nname: m\ntags: { a: x, b: y }\nspec: { artifact_uri: /a }\n",
         "kind: Model\nname: m\ntags: { a: z }\nspec: { artifact_uri: /a }\n", IN_SERVICE, false);
    assert_int_equal(s.plan.steps[0].action, APPLY_TAGS);
    assert_int_equal(diff_count_spec(&s.plan.steps[0].diff), 0);
    assert_int_equal(s.plan.steps[0].diff.count, 2);
    done(&s);
}

static void annotations_of_an_endpoint_cannot_change(void **state)
{
    struct scene s;
    struct pl_err err;
    (void)state;
    make(&s, ENDPOINT("c"), "kind: Endpoint\nname: e\nannotations: { k: v }\nspec: { endpoint_config_name: c }\n",
         IN_SERVICE, true);
    assert_int_equal(s.plan.steps[0].action, APPLY_REFUSED);
    assert_int_equal(apply_plan_check_refused(&s.plan, &err), PL_PRECONDITION);
    assert_string_equal(err.field, "annotations.k");
    done(&s);
}

static void refusal_says_what_to_do(void **state)
{
    struct scene s;
    struct pl_err err;
    (void)state;
    make(&s, CONFIG(VARIANT("v", "1024")), CONFIG(VARIANT("v", "2048")), IN_SERVICE, false);
    assert_int_equal(apply_plan_check_refused(&s.plan, &err), PL_PRECONDITION);
    assert_string_equal(err.field, "variants[v].memory_size_mb");
    assert_non_null(strstr(err.message, "EndpointConfig 'c'"));
    assert_non_null(strstr(err.message, "1024 -> 2048"));
    assert_non_null(strstr(err.message, "'c-2'"));
    assert_non_null(strstr(err.message, "--replace"));
    done(&s);
}

static void plans_print_marks_and_changes(void **state)
{
    struct scene s;
    char *text = NULL;
    size_t len;
    (void)state;
    make(&s, CONFIG(VARIANT("v", "1024")) "---\n" ENDPOINT("x"), ALL("/a", "1024", "c"), IN_SERVICE, false);
    FILE *f = open_memstream(&text, &len);
    apply_plan_print(&s.plan, f);
    fclose(f);
    assert_string_equal(
        text, "+ Model          m\n= EndpointConfig c\n~ Endpoint       e\n    endpoint_config_name: x -> c\n");
    free(text);
    done(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_is_no_change),
        cmocka_unit_test(defaults_written_down_are_no_change),
        cmocka_unit_test(each_field_is_named_with_both_values),
        cmocka_unit_test(variants_are_matched_by_name),
        cmocka_unit_test(plans_follow_what_differs),
        cmocka_unit_test(an_update_that_runs_counts_as_done),
        cmocka_unit_test(only_tags_differ),
        cmocka_unit_test(annotations_of_an_endpoint_cannot_change),
        cmocka_unit_test(refusal_says_what_to_do),
        cmocka_unit_test(plans_print_marks_and_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
