/* JSON bodies, checked against the largest of the shapes. Whatever is accepted is an object, not deeper than the limit.
 */
#include "aws_json.h"

#include <assert.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int depth(const json_t *v)
{
    int deepest = 0;
    size_t i;
    json_t *item;
    const char *key;
    if (json_is_array(v)) {
        json_array_foreach(v, i, item)
        {
            int d = depth(item);
            deepest = d > deepest ? d : deepest;
        }
    } else if (json_is_object(v)) {
        json_object_foreach((json_t *)(uintptr_t)v, key, item)
        {
            int d = depth(item);
            deepest = d > deepest ? d : deepest;
        }
    } else {
        return 0;
    }
    return deepest + 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a = { 0 };
    const char *why = NULL, *key;
    json_t *v = aws_json_read((const char *)data, size, &a, &why), *item;
    if (v) {
        double number;
        int64_t whole;
        assert(json_is_object(v) && depth(v) <= AWS_JSON_DEPTH);
        json_object_foreach(v, key, item)
        {
            (void)aws_read_time(item, &whole);
            (void)aws_number(v, key, &number);
            (void)aws_integer(v, key, &whole);
            (void)aws_bool(v, key, false);
        }
    } else {
        assert(why && *why);
    }
    json_decref(v);
    arena_done(&a);
    return 0;
}
