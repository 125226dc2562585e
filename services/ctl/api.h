/* api - the calls of the public API that commands make, each waited for, by kind where kinds are alike. */
#ifndef CTL_API_H
#define CTL_API_H

#include "client.h"
#include "kinds.h"

#include <jansson.h>
#include <stdbool.h>

/* PL_NOT_FOUND when there is none. '*out' is the caller's, message_free(). */
PL_MUST_CHECK enum pl_code api_get(struct client *c, const struct kind *k, const char *name, ProtobufCMessage **out,
                                   struct pl_err *err);
/* All pages, newest first: calls 'each' for every resource; 'm' is gone after the call. */
PL_MUST_CHECK enum pl_code api_list(struct client *c, const struct kind *k, const char *name_contains,
                                    void (*each)(void *arg, const ProtobufCMessage *m), void *arg, struct pl_err *err);
PL_MUST_CHECK enum pl_code api_create(struct client *c, const struct kind *k, const ProtobufCMessage *resource,
                                      struct pl_err *err);
/* What the server would say to its creation by itself: wrong fields, exceeded limits. Changes nothing. */
PL_MUST_CHECK enum pl_code api_validate(struct client *c, const struct kind *k, const ProtobufCMessage *resource,
                                        struct pl_err *err);
PL_MUST_CHECK enum pl_code api_delete(struct client *c, const struct kind *k, const char *name, struct pl_err *err);
PL_MUST_CHECK enum pl_code api_update_endpoint(struct client *c, const char *name, const char *config,
                                               struct pl_err *err);
/* Makes the tags of a resource those of 'wanted': adds or replaces the ones it has, removes others. 'live' is what is
 * there. */
PL_MUST_CHECK enum pl_code api_set_tags(struct client *c, const struct kind *k, const ProtobufCMessage *live,
                                        const ProtobufCMessage *wanted, struct pl_err *err);

/* Follows an endpoint: 'changed' gets each state on another thread, with the turn; 'deleted' with the last one when it
 * is gone
 * ('endpoint' may then be NULL). Returns when it returned false or the stream ended, or PL_DEADLINE. */
PL_MUST_CHECK enum pl_code api_watch_endpoint(struct client *c, const char *name, int64_t timeout_ms,
                                              bool (*changed)(void *arg, const ProtobufCMessage *endpoint,
                                                              bool deleted),
                                              void *arg, struct pl_err *err);

#endif
