/* Every type from default, file and environment; every refusal names key, place and limits; a print parses again. */
#include "config/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

enum color { RED, GREEN, BLUE };
static const char *const colors[] = { "red", "green", "blue", NULL };

struct sample {
    char *name, *secret, *cert;
    int64_t count, wait_ms, size_bytes;
    bool on;
    double share;
    int color;
    struct config_strings hosts, labels;
    int64_t depth;
};

static const struct config_row rows[] = {
    CONFIG_STRING(struct sample, name, "name", "somebody", "who it is"),
    CONFIG_STRING(struct sample, cert, "tls.cert_file", NULL, "PEM file"),
    CONFIG_INT(struct sample, count, "count", "3", -5, 200, "how many"),
    CONFIG_DURATION(struct sample, wait_ms, "wait", "10m", 100, CONFIG_DAY_MS, "how long"),
    CONFIG_BYTES(struct sample, size_bytes, "size", "6MiB", 1, 1073741824.0, "how large"),
    CONFIG_BOOL(struct sample, on, "on", "false", "whether"),
    CONFIG_DOUBLE(struct sample, share, "share", "0.1", 0, 1, "which part"),
    CONFIG_ENUM(struct sample, color, "color", "green", colors, "which color"),
    CONFIG_STRINGS(struct sample, hosts, "hosts", "a:1, b:2", "where"),
    CONFIG_MAP(struct sample, labels, "labels", "names and values"),
    CONFIG_SECRET(struct sample, secret, "tls.password", "keep it to yourself"), /* its group is not contiguous */
    CONFIG_INT(struct sample, depth, "a.b.c", "1", 0, 9, "a group in a group"),
    { 0 },
};

static struct pl_err err;

static enum pl_code load(struct sample *s, const char *yaml)
{
    memset(s, 0xa5, sizeof(*s)); /* nothing of it is looked at */
    memset(&err, 0, sizeof(err));
    return config_load(rows, s, "test.yaml", yaml, strlen(yaml), "PL_TEST", &err);
}

static void assert_loads(struct sample *s, const char *yaml)
{
    if (load(s, yaml) != PL_OK)
        fail_msg("%s", err.message);
}

/* ---- values ---- */

static void defaults(void **state)
{
    struct sample s;
    (void)state;
    assert_loads(&s, "");
    assert_string_equal(s.name, "somebody");
    assert_string_equal(s.cert, "");
    assert_string_equal(s.secret, "");
    assert_int_equal(s.count, 3);
    assert_int_equal(s.wait_ms, 600000);
    assert_int_equal(s.size_bytes, 6 << 20);
    assert_false(s.on);
    assert_true(s.share == 0.1);
    assert_int_equal(s.color, GREEN);
    assert_int_equal(s.hosts.count, 2);
    assert_string_equal(s.hosts.items[0], "a:1");
    assert_string_equal(s.hosts.items[1], "b:2");
    assert_int_equal(s.labels.count, 0);
    assert_int_equal(s.depth, 1);
    config_done(rows, &s);
    assert_null(s.name);
}

static const char full[] = "name: \"x: y\"\n"
                           "tls: { cert_file: /a.pem, password: hush }\n"
                           "count: -5\n"
                           "wait: 90s\n"
                           "size: 1GiB\n"
                           "on: yes\n"
                           "share: 2.5e-1\n"
                           "color: blue\n"
                           "hosts:\n  - one\n  - 'two, three'\n"
                           "labels:\n  team: risk\n  empty: ''\n"
                           "a:\n  b:\n    c: 9\n";

static void check_full(const struct sample *s)
{
    assert_string_equal(s->name, "x: y");
    assert_string_equal(s->cert, "/a.pem");
    assert_int_equal(s->count, -5);
    assert_int_equal(s->wait_ms, 90000);
    assert_int_equal(s->size_bytes, 1 << 30);
    assert_true(s->on);
    assert_true(s->share == 0.25);
    assert_int_equal(s->color, BLUE);
    assert_int_equal(s->hosts.count, 2);
    assert_string_equal(s->hosts.items[1], "two, three");
    assert_int_equal(s->labels.count, 2);
    assert_string_equal(s->labels.items[0], "team=risk");
    assert_string_equal(s->labels.items[1], "empty=");
    assert_int_equal(s->depth, 9);
}

static void file_wins_over_defaults(void **state)
{
    struct sample s;
    (void)state;
    assert_loads(&s, full);
    check_full(&s);
    assert_string_equal(s.secret, "hush");
    config_done(rows, &s);
}

