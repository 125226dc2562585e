"""The protobuf wire format, as far as frames need it: the same subset as common/wire. Groups are refused; nothing recurses."""

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_FIXED_SIZE = {FIXED64: 8, FIXED32: 4}
_MAX_VARINT_BYTES = 10


class Malformed(ValueError):
    """Not a protobuf message, or not one with the fields that were declared."""


def _varint(data, at):
    value = shift = 0
    for at in range(at, min(at + _MAX_VARINT_BYTES, len(data))):
        byte = data[at]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, at + 1
        shift += 7
    raise Malformed("a number has no end")


def fields(data):
    """Yields (number, type, value) of each field; the value of BYTES is a slice of 'data', of the others an int."""
    at, end = 0, len(data)
    while at < end:
        tag, at = _varint(data, at)
        number, kind = tag >> 3, tag & 7
        if number == 0 or number >= 1 << 29:
            raise Malformed("field number %d" % number)
        if kind == VARINT:
            value, at = _varint(data, at)
        elif kind == BYTES:
            length, at = _varint(data, at)
            if length > end - at:
                raise Malformed("field %d is longer than the message" % number)
            value, at = data[at : at + length], at + length
        elif kind in _FIXED_SIZE:
            size = _FIXED_SIZE[kind]
            if size > end - at:
                raise Malformed("field %d is longer than the message" % number)
            value, at = int.from_bytes(data[at : at + size], "little"), at + size
        else:
            raise Malformed("field %d has wire type %d" % (number, kind))
        yield number, kind, value


def _put(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def put_varint(number, value):
    """A field of type int32, int64, uint32, uint64 or bool; 0 is left out, as proto3 does."""
    return _put(number << 3 | VARINT) + _put(value & 0xFFFFFFFFFFFFFFFF) if value else b""


def put_header(number, length):
    """Tag and length of a bytes field; the content follows."""
    return _put(number << 3 | BYTES) + _put(length)


def put_bytes(number, content):
    return put_header(number, len(content)) + content if content else b""
