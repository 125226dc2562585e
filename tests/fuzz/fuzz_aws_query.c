/* Form bodies of the query protocol. What is accepted is an object of texts, lists and maps, and can be written as XML.
 */
#include "aws_query.h"
#include "aws_xml.h"

#include <assert.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a = { 0 };
    const char *why = NULL;
    json_t *v = aws_query_read((const char *)data, size, &a, &why);
    if (v) {
        struct text xml = { .arena = &a };
        assert(json_is_object(v));
        xml_add_value(&xml, v);
    } else {
        assert(why && *why);
    }
    json_decref(v);
    arena_done(&a);
    return 0;
}
