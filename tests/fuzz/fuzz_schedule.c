/* Schedule expressions: what is accepted has times that rise, or none. */
#include "schedule.h"

#include "base/mem.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pl_cleanup(pl_free_p) char *text = pl_strndup((const char *)data, size);
    struct schedule s;
    struct pl_err err;
    int64_t at = 1770000000;
    if (schedule_parse("expression", text, &s, &err) != PL_OK)
        return 0;
    for (int i = 0; i < 3 && at >= 0; i++) {
        int64_t next = schedule_next(&s, 1760000000, at);
        assert(next == -1 || next > at);
        at = next;
    }
    return 0;
}
