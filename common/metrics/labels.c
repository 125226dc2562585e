#include "private.h"

#include <string.h>

void metrics_label(struct pl_buf *out, const char *key, const char *value)
{
    pl_buf_addf(out, "%s%s=\"", out->len ? "," : "", key);
    for (; *value; value++) {
        if (*value == '\n')
            pl_buf_adds(out, "\\n");
        else if (*value == '"' || *value == '\\')
            pl_buf_addf(out, "\\%c", *value);
        else
            pl_buf_addc(out, *value);
    }
    pl_buf_addc(out, '"');
}

/* The end of the pair that starts at 's': the comma or the text's end after its closing quote. */
static const char *pair_end(const char *s)
{
    s += strcspn(s, "\"");
    if (*s == '\0')
        return s;
    for (s++; *s && *s != '"'; s++)
        if (*s == '\\' && s[1])
            s++;
    return s + strcspn(s, ",");
}

bool labels_hold(const char *labels, const char *pair)
{
    size_t n = strlen(pair);
    while (*labels) {
        const char *end = pair_end(labels);
        if ((size_t)(end - labels) == n && memcmp(labels, pair, n) == 0)
            return true;
        labels = *end ? end + 1 : end;
    }
    return false;
}
