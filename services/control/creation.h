/* creation - what every call that makes or changes a resource under a request id has in common.
 *
 * All three functions are called inside one transaction, in order: replay (an answer given before ends it), insert,
 * answer. With an empty request id nothing is kept and nothing is replayed. Threads: with the store. */
#ifndef CONTROL_CREATION_H
#define CONTROL_CREATION_H

#include "limit.h"
#include "store.h"

#include "pilotlight/v1/resource.pb-c.h"

struct creation {
    struct store *store;
    const struct limits *limits;
    const char *method; /* "CreateModel" */
    const char *request_id;
    uint64_t content; /* digest of what was asked for, see creation_content() */
    int64_t now_ms;   /* wall clock */
};

/* Digest of the row a request describes and its tags; tags in another order count as another content. */
uint64_t creation_content(const struct store_row *row, Pilotlight__V1__Tag *const *tags, size_t tag_count);
/* '*out_answer' is the public message that was answered before, or NULL; freed by record_free(). */
PL_MUST_CHECK enum pl_code creation_replay(const struct creation *c, enum store_kind kind, void **out_answer,
                                           struct pl_err *err);
/* Sets the row's version and id. PL_EXISTS; PL_EXHAUSTED when there are as many of the kind as allowed. */
PL_MUST_CHECK enum pl_code creation_insert(const struct creation *c, struct store_row *row,
                                           Pilotlight__V1__Tag *const *tags, size_t tag_count, struct pl_err *err);
/* The public message of the row, kept under the request id. */
PL_MUST_CHECK enum pl_code creation_answer(const struct creation *c, const struct store_row *row, void **out_answer,
                                           struct pl_err *err);
/* All three, in a transaction of their own: for what is complete in itself. */
PL_MUST_CHECK enum pl_code creation_run(const struct creation *c, struct store_row *row,
                                        Pilotlight__V1__Tag *const *tags, size_t tag_count, void **out_answer,
                                        struct pl_err *err);

#endif
