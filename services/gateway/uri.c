#include "uri.h"

#include <ctype.h>
#include <string.h>

static bool is_plain(unsigned char c)
{
    return (c < 0x80 && isalnum(c)) || c == '-' || c == '.' || c == '_' || c == '~';
}

char *uri_encode(const char *bytes, size_t n, bool keep_slash, struct arena *a)
{
    static const char hex[] = "0123456789ABCDEF";
    char *out = arena_get(a, 3 * n + 1), *end = out;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)bytes[i];
        if (is_plain(c) || (keep_slash && c == '/')) {
            *end++ = (char)c;
            continue;
        }
        *end++ = '%';
        *end++ = hex[c >> 4];
        *end++ = hex[c & 15];
    }
    *end = '\0';
    return out;
}

static int hex_value(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

char *uri_decode(const char *text, size_t n, bool form, struct arena *a, size_t *out_len)
{
    char *out = arena_get(a, n + 1), *end = out;
    for (size_t i = 0; i < n; i++) {
        int high = text[i] == '%' && i + 2 < n ? hex_value(text[i + 1]) : -1;
        int low = high >= 0 ? hex_value(text[i + 2]) : -1;
        if (low >= 0) {
            *end++ = (char)(high << 4 | low);
            i += 2;
        } else {
            *end++ = form && text[i] == '+' ? ' ' : text[i];
        }
    }
    *end = '\0';
    *out_len = (size_t)(end - out);
    return out;
}

char *uri_query_value(const char *query, const char *name, struct arena *a)
{
    size_t want = strlen(name), ignored;
    for (const char *p = query; *p;) {
        size_t n = strcspn(p, "&"), len = strcspn(p, "=&");
        char *decoded = len >= want ? uri_decode(p, len, false, a, &ignored) : NULL;
        if (decoded && strcmp(decoded, name) == 0)
            return len < n ? uri_decode(p + len + 1, n - len - 1, false, a, &ignored) : arena_strdup(a, "");
        p += n + (p[n] == '&');
    }
    return NULL;
}
