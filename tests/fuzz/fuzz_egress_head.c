/* What an instance says to the proxy that leads it out; whatever is taken for a request can be passed on. */
#include "egress/head.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct egress_head h;
    enum egress_progress p = egress_head_read(&h, (const char *)data, size);
    size_t room, n;
    char *out;

    if (p == EGRESS_BAD && (!h.wrong || h.status < 400))
        abort();
    if (p != EGRESS_GOOD)
        return 0;
    if (h.size > size || h.port == 0 || !h.host[0])
        abort();
    if (h.tunnel)
        return 0;
    room = h.size + EGRESS_HEAD_EXTRA;
    out = malloc(room);
    n = egress_head_forward(&h, (const char *)data, out, room);
    if (n < 4 || n > room || memcmp(out + n - 4, "\r\n\r\n", 4) != 0 || memchr(out, '\0', n))
        abort();
    free(out);
    return 0;
}
