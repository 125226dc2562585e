/* http_frame - is a request framed so that everybody in front of us must have read it as we do?
 *
 * Request smuggling lives on messages whose end two servers see in different places. libmicrohttpd is lenient about
 * some of them, so every request is checked here before anything else happens, and refused with the connection closed.
 * Pure. Source: RFC 9112, sections 5 and 6. */
#ifndef GATEWAY_HTTP_FRAME_H
#define GATEWAY_HTTP_FRAME_H

#include "http.h"

struct http_frame {
    int64_t content_length; /* 0 without a body; -1: chunked */
    bool expects_continue;
};

/* PL_INVALID, PL_UNIMPLEMENTED (a transfer coding other than chunked). 'version' is "HTTP/1.1". */
PL_MUST_CHECK enum pl_code http_frame_check(const char *version, const struct http_header *headers, size_t count,
                                            struct http_frame *out, struct pl_err *err);

#endif
