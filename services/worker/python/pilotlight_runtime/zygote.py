"""The process from which instances are made: it has imported what they need, and holds nothing of anybody's.

libpilotlight-sandbox.so does the rest (services/worker/sandbox/include/sandbox/zygote.h): it locks this process in, and clones it into a
new sandbox for each start. In the clone we become an instance, which is told its model, closes its sandbox and serves.
"""

import ctypes
import gc
import importlib
import os
import pkgutil
import sys

from . import instance, preload, rehearsal

_MADV_COLLAPSE = 25
_HUGE_BYTES = 2 << 20


def _threads():
    """What runs beside the main thread: a clone would not have it, but whatever it holds would stay held."""
    return len(os.listdir("/proc/self/task")) - 1


def _import_all_of_ours():
    """An instance may not see the folder that this package is in."""
    package = sys.modules[__package__]
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module("%s.%s" % (__package__, module.name))
    importlib.import_module("pilotlight")


def _memory():
    """(start, length) of each private region that a program may write, as far as it has whole huge pages."""
    with open("/proc/self/maps", encoding="ascii", errors="replace") as f:
        for line in f:
            span, rights, _, _, inode, *name = line.split(maxsplit=5)
            if rights != "rw-p" or inode != "0" or (name and name[0].startswith("[stack")):
                continue
            start, end = (int(part, 16) for part in span.split("-"))
            start, end = -(-start // _HUGE_BYTES) * _HUGE_BYTES, end // _HUGE_BYTES * _HUGE_BYTES
            if end > start:
                yield start, end - start


def _settle(libc):
    """Everything so far is shared by all instances. The collector shall not look at it again; free memory is joined now, not by each
    instance; and few large pages are cloned faster than many small ones (Linux 6.1; elsewhere that call fails, and starts are slower)."""
    regions = [(ctypes.c_void_p(start), ctypes.c_size_t(length)) for start, length in _memory()]
    gc.collect()
    gc.freeze()
    for start, length in regions:
        libc.madvise(start, length, _MADV_COLLAPSE)
    libc.malloc_trim(0)


def serve(library, names):
    """The whole life; returns in no process."""
    gc.disable()
    report = preload.preload(names)
    _import_all_of_ours()
    rehearsal.play()
    extra = _threads()
    if extra:
        sys.stderr.write("pilotlight: the libraries started %d threads of their own while they were imported\n" % extra)
        os._exit(1)
    sandbox = ctypes.PyDLL(library)
    sys.stderr.write("pilotlight: zygote ready: %s\n" % report)
    sys.stderr.flush()
    _settle(ctypes.CDLL(None))
    ctypes.pythonapi.PyOS_BeforeFork()
    host_fd = sandbox.sandbox_zygote_serve()
    ctypes.pythonapi.PyOS_AfterFork_Child()
    copy = instance.blank(host_fd)
    rehearsal.repeat()
    gc.freeze()
    sandbox.sandbox_zygote_assigned()
    instance.live(copy)
