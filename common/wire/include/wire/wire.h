/* wire - the protobuf wire format, one field at a time, without copying.
 *
 * The hot path does not unpack messages: the router reads a few fields of a request and passes the same bytes on, the
 * worker appends its own fields to an instance's answer. This works because a protobuf message may hold its fields in
 * any order, because of a repeated scalar field the last one counts, and because repeated sub-messages merge: so a hop
 * adds fields by appending them. Source of the rules: the Protocol Buffers encoding document.
 *
 * Bounds: a field number is 1..2^29-1, a length never passes the end, groups are refused. Nothing recurses. */
#ifndef WIRE_WIRE_H
#define WIRE_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

enum wire_type { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

struct wire_field {
    uint32_t number;
    enum wire_type type;
    uint64_t value;    /* VARINT, FIXED64, FIXED32                                                              */
    const void *bytes; /* BYTES: the content, when it lies in one span; NULL when it straddles spans            */
    size_t len;        /* BYTES: length of the content                                                          */
    size_t offset;     /* BYTES: where the content starts, counted from the start of the message                */
};

/* Reads over one or more spans that together are one message. The spans must outlive the reader. */
struct wire_reader {
    const struct iovec *spans;
    unsigned span_count;
    unsigned span; /* current */
    size_t at;     /* in the current span */
    size_t offset; /* from the start of the message */
    size_t left;
    bool malformed; /* set when wire_next() returned false for a reason other than the end */
};

void wire_read(struct wire_reader *r, const struct iovec *spans, unsigned span_count);
void wire_read_flat(struct wire_reader *r, struct iovec *span, const void *bytes,
                    size_t n); /* 'span' is the reader's storage */
/* The next field, or false at the end or at malformed bytes. */
bool wire_next(struct wire_reader *r, struct wire_field *out);
/* Copies a BYTES field's content, at most 'cap' bytes, also when it straddles spans; returns how many. */
size_t wire_copy(const struct wire_reader *r, const struct wire_field *f, void *out, size_t cap);

/* Writers: append to 'out' and return the new end. Worst cases: varint field 15 bytes, bytes header 15 bytes. */
#define WIRE_MAX_HEADER 15
uint8_t *wire_put_varint(uint8_t *out, uint32_t field, uint64_t value);
uint8_t *wire_put_header(uint8_t *out, uint32_t field, size_t len); /* tag and length; the content follows */
uint8_t *wire_put_bytes(uint8_t *out, uint32_t field, const void *bytes, size_t n);
uint8_t *wire_put_fixed64(uint8_t *out, uint32_t field, uint64_t value);

#endif
