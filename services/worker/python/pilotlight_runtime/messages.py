"""What is in the frames: proto/pilotlight/internal/v1/runner.proto and worker.proto. Unknown fields are passed over."""

from . import wire

MAX_MESSAGE = 1023  # bytes of the reason why a model did not load, as the host takes it
MAX_ERROR = 64 << 10  # bytes of an error that a caller gets instead of an answer


class LoadRequest:
    def __init__(self, payload):
        self.model_dir = self.runtime = self.code_dir = ""
        self.environment = {}
        self.memory_size_mb = 0
        for number, kind, value in wire.fields(payload):
            if number == 1:
                self.model_dir = _text(kind, value)
            elif number == 2:
                self.runtime = _text(kind, value)
            elif number == 3:
                name, text = _entry(kind, value)
                self.environment[name] = text
            elif number == 4 and kind == wire.VARINT:
                self.memory_size_mb = value
            elif number == 5:
                self.code_dir = _text(kind, value)


class InvokeRequest:
    """One request. 'body' is bytes; the texts are the caller's, which means anything."""

    __slots__ = ("content_type", "accept", "body", "custom_attributes", "inference_id", "request_id")

    def __init__(self, payload):
        self.content_type = self.accept = self.custom_attributes = self.inference_id = ""
        self.body = b""
        self.request_id = 0
        for number, kind, value in wire.fields(payload):
            if number == 2:
                self.content_type = _text(kind, value)
            elif number == 3:
                self.accept = _text(kind, value)
            elif number == 4 and kind == wire.BYTES:
                self.body = bytes(value)
            elif number == 5:
                self.custom_attributes = _text(kind, value)
            elif number == 6:
                self.inference_id = _text(kind, value)
            elif number == 101 and kind == wire.VARINT:
                self.request_id = value


def _text(kind, value):
    if kind != wire.BYTES:
        raise wire.Malformed("a text is a number")
    return str(value, "utf-8", "replace")


def _entry(kind, value):
    key = text = ""
    if kind != wire.BYTES:
        raise wire.Malformed("a map entry is a number")
    for number, inner_kind, inner in wire.fields(value):
        if number == 1:
            key = _text(inner_kind, inner)
        elif number == 2:
            text = _text(inner_kind, inner)
    return key, text


def load_response(facts, load_us, warm_us):
    inner = (
        wire.put_bytes(1, facts.runtime_version.encode())
        + wire.put_bytes(2, facts.objective.encode())
        + wire.put_varint(3, facts.features)
        + wire.put_varint(4, facts.outputs)
        + wire.put_varint(5, facts.model_files)
    )
    return wire.put_bytes(1, inner) + wire.put_varint(2, load_us) + wire.put_varint(3, warm_us)


def invoke_response(body, content_type, custom_attributes, status):
    head = wire.put_header(1, len(body)) if body else b""
    tail = (
        wire.put_bytes(2, content_type.encode("ascii"))
        + wire.put_bytes(4, custom_attributes.encode("ascii"))
        + wire.put_varint(5, status)
    )
    return b"".join((head, body, tail))


def refusal(status, text):
    """In answer to INVOKE. 'text' is cut between characters."""
    return invoke_response(cut(text, MAX_ERROR).encode(), "", "", status)


def runner_error(status, text):
    """In answer to LOAD. 'text' is cut between characters."""
    return wire.put_varint(1, status) + wire.put_bytes(2, cut(text, MAX_MESSAGE).encode())


def cut(text, limit):
    """At most 'limit' bytes of UTF-8, never in the middle of a character."""
    return text.encode("utf-8", "replace")[:limit].decode("utf-8", "ignore")