static void environment_wins_over_file(void **state)
{
    struct sample s;
    (void)state;
    setenv("PL_TEST_COUNT", "7", 1);
    setenv("PL_TEST_TLS_CERT_FILE", "", 1);
    setenv("PL_TEST_HOSTS", "c:3", 1);
    setenv("PL_TEST_LABELS", "k=v,l=w=x", 1);
    setenv("PL_TEST_A_B_C", "2", 1);
    setenv("PL_TEST_NO_SUCH_KEY", "1", 1); /* not ours to refuse */
    assert_loads(&s, full);
    assert_int_equal(s.count, 7);
    assert_string_equal(s.cert, "");
    assert_int_equal(s.hosts.count, 1);
    assert_string_equal(s.hosts.items[0], "c:3");
    assert_int_equal(s.labels.count, 2);
    assert_string_equal(s.labels.items[1], "l=w=x");
    assert_int_equal(s.depth, 2);
    config_done(rows, &s);

    setenv("PL_TEST_COUNT", "many", 1);
    assert_int_equal(load(&s, full), PL_INVALID);
    assert_non_null(strstr(err.message, "PL_TEST_COUNT"));
    assert_non_null(strstr(err.message, "'many'"));
    assert_non_null(strstr(err.message, "-5 to 200"));
    for (const char *const *name =
             (const char *const[]){ "COUNT", "TLS_CERT_FILE", "HOSTS", "LABELS", "A_B_C", "NO_SUCH_KEY", NULL };
         *name; name++) {
        char variable[64];
        snprintf(variable, sizeof(variable), "PL_TEST_%s", *name);
        unsetenv(variable);
    }
}

static void null_means_default(void **state)
{
    struct sample s;
    (void)state;
    assert_loads(&s, "count:\nname: ~\ntls:\nhosts: null\nlabels: {}\n");
    assert_int_equal(s.count, 3);
    assert_string_equal(s.name, "somebody");
    assert_int_equal(s.hosts.count, 2);
    config_done(rows, &s);
    assert_loads(&s, "name: 'null'\nhosts: []\n");
    assert_string_equal(s.name, "null");
    assert_int_equal(s.hosts.count, 0);
    config_done(rows, &s);
}

static void other_shapes_of_the_same(void **state)
{
    static const char *const same[] = {
        "tls.cert_file: /a.pem\nhosts: [x, y]\n",
        "{\"tls\": {\"cert_file\": \"/a.pem\"}, \"hosts\": [\"x\", \"y\"]}\n",
        "hosts: x , y\ntls:\n  cert_file: |-\n    /a.pem\n",
        "\xef\xbb\xbf---\ntls: {cert_file: /a.pem}\ntls.password: p\nhosts: 'x,y,'\n...\n",
    };
    (void)state;
    for (size_t i = 0; i < PL_COUNT(same); i++) {
        struct sample s;
        assert_loads(&s, same[i]);
        assert_string_equal(s.cert, "/a.pem");
        assert_int_equal(s.hosts.count, 2);
        assert_string_equal(s.hosts.items[0], "x");
        assert_string_equal(s.hosts.items[1], "y");
        config_done(rows, &s);
    }
}

/* ---- refusals ---- */

