/* XML bodies of S3 clients. Depth stays in its limit, and every start has its end in what is well formed. */
#include "xml_read.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a = { 0 };
    struct xml_reader r;
    int open = 0;
    xml_read(&r, (const char *)data, size, &a);
    while (xml_next(&r)) {
        assert(r.depth >= 1 && r.depth <= XML_DEPTH && *r.name && strlen(r.name) <= XML_NAME);
        open += r.event == XML_START ? 1 : r.event == XML_END ? -1 : 0;
        assert(open >= 0 && (r.event != XML_TEXT || r.text));
    }
    assert(r.malformed || open == 0);
    arena_done(&a);
    return 0;
}
