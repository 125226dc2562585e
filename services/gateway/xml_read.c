#include "xml_read.h"

#include "base/text.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

void xml_read(struct xml_reader *r, const char *bytes, size_t n, struct arena *a)
{
    *r = (struct xml_reader){ .arena = a, .at = bytes, .end = bytes + n };
    if (n >= 3 && memcmp(bytes, "\xEF\xBB\xBF", 3) == 0)
        r->at += 3;
    r->malformed = !pl_utf8_valid(r->at, (size_t)(r->end - r->at));
}

static bool fail(struct xml_reader *r)
{
    r->malformed = true;
    return false;
}

static bool starts_with(const struct xml_reader *r, const char *s)
{
    size_t n = strlen(s);
    return (size_t)(r->end - r->at) >= n && memcmp(r->at, s, n) == 0;
}

static const char *find(const struct xml_reader *r, const char *s)
{
    return memmem(r->at, (size_t)(r->end - r->at), s, strlen(s));
}

/* Past comments, the declaration and, outside of the root, white space. False: malformed. */
static bool skip_misc(struct xml_reader *r)
{
    for (;;) {
        const char *end;
        if (r->depth == 0)
            while (r->at < r->end && isspace((unsigned char)*r->at))
                r->at++;
        if (starts_with(r, "<!--"))
            end = find(r, "-->");
        else if (starts_with(r, "<?"))
            end = find(r, "?>");
        else
            return true;
        if (!end)
            return fail(r);
        r->at = end + (*end == '-' ? 3 : 2);
    }
}

static bool is_name(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '-' || c == '.' || c == ':' || (c & 0x80);
}

/* The name at 'at', without its prefix. */
static bool take_name(struct xml_reader *r, char out[XML_NAME + 1])
{
    const char *start = r->at;
    while (r->at < r->end && is_name(*r->at))
        r->at++;
    const char *colon = memchr(start, ':', (size_t)(r->at - start));
    if (colon)
        start = colon + 1;
    size_t n = (size_t)(r->at - start);
    if (n == 0 || n > XML_NAME)
        return false;
    memcpy(out, start, n);
    out[n] = '\0';
    return true;
}

/* To behind '>', over attributes with their quotes. */
static bool skip_attributes(struct xml_reader *r)
{
    char quote = 0;
    for (; r->at < r->end; r->at++) {
        if (quote) {
            quote = *r->at == quote ? 0 : quote;
        } else if (*r->at == '"' || *r->at == '\'') {
            quote = *r->at;
        } else if (*r->at == '<') {
            return false;
        } else if (*r->at == '>') {
            r->empty = r->at[-1] == '/';
            r->at++;
            return true;
        }
    }
    return false;
}

static bool start_element(struct xml_reader *r)
{
    r->at++; /* '<' */
    if (r->depth == XML_DEPTH || (r->depth == 0 && r->seen_root) || !take_name(r, r->names[r->depth]) ||
        !skip_attributes(r))
        return fail(r);
    r->seen_root = true;
    r->name = r->names[r->depth++];
    r->event = XML_START;
    return true;
}

static bool end_element(struct xml_reader *r)
{
    char name[XML_NAME + 1];
    r->at += 2; /* "</" */
    if (r->depth == 0 || !take_name(r, name) || strcmp(name, r->names[r->depth - 1]) != 0)
        return fail(r);
    while (r->at < r->end && isspace((unsigned char)*r->at))
        r->at++;
    if (r->at == r->end || *r->at++ != '>')
        return fail(r);
    r->event = XML_END;
    r->name = r->names[r->depth - 1];
    r->leave = true;
    return true;
}

