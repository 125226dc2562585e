"""Standard output and error of an instance: pipes to the worker host, which puts endpoint, instance and request id to each line.

A line must be in its pipe before the answer that it belongs to, so everything is flushed before an answer leaves: Python's streams, and
what C libraries wrote with printf.
"""

import ctypes
import faulthandler
import io
import logging
import sys


def _c_flush():
    try:
        libc = ctypes.CDLL(None)
        return lambda: libc.fflush(None)
    except (OSError, AttributeError):
        return lambda: None


_flush_c = _c_flush()


def name_process(name):
    """As `ps -o comm` shows it."""
    try:
        ctypes.CDLL(None).prctl(15, name)  # PR_SET_NAME
    except (OSError, AttributeError):
        pass


def _stream(fd):
    raw = io.FileIO(fd, "w", closefd=False)
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding="utf-8", errors="backslashreplace", line_buffering=True)


def open_streams():
    """Anew, because a zygote's own streams are another's; and the traceback of a crash in C goes to the log."""
    sys.stdout = sys.__stdout__ = _stream(1)
    sys.stderr = sys.__stderr__ = _stream(2)
    faulthandler.enable(file=2)


def open_logging():
    """logging.info() and friends to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    logging.root.handlers[:] = [handler]
    logging.captureWarnings(True)


def set_log_level(environment):
    """SAGEMAKER_CONTAINER_LOG_LEVEL, a number as Python has them; 20 = INFO."""
    level = environment.get("SAGEMAKER_CONTAINER_LOG_LEVEL", "")
    logging.root.setLevel(int(level) if level.isdigit() else logging.INFO)


def flush():
    """The model's code may have closed or replaced any of them."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:
            pass
    _flush_c()
