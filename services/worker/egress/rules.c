#include "egress/rules.h"

#include "base/mem.h"
#include "base/text.h"
#include "egress/address.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum host_kind { HOST_ANY, HOST_SUFFIX, HOST_NAME, HOST_ADDRESS };

struct rule {
    char endpoint[EGRESS_ENDPOINT_MAX + 1];
    enum host_kind kind;
    char host[EGRESS_HOST_MAX + 2]; /* SUFFIX: from the dot on */
    struct in6_addr address;
    uint16_t port; /* 0 = any */
};

struct egress_rules {
    struct rule *rules;
    size_t count;
};

/* ---- reading ---- */

bool egress_host_read(const char *text, size_t n, char out[EGRESS_HOST_MAX + 1])
{
    bool bracketed = n > 2 && text[0] == '[' && text[n - 1] == ']';

    if (bracketed) {
        text++;
        n -= 2;
    } else if (n > 1 && text[n - 1] == '.') {
        n--;
    }
    if (n == 0 || n > EGRESS_HOST_MAX)
        return false;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text[i];

        if (!isascii(c) || (!isalnum(c) && c != '.' && c != '-' && c != '_' && !(bracketed && c == ':')))
            return false;
        out[i] = (char)tolower(c);
    }
    out[n] = '\0';
    return true;
}

static enum pl_code wrong(const char *entry, const char *why, struct pl_err *err)
{
    return pl_fail(err, PL_INVALID, "network.allow", "network.allow: '%.200s' is not ENDPOINT=HOST:PORT: %s", entry,
                   why);
}

static bool read_endpoint(const char *text, size_t n, struct rule *out)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-*";

    if (n == 0 || n > EGRESS_ENDPOINT_MAX)
        return false;
    memcpy(out->endpoint, text, n);
    out->endpoint[n] = '\0';
    return strspn(out->endpoint, allowed) == n;
}

static bool read_host(const char *text, size_t n, struct rule *out)
{
    bool bracketed = n > 0 && text[0] == '[';

    if (n == 1 && *text == '*') {
        out->kind = HOST_ANY;
        return true;
    }
    if (n > 2 && text[0] == '*' && text[1] == '.') {
        out->kind = HOST_SUFFIX;
        out->host[0] = '.';
        return n - 2 < EGRESS_HOST_MAX && isalnum((unsigned char)text[2]) &&
               egress_host_read(text + 2, n - 2, out->host + 1);
    }
    if (!egress_host_read(text, n, out->host))
        return false;
    out->kind = egress_address_read(out->host, &out->address) ? HOST_ADDRESS : HOST_NAME;
    return !bracketed || out->kind == HOST_ADDRESS;
}

static bool read_port(const char *text, struct rule *out)
{
    uint64_t port;

    if (strcmp(text, "*") == 0)
        return true;
    if (!pl_parse_u64(text, 65535, &port) || port == 0)
        return false;
    out->port = (uint16_t)port;
    return true;
}

enum pl_code egress_rules_add(struct egress_rules *r, const char *entry, struct pl_err *err)
{
    const char *host = strchr(entry, '='), *port = strrchr(entry, ':');
    struct rule rule = { 0 };

    if (!host || !port || port < host)
        return wrong(entry, "it has no '=', or no ':' after it", err);
    if (!read_endpoint(entry, (size_t)(host - entry), &rule))
        return wrong(entry, "the endpoint's name has 1 to 63 letters, digits, '-' and '*'", err);
    if (!read_host(host + 1, (size_t)(port - host - 1), &rule))
        return wrong(entry, "the host is a name, *.SUFFIX, an address, IPv6 in brackets, or *", err);
    if (!read_port(port + 1, &rule))
        return wrong(entry, "the port is 1 to 65535, or *", err);
    if (r->count == EGRESS_RULES_MAX)
        return pl_fail(err, PL_INVALID, "network.allow", "network.allow: more than %d entries", EGRESS_RULES_MAX);
    r->rules = pl_grow(r->rules, r->count + 1, sizeof(*r->rules));
    r->rules[r->count++] = rule;
    return PL_OK;
}

/* ---- comparing ---- */

static bool endpoint_fits(const char *pattern, const char *name)
{
    const char *star = NULL, *again = NULL;

    while (*name) {
        if (*pattern == '*') {
            star = ++pattern;
            again = name;
        } else if (*pattern == *name) {
            pattern++;
            name++;
        } else if (star) {
            pattern = star;
            name = ++again;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}

static bool ends_with(const char *s, const char *suffix)
{
    size_t n = strlen(s), m = strlen(suffix);

    return n > m && strcmp(s + n - m, suffix) == 0;
}

static bool host_fits(const struct rule *rule, const char *host)
{
    struct in6_addr address;

    switch (rule->kind) {
    case HOST_ANY:
        return true;
    case HOST_SUFFIX:
        return ends_with(host, rule->host);
    case HOST_NAME:
        return strcmp(host, rule->host) == 0;
    case HOST_ADDRESS:
        return egress_address_read(host, &address) && memcmp(&address, &rule->address, sizeof(address)) == 0;
    }
    return false;
}

static bool fits(const struct rule *rule, const char *endpoint, uint16_t port)
{
    return (rule->port == 0 || rule->port == port) && endpoint_fits(rule->endpoint, endpoint);
}

bool egress_rules_concern(const struct egress_rules *r, const char *endpoint)
{
    for (size_t i = 0; i < r->count; i++)
        if (endpoint_fits(r->rules[i].endpoint, endpoint))
            return true;
    return false;
}

bool egress_rules_permit(const struct egress_rules *r, const char *endpoint, const char *host, uint16_t port)
{
    for (size_t i = 0; i < r->count; i++)
        if (fits(&r->rules[i], endpoint, port) && host_fits(&r->rules[i], host))
            return true;
    return false;
}

bool egress_rules_name_address(const struct egress_rules *r, const char *endpoint, const struct in6_addr *address,
                               uint16_t port)
{
    for (size_t i = 0; i < r->count; i++)
        if (r->rules[i].kind == HOST_ADDRESS && fits(&r->rules[i], endpoint, port) &&
            memcmp(address, &r->rules[i].address, sizeof(*address)) == 0)
            return true;
    return false;
}

/* ---- life ---- */

size_t egress_rules_count(const struct egress_rules *r)
{
    return r->count;
}

struct egress_rules *egress_rules_new(void)
{
    return PL_NEW(struct egress_rules);
}

void egress_rules_free(struct egress_rules *r)
{
    if (r)
        free(r->rules);
    free(r);
}
