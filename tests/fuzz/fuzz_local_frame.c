/* What may arrive on a socket of the local transport, in pieces whose sizes the input chooses. Whatever is accepted is
 * within its limits, and is the same frame when it is written again. */
#include "local_frame.h"

#include "base/cleanup.h"

#include <assert.h>
#include <string.h>

#define LIMIT ((size_t)100 << 10)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_frame(struct local_frame *f)
{
    uint8_t again[LOCAL_HEADER_BYTES + LOCAL_HEAD_MAX];
    struct local_call_head h;
    uint32_t version;

    assert(f->kind > 0 && f->kind < LOCAL_KIND_COUNT && f->head_len <= LOCAL_HEAD_MAX);
    assert(!f->message || (rpc_bytes_len(f->message) == f->message_len && f->message_len <= LIMIT));
    assert(local_frame_write(f, again) == LOCAL_HEADER_BYTES + f->head_len);
    assert(again[0] == (uint8_t)f->kind && memcmp(again + LOCAL_HEADER_BYTES, f->head, f->head_len) == 0);
    if (f->kind == LOCAL_CALL && local_call_head_read(f, &h))
        assert(h.path_len > 0 && h.trace + h.trace_len == (const char *)f->head + f->head_len);
    if (f->kind == LOCAL_HELLO)
        assert(local_hello_read(f, &version));
    rpc_bytes_unref(pl_take(f->message));
}

static bool take_frames(struct local_reader *r)
{
    struct local_frame *f;
    enum local_read found;

    while ((found = local_reader_next(r, &f)) == LOCAL_FRAME)
        try_frame(f);
    return found == LOCAL_MORE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct local_reader r;
    size_t at = 1, step = size > 0 ? (size_t)data[0] * 3 + 1 : 1;
    bool good = true;

    local_reader_init(&r, LIMIT);
    while (good && at < size) {
        struct iovec room = local_reader_room(&r);
        size_t n = size - at < step ? size - at : step;
        assert(room.iov_len > 0);
        n = n < room.iov_len ? n : room.iov_len;
        memcpy(room.iov_base, data + at, n);
        local_reader_filled(&r, n);
        at += n;
        good = take_frames(&r);
    }
    local_reader_done(&r);
    return 0;
}
