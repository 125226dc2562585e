/* event_stream - frames of application/vnd.amazon.eventstream: prelude (total length, header length, CRC), headers,
 * payload, CRC; all integers big-endian. Source: AWS's event stream encoding; contract 2.4. */
#ifndef GATEWAY_EVENT_STREAM_H
#define GATEWAY_EVENT_STREAM_H

#include "base/buf.h"

struct event_header {
    const char *name, *value; /* strings */
};

/* Appends one frame; false when 'out' is full. */
bool event_stream_add(struct pl_buf *out, const struct event_header *headers, size_t count, const void *payload,
                      size_t payload_len);
uint32_t event_stream_crc32(uint32_t crc, const void *bytes, size_t n); /* start with 0 */

#endif
