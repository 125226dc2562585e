#include "event_stream.h"

#include <pthread.h>
#include <string.h>

#define TYPE_STRING 7

static uint32_t table[256];
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* The CRC-32 of zlib and Ethernet, reflected polynomial 0xEDB88320. */
static void make_table(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int bit = 0; bit < 8; bit++)
            c = c & 1 ? UINT32_C(0xEDB88320) ^ c >> 1 : c >> 1;
        table[i] = c;
    }
}

uint32_t event_stream_crc32(uint32_t crc, const void *bytes, size_t n)
{
    const unsigned char *p = bytes;
    (void)pthread_once(&once, make_table);
    crc = ~crc;
    for (size_t i = 0; i < n; i++)
        crc = table[(crc ^ p[i]) & 0xff] ^ crc >> 8;
    return ~crc;
}

static void add_u32(struct pl_buf *out, uint32_t v)
{
    const unsigned char b[] = { (unsigned char)(v >> 24), (unsigned char)(v >> 16), (unsigned char)(v >> 8),
                                (unsigned char)v };
    (void)pl_buf_add(out, b, sizeof(b)); /* the buffer remembers a failure */
}

static void add_header(struct pl_buf *out, const struct event_header *h)
{
    size_t n = strlen(h->value);
    (void)pl_buf_addc(out, (char)strlen(h->name));
    (void)pl_buf_adds(out, h->name);
    (void)pl_buf_addc(out, TYPE_STRING);
    (void)pl_buf_addc(out, (char)(n >> 8));
    (void)pl_buf_addc(out, (char)n);
    (void)pl_buf_add(out, h->value, n);
}

bool event_stream_add(struct pl_buf *out, const struct event_header *headers, size_t count, const void *payload,
                      size_t payload_len)
{
    size_t start = out->len, header_len = 0;
    for (size_t i = 0; i < count; i++)
        header_len += 1 + strlen(headers[i].name) + 3 + strlen(headers[i].value);
    add_u32(out, (uint32_t)(12 + header_len + payload_len + 4));
    add_u32(out, (uint32_t)header_len);
    if (out->failed)
        return false;
    add_u32(out, event_stream_crc32(0, out->data + start, 8));
    for (size_t i = 0; i < count; i++)
        add_header(out, &headers[i]);
    (void)pl_buf_add(out, payload, payload_len);
    if (out->failed)
        return false;
    add_u32(out, event_stream_crc32(0, out->data + start, out->len - start));
    return !out->failed;
}
