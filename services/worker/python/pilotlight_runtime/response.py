"""What a hook may return as an answer, made into one thing: body, content type, custom attributes, status."""

from .failures import FAILED, HookFailed, Refusal

MAX_BODY = 6 << 20
MAX_TEXT = 1024


class Answer:
    __slots__ = ("body", "content_type", "custom_attributes", "status")

    def __init__(self, body, content_type, custom_attributes="", status=200):
        self.body = body
        self.content_type = content_type
        self.custom_attributes = custom_attributes
        self.status = status


def _too_large(length):
    return Refusal(FAILED, "the answer has %d bytes, but the limit is %d: send fewer rows at once" % (length, MAX_BODY))


def _gather(hook, parts):
    """A generator streams its answer in parts; they are sent as one, within the limit."""
    out = bytearray()
    try:
        for part in parts:
            out += _body(hook, part)
            if len(out) > MAX_BODY:
                raise _too_large(len(out))
    except Refusal:
        raise
    except BaseException as e:
        raise HookFailed(hook, e) from None
    return bytes(out)


def _body(hook, value):
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape")
    if isinstance(value, (bytearray, memoryview)):
        return bytes(value)
    if hasattr(value, "__next__"):
        return _gather(hook, value)
    if hasattr(value, "getvalue"):  # io.BytesIO, io.StringIO
        return _body(hook, value.getvalue())
    raise Refusal(
        FAILED,
        "%s returned %s: an answer is bytes, str, a generator of them, (body, content_type) or a Response"
        % (hook, type(value).__qualname__),
    )


def _header(hook, what, value):
    value = "" if value is None else value
    if not isinstance(value, str) or len(value) > MAX_TEXT or not all(" " <= c <= "~" for c in value):
        raise Refusal(FAILED, "%s returned a %s that is not printable ASCII of at most %d characters" % (hook, what, MAX_TEXT))
    return value


def _is_response(value):
    """pilotlight.Response, or one of the shape that SageMaker's and Flask's frameworks give: .response and .mimetype."""
    return hasattr(value, "response") and (hasattr(value, "mimetype") or hasattr(value, "content_type"))


def _from_response(hook, value):
    content_type = getattr(value, "content_type", None) or getattr(value, "mimetype", None)
    body = value.response
    if isinstance(body, (list, tuple)):
        body = iter(body)
    status = getattr(value, "status_code", None) or getattr(value, "status", None) or 200
    if not isinstance(status, int) or not 200 <= status <= 599:
        raise Refusal(FAILED, "%s returned the status %r: 200 to 599 are allowed" % (hook, status))
    return Answer(
        _body(hook, body),
        _header(hook, "content type", content_type),
        _header(hook, "value of custom_attributes", getattr(value, "custom_attributes", "")),
        status,
    )


def normalise(hook, value, accept, custom_attributes=""):
    """The Answer in what 'hook' returned; its type and attributes are these when it names none. A status that is no success is a Refusal."""
    if _is_response(value):
        answer = _from_response(hook, value)
    elif isinstance(value, tuple) and len(value) == 2:
        answer = Answer(_body(hook, value[0]), _header(hook, "content type", value[1]))
    else:
        answer = Answer(_body(hook, value), accept)
    if len(answer.body) > MAX_BODY:
        raise _too_large(len(answer.body))
    if answer.status >= 300:
        status = answer.status if answer.status >= 400 else FAILED
        raise Refusal(status, str(answer.body, "utf-8", "replace") or "%s answered with the status %d" % (hook, answer.status))
    answer.content_type = answer.content_type or _header(hook, "content type", accept)
    answer.custom_attributes = answer.custom_attributes or _header(hook, "value of custom_attributes", custom_attributes)
    return answer