static void refusals_name_place_key_and_limits(void **state)
{
    static const struct {
        const char *yaml, *place, *says, *field;
    } wrong[] = {
        { "nmae: x\n", "test.yaml:1:1", "did you mean 'name'", "nmae" },
        { "tls:\n  cert_flie: x\n", "test.yaml:2:3", "did you mean 'tls.cert_file'", "tls.cert_flie" },
        { "cert_file: x\n", "test.yaml:1:1", "did you mean 'tls.cert_file'", "cert_file" },
        { "zzzzzzzz: x\n", "test.yaml:1:1", "unknown key 'zzzzzzzz'", "zzzzzzzz" },
        { "{'': x}\n", "test.yaml:1:2", "unknown key ''", "config" },
        { "a:\n  b:\n    c:\n      d: 1\n", "test.yaml:4:7", "a.b.c", "a.b.c" },
        { "count: 201\n", "test.yaml:1:8", "count is '201': it must be a number, -5 to 200", "count" },
        { "count: -6\n", "test.yaml:1:8", "-5 to 200", "count" },
        { "count: 1.5\n", "test.yaml:1:8", "count is '1.5'", "count" },
        { "count: 99999999999999999999\n", "test.yaml:1:8", "-5 to 200", "count" },
        { "wait: 99ms\n", "test.yaml:1:7", "100ms to 1d", "wait" },
        { "wait: 2d\n", "test.yaml:1:7", "100ms to 1d", "wait" },
        { "wait: soon\n", "test.yaml:1:7", "100ms to 1d", "wait" },
        { "wait: 500\n", "test.yaml:1:7", "100ms to 1d", "wait" },
        { "size: 2GiB\n", "test.yaml:1:7", "1 to 1GiB", "size" },
        { "size: 6MB\n", "test.yaml:1:7", "1 to 1GiB", "size" },
        { "on: perhaps\n", "test.yaml:1:5", "true or false", "on" },
        { "share: 1.01\n", "test.yaml:1:8", "0 to 1", "share" },
        { "share: nan\n", "test.yaml:1:8", "0 to 1", "share" },
        { "share: 0x1\n", "test.yaml:1:8", "0 to 1", "share" },
        { "share: ''\n", "test.yaml:1:8", "0 to 1", "share" },
        { "color: pink\n", "test.yaml:1:8", "red, green or blue", "color" },
        { "name: [a]\n", "test.yaml:1:7", "one value", "name" },
        { "name: {a: b}\n", "test.yaml:1:7", "one value", "name" },
        { "name: \"a\\0b\"\n", "test.yaml:1:7", "NUL", "name" },
        { "hosts: {a: b}\n", "test.yaml:1:8", "a list of strings", "hosts" },
        { "hosts: [[a]]\n", "test.yaml:1:9", "a list of strings", "hosts" },
        { "labels: [a]\n", "test.yaml:1:9", "a mapping", "labels" },
        { "labels: {a: [b]}\n", "test.yaml:1:13", "a mapping", "labels" },
        { "labels: {a: 1, a: 2}\n", "test.yaml:1:16", "'a' twice", "labels" },
        { "labels: {a=b: 1}\n", "test.yaml:1:10", "no '='", "labels" },
        { "labels: {'': 1}\n", "test.yaml:1:10", "1 to 256 bytes", "labels" },
        { "labels: nonsense\n", "test.yaml:1:9", "name=value", "labels" },
        { "tls: x\n", "test.yaml:1:6", "a group", "tls" },
        { "tls: [x]\n", "test.yaml:1:6", "a group", "tls" },
        { "count: 1\ncount: 2\n", "test.yaml:2:1", "count is given twice", "count" },
        { "tls.cert_file: a\ntls: {cert_file: b}\n", "test.yaml:2:7", "given twice", "tls.cert_file" },
        { "[a, b]\n", "test.yaml:1:1", "a mapping", "config" },
        { "text\n", "test.yaml:1:1", "a mapping", "config" },
        { "? [a]\n: b\n", "test.yaml:1:3", "a key must be a name", "config" },
        { "count: 1\n---\ncount: 2\n", "test.yaml:2:1", "one document", "config" },
        { "name: &n x\n", "test.yaml:1:7", "anchors", "config" },
        { "hosts: [*n]\n", "test.yaml:1:9", "anchors", "config" },
        { "name: x: y\n", "test.yaml:1:8", "mapping values are not allowed", "config" },
        { "name: 'x\n", "test.yaml:", "", "config" },
        { "name: \xff\n", "test.yaml", "byte 6", "config" },
        { "name: \x01\n", "test.yaml", "byte 6", "config" },
    };
    (void)state;
    for (size_t i = 0; i < PL_COUNT(wrong); i++) {
        struct sample s;
        assert_int_equal(load(&s, wrong[i].yaml), PL_INVALID);
        assert_null(s.name); /* config_done() was called */
        if (!strstr(err.message, wrong[i].place) || !strstr(err.message, wrong[i].says))
            fail_msg("'%s' told as: %s", wrong[i].yaml, err.message);
        assert_string_equal(err.field, wrong[i].field);
    }
}

/* Not as deep as the text, but as the table: and fast. */
static void nesting_and_size_do_not_hurt(void **state)
{
    enum { N = 200000 };
    char *text = malloc(2 * N + 16);
    struct sample s;
    (void)state;
    strcpy(text, "hosts: ");
    memset(text + 7, '[', N);
    text[7 + N] = '\0';
    assert_int_equal(load(&s, text), PL_INVALID);
    for (size_t i = 0; i < N / 2; i++)
        memcpy(text + 2 * i, "a:", 2);
    text[N] = '\0';
    assert_int_equal(load(&s, text), PL_INVALID);
    free(text);
}

