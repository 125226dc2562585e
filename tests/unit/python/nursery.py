"""Processes of the Python runtime, born of one parent that has the libraries imported, as the worker host's zygote has.

A process that imports NumPy, scikit-learn and XGBoost itself needs a second of a core, and every test wants a new one.
"""
import ctypes
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

LIBRARIES = ("joblib", "numpy", "pandas", "sklearn.ensemble", "sklearn.feature_extraction.text", "sklearn.pipeline", "xgboost")
PR_SET_CHILD_SUBREAPER = 36

# Forks twice: what is born has no parent left but the next process above that adopts orphans, which is the test's.
PARENT = """
import os, runpy, socket, sys
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"):
    os.environ[name] = "1"
import {libraries}
door = socket.socket(fileno=int(sys.argv[1]))
while True:
    order, fds, _, _ = socket.recv_fds(door, 65536, 2)
    if not order:
        os._exit(0)
    inner, outer = os.pipe()
    middle = os.fork()
    if middle:
        os.waitpid(middle, 0)  # from here on it is an orphan, and adopted
        door.send(os.read(inner, 32))
        for fd in (inner, outer, *fds):
            os.close(fd)
        continue
    born = os.fork()
    if born:
        os.write(outer, str(born).encode())
        os._exit(0)
    break
link, output = (os.dup(fd) for fd in fds)
os.closerange(3, min(fds))
os.dup2(output, 1), os.dup2(output, 2), os.dup2(link, 3)
os.closerange(4, 64)
sys.argv = [order.decode(), "serve"]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


class Born:
    """As much of subprocess.Popen as tests use."""

    def __init__(self, pid):
        self.pid, self.returncode = pid, None

    def poll(self):
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout):
        end = time.monotonic() + timeout
        while self.poll() is None:
            if time.monotonic() > end:
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout)
            time.sleep(0.002)
        return self.returncode

    def send_signal(self, number):
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self):
        self.send_signal(signal.SIGKILL)


class Nursery:
    def __init__(self):
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self.door, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self.parent = subprocess.Popen([sys.executable, "-I", "-B", "-c", PARENT.format(libraries=", ".join(LIBRARIES)),
                                            str(theirs.fileno())], stdin=subprocess.DEVNULL, pass_fds=(theirs.fileno(),))

    def serve(self, runtime: pathlib.Path, link, output):
        """A process that runs `runtime serve`, with its link to the host and a file for what it prints."""
        socket.send_fds(self.door, [str(runtime).encode()], [link.fileno(), output.fileno()])
        return Born(int(self.door.recv(32)))
