/* aws_error - every error that a client can meet, once: its name in each protocol, its status, and its body.
 *
 * Clients decide by name (contract 1.2, 1.4, 2.3, 2.4), so names are exact; texts always say what and which limit. */
#ifndef GATEWAY_AWS_ERROR_H
#define GATEWAY_AWS_ERROR_H

#include "aws_call.h"
#include "base/err.h"

/*  E(id, status, JSON name, name of SageMaker Runtime, query name, S3 status, S3 name) */
#define AWS_ERRORS(E)                                                                                                  \
    E(MISSING_TOKEN, 403, "MissingAuthenticationTokenException", "MissingAuthenticationTokenException",                \
      "MissingAuthenticationToken", 403, "AccessDenied")                                                               \
    E(INCOMPLETE_SIGNATURE, 403, "IncompleteSignatureException", "IncompleteSignatureException",                       \
      "IncompleteSignature", 400, "AuthorizationHeaderMalformed")                                                      \
    E(UNKNOWN_KEY, 403, "UnrecognizedClientException", "UnrecognizedClientException", "InvalidClientTokenId", 403,     \
      "InvalidAccessKeyId")                                                                                            \
    E(WRONG_SIGNATURE, 403, "InvalidSignatureException", "InvalidSignatureException", "SignatureDoesNotMatch", 403,    \
      "SignatureDoesNotMatch")                                                                                         \
    E(CLOCK_SKEW, 403, "InvalidSignatureException", "InvalidSignatureException", "SignatureDoesNotMatch", 403,         \
      "RequestTimeTooSkewed")                                                                                          \
    E(EXPIRED, 403, "InvalidSignatureException", "InvalidSignatureException", "RequestExpired", 403, "AccessDenied")   \
    E(DENIED, 403, "AccessDeniedException", "AccessDeniedException", "AccessDenied", 403, "AccessDenied")              \
    E(UNKNOWN_OPERATION, 400, "UnknownOperationException", "UnknownOperationException", "InvalidAction", 501,          \
      "NotImplemented")                                                                                                \
    E(SERIALIZATION, 400, "SerializationException", "SerializationException", "MalformedQueryString", 400,             \
      "MalformedXML")                                                                                                  \
    E(VALIDATION, 400, "ValidationException", "ValidationError", "ValidationError", 400, "InvalidArgument")            \
    E(LIMIT_EXCEEDED, 400, "ResourceLimitExceeded", "ResourceLimitExceeded", "LimitExceeded", 400, "TooManyBuckets")   \
    E(THROTTLED, 400, "ThrottlingException", "ThrottlingException", "Throttling", 503, "SlowDown")                     \
    E(TOO_LARGE, 413, "RequestEntityTooLargeException", "ValidationError", "RequestEntityTooLarge", 400,               \
      "EntityTooLarge")                                                                                                \
    E(INTERNAL, 500, "InternalFailure", "InternalFailure", "InternalFailure", 500, "InternalError")                    \
    E(UNAVAILABLE, 503, "ServiceUnavailable", "ServiceUnavailable", "ServiceUnavailable", 503, "ServiceUnavailable")

enum aws_error {
#define E(id, ...) AWS_##id,
    AWS_ERRORS(E)
#undef E
        AWS_ERROR_COUNT
};

void aws_fail(struct aws_call *c, enum aws_error id, const char *fmt, ...) PL_PRINTF(3, 4);
/* An error of one service: 'shape' is the JSON name, 'query_code' the one in XML and x-amzn-query-error (NULL = shape).
 */
void aws_fail_as(struct aws_call *c, int status, const char *shape, const char *query_code, const char *fmt, ...)
    PL_PRINTF(5, 6);
/* As aws_fail_as(), for REST-JSON with more members than Message; 'members' (an object) is consumed. */
void aws_fail_with(struct aws_call *c, int status, const char *shape, const char *message, json_t *members);
/* What control or a router answered, in the service's names. */
void aws_fail_upstream(struct aws_call *c, const struct pl_err *err);

#endif
