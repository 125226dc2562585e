#include "rig.h"

#include <stdio.h>
#include <string.h>

static void round_trip(void **state)
{
    struct sandbox_plan p = { .profile = SANDBOX_COMPILE, .features = SANDBOX_ALL, .uid = 1900000000 }, back;
    char text[SANDBOX_PLAN_TEXT_MAX];
    struct pl_err err;

    (void)state;
    (void)snprintf(p.models, sizeof(p.models), "/var/cache/with space=and equals");
    (void)snprintf(p.work, sizeof(p.work), "/var/tmp");
    (void)snprintf(p.folders[0], sizeof(p.folders[0]), "/opt/python");
    (void)snprintf(p.folders[1], sizeof(p.folders[1]), "/srv/libraries");
    assert_true(sandbox_plan_write(&p, text, sizeof(text)));
    assert_int_equal(sandbox_plan_read(&back, text, &err), PL_OK);
    assert_int_equal(back.profile, p.profile);
    assert_int_equal(back.features, p.features);
    assert_int_equal(back.uid, p.uid);
    assert_string_equal(back.models, p.models);
    assert_string_equal(back.work, p.work);
    assert_string_equal(back.folders[0], p.folders[0]);
    assert_string_equal(back.folders[1], p.folders[1]);
    assert_string_equal(back.folders[2], "");
}

static void not_written(void **state)
{
    struct sandbox_plan p = { .profile = SANDBOX_TREES };
    char text[SANDBOX_PLAN_TEXT_MAX];

    (void)state;
    assert_false(sandbox_plan_write(&p, text, 10));
    (void)snprintf(p.work, sizeof(p.work), "/two\nlines");
    assert_false(sandbox_plan_write(&p, text, sizeof(text)));
    p.work[0] = '\0';
    (void)snprintf(p.folders[0], sizeof(p.folders[0]), "/two\nlines");
    assert_false(sandbox_plan_write(&p, text, sizeof(text)));
}

static void refused(void **state)
{
    static const struct {
        const char *text, *why;
    } cases[] = {
        { NULL, "no profile" },
        { "", "no profile" },
        { "features=1\n", "no profile" },
        { "profile=trees\nfeatures\n", "'features' is not key=value" },
        { "profile=nobody\n", "'profile' cannot be 'nobody'" },
        { "profile=trees\nfeatures=-1\n", "'features' cannot be '-1'" },
        { "profile=trees\nfeatures=99999999\n", "'features' cannot be '99999999'" },
        { "profile=trees\nuid=4294967295\n", "'uid' cannot be" },
        { "profile=trees\nfolder=opt\n", "'folder' cannot be 'opt'" },
        { "profile=trees\nfolder=/1\nfolder=/2\nfolder=/3\nfolder=/4\nfolder=/5\nfolder=/6\nfolder=/7\n",
          "'folder' cannot be '/7'" },
        { "profile=trees\ncolour=red\n", "'colour' cannot be 'red'" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct sandbox_plan p;
        struct pl_err err;

        assert_int_equal(sandbox_plan_read(&p, cases[i].text, &err), PL_INVALID);
        if (!strstr(err.message, cases[i].why))
            fail_msg("'%s': '%s' is not in '%s'", cases[i].text ? cases[i].text : "", cases[i].why, err.message);
    }
}

static void features_have_texts(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SANDBOX_FEATURE_COUNT; i++) {
        const struct sandbox_feature_text *t = &sandbox_feature_texts[i];

        assert_true(t->key[0] && t->name[0] && t->lost[0] && t->advice[0]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(not_written),
        cmocka_unit_test(refused),
        cmocka_unit_test(features_have_texts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
