"""An instance of the Python runtime as its worker host sees it: a process, a socket, what it prints.

The host's half of the protocol is written here anew, with protobuf's own library, so that a mistake is not made twice.
"""
import contextlib
import functools
import os
import pathlib
import socket
import struct
import subprocess
import sys
import tempfile
import textwrap

from nursery import Nursery

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests" / "lib"))

import protos  # noqa: E402

RUNTIME = ROOT / "services" / "worker" / "python"
LOAD, LOADED, FAILED, INVOKE, RESULT, ERROR, ATTACH, DETACH, DETACHED = range(1, 10)
HEADER = struct.Struct("<IBBHQ")
PATIENCE = 60  # seconds; only a hang takes so long

pb = protos.load()
LoadRequest = pb("pilotlight.internal.v1.LoadRequest")
LoadResponse = pb("pilotlight.internal.v1.LoadResponse")
RunnerError = pb("pilotlight.internal.v1.RunnerError")
InvokeRequest = pb("pilotlight.internal.v1.WorkerInvokeRequest")
InvokeResponse = pb("pilotlight.internal.v1.WorkerInvokeResponse")


class Failure(Exception):
    """FAILED or ERROR: the status and the text that the caller would read."""

    def __init__(self, status, text):
        super().__init__(f"{status} {text}")
        self.status, self.text = status, text


class Died(Exception):
    """The process closed its socket instead of answering."""


@functools.cache
def nursery():
    return Nursery()


class Instance:
    """Not locked in: `serve`."""

    def __init__(self, model_dir, memory_size_mb=1024, code_dir="", **environment):
        self.socket, theirs = socket.socketpair()
        self.socket.settimeout(PATIENCE)
        self.output = tempfile.TemporaryFile()
        self.load = LoadRequest(model_dir=str(model_dir), runtime="python", environment=environment, memory_size_mb=memory_size_mb,
                                code_dir=str(code_dir))
        self.questions = 0
        self.process = self._process(model_dir, theirs)
        theirs.close()

    def _process(self, model_dir, theirs):
        return nursery().serve(RUNTIME, theirs, self.output)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.socket.close()
        try:
            self.process.wait(PATIENCE if not any(exc) else 5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            if not any(exc):
                raise

    def log(self):
        self.output.seek(0)
        return self.output.read().decode("utf-8", "replace")

    # ---- frames ----

    def send(self, kind, payload, id=None):
        self.questions += 1
        self.socket.sendall(HEADER.pack(len(payload), kind, 1, 0, self.questions if id is None else id) + payload)

    def _read(self, n):
        data = bytearray()
        while len(data) < n:
            try:
                more = self.socket.recv(n - len(data))
            except ConnectionResetError:
                more = b""
            if not more:
                raise Died(f"exit {self.process.wait(PATIENCE)}\n{self.log()}")
            data += more
        return bytes(data)

    def receive(self):
        length, kind, version, zero, id = HEADER.unpack(self._read(HEADER.size))
        assert (version, zero) == (1, 0) and id == self.questions, "an answer to another question"
        return kind, self._read(length)

    # ---- questions ----

    def start(self):
        """Facts of the model, or Failure."""
        self.send(LOAD, self.load.SerializeToString())
        kind, payload = self.receive()
        if kind == FAILED:
            error = RunnerError.FromString(payload)
            raise Failure(error.model_status, error.message)
        assert kind == LOADED
        return LoadResponse.FromString(payload).facts

    def ask(self, body, content_type="", accept="", **more):
        """The whole answer, or Failure."""
        body = body if isinstance(body, bytes) else body.encode()
        self.send(INVOKE, InvokeRequest(body=body, content_type=content_type, accept=accept, **more).SerializeToString())
        kind, payload = self.receive()
        if kind == ERROR:
            error = InvokeResponse.FromString(payload)
            raise Failure(error.model_status, error.body.decode())
        assert kind == RESULT
        return InvokeResponse.FromString(payload)

    # ---- a router that has borrowed it ----

    def attach(self):
        """The router's end of a second socket."""
        ours, theirs = socket.socketpair()
        ours.settimeout(PATIENCE)
        socket.send_fds(self.socket, [HEADER.pack(0, ATTACH, 1, 0, 0)], [theirs.fileno()])
        theirs.close()
        return ours

    def detach(self):
        self.send(DETACH, b"")
        assert self.receive() == (DETACHED, b"")

    @contextlib.contextmanager
    def by(self, router):
        """Inside, questions go by this socket."""
        worker, self.socket = self.socket, router
        try:
            yield self
        finally:
            self.socket = worker

    def stop(self):
        """The exit code after end of file."""
        self.socket.shutdown(socket.SHUT_RDWR)
        return self.process.wait(PATIENCE)


def script(folder, text, name="inference.py", **files):
    """An artifact with this script in code/; more files by path with '/' as '__'."""
    code = pathlib.Path(folder) / "code"
    code.mkdir(parents=True, exist_ok=True)
    (code / name).write_text(textwrap.dedent(text))
    for path, content in files.items():
        target = pathlib.Path(folder) / path.replace("__", "/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content if isinstance(content, bytes) else textwrap.dedent(content).encode())
    return folder
