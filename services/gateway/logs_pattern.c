#include "logs_pattern.h"

#include <string.h>

static const char *skip_spaces(const char *s)
{
    return s + strspn(s, " \t\r\n");
}

/* One term from 's' on; where it ends, or NULL: a phrase has no end. */
static const char *read_term(struct logs_term *out, const char *s)
{
    const char *end;

    *out = (struct logs_term){ .kind = *s == '?' ? TERM_ANY : *s == '-' ? TERM_NOT : TERM_ALL };
    s += *s == '?' || *s == '-';
    if (*s == '"') {
        end = strchr(++s, '"');
        if (!end)
            return NULL;
        out->text = s;
        out->len = (size_t)(end - s);
        return end + 1;
    }
    out->text = s;
    out->len = strcspn(s, " \t\r\n");
    return s + out->len;
}

const char *logs_pattern_read(struct logs_pattern *out, const char *text)
{
    const char *s = skip_spaces(text);

    out->count = 0;
    if (*s == '{' || *s == '[' || *s == '%')
        return "patterns of JSON, of fields and regular expressions are not offered: words and \"phrases\" are";
    while (*s) {
        struct logs_term *t = &out->terms[out->count];

        if (out->count == LOGS_PATTERN_TERMS)
            return "it has more than 64 terms";
        s = read_term(t, s);
        if (!s)
            return "a phrase has no closing quotation mark";
        out->count += t->len > 0;
        s = skip_spaces(s);
    }
    return NULL;
}

bool logs_pattern_matches(const struct logs_pattern *p, const char *line)
{
    size_t n = strlen(line);
    bool any_wanted = false, any_found = false;

    for (size_t i = 0; i < p->count; i++) {
        const struct logs_term *t = &p->terms[i];
        bool found = memmem(line, n, t->text, t->len) != NULL;

        if (t->kind == TERM_ANY) {
            any_wanted = true;
            any_found = any_found || found;
        } else if (found != (t->kind == TERM_ALL)) {
            return false;
        }
    }
    return !any_wanted || any_found;
}
