/* The canonical request: the one text that client and server can both make from what crossed the wire. */
#include "sigv4.h"
#include "sigv4_private.h"
#include "text_builder.h"
#include "uri.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

bool sigv4_is_signed(const char *signed_headers, const char *name)
{
    size_t n = strlen(name);
    for (const char *p = signed_headers; p && *p;) {
        if (strncasecmp(p, name, n) == 0 && (p[n] == ';' || p[n] == '\0'))
            return true;
        p = strchr(p, ';');
        p = p ? p + 1 : NULL;
    }
    return false;
}

/* Trimmed, and runs of spaces as one. */
static void add_value(struct text *out, const char *value)
{
    value += strspn(value, " \t");
    bool space = false;
    for (; *value; value++) {
        if (*value == ' ' || *value == '\t') {
            space = true;
            continue;
        }
        if (space)
            text_addc(out, ' ');
        space = false;
        text_addc(out, *value);
    }
}

static void add_header(struct text *out, const struct sigv4_request *r, const char *name, size_t n)
{
    bool any = false;
    text_add(out, name, n);
    text_addc(out, ':');
    for (size_t i = 0; i < r->header_count; i++) {
        if (strncasecmp(r->headers[i].name, name, n) != 0 || r->headers[i].name[n])
            continue;
        if (any)
            text_addc(out, ',');
        add_value(out, r->headers[i].value);
        any = true;
    }
    text_addc(out, '\n');
}

static void add_headers(struct text *out, const struct sigv4_request *r, const char *names)
{
    for (const char *p = names; *p;) {
        size_t n = strcspn(p, ";");
        add_header(out, r, p, n);
        p += n + (p[n] == ';');
    }
}

/* ---- query ---- */

struct pair {
    const char *name, *value; /* encoded */
};

static int by_name_and_value(const void *a, const void *b)
{
    const struct pair *x = a, *y = b;
    int order = strcmp(x->name, y->name);
    return order ? order : strcmp(x->value, y->value);
}

static char *again(const char *text, size_t n, struct arena *a)
{
    size_t len;
    char *plain = uri_decode(text, n, false, a, &len);
    return uri_encode(plain, len, false, a);
}

static void add_query(struct text *out, const char *query, bool presigned, struct arena *a)
{
    size_t count = 0, most = 1;
    for (const char *p = query; *p; p++)
        most += *p == '&';
    struct pair *pairs = arena_get(a, most * sizeof(*pairs));
    for (const char *p = query; *p;) {
        size_t n = strcspn(p, "&"), name = strcspn(p, "=&");
        bool left_out = n == 0 || (presigned && name == 15 && strncmp(p, "X-Amz-Signature", 15) == 0);
        if (!left_out) {
            pairs[count].name = again(p, name, a);
            pairs[count++].value = name < n ? again(p + name + 1, n - name - 1, a) : "";
        }
        p += n + (p[n] == '&');
    }
    qsort(pairs, count, sizeof(*pairs), by_name_and_value);
    for (size_t i = 0; i < count; i++) {
        text_adds(out, i ? "&" : "");
        text_adds(out, pairs[i].name);
        text_addc(out, '=');
        text_adds(out, pairs[i].value);
    }
}

/* ---- path ---- */

/* Empty and "." segments go, ".." takes the one before it away, as clients do before they sign. */
static char *without_dots(const char *path, struct arena *a)
{
    size_t n = strlen(path);
    char *out = arena_get(a, n + 2), *end = out;
    bool ends_in_slash = n > 0 && path[n - 1] == '/';
    for (const char *p = path; *p;) {
        p += *p == '/';
        size_t len = strcspn(p, "/");
        if (len == 2 && strncmp(p, "..", 2) == 0) {
            while (end > out && *--end != '/')
                continue;
        } else if (len > 0 && !(len == 1 && *p == '.')) {
            *end++ = '/';
            memcpy(end, p, len);
            end += len;
        }
        p += len;
    }
    if (end == out || ends_in_slash)
        *end++ = '/';
    *end = '\0';
    return out;
}

static void add_path(struct text *out, const char *path, bool once, struct arena *a)
{
    size_t n;
    if (once) {
        char *plain = uri_decode(path, strlen(path), false, a, &n);
        text_adds(out, uri_encode(plain, n, true, a));
        return;
    }
    char *clean = without_dots(path, a);
    text_adds(out, uri_encode(clean, strlen(clean), true, a));
}

char *sigv4_canonical_request(const struct sigv4_claim *c, const struct sigv4_request *r, const char *payload_hash,
                              bool path_once, struct arena *a)
{
    struct text out = { .arena = a };
    text_adds(&out, r->method);
    text_addc(&out, '\n');
    add_path(&out, *r->path ? r->path : "/", path_once, a);
    text_addc(&out, '\n');
    add_query(&out, r->query, c->presigned, a);
    text_addc(&out, '\n');
    add_headers(&out, r, c->signed_headers);
    text_addc(&out, '\n');
    text_adds(&out, c->signed_headers);
    text_addc(&out, '\n');
    text_adds(&out, payload_hash);
    return text_take(&out);
}
