"""An instance is one process, and its sandbox lets it make no other. What needs one says so in words; what only asks for one does without.

multiprocessing's shared memory is such a case: it starts a program that removes what its users leave behind. Here that goes with the
instance, whose own folder it is in. joblib is another: where nobody has chosen, its jobs are threads.
"""

import os
import sys

_WHY = "an instance is one process: the sandbox lets it start no other, and no program; threads and their pools are there"


def _in_words(function):
    def stand_in(*args, **kwargs):
        try:
            return function(*args, **kwargs)
        except PermissionError as e:
            raise PermissionError(e.errno, _WHY) from None

    return stand_in


def _nothing(*args, **kwargs):
    return None


def _without_tracker():
    from multiprocessing import resource_tracker as module

    for name in ("ensure_running", "register", "unregister"):
        setattr(module._resource_tracker, name, _nothing)
        setattr(module, name, _nothing)


def _with_reasons():
    import _posixsubprocess
    import subprocess

    os.fork = _in_words(os.fork)
    os.posix_spawn = _in_words(os.posix_spawn)
    os.posix_spawnp = _in_words(os.posix_spawnp)
    _posixsubprocess.fork_exec = _in_words(_posixsubprocess.fork_exec)
    for name in ("_fork_exec", "_posixsubprocess"):  # by one name or the other, as the version of Python has it
        if hasattr(subprocess, name):
            setattr(subprocess, name, _posixsubprocess.fork_exec if name == "_fork_exec" else _posixsubprocess)


def _jobs_as_threads():
    module = sys.modules.get("joblib.parallel")
    if module is not None and "threading" in getattr(module, "BACKENDS", ()):
        module.DEFAULT_BACKEND = "threading"


def explain():
    """In a process that is locked in: elsewhere they may work."""
    _with_reasons()
    _without_tracker()
    _jobs_as_threads()
