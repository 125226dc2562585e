/* rules - which endpoints may reach what: the operator's list network.allow.
 *
 * An entry is ENDPOINT=HOST:PORT.
 *     ENDPOINT   a name; each '*' in it stands for any number of letters
 *     HOST       a name, *.SUFFIX for every name that ends so, an address (IPv6 in brackets), or * for all
 *     PORT       a number, or * for all
 * Nothing is allowed that no entry names. An address that is special (address.h) is reached only through an entry that
 * has this very address, whatever name led to it.
 *
 * Threads: any, after the last egress_rules_add().  Memory: copies what it is given. */
#ifndef EGRESS_RULES_H
#define EGRESS_RULES_H

#include "base/err.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EGRESS_ENDPOINT_MAX 63
#define EGRESS_HOST_MAX     253
#define EGRESS_RULES_MAX    256

struct egress_rules;

struct egress_rules *egress_rules_new(void);
void egress_rules_free(struct egress_rules *r); /* NULL is fine */
/* PL_INVALID: 'entry' is none, or there are more than EGRESS_RULES_MAX; 'err' quotes it. */
PL_MUST_CHECK enum pl_code egress_rules_add(struct egress_rules *r, const char *entry, struct pl_err *err);
size_t egress_rules_count(const struct egress_rules *r);

/* Some entry is about it. */
bool egress_rules_concern(const struct egress_rules *r, const char *endpoint);
/* 'host' as egress_host_read() made it. */
bool egress_rules_permit(const struct egress_rules *r, const char *endpoint, const char *host, uint16_t port);
/* An entry has the address itself. */
bool egress_rules_name_address(const struct egress_rules *r, const char *endpoint, const struct in6_addr *address,
                               uint16_t port);

/* A host as rules compare it: lower case, without the last dot and without brackets. False: it cannot be one. */
bool egress_host_read(const char *text, size_t n, char out[EGRESS_HOST_MAX + 1]);

#endif