/* ---- print ---- */

static char *print(const struct sample *s)
{
    struct pl_buf out = { 0 };
    config_print(rows, s, &out);
    return pl_buf_take(&out, NULL);
}

static void print_parses_again(void **state)
{
    static const char *const texts[] = {
        "",
        full,
        "name: \"tab\\t nl\\n quote\\\" back\\\\ nel\\N ls\\L bom\\uFEFF \\u00e9 \\U0001F600 \\x7f\"\n",
        "share: 0.30000000000000004\nsize: 1025\nwait: 1001ms\nlabels: {'a: b': '- x', '#': '&y'}\nhosts: ['', ' z "
        "']\n",
    };
    (void)state;
    for (size_t i = 0; i < PL_COUNT(texts); i++) {
        struct sample s, again;
        assert_loads(&s, texts[i]);
        char *first = print(&s);
        if (load(&again, first) != PL_OK)
            fail_msg("%s in:\n%s", err.message, first);
        assert_string_equal(s.name, again.name);
        assert_true(s.share == again.share);
        assert_int_equal(s.hosts.count, again.hosts.count);
        assert_int_equal(s.labels.count, again.labels.count);
        assert_string_equal(again.secret, ""); /* the mask is no secret */
        free(again.secret);
        again.secret = strdup(s.secret);
        char *second = print(&again);
        assert_string_equal(first, second);
        assert_null(strstr(first, "hush"));
        free(first);
        free(second);
        config_done(rows, &s);
        config_done(rows, &again);
    }
}

static void print_explains(void **state)
{
    struct sample s;
    (void)state;
    assert_loads(&s, "tls: {password: hush}\n");
    char *text = print(&s);
    assert_non_null(strstr(text, "# how many (a number, -5 to 200)\ncount: 3\n"));
    assert_non_null(strstr(text, "# how long (a time, 100ms to 1d)\nwait: 10m\n"));
    assert_non_null(strstr(text, "# which color (red, green or blue)\ncolor: green\n"));
    assert_non_null(
        strstr(text, "tls:\n  # PEM file\n  cert_file: \"\"\n  # keep it to yourself\n  password: \"***\"\n"));
    assert_non_null(strstr(text, "labels: {}\n"));
    assert_non_null(strstr(text, "hosts:\n  - \"a:1\"\n  - \"b:2\"\n"));
    assert_non_null(strstr(text, "a:\n  b:\n    # a group in a group (a number, 0 to 9)\n    c: 1\n"));
    free(text);
    config_done(rows, &s);
}

/* ---- files ---- */

static void files(void **state)
{
    char path[] = "/tmp/pl-config-XXXXXX";
    struct sample s;
    (void)state;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, full, sizeof(full) - 1), sizeof(full) - 1);
    assert_int_equal(config_load_file(rows, &s, path, NULL, &err), PL_OK);
    check_full(&s);
    config_done(rows, &s);

    /* One mebibyte is read, one byte more is not: the rest is comment. */
    char *large = malloc((1 << 20) + 1);
    memset(large, '#', (1 << 20) + 1);
    assert_int_equal(ftruncate(fd, 0), 0);
    assert_int_equal(pwrite(fd, large, 1 << 20, 0), 1 << 20);
    assert_int_equal(config_load_file(rows, &s, path, NULL, &err), PL_OK);
    config_done(rows, &s);
    assert_int_equal(pwrite(fd, large, (1 << 20) + 1, 0), (1 << 20) + 1);
    assert_int_equal(config_load_file(rows, &s, path, NULL, &err), PL_INVALID);
    assert_non_null(strstr(err.message, "1048576"));
    free(large);
    close(fd);
    unlink(path);

    assert_int_equal(config_load_file(rows, &s, path, NULL, &err), PL_NOT_FOUND);
    assert_non_null(strstr(err.message, path));
    assert_int_equal(config_load_file(rows, &s, "/tmp", NULL, &err), PL_INVALID);
    assert_int_equal(config_load_file(rows, &s, NULL, NULL, &err), PL_OK);
    config_done(rows, &s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(file_wins_over_defaults),
        cmocka_unit_test(environment_wins_over_file),
        cmocka_unit_test(null_means_default),
        cmocka_unit_test(other_shapes_of_the_same),
        cmocka_unit_test(refusals_name_place_key_and_limits),
        cmocka_unit_test(nesting_and_size_do_not_hurt),
        cmocka_unit_test(print_parses_again),
        cmocka_unit_test(print_explains),
        cmocka_unit_test(files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
