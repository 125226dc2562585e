/* Headers as libmicrohttpd hands them over: lines "Name: value". What passes has exactly one way to be framed. */
#include "http_frame.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HEADERS 32

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a = { 0 };
    struct http_header headers[HEADERS];
    struct http_frame frame;
    struct pl_err err;
    size_t count = 0, lengths = 0, codings = 0;
    char *text = arena_strndup(&a, (const char *)data, size), *line;
    while ((line = strsep(&text, "\n")) && count < HEADERS) {
        char *colon = strchr(line, ':');
        if (!colon)
            continue;
        *colon = '\0';
        headers[count++] = (struct http_header){ line, colon + 1 + strspn(colon + 1, " \t") };
        lengths += strcasecmp(line, "content-length") == 0;
        codings += strcasecmp(line, "transfer-encoding") == 0;
    }
    if (http_frame_check("HTTP/1.1", headers, count, &frame, &err) == PL_OK) {
        assert(lengths + codings <= 1);
        assert(codings ? frame.content_length == -1 : lengths || frame.content_length == 0);
    } else {
        assert(err.message[0]);
    }
    arena_done(&a);
    return 0;
}
