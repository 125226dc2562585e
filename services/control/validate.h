/* validate - whether a request's content is allowed, whatever the state.
 *
 * All functions return PL_OK, or PL_INVALID with 'err' naming field, value and limit; they change nothing. Field paths
 * count from the resource: "variants[0].memory_size_mb", "tags[2].key". Strings are valid UTF-8 already (rpc checks
 * it). Threads: any.  Files: check.c has the checks of single values, this one says which field needs which. */
#ifndef CONTROL_VALIDATE_H
#define CONTROL_VALIDATE_H

#include "base/err.h"

#include "pilotlight/internal/v1/watch.pb-c.h"
#include "pilotlight/v1/endpoint.pb-c.h"
#include "pilotlight/v1/model.pb-c.h"

#include <stddef.h>

struct limits;

/* A resource's name in a request that looks one up or makes one. */
PL_MUST_CHECK enum pl_code validate_name(const struct limits *l, const char *field, const char *name,
                                         struct pl_err *err);
PL_MUST_CHECK enum pl_code validate_request_id(const struct limits *l, const char *id, struct pl_err *err);
/* NULL is invalid: the request carried no such resource. */
PL_MUST_CHECK enum pl_code validate_model(const struct limits *l, const Pilotlight__V1__Model *m, struct pl_err *err);
/* Whether the models exist is not asked here. */
PL_MUST_CHECK enum pl_code validate_config(const struct limits *l, const Pilotlight__V1__EndpointConfig *c,
                                           struct pl_err *err);
PL_MUST_CHECK enum pl_code validate_update(const struct limits *l, const Pilotlight__V1__UpdateEndpointRequest *r,
                                           struct pl_err *err);
PL_MUST_CHECK enum pl_code validate_endpoint(const struct limits *l, const Pilotlight__V1__CreateEndpointRequest *r,
                                             struct pl_err *err);
PL_MUST_CHECK enum pl_code validate_tags(const struct limits *l, Pilotlight__V1__Tag *const *tags, size_t count,
                                         struct pl_err *err);
PL_MUST_CHECK enum pl_code validate_tag_keys(const struct limits *l, char *const *keys, size_t count,
                                             struct pl_err *err);
/* 'o' NULL = all defaults. 'with_status': SORT_BY_STATUS is known (endpoints). The page token is checked by list.c. */
PL_MUST_CHECK enum pl_code validate_list(const struct limits *l, const Pilotlight__V1__ListOptions *o, bool with_status,
                                         struct pl_err *err);
PL_MUST_CHECK enum pl_code validate_status(Pilotlight__V1__EndpointStatus status, struct pl_err *err);
PL_MUST_CHECK enum pl_code validate_heartbeat(const struct limits *l,
                                              const Pilotlight__Internal__V1__HeartbeatRequest *r, struct pl_err *err);
/* Of routers and hosts: 1..63 of letters, digits, '.', '_' and '-'. */
PL_MUST_CHECK enum pl_code validate_member_id(const struct limits *l, const char *field, const char *id,
                                              struct pl_err *err);

#endif