static char *put_utf8(char *out, unsigned long cp)
{
    if (cp < 0x80) {
        *out++ = (char)cp;
    } else if (cp < 0x800) {
        *out++ = (char)(0xC0 | cp >> 6);
        *out++ = (char)(0x80 | (cp & 0x3F));
    } else if (cp < 0x10000) {
        *out++ = (char)(0xE0 | cp >> 12);
        *out++ = (char)(0x80 | (cp >> 6 & 0x3F));
        *out++ = (char)(0x80 | (cp & 0x3F));
    } else {
        *out++ = (char)(0xF0 | cp >> 18);
        *out++ = (char)(0x80 | (cp >> 12 & 0x3F));
        *out++ = (char)(0x80 | (cp >> 6 & 0x3F));
        *out++ = (char)(0x80 | (cp & 0x3F));
    }
    return out;
}

/* "&amp;" or "&#38;" at 's', which ends before 'end'; returns behind it, or NULL. Never longer written than read. */
static const char *take_entity(const char *s, const char *end, char **out)
{
    static const struct {
        const char *name;
        char c;
    } known[] = { { "&amp;", '&' }, { "&lt;", '<' }, { "&gt;", '>' }, { "&quot;", '"' }, { "&apos;", '\'' } };
    for (size_t i = 0; i < PL_COUNT(known); i++) {
        size_t n = strlen(known[i].name);
        if ((size_t)(end - s) >= n && memcmp(s, known[i].name, n) == 0) {
            *(*out)++ = known[i].c;
            return s + n;
        }
    }
    if (end - s < 4 || s[1] != '#')
        return NULL;
    bool hex = s[2] == 'x';
    const char *digits = s + 2 + hex, *p = digits;
    unsigned long cp = 0;
    for (; p < end && p - digits < 8 && (hex ? isxdigit((unsigned char)*p) : isdigit((unsigned char)*p)); p++)
        cp = cp * (hex ? 16 : 10) + (unsigned long)(isdigit((unsigned char)*p) ? *p - '0' : (*p | 0x20) - 'a' + 10);
    if (p == digits || p == end || *p != ';' || cp == 0 || cp > 0x10FFFF || (cp >= 0xD800 && cp < 0xE000))
        return NULL;
    *out = put_utf8(*out, cp);
    return p + 1;
}

static bool take_text(struct xml_reader *r)
{
    const char *start = r->at, *end = memchr(r->at, '<', (size_t)(r->end - r->at));
    if (r->depth == 0 || !end)
        return fail(r);
    char *text = arena_get(r->arena, (size_t)(end - start) + 1), *out = text;
    for (const char *p = start; p < end;) {
        if (*p == '&') {
            if (!(p = take_entity(p, end, &out)))
                return fail(r);
        } else if (*p == '\0') {
            return fail(r);
        } else {
            *out++ = *p++;
        }
    }
    *out = '\0';
    r->at = end;
    r->event = XML_TEXT;
    r->name = r->names[r->depth - 1];
    r->text = text;
    return true;
}

/* White space before another element is layout; true: there was some. */
static bool skip_layout(struct xml_reader *r)
{
    const char *p = r->at;
    while (p < r->end && isspace((unsigned char)*p))
        p++;
    if (r->depth == 0 || p == r->at || p == r->end || *p != '<')
        return false;
    if (r->event == XML_START && p + 1 < r->end && p[1] == '/')
        return false; /* all that the element has */
    r->at = p;
    return true;
}

bool xml_next(struct xml_reader *r)
{
    if (r->malformed)
        return false;
    if (r->leave) {
        r->leave = false;
        r->depth--;
    }
    if (r->empty) { /* <a/>: its end comes without being there */
        r->empty = false;
        r->event = XML_END;
        r->leave = true;
        return true;
    }
    do {
        if (!skip_misc(r))
            return false;
    } while (skip_layout(r));
    if (r->at == r->end)
        return r->depth == 0 && r->seen_root ? false : fail(r);
    if (*r->at != '<')
        return take_text(r);
    if (starts_with(r, "<!"))
        return fail(r); /* DTDs and CDATA are not wanted */
    return starts_with(r, "</") ? end_element(r) : start_element(r);
}
