/* credentials - the access keys of the gateway's clients, in one file.
 *
 * A file and not a resource of control, because a gateway must know its clients while control is away; because a secret
 * then never passes through a database, a snapshot or a gRPC message; and because a file is what secret stores hand to
 * programs (a mounted Kubernetes Secret needs no code of ours). Gateways only read it and see a change by its inode and
 * time; `pilotlight credentials` writes it. The file is JSON, mode 0600, and replaced as a whole:
 *
 *     {"version": 1, "keys": [{"access_key_id": "PL...", "secret_access_key": "...", "use": "all", "disabled": false,
 *                              "created_at": "2026-02-11T08:15:30.123Z", "note": "laptop"}]}
 *
 * Threads: a list belongs to one. Memory: secrets are wiped when a list is freed. */
#ifndef CREDENTIALS_CREDENTIALS_H
#define CREDENTIALS_CREDENTIALS_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

#define CREDENTIALS_MAX       1000
#define CREDENTIAL_ID_MIN     3 /* AWS's own ids have 16 to 128 */
#define CREDENTIAL_ID_MAX     128
#define CREDENTIAL_SECRET_MIN 8
#define CREDENTIAL_SECRET_MAX 128
#define CREDENTIAL_NOTE_MAX   128

/* What a key may do. */
enum credential_use {
    CREDENTIAL_ALL,
    CREDENTIAL_ARTIFACTS, /* read objects of the artifact bucket: what worker hosts need */
};

struct credential {
    char id[CREDENTIAL_ID_MAX + 1];
    char secret[CREDENTIAL_SECRET_MAX + 1];
    char note[CREDENTIAL_NOTE_MAX + 1];
    enum credential_use use;
    bool disabled;
    int64_t created_ms; /* wall clock */
};

struct credentials;

/* A file that is not there is an empty list. PL_INVALID: not such a file; PL_DENIED: not readable. */
PL_MUST_CHECK enum pl_code credentials_load(struct credentials **out, const char *path, struct pl_err *err);
struct credentials *credentials_new(void);    /* empty */
void credentials_free(struct credentials *c); /* NULL is fine */
void credentials_free_p(struct credentials **c);
size_t credentials_count(const struct credentials *c);
const struct credential *credentials_at(const struct credentials *c, size_t i); /* by id */
/* NULL when there is none. */
const struct credential *credentials_find(const struct credentials *c, const char *id);

/* PL_INVALID: id, secret or note is not one. PL_EXISTS. PL_EXHAUSTED: CREDENTIALS_MAX. */
PL_MUST_CHECK enum pl_code credentials_add(struct credentials *c, const struct credential *key, struct pl_err *err);
/* The same, but takes the place of one with that id. */
PL_MUST_CHECK enum pl_code credentials_put(struct credentials *c, const struct credential *key, struct pl_err *err);
PL_MUST_CHECK enum pl_code credentials_set_disabled(struct credentials *c, const char *id, bool disabled,
                                                    struct pl_err *err);
/* A new random key: 20 characters of id, 40 of secret (240 bits). */
void credential_make(struct credential *out, enum credential_use use, const char *note);
const char *credential_use_name(enum credential_use use);

/* For a read, a change and a save that nobody gets between: a descriptor to close() afterwards. */
PL_MUST_CHECK enum pl_code credentials_lock(const char *path, int *out_lock, struct pl_err *err);
/* Writes beside the file, syncs, and renames. */
PL_MUST_CHECK enum pl_code credentials_save(const struct credentials *c, const char *path, struct pl_err *err);

#endif
