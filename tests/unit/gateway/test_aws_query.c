#include "aws_query.h"
#include "rig.h"

#include <stdlib.h>
#include <string.h>

static void forms_become_what_they_mean(void **state)
{
    static const char *const cases[][2] = {
        { "", "{}" },
        { "Action=X&Version=1", "{\"Action\":\"X\",\"Version\":\"1\"}" },
        { "A.member.1=x&A.member.2=y", "{\"A\":[\"x\",\"y\"]}" },
        { "A.member.2=y&A.member.1=x", "{\"A\":[\"x\",\"y\"]}" },
        { "D.member.1.Name=n&D.member.1.Value=v", "{\"D\":[{\"Name\":\"n\",\"Value\":\"v\"}]}" },
        { "M.entry.1.key=a&M.entry.1.value=b", "{\"M\":{\"a\":\"b\"}}" },
        { "T=2026-02-11T00%3A00%3A00Z&S=a+b%2Bc", "{\"S\":\"a b+c\",\"T\":\"2026-02-11T00:00:00Z\"}" },
        { "E=&F", "{\"E\":\"\",\"F\":\"\"}" },
        { "&&a=1&&", "{\"a\":\"1\"}" },
        { "member=1", "{\"member\":\"1\"}" },
        { "U=%C3%BC", "{\"U\":\"\xC3\xBC\"}" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct arena a = { 0 };
        const char *why = "";
        json_t *v = aws_query_read(cases[i][0], strlen(cases[i][0]), &a, &why);
        if (!v)
            fail_msg("%s: %s", cases[i][0], why);
        char *text = json_dumps(v, JSON_COMPACT | JSON_SORT_KEYS);
        assert_string_equal(text, cases[i][1]);
        free(text);
        json_decref(v);
        arena_done(&a);
    }
}

static void others_are_refused(void **state)
{
    static const char *const cases[] = {
        "a=1&a=2",
        "a=1&a.b=2",
        "a.b=1&a=2",
        ".=1",
        "a.=1",
        "=1",
        "a..b=1",
        "A.member.2=x",
        "A.member.01=x",
        "A.member.0=x",
        "A.member.1=x&A.member.3=y",
        "M.entry.1.key=a",
        "M.entry.1.value=a",
        "M.entry.1.key=a&M.entry.1.value=b&M.entry.2.key=a&M.entry.2.value=c",
        "a=%ff",
        "a=%00",
        "%00=a",
        "a.b.c.d.e.f.g.h.i.j.k.l.m=1",
        "member.1=x",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct arena a = { 0 };
        const char *why = NULL;
        json_t *v = aws_query_read(cases[i], strlen(cases[i]), &a, &why);
        if (v)
            fail_msg("'%s' passes", cases[i]);
        assert_non_null(why);
        arena_done(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(forms_become_what_they_mean),
                                        cmocka_unit_test(others_are_refused) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
