/* gateway - the AWS names, errors, signatures and bodies on one side, our gRPC on the other.
 *
 * One request, normally:
 *
 *     http.c          reads it, checks its frame, collects its body
 *     routes.c        which service, which operation (target header, path, Action and Version)
 *     auth.c          who signed it (sigv4.c, keys.c)
 *     aws_json.c | aws_query.c     what was said
 *     api_sagemaker*.c | api_runtime*.c | api_s3*.c | api_sts.c ...    translates
 *     upstream.c      asks control or a router
 *     aws_call.c | aws_error.c     answers in the client's protocol
 *
 * No rule about models, endpoints or limits lives here: control and routers decide, this room puts it into words. */
#ifndef GATEWAY_GATEWAY_H
#define GATEWAY_GATEWAY_H

#include "gateway_config.h"

#include <stdatomic.h>
#include <stddef.h>

struct bucket_store;
struct http;
struct keys;
struct loop;
struct metrics;
struct metrics_counter;
struct metrics_histogram;
struct upstream;

struct gateway {
    const struct gateway_config *config;
    struct service *service;
    struct loop *loop;
    struct metrics *metrics;
    struct http *http;
    struct keys *keys;
    struct upstream *upstream;
    struct bucket_store *buckets;
    _Atomic bool started;
    unsigned char ids[64][16]; /* of requests to come */
    size_t ids_left;
    struct metrics_counter *calls, *failed_auth;
    struct metrics_histogram *seconds;
};

/* For struct service_def. */
enum pl_code gateway_start(struct service *s, const void *config, void **out_state, struct pl_err *err);
void gateway_drain(struct service *s, void *state);
void gateway_stop(void *state);
const char *gateway_ready(void *state);

#endif
