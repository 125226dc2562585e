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

from . import instance, preload, processes, rehearsal, template


def _threads():
    """What runs beside the main thread: a clone would not have it, but whatever it holds would stay held."""
    return len(os.listdir("/proc/self/task")) - 1


def _import_all_of_ours():
    """An instance may not see the folder that this package is in."""
    package = sys.modules[__package__]
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module("%s.%s" % (__package__, module.name))
    importlib.import_module("pilotlight")


def _settle():
    """Everything so far is shared by all instances, and the collector shall not look at it again. No collection first, no large pages:
    both were measured, and make what an instance writes to while somebody waits nearly twice as many pages."""
    gc.freeze()


def serve(library, names):
    """The whole life; returns in no process."""
    gc.disable()
    report = preload.preload(names)
    _import_all_of_ours()
    processes.explain()
    rehearsal.play()
    extra = _threads()
    if extra:
        sys.stderr.write("pilotlight: the libraries started %d threads of their own while they were imported\n" % extra)
        os._exit(1)
    sandbox = ctypes.PyDLL(library)
    sys.stderr.write("pilotlight: zygote ready: %s\n" % report)
    sys.stderr.flush()
    _settle()
    ctypes.pythonapi.PyOS_BeforeFork()
    host_fd = sandbox.sandbox_zygote_serve()
    ctypes.pythonapi.PyOS_AfterFork_Child()
    copy = instance.blank(host_fd)
    rehearsal.repeat()
    gc.freeze()
    sandbox.sandbox_zygote_assigned()
    if sandbox.sandbox_is_template():
        template.serve(copy, sandbox)
    instance.live(copy)
