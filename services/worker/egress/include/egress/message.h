/* message - how the worker and the process that leads out of sandboxes talk, by a SOCK_SEQPACKET pair, in the host's
 * byte order: both ends are one build.
 *
 *     worker  --RULES, OPEN + listening socket, CLOSE-->  egress  --COUNTS, REFUSED-->  worker
 *
 * A listening socket comes from inside an instance's network namespace; 'id' is that instance's. The worker believes
 * nothing of what comes back: it counts and logs it. */
#ifndef EGRESS_MESSAGE_H
#define EGRESS_MESSAGE_H

#include <stdint.h>

#define EGRESS_MAGIC      0x45475245u
#define EGRESS_RULES_TEXT 32768 /* all entries, a line each */
#define EGRESS_NEWS_TEXT  384

enum egress_order_kind {
    EGRESS_RULES, /* text: entries of network.allow, a line each; once, first */
    EGRESS_OPEN,  /* text: the endpoint's name */
    EGRESS_CLOSE,
};

/* Text follows, to the end of the message. */
struct egress_order {
    uint32_t magic, kind;
    uint64_t id;
    int64_t connections, idle_ms; /* RULES: at a time, of one instance; without a byte */
};

enum egress_news_kind {
    EGRESS_COUNTS,  /* since the last ones, of all */
    EGRESS_REFUSED, /* text: what, and why; 'id' wanted it */
};

struct egress_news {
    uint32_t magic, kind;
    uint64_t id;
    uint64_t opened, refused, failed, bytes_out, bytes_in;
    uint64_t open; /* now */
    char text[EGRESS_NEWS_TEXT];
};

/* Where the way out begins, inside: a proxy for HTTP. */
#define EGRESS_PROXY_PORT 3128
#define EGRESS_PROXY_URL  "http://127.0.0.1:3128"

#endif
