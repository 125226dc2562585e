#include "local_frame.h"

#include "base/mem.h"
#include "core.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* What each kind has. */
static const struct {
    size_t head_min, head_max;
    bool message;
    bool of_call; /* has a slot and a turn */
} kinds[LOCAL_KIND_COUNT] = {
    [LOCAL_HELLO] = { 4, LOCAL_HEAD_MAX, false, false },
    [LOCAL_CALL] = { 6, LOCAL_HEAD_MAX, true, true },
    [LOCAL_CANCEL] = { 0, 0, false, true },
    [LOCAL_REPLY] = { 0, 0, true, true },
    [LOCAL_FAILED] = { 0, 0, true, true },
    [LOCAL_GOAWAY] = { 0, 0, false, false },
    [LOCAL_PING] = { 0, 0, false, false },
    [LOCAL_PONG] = { 0, 0, false, false },
};

/* ---- numbers ---- */

static void put16(uint8_t *at, size_t n)
{
    at[0] = (uint8_t)n;
    at[1] = (uint8_t)(n >> 8);
}

static void put32(uint8_t *at, uint32_t n)
{
    put16(at, n & 0xffff);
    put16(at + 2, n >> 16);
}

static uint16_t get16(const uint8_t *at)
{
    return (uint16_t)(at[0] | at[1] << 8);
}

static uint32_t get32(const uint8_t *at)
{
    return get16(at) | (uint32_t)get16(at + 2) << 16;
}

/* ---- writing ---- */

size_t local_frame_write(const struct local_frame *f, uint8_t *out)
{
    assert(f->kind > 0 && f->kind < LOCAL_KIND_COUNT && f->message_len <= UINT32_MAX);
    assert(f->head_len >= kinds[f->kind].head_min && f->head_len <= kinds[f->kind].head_max);
    out[0] = (uint8_t)f->kind;
    out[1] = 0;
    put16(out + 2, f->head_len);
    put32(out + 4, (uint32_t)f->message_len);
    put32(out + 8, f->slot);
    put32(out + 12, f->turn);
    memcpy(out + LOCAL_HEADER_BYTES, f->head, f->head_len);
    return LOCAL_HEADER_BYTES + f->head_len;
}

bool local_call_head_write(struct local_frame *f, const struct local_call_head *h)
{
    if (h->path_len == 0 || h->path_len > LOCAL_HEAD_MAX - 6)
        return false;
    put32(f->head, h->timeout_ms);
    put16(f->head + 4, h->path_len);
    memcpy(f->head + 6, h->path, h->path_len);
    f->head_len = 6 + h->path_len;
    if (h->trace_len == 0 || h->trace_len > LOCAL_HEAD_MAX - f->head_len)
        return true;
    memcpy(f->head + f->head_len, h->trace, h->trace_len);
    f->head_len += h->trace_len;
    return true;
}

bool local_call_head_read(const struct local_frame *f, struct local_call_head *out)
{
    assert(f->kind == LOCAL_CALL);
    out->timeout_ms = get32(f->head);
    out->path_len = get16(f->head + 4);
    if (out->path_len == 0 || out->path_len > f->head_len - 6)
        return false;
    out->path = (const char *)f->head + 6;
    out->trace = out->path + out->path_len;
    out->trace_len = f->head_len - 6 - out->path_len;
    return true;
}

/* A later version may say more behind the number. */
void local_hello_write(struct local_frame *f, uint32_t version)
{
    put32(f->head, version);
    f->head_len = 4;
}

bool local_hello_read(const struct local_frame *f, uint32_t *out_version)
{
    if (f->kind != LOCAL_HELLO)
        return false;
    *out_version = get32(f->head);
    return true;
}

/* ---- reading ---- */

void local_reader_init(struct local_reader *r, size_t max_message_bytes)
{
    *r = (struct local_reader){ .max_message_bytes = max_message_bytes };
    r->buffer = pl_new0(1, LOCAL_BUFFER_BYTES);
}

void local_reader_done(struct local_reader *r)
{
    rpc_bytes_unref(pl_take(r->frame.message));
    free(pl_take(r->buffer));
}

/* The rest of a message goes where it belongs; all else through the buffer. */
static bool reads_message(const struct local_reader *r)
{
    return r->in_message && r->message && r->start == r->end;
}

struct iovec local_reader_room(struct local_reader *r)
{
    if (reads_message(r))
        return (struct iovec){ r->message + r->have, r->frame.message_len - r->have };
    if (r->start > 0) {
        memmove(r->buffer, r->buffer + r->start, r->end - r->start);
        r->end -= r->start;
        r->start = 0;
    }
    return (struct iovec){ r->buffer + r->end, LOCAL_BUFFER_BYTES - r->end };
}

void local_reader_filled(struct local_reader *r, size_t n)
{
    if (reads_message(r))
        r->have += n;
    else
        r->end += n;
}

/* What is in the buffer of the message under way. */
static void take_message(struct local_reader *r)
{
    size_t missing = r->frame.message_len - r->have, n = r->end - r->start;
    if (n > missing)
        n = missing;
    if (r->message && n > 0)
        memcpy(r->message + r->have, r->buffer + r->start, n);
    r->have += n;
    r->start += n;
}

/* Header and head are known to be there. */
static bool begin_frame(struct local_reader *r)
{
    const uint8_t *at = r->buffer + r->start;
    struct local_frame *f = &r->frame;
    f->kind = (enum local_kind)at[0];
    f->head_len = get16(at + 2);
    f->message_len = get32(at + 4);
    f->slot = get32(at + 8);
    f->turn = get32(at + 12);
    memcpy(f->head, at + LOCAL_HEADER_BYTES, f->head_len);
    r->start += LOCAL_HEADER_BYTES + f->head_len;
    if ((!kinds[f->kind].message && f->message_len > 0) || (!kinds[f->kind].of_call && (f->slot || f->turn)))
        return false;
    size_t limit = f->kind == LOCAL_FAILED ? LOCAL_STATUS_MAX : r->max_message_bytes;
    r->in_message = true;
    r->have = 0;
    r->message = NULL;
    f->message = NULL;
    if (kinds[f->kind].message && f->message_len <= limit)
        f->message = rpc_bytes_room(f->message_len, &r->message);
    return true;
}

/* Bytes from 'start' to the end of the head; 0: the header is wrong. Needs the first four of the header. */
static size_t head_end(const struct local_reader *r)
{
    const uint8_t *at = r->buffer + r->start;
    size_t head_len = get16(at + 2);
    if (at[0] == 0 || at[0] >= LOCAL_KIND_COUNT || at[1] != 0)
        return 0;
    if (head_len < kinds[at[0]].head_min || head_len > kinds[at[0]].head_max)
        return 0;
    return LOCAL_HEADER_BYTES + head_len;
}

enum local_read local_reader_next(struct local_reader *r, struct local_frame **out)
{
    if (!r->in_message) {
        size_t there = r->end - r->start;
        if (there < 4)
            return LOCAL_MORE;
        size_t need = head_end(r);
        if (need == 0)
            return LOCAL_BROKEN;
        if (there < need)
            return LOCAL_MORE;
        if (!begin_frame(r))
            return LOCAL_BROKEN;
    }
    take_message(r);
    if (r->have < r->frame.message_len)
        return LOCAL_MORE;
    r->in_message = false;
    *out = &r->frame;
    return LOCAL_FRAME;
}
