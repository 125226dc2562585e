/* head - the head of a request to a proxy: CONNECT HOST:PORT, or METHOD http://HOST[:PORT]/PATH. Pure.
 *
 * Strict where it is cheap to be: lines end with CRLF, one Content-Length, no folded lines. What it does not understand
 * it refuses with a status and a reason.  Memory: spans point into the caller's bytes. */
#ifndef EGRESS_HEAD_H
#define EGRESS_HEAD_H

#include "egress/rules.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EGRESS_HEAD_MAX 8192
/* What egress_head_forward() may need beyond the head's own size. */
#define EGRESS_HEAD_EXTRA 512
#define EGRESS_BODY_OPEN  (-1) /* its length is not known */

enum egress_progress { EGRESS_MORE, EGRESS_GOOD, EGRESS_BAD };

struct egress_head {
    bool tunnel; /* CONNECT */
    char host[EGRESS_HOST_MAX + 1];
    uint16_t port;
    size_t size;  /* of the head, with the empty line */
    int64_t body; /* bytes that follow, when it is no tunnel; or EGRESS_BODY_OPEN */
    /* EGRESS_BAD */
    int status;
    const char *wrong;
    /* for egress_head_forward() */
    size_t method_len, authority_at, authority_len, path_at, path_len, fields_at;
};

/* 'bytes' from the beginning each time. */
enum egress_progress egress_head_read(struct egress_head *h, const char *bytes, size_t n);
/* The same request as its server wants it: path instead of address, its own Host, nothing that is meant for a proxy,
 * "Connection: close". Returns its length; 'size' is at least h->size + EGRESS_HEAD_EXTRA. */
size_t egress_head_forward(const struct egress_head *h, const char *bytes, char *out, size_t size);

#endif
