"""The life of an instance.

    LOAD     the environment is set, the model's code imported, the model loaded, a first prediction made; LOADED says what was learned,
             FAILED why not, after which the host closes. In the copy of a template (template.py) all that is there already
    INVOKE   handler.py makes an answer of it; RESULT, or ERROR with the status and text for the caller. One at a time
    end      the host closed its end: exit functions run, this process leaves

Whatever the model's code raises, sys.exit included, ends its request and nothing else. What it cannot survive, the host sees: a process
that ended, or that does not answer.
"""

import atexit
import gc
import os
import random
import sys
import time

from . import failures, link, messages, output, signals
from .handler import Handler

EXIT_STOPPED, EXIT_PROTOCOL = 0, 2
MB_PER_CPU = 1769  # as services/worker/seats.c has it


def _now_us():
    return time.monotonic_ns() // 1000


def _set_environment(load):
    """The model's own variables, and those that its container would have."""
    # What n_jobs=-1 means to joblib: as many threads as the memory size buys cores, not as many as the host has.
    os.environ["LOKY_MAX_CPU_COUNT"] = str(max(1, load.memory_size_mb // MB_PER_CPU))
    os.environ.setdefault("SM_MODEL_DIR", load.model_dir)
    os.environ.setdefault("SAGEMAKER_BASE_DIR", "/opt/ml")
    os.environ.setdefault("HOME", "/tmp")
    os.environ.setdefault("TMPDIR", "/tmp")
    for name, value in load.environment.items():
        try:
            os.environ[name] = value
        except ValueError:
            raise failures.Refusal(failures.FAILED, "the environment variable '%.100s' has a name or a value that cannot be set" % name) from None
    if load.code_dir:
        os.environ["SAGEMAKER_SUBMIT_DIRECTORY"] = load.code_dir


class Instance:
    def __init__(self, host_fd):
        self.link = link.Link(host_fd)
        self.guard = signals.Guard()
        self.guard.install()
        self.handler = None
        self.loaded = False  # LOAD has been answered with LOADED
        self.memory_size_mb = 0

    def _fail_load(self, frame_id, exception):
        failures.log(exception)
        status, text = failures.for_caller(exception, self.memory_size_mb)
        output.flush()
        self.link.send(link.FAILED, frame_id, messages.runner_error(status, text))

    def _refuse(self, frame_id, exception):
        failures.log(exception)
        status, text = failures.for_caller(exception, self.memory_size_mb, messages.MAX_ERROR)
        output.flush()
        self.link.send(link.ERROR, frame_id, messages.refusal(status, text))

    def _guarded(self, work, payload):
        """'work' runs the model's code; its exceptions come out, whichever they are."""
        self.guard.in_hook = True
        try:
            return work(payload)
        finally:
            self.guard.in_hook = False

    # ---- LOAD ----

    def _load(self, payload):
        if self.handler is not None:
            return self._wake()
        load = messages.LoadRequest(payload)
        self.memory_size_mb = load.memory_size_mb
        _set_environment(load)
        output.set_log_level(load.environment)
        start = _now_us()
        handler = Handler(load)
        loaded = _now_us()
        handler.warm()
        self.handler = handler
        # What is loaded now stays: the collector need not look at it again, nor touch pages that are shared.
        gc.freeze()
        return messages.load_response(handler.facts, loaded - start, _now_us() - loaded)

    def _wake(self):
        """The model came with the copy. It was a blank one until now, by its name too."""
        start = _now_us()
        output.name_process(b"pl-python")
        self.handler.after_fork()
        return messages.load_response(self.handler.facts, _now_us() - start, 0)

    def become_copy(self, host_fd):
        """This process is a copy of the one that loaded the model; its host's socket is another."""
        self.link = link.Link(host_fd)
        self.loaded = False
        reseed()
        # Once more, for the pages that its predictions will write to anyway. Nobody waits for it yet.
        try:
            self.handler.warm()
        except BaseException as e:
            failures.log(e)

    def on_load(self, frame_id, payload):
        try:
            answer = self._guarded(self._load, payload)
            self.loaded = True
        except BaseException as e:
            self._fail_load(frame_id, e)
            return
        output.flush()
        self.link.send(link.LOADED, frame_id, answer)

    # ---- INVOKE ----

    def _invoke(self, payload):
        answer = self.handler.answer(messages.InvokeRequest(payload))
        return messages.invoke_response(answer.body, answer.content_type, answer.custom_attributes, answer.status)

    def on_invoke(self, frame_id, payload):
        try:
            answer = self._guarded(self._invoke, payload)
        except BaseException as e:
            self._refuse(frame_id, e)
            return
        output.flush()
        self.link.send(link.RESULT, frame_id, answer)

    def run(self):
        while True:
            frame = self.link.receive()
            if frame is None:
                return EXIT_STOPPED
            kind, frame_id, payload = frame
            if kind == link.LOAD and not self.loaded:
                self.on_load(frame_id, payload)
            elif kind == link.INVOKE and self.loaded:
                self.on_invoke(frame_id, payload)
            else:
                raise link.Broken("a frame of kind %d, which is not what may come now" % kind)


def reseed():
    """Two processes that were forked from one draw the same numbers. Python's own generator sees to itself; NumPy's does not."""
    random.seed()
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        numpy.random.seed()


def blank(host_fd):
    """An instance that has no model yet. Nothing of a model is needed for this, so a zygote's copies do it ahead of need."""
    output.open_streams()
    output.open_logging()
    reseed()
    return Instance(host_fd)


def live(instance):
    """The rest of its life; does not return."""
    gc.enable()
    try:
        code = instance.run()
        atexit._run_exitfuncs()
    except link.Broken as e:
        sys.stderr.write("pilotlight: %s\n" % e)
        code = EXIT_PROTOCOL
    except BaseException as e:
        failures.log(e)
        code = EXIT_STOPPED
    output.flush()
    # Not sys.exit(): threads of the model's code may never end.
    os._exit(code)
