"""Handlers of signals that the model's code installs may raise. Inside a hook that is its own business: the request fails. Anywhere else
an exception would tear a frame in half, so there it is reported and goes no further.

Done by standing in for signal.signal(): what is installed is the handler behind a guard.
"""

import signal
import sys

from . import failures

_install = signal.signal
_inspect = signal.getsignal


class Guard:
    """in_hook: the model's code is running in the main thread, called by us."""

    def __init__(self):
        self.in_hook = False

    def _behind(self, handler):
        def guarded(number, frame):
            try:
                return handler(number, frame)
            except BaseException:
                if self.in_hook:
                    raise
                failures.log(failures.HookFailed("the handler of signal %d" % number, sys.exc_info()[1]))

        guarded.handler = handler
        return guarded

    def install(self):
        def stand_in(number, handler):
            before = _install(number, self._behind(handler) if callable(handler) else handler)
            return getattr(before, "handler", before)

        def inspect(number):
            handler = _inspect(number)
            return getattr(handler, "handler", handler)

        signal.signal, signal.getsignal = stand_in, inspect
        signal.signal(signal.SIGINT, signal.default_int_handler)
