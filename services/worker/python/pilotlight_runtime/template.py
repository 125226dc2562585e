"""A process that loads a model and then makes instances that have it (services/worker/sandbox/include/sandbox/template.h).

It answers its one LOAD like any instance. From then on it waits inside libpilotlight-sandbox.so, which returns in each copy; the copy is
an instance whose model is there already: its LOAD only runs the script's after_fork(). What a copy does not have of the template: its open
files, which would be shared by all copies, and what it wrote to /tmp.
"""

import ctypes
import gc
import os
import sys

from . import link, output


def _settle():
    """What is here now is shared by all copies. Garbage would be, too."""
    gc.collect()
    gc.freeze()
    gc.disable()


def serve(loader, sandbox):
    """Returns in each copy, with 'loader' as its instance; the template itself leaves from here."""
    gc.enable()
    try:
        frame = loader.link.receive()
        if frame is None:
            os._exit(0)
        kind, frame_id, payload = frame
        if kind != link.LOAD:
            raise link.Broken("a frame of kind %d, which is not what may come now" % kind)
        loader.on_load(frame_id, payload)
        if not loader.loaded:
            loader.link.receive()  # the host has heard why, and closes
            os._exit(0)
    except link.Broken as e:
        sys.stderr.write("pilotlight: %s\n" % e)
        output.flush()
        os._exit(2)
    output.flush()
    loader.link.detach()
    _settle()
    ctypes.pythonapi.PyOS_BeforeFork()
    host_fd = sandbox.sandbox_template_serve()
    ctypes.pythonapi.PyOS_AfterFork_Child()
    loader.become_copy(host_fd)
