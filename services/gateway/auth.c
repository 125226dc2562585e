#include "auth.h"

#include "aws_error.h"
#include "base/text.h"
#include "base/time.h"
#include "gateway.h"
#include "keys.h"
#include "metrics/metrics.h"

#include <string.h>

static struct sigv4_request request_of(const struct aws_call *c)
{
    struct sigv4_request r = { .method = http_method(c->http),
                               .path = http_path(c->http),
                               .query = http_query(c->http) };
    r.headers = http_headers(c->http, &r.header_count);
    return r;
}

static bool refuse(struct aws_call *c, enum aws_error id, const char *why)
{
    metrics_add(c->gateway->failed_auth, 1);
    aws_fail(c, id, "%s", why);
    return false;
}

static bool read_claim(struct aws_call *c)
{
    const struct sigv4_request r = request_of(c);
    const char *why;
    switch (sigv4_read(&r, c->arena, &c->claim, &why)) {
    case SIGV4_OK:
        c->signed_by_key = true;
        c->region = c->claim.region;
        return true;
    case SIGV4_MISSING:
        if (c->gateway->config->allow_unauthenticated)
            return true;
        return refuse(c, AWS_MISSING_TOKEN, why);
    default:
        return refuse(c, AWS_INCOMPLETE_SIGNATURE, why);
    }
}

bool auth_begin(struct aws_call *c)
{
    const struct gateway_config *config = c->gateway->config;
    const char *why;
    c->region = config->region;
    if (!read_claim(c))
        return false;
    if (!c->signed_by_key)
        return true;
    if (!keys_find(c->gateway->keys, c->claim.access_key))
        return refuse(c, AWS_UNKNOWN_KEY, "The security token included in the request is invalid.");
    switch (sigv4_check_time(&c->claim, pl_wall_ms() / 1000, config->clock_skew_ms / 1000, c->arena, &why)) {
    case SIGV4_OK:
        return true;
    case SIGV4_EXPIRED:
        return refuse(c, AWS_EXPIRED, why);
    default:
        return refuse(c, AWS_CLOCK_SKEW, why);
    }
}

bool auth_check_service(struct aws_call *c)
{
    if (!c->signed_by_key || strcmp(c->claim.service, c->service->signing_name) == 0)
        return true;
    return refuse(
        c, AWS_WRONG_SIGNATURE,
        arena_format(c->arena, "Credential should be scoped to correct service: '%s'.", c->service->signing_name));
}

static bool may(const struct aws_call *c, const struct credential *key)
{
    const char *method = http_method(c->http);
    return key->use == CREDENTIAL_ALL ||
           (c->protocol == AWS_REST_XML && (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0));
}

bool auth_verify(struct aws_call *c, const char *payload_hash)
{
    if (!c->signed_by_key)
        return true;
    const struct sigv4_request r = request_of(c);
    const struct credential *key = keys_find(c->gateway->keys, c->claim.access_key);
    unsigned char signing_key[SHA256_BYTES];
    char signature[SHA256_HEX];
    if (!key) /* disabled a moment ago */
        return refuse(c, AWS_UNKNOWN_KEY, "The security token included in the request is invalid.");
    keys_signing_key(c->gateway->keys, key, &c->claim, signing_key);
    sigv4_sign(&c->claim, &r, payload_hash, c->protocol == AWS_REST_XML, signing_key, c->arena, signature);
    if (!sigv4_same(&c->claim, signature))
        return refuse(c, AWS_WRONG_SIGNATURE,
                      "The request signature we calculated does not match the signature you provided. Check your AWS "
                      "Secret Access Key and signing method. Consult the service documentation for details.");
    if (!may(c, key))
        return refuse(c, AWS_DENIED,
                      arena_format(c->arena, "Access key %s may only read artifacts.", c->claim.access_key));
    return true;
}

bool auth_verify_body(struct aws_call *c)
{
    const char *said = http_header(c->http, "X-Amz-Content-Sha256");
    if (c->claim.presigned)
        return auth_verify(c, SIGV4_UNSIGNED_PAYLOAD);
    if (said && strcmp(said, SIGV4_UNSIGNED_PAYLOAD) == 0)
        return auth_verify(c, said);
    char hash[SHA256_HEX];
    pl_hex(http_body_sha256(c->http), SHA256_BYTES, hash);
    if (said && strcmp(said, hash) != 0 && c->signed_by_key) {
        if (c->protocol != AWS_REST_XML)
            return refuse(c, AWS_WRONG_SIGNATURE,
                          "The request's body is not the one whose SHA-256 is in x-amz-content-sha256.");
        aws_fail_as(c, 400, "XAmzContentSHA256Mismatch", NULL,
                    "The provided 'x-amz-content-sha256' header does not match what was computed.");
        return false;
    }
    return auth_verify(c, hash);
}

bool auth_signing_key(struct aws_call *c, unsigned char out[SHA256_BYTES])
{
    const struct credential *key = c->signed_by_key ? keys_find(c->gateway->keys, c->claim.access_key) : NULL;
    if (!key)
        return false;
    keys_signing_key(c->gateway->keys, key, &c->claim, out);
    return true;
}
