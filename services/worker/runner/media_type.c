#include "media_type.h"

#include "refuse.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#define TENSOR_TYPE "application/vnd.open-inference.v2"

struct slice {
    const char *s;
    size_t n;
};

static const struct {
    const char *name;
    enum body_kind kind;
} bodies[] = {
    { "text/csv", BODY_CSV },         { "csv", BODY_CSV },       { "text/libsvm", BODY_LIBSVM },
    { "text/x-libsvm", BODY_LIBSVM }, { "libsvm", BODY_LIBSVM }, { "application/json", BODY_JSON },
    { TENSOR_TYPE, BODY_TENSOR },
};

static const char *const answers[ANSWER_KIND_COUNT] = {
    [ANSWER_CSV] = "text/csv",
    [ANSWER_JSON] = "application/json",
    [ANSWER_JSONLINES] = "application/jsonlines",
    [ANSWER_TENSOR] = TENSOR_TYPE,
};

static bool is(struct slice s, const char *word)
{
    return s.n == strlen(word) && strncasecmp(s.s, word, s.n) == 0;
}

static struct slice trim(struct slice s)
{
    while (s.n > 0 && (*s.s == ' ' || *s.s == '\t'))
        s.s++, s.n--;
    while (s.n > 0 && (s.s[s.n - 1] == ' ' || s.s[s.n - 1] == '\t'))
        s.n--;
    return s;
}

/* The part before 'separator', trimmed; '*rest' becomes the part after it. False: nothing is left. */
static bool cut(struct slice *rest, char separator, struct slice *out)
{
    const char *at;

    if (!rest->s)
        return false;
    at = rest->n ? memchr(rest->s, separator, rest->n) : NULL;
    if (!at) {
        *out = trim(*rest);
        *rest = (struct slice){ 0 };
        return true;
    }
    *out = trim((struct slice){ rest->s, (size_t)(at - rest->s) });
    rest->n -= (size_t)(at + 1 - rest->s);
    rest->s = at + 1;
    return true;
}

static struct slice unquote(struct slice s)
{
    if (s.n >= 2 && s.s[0] == '"' && s.s[s.n - 1] == '"')
        return (struct slice){ s.s + 1, s.n - 2 };
    return s;
}

static enum pl_code check_parameter(struct slice text, struct pl_err *err)
{
    struct slice name, value = text;
    struct refuse_quote q;

    if (!cut(&value, '=', &name) || !value.s)
        return PL_OK;
    value = unquote(trim(value));
    q = refuse_quote(value.s, value.n);
    if (is(name, "label_size") && !is(value, "1"))
        return refuse(err, STATUS_UNSUPPORTED, "content type: label_size is '%s', but only 1 is supported", q.text);
    if (is(name, "charset") && !is(value, "utf-8") && !is(value, "utf8") && !is(value, "us-ascii"))
        return refuse(err, STATUS_UNSUPPORTED, "content type: charset is '%s', but only utf-8 is supported", q.text);
    return PL_OK;
}

enum pl_code body_kind_parse(const char *text, size_t n, enum body_kind *out, struct pl_err *err)
{
    struct slice rest = { text ? text : "", n }, type, parameter;
    struct refuse_quote q;
    size_t i = 0;

    (void)cut(&rest, ';', &type);
    while (rest.s && cut(&rest, ';', &parameter))
        if (check_parameter(parameter, err) != PL_OK)
            return PL_MODEL;
    if (type.n == 0) {
        *out = BODY_UNSTATED;
        return PL_OK;
    }
    while (i < PL_COUNT(bodies) && !is(type, bodies[i].name))
        i++;
    if (i < PL_COUNT(bodies)) {
        *out = bodies[i].kind;
        return PL_OK;
    }
    q = refuse_quote(type.s, type.n);
    return refuse(err, STATUS_UNSUPPORTED,
                  "content type '%s' is not supported: use text/csv, text/libsvm, application/json or "
                  "application/x-recordio-protobuf",
                  q.text);
}

enum body_kind body_kind_guess(const char *body, size_t n)
{
    return n > 0 && memchr(body, ':', n) ? BODY_LIBSVM : BODY_CSV;
}

/* "text/csv;q=0.9" -> what it stands for, or ANSWER_KIND_COUNT. */
static enum answer_kind one_answer(struct slice entry, enum answer_kind otherwise)
{
    struct slice type;
    unsigned kind = 0;

    (void)cut(&entry, ';', &type);
    if (type.n == 0 || is(type, "*/*"))
        return otherwise;
    if (is(type, "text/*"))
        return ANSWER_CSV;
    if (is(type, "application/*"))
        return ANSWER_JSON;
    while (kind < ANSWER_KIND_COUNT && !is(type, answers[kind]))
        kind++;
    return (enum answer_kind)kind;
}

enum pl_code answer_kind_parse(const char *text, size_t n, enum answer_kind otherwise, enum answer_kind *out,
                               struct pl_err *err)
{
    struct slice rest = { text ? text : "", n }, entry;
    struct refuse_quote q = refuse_quote(rest.s, n);

    while (rest.s && cut(&rest, ',', &entry)) {
        enum answer_kind kind = one_answer(entry, otherwise);

        if (kind != ANSWER_KIND_COUNT) {
            *out = kind;
            return PL_OK;
        }
    }
    return refuse(err, STATUS_NOT_ACCEPTABLE,
                  "accept '%s' is not supported: use text/csv, application/json or application/jsonlines", q.text);
}

const char *answer_kind_type(enum answer_kind kind)
{
    return answers[kind];
}
