/* store - what control remembers, in one SQLite file. The only module that speaks SQL (sql.c, store*.c, schema/).
 *
 * WAL, synchronous=FULL: what a committed transaction said is there after a kill at any instant, and nothing of one
 * that was not committed. Callers acknowledge after store_commit(). Writes happen in one transaction per request:
 *
 *     pl_cleanup(store_end) struct store_tx tx = { 0 };
 *     if (store_begin(&tx, s, err) != PL_OK || store_insert(s, &row, err) != PL_OK || store_commit(&tx, err) != PL_OK)
 *         return err->code;                                   (rolled back unless committed)
 *
 * Bodies are opaque here: record.c turns messages into rows and back.
 * Errors: PL_UNAVAILABLE when the file cannot be read or written now, PL_DATA_LOSS when it is damaged.
 * Threads: one at a time (control: with the turn).  Cost: a commit waits for the disk. */
#ifndef CONTROL_STORE_H
#define CONTROL_STORE_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;

enum store_kind { STORE_MODEL = 1, STORE_CONFIG = 2, STORE_ENDPOINT = 3, STORE_HOST = 4 };
#define STORE_NAME_SIZE 64

struct store_row {
    int64_t id; /* 0 until inserted */
    enum store_kind kind;
    char name[STORE_NAME_SIZE];
    int status; /* pilotlight.v1.EndpointStatus; 0 for models and configs */
    int64_t created_ms, updated_ms;
    int64_t version;
    void *body; /* owned by the row */
    size_t body_len;
};
void store_row_done(struct store_row *r); /* for pl_cleanup too */

struct store_tx {
    struct store *store; /* NULL when none is open */
};

/* Opens, or makes, the file; checks it, brings its schema up to date. PL_UNAVAILABLE: cannot be opened, or another
 * process has it; PL_DATA_LOSS: damaged; PL_PRECONDITION: made by a newer release, or not a database of ours. */
PL_MUST_CHECK enum pl_code store_open(struct store **out, const char *path, struct pl_err *err);
void store_close(struct store *s); /* NULL is fine */
const char *store_database_id(const struct store *s);
/* Of the last commit. */
int64_t store_version(const struct store *s);

PL_MUST_CHECK enum pl_code store_begin(struct store_tx *tx, struct store *s, struct pl_err *err);
PL_MUST_CHECK enum pl_code store_commit(struct store_tx *tx, struct pl_err *err);
void store_end(struct store_tx *tx); /* rolls back what was not committed; for pl_cleanup */
/* In a transaction: the next version. */
PL_MUST_CHECK enum pl_code store_next_version(struct store *s, int64_t *out, struct pl_err *err);

/* ---- resources ---- */

/* PL_NOT_FOUND: 'Could not find model "x".' */
PL_MUST_CHECK enum pl_code store_get(struct store *s, enum store_kind kind, const char *name, struct store_row *out,
                                     struct pl_err *err);
/* Sets row->id. PL_EXISTS: 'Cannot create already existing model "x".' */
PL_MUST_CHECK enum pl_code store_insert(struct store *s, struct store_row *row, struct pl_err *err);
/* Status, updated_ms, version and body of the row with this id. */
PL_MUST_CHECK enum pl_code store_update(struct store *s, const struct store_row *row, struct pl_err *err);
/* With its tags. */
PL_MUST_CHECK enum pl_code store_delete(struct store *s, int64_t id, struct pl_err *err);
/* 'status' 0 = any. */
PL_MUST_CHECK enum pl_code store_count(struct store *s, enum store_kind kind, int status, int64_t *out,
                                       struct pl_err *err);

