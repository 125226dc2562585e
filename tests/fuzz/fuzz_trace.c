/* A trace for pilotlight-replay: the file of endpoints, a NUL byte, the file of calls. What is accepted is replayed, if it is not long. */
#include "replay.h"

#include <stdio.h>
#include <string.h>

#define REQUESTS_MAX 2000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum pl_code read_part(struct trace *t, const uint8_t *data, size_t n, bool rows, struct pl_err *err)
{
    FILE *in = n > 0 ? fmemopen((void *)data, n, "r") : fopen("/dev/null", "r");
    enum pl_code code = rows ? trace_read_rows(t, in, "rows", err) : trace_read_endpoints(t, in, "endpoints", err);

    fclose(in);
    return code;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *cut = memchr(data, 0, size);
    size_t n = cut ? (size_t)(cut - data) : size;
    pl_cleanup(trace_done) struct trace t = { 0 };
    struct pl_err err;
    struct replay r;

    if (read_part(&t, data, n, false, &err) != PL_OK || !cut ||
        read_part(&t, cut + 1, size - n - 1, true, &err) != PL_OK || t.requests > REQUESTS_MAX)
        return 0;
    replay_run(&r, &t, 1000);
    if (r.all.served + r.all.throttled != t.requests)
        __builtin_trap();
    replay_done(&r);
    return 0;
}
