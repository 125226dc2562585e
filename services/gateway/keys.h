/* keys - the access keys in force, and the signing keys made from them.
 *
 * The file (credentials/credentials.h) is looked at again when it may have changed: at most every KEYS_LOOK_MS, and
 * when a key is not known. So a key works as soon as `pilotlight credentials create` has returned, and stops working
 * within that time after `disable`. A file that cannot be read leaves the keys as they were, and is logged once.
 * Threads: with the turn. */
#ifndef GATEWAY_KEYS_H
#define GATEWAY_KEYS_H

#include "credentials/credentials.h"
#include "sigv4.h"

#define KEYS_LOOK_MS 100

struct keys;

/* A file that is not there yet is fine. */
PL_MUST_CHECK enum pl_code keys_open(struct keys **out, const char *path, struct pl_err *err);
void keys_close(struct keys *k); /* NULL is fine */
/* NULL: unknown or disabled. Valid until the next call here. */
const struct credential *keys_find(struct keys *k, const char *id);
/* The signing key for the claim, from the few that are kept. */
void keys_signing_key(struct keys *k, const struct credential *key, const struct sigv4_claim *c,
                      unsigned char out[SHA256_BYTES]);

#endif
