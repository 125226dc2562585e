#include "rig.h"
#include "text_builder.h"
#include "xml_read.h"

#include <string.h>

/* "<a(text)>" as one line of what happens. */
static char *story(const char *xml, struct arena *a)
{
    struct text out = { .arena = a };
    struct xml_reader r;
    xml_read(&r, xml, strlen(xml), a);
    while (xml_next(&r)) {
        if (r.event == XML_START)
            text_addf(&out, "%d<%s ", r.depth, r.name);
        else if (r.event == XML_TEXT)
            text_addf(&out, "'%s' ", r.text);
        else
            text_addf(&out, "%s> ", r.name);
    }
    if (r.malformed)
        text_adds(&out, "malformed");
    return text_take(&out);
}

static void elements_and_texts(void **state)
{
    static const char *const cases[][2] = {
        { "<a/>", "1<a a> " },
        { "<?xml version=\"1.0\"?>\n<a>\n  <b>x</b>\n <b/> </a>\n", "1<a 2<b 'x' b> 2<b b> a> " },
        { "<n:a xmlns:n=\"u>u\">&lt;&amp;&gt;&quot;&apos;&#65;&#x20AC;</n:a>", "1<a '<&>\"'A\xE2\x82\xAC' a> " },
        { "<a><!-- no <b> --> t </a>", "1<a ' t ' a> " },
        { "<a> </a>", "1<a ' ' a> " },
        { "\xEF\xBB\xBF<a></a>", "1<a a> " },
        { "<a b = \"c\" ></a >", "1<a a> " },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct arena a = { 0 };
        assert_string_equal(story(cases[i][0], &a), cases[i][1]);
        arena_done(&a);
    }
}

static void what_is_not_well_formed(void **state)
{
    static const char *const cases[] = {
        "",
        "x",
        "<a>",
        "</a>",
        "<a></b>",
        "<a><b></a></b>",
        "<a/><b/>",
        "<a>&x;</a>",
        "<a>&#0;</a>",
        "<a>&#xD800;</a>",
        "<a>&#x110000;</a>",
        "<!DOCTYPE a><a/>",
        "<a><![CDATA[x]]></a>",
        "<a",
        "<a b=\"",
        "<>",
        "<a>x",
        "<!-- ",
        "<?xml",
        "<a>\xff</a>",
        "<a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a>",
        "<a>&amp</a>",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct arena a = { 0 };
        if (!strstr(story(cases[i], &a), "malformed"))
            fail_msg("'%s' passes", cases[i]);
        arena_done(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(elements_and_texts),
                                        cmocka_unit_test(what_is_not_well_formed) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
