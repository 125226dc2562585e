"""What a caller reads when a model's code fails, and what the logs get: the caller a status and a cut text, the logs everything."""

import sys
import traceback

from .messages import MAX_MESSAGE, cut

BAD_REQUEST, NOT_ACCEPTABLE, TOO_LARGE, UNSUPPORTED, FAILED = 400, 406, 413, 415, 500

_OURS = __file__.rsplit("/", 1)[0] + "/"


class Refusal(Exception):
    """Says no with a status of its own; its text goes to the caller as it is, without a traceback."""

    def __init__(self, status, text):
        super().__init__(text)
        self.status = status
        self.text = text


class HookFailed(Exception):
    """A hook of the model's code raised; the exception is the cause."""

    def __init__(self, hook, cause):
        super().__init__(hook)
        self.hook = hook
        self.cause = cause


def _name(exception):
    kind = type(exception)
    return kind.__qualname__ if kind.__module__ == "builtins" else "%s.%s" % (kind.__module__, kind.__qualname__)


def _summary(hook, exception, memory_size_mb):
    """One line. The exception is somebody else's: even its text may raise."""
    try:
        text = str(exception)
    except BaseException:
        text = "(its text cannot be made)"
    if isinstance(exception, MemoryError):
        return "%s: out of memory: the instance may use %d MB (memory_size_mb)" % (hook, memory_size_mb)
    if isinstance(exception, SystemExit):
        return "%s called sys.exit(%s)" % (hook, text)
    return "%s: %s: %s" % (hook, _name(exception), text) if text else "%s: %s" % (hook, _name(exception))


def _status(exception):
    """An exception may bring the status that its caller shall see, as SageMaker's own errors do."""
    status = getattr(exception, "status_code", None)
    return status if isinstance(status, int) and 400 <= status <= 599 else FAILED


def _their_frames(exception):
    """The traceback from where their code begins."""
    tb = exception.__traceback__
    while tb is not None and tb.tb_frame.f_code.co_filename.startswith(_OURS):
        tb = tb.tb_next
    return tb


def _trace(exception):
    try:
        lines = traceback.format_exception(type(exception), exception, _their_frames(exception))
    except BaseException:
        return ""
    return "".join(lines)


def _cut_front(text, limit):
    """The end of 'text' is what tells most: it keeps that."""
    raw = text.encode("utf-8", "replace")
    if len(raw) <= limit:
        return text
    return "..." + raw[len(raw) - limit + 3 :].decode("utf-8", "ignore")


def for_caller(exception, memory_size_mb=0, limit=MAX_MESSAGE):
    """(status, text) of what went wrong: first a line that says it, then as much of the traceback's end as there is room for in 'limit' bytes."""
    if isinstance(exception, Refusal):
        return exception.status, cut(exception.text, limit)
    hook, cause = ("inference", exception)
    if isinstance(exception, HookFailed):
        hook, cause = exception.hook, exception.cause
    first = cut(_summary(hook, cause, memory_size_mb), limit // 2)
    room = limit - len(first.encode()) - 1
    trace = "" if isinstance(cause, MemoryError) else _cut_front(_trace(cause).strip(), room)
    return _status(cause), first + "\n" + trace if trace else first


def log(exception):
    """The whole of it to standard error; a refusal is the caller's business alone."""
    if isinstance(exception, Refusal):
        return
    cause = exception.cause if isinstance(exception, HookFailed) else exception
    text = _trace(cause)
    try:
        if isinstance(exception, HookFailed):
            text = "%s failed\n%s" % (exception.hook, text)
        sys.stderr.write(text)
        sys.stderr.flush()
    except BaseException:
        pass
