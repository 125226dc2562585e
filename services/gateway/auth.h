/* auth - is the caller who it says it is? Between sigv4.h (arithmetic), keys.h (secrets) and aws_error.h (words). */
#ifndef GATEWAY_AUTH_H
#define GATEWAY_AUTH_H

#include "aws_call.h"

/* With the headers: reads the claim, looks the key up, checks time and scope. False: answered. */
bool auth_begin(struct aws_call *c);
/* With the scope's service name, once the service is known. False: answered. */
bool auth_check_service(struct aws_call *c);
/* The signature over headers and 'payload_hash'. False: answered. */
bool auth_verify(struct aws_call *c, const char *payload_hash);
/* The same when the body is there: its hash is computed, and must be the one in X-Amz-Content-Sha256 if that is sent.
 */
bool auth_verify_body(struct aws_call *c);
/* For what signs parts of a body on its own: the signing key. False: there is none (not signed). */
bool auth_signing_key(struct aws_call *c, unsigned char out[SHA256_BYTES]);

#endif
