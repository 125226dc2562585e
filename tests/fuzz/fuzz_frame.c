/* What may arrive on an instance's socket: headers, then requests. An accepted header must survive being written again.
 */
#include "frame/frame.h"
#include "load.h"
#include "request.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_header(const uint8_t *data)
{
    struct frame_header h;
    uint8_t again[FRAME_HEADER_SIZE];

    if (!frame_decode(data, &h))
        return;
    assert(h.length <= FRAME_MAX_PAYLOAD);
    frame_encode(&h, again);
    assert(memcmp(again, data, sizeof(again)) == 0);
}

static void try_request(const uint8_t *data, size_t size)
{
    struct request request;
    struct pl_err err = { 0 };

    if (request_read(&request, data, size, &err) != PL_OK)
        return;
    assert(request.body_len <= size && request.accept_len <= size && request.content_type_len <= size);
    assert(request.body_len == 0 ||
           ((const uint8_t *)request.body >= data && (const uint8_t *)request.body + request.body_len <= data + size));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct load_request load;
    struct pl_err err = { 0 };

    if (size >= FRAME_HEADER_SIZE) {
        try_header(data);
        data += FRAME_HEADER_SIZE;
        size -= FRAME_HEADER_SIZE;
    }
    try_request(data, size);
    if (load_request_read(&load, data, size, &err) == PL_OK)
        assert(load.model_dir[0] && strcmp(load.runtime, "xgboost") == 0);
    return 0;
}