enum store_sort { STORE_BY_CREATED, STORE_BY_NAME, STORE_BY_STATUS };
struct store_query {
    enum store_kind kind;
    enum store_sort sort;
    bool descending;
    const char *name_contains;            /* "" = any; letters' case is ignored */
    int64_t created_from, created_before; /* ms; before: 0 = any */
    int64_t updated_from, updated_before;
    int status; /* 0 = any */
    /* Rows behind this one in the order; after_name "" = from the start. */
    int64_t after_key; /* created_ms or status; unused by name */
    const char *after_name;
    int64_t limit;
};
/* Calls 'each' in order until it returns false; the row is gone after the call. 'each' may read, not write. */
PL_MUST_CHECK enum pl_code store_list(struct store *s, const struct store_query *q,
                                      bool (*each)(void *arg, const struct store_row *row), void *arg,
                                      struct pl_err *err);

/* ---- tags of a resource ---- */

struct store_tag {
    char *key, *value;
};
struct store_tags {
    struct store_tag *items; /* by key */
    size_t count;
};
void store_tags_done(struct store_tags *t);
PL_MUST_CHECK enum pl_code store_tags_get(struct store *s, int64_t id, struct store_tags *out, struct pl_err *err);
/* Adds, or replaces by key. */
PL_MUST_CHECK enum pl_code store_tag_put(struct store *s, int64_t id, const char *key, const char *value,
                                         struct pl_err *err);
PL_MUST_CHECK enum pl_code store_tag_delete(struct store *s, int64_t id, const char *key, struct pl_err *err);

/* ---- answers kept for repeated requests ---- */

#define STORE_REQUEST_MS    ((int64_t)24 * 3600 * 1000)
#define STORE_REQUESTS_KEPT 4096 /* the oldest go first */

/* '*out_answer' (to be freed) is NULL when there is none. PL_INVALID: the id was used for another content. */
PL_MUST_CHECK enum pl_code store_request_find(struct store *s, const char *method, const char *request_id,
                                              uint64_t content, int64_t now_ms, void **out_answer, size_t *out_len,
                                              struct pl_err *err);
PL_MUST_CHECK enum pl_code store_request_add(struct store *s, const char *method, const char *request_id,
                                             uint64_t content, int64_t now_ms, const void *answer, size_t len,
                                             struct pl_err *err);

/* ---- what routers have to hear ---- */

#define STORE_CHANGES_KEPT 8192

/* In a transaction: 'name' (an endpoint or a host) changed at 'version'. */
PL_MUST_CHECK enum pl_code store_change_add(struct store *s, enum store_kind kind, const char *name, int64_t version,
                                            struct pl_err *err);
/* Whether every change after 'version' is still known; false for a version of the future. */
PL_MUST_CHECK enum pl_code store_changes_complete(struct store *s, int64_t version, bool *out, struct pl_err *err);
/* Each thing that changed after 'version', once, at its last change, oldest first. 'each' as in store_list(). */
PL_MUST_CHECK enum pl_code store_changes_since(struct store *s, int64_t version,
                                               bool (*each)(void *arg, int64_t version, enum store_kind kind,
                                                            const char *name),
                                               void *arg, struct pl_err *err);

/* ---- worker hosts ---- */

PL_MUST_CHECK enum pl_code store_host_put(struct store *s, const char *id, int64_t epoch, const void *body, size_t len,
                                          struct pl_err *err);
PL_MUST_CHECK enum pl_code store_host_delete(struct store *s, const char *id, struct pl_err *err);
PL_MUST_CHECK enum pl_code store_hosts(struct store *s,
                                       void (*each)(void *arg, const char *id, int64_t epoch, const void *body,
                                                    size_t len),
                                       void *arg, struct pl_err *err);

/* ---- routers ---- */

/* In a transaction: it is known from now on, or not any more. */
PL_MUST_CHECK enum pl_code store_router_set(struct store *s, const char *id, bool known, struct pl_err *err);
PL_MUST_CHECK enum pl_code store_routers(struct store *s, void (*each)(void *arg, const char *id), void *arg,
                                         struct pl_err *err);

/* "model", "endpoint configuration", "endpoint", "worker host". */
const char *store_kind_name(enum store_kind kind);

#endif
