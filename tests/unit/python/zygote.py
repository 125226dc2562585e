"""A zygote of the Python runtime, asked for instances as a worker host asks. Root only; see services/worker/sandbox for the messages."""
import ctypes
import json
import os
import pathlib
import signal
import socket
import struct
import subprocess
import sys
import tempfile

import rig

BIN = pathlib.Path(os.environ.get("PILOTLIGHT_BIN", rig.ROOT / "build" / "bin"))
MODULES = ["numpy", "scipy", "sklearn", "joblib", "pandas", "xgboost"]
MAGIC = 0x5A474F54
REQUEST = struct.Struct("=IIIIQ128s")
REPLY = struct.Struct("=IiQii")
ASSIGNMENT = struct.Struct("=IIII")

_libc = ctypes.CDLL(None, use_errno=True)


class _MountAttributes(ctypes.Structure):
    _fields_ = [("set", ctypes.c_uint64), ("clear", ctypes.c_uint64), ("propagation", ctypes.c_uint64), ("userns", ctypes.c_uint64)]


def _check(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def mount_of(folder):
    """A read-only mount of 'folder' that hangs nowhere, as a descriptor."""
    fd = _check(_libc.syscall(428, -100, str(folder).encode(), 1 | os.O_CLOEXEC))  # open_tree, OPEN_TREE_CLONE
    attributes = _MountAttributes(set=0x1 | 0x2 | 0x4)  # read-only, nosuid, nodev
    _check(_libc.syscall(442, fd, b"", 0x1000, ctypes.byref(attributes), ctypes.sizeof(attributes)))  # mount_setattr
    return fd


class _Child:
    """As much of subprocess.Popen as Instance needs."""

    def __init__(self, pid):
        self.pid, self.returncode = pid, None

    def wait(self, timeout=rig.PATIENCE):
        if self.returncode is None:
            pidfd = os.pidfd_open(self.pid)
            try:
                import select

                if not select.select([pidfd], [], [], timeout)[0]:
                    raise subprocess.TimeoutExpired("instance", timeout)
            finally:
                os.close(pidfd)
            self.returncode = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.returncode

    def send_signal(self, number):
        os.kill(self.pid, number)

    def kill(self):
        self.send_signal(signal.SIGKILL)


class Instance(rig.Instance):
    def __init__(self, zygote, model_dir, **options):
        self.zygote = zygote
        super().__init__(model_dir, **options)
        self.load.model_dir = "/opt/ml/model"

    def _process(self, model_dir, theirs):
        pid = self.zygote.make(theirs.fileno(), self.output.fileno())
        model = mount_of(model_dir)
        socket.send_fds(self.socket, [ASSIGNMENT.pack(MAGIC, self.load_memory, 0, 1)], [model])
        os.close(model)
        return _Child(pid)

    load_memory = 1024


class Zygote:
    def __init__(self, modules=MODULES, profile="python"):
        probe = subprocess.run([BIN / "pilotlight-runner", "probe"], check=True, capture_output=True, text=True).stdout
        plan = json.loads(probe.splitlines()[-1])
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.control.settimeout(rig.PATIENCE)
        self.output = tempfile.TemporaryFile()
        text = f"profile={profile}\nfeatures={plan['features']}\nuid={plan['uid']}\nmodels=\nwork=\n"
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-B", str(rig.RUNTIME), "zygote", str(BIN / "libpilotlight-sandbox.so"), *modules],
            stdin=subprocess.DEVNULL, stdout=self.output, stderr=self.output, pass_fds=(3,),
            env={"PILOTLIGHT_SANDBOX": text, "OMP_NUM_THREADS": "1", "PATH": "/usr/bin:/bin"},
            preexec_fn=lambda: os.dup2(theirs.fileno(), 3))  # fmt: skip
        theirs.close()
        self.made = 0

    def log(self):
        self.output.seek(0)
        return self.output.read().decode("utf-8", "replace")

    def make(self, channel, log):
        """The pid of a new blank instance."""
        self.made += 1
        socket.send_fds(self.control, [REQUEST.pack(MAGIC, 0, 0, 0, self.made, b"")], [channel, log])
        data, fds, _, _ = socket.recv_fds(self.control, REPLY.size, 1)
        assert len(data) == REPLY.size, f"the zygote is gone:\n{self.log()}"
        magic, error, id, pid, _ = REPLY.unpack(data)
        assert (magic, error, id) == (MAGIC, 0, self.made), os.strerror(error)
        for fd in fds:
            os.close(fd)
        return pid

    def instance(self, model_dir, **options):
        return Instance(self, model_dir, **options)

    def stop(self):
        self.control.close()
        return self.process.wait(rig.PATIENCE)
