/* routes - from a request to a handler; the application of http.h.
 *
 * Everything comes to one port, so the service is found in the request itself, in this order (contract 2.1): path
 * /endpoints/..., X-Amz-Target, form body with Action and Version, otherwise S3. */
#ifndef GATEWAY_ROUTES_H
#define GATEWAY_ROUTES_H

#include "http.h"

extern const struct http_handlers routes_handlers; /* their 'app' is a struct gateway */

#endif
