"""The AWS CLI from Debian, once for all commands of a process: `aws` takes more than a second of a core only to import itself.

One process does that; each command is a fork of it, with its own arguments, environment and output, as if it had been started.
"""
import functools
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import threading

PYTHON = "/usr/bin/python3"  # Debian's own, as in /usr/bin/aws


class Cli:
    def __init__(self):
        self.lock = threading.Lock()
        self.door, theirs = socket.socketpair()
        with theirs:
            self.parent = subprocess.Popen([PYTHON, __file__, str(theirs.fileno())], stdin=subprocess.DEVNULL, pass_fds=(theirs.fileno(),))

    def run(self, arguments, environment, timeout):
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, self.lock:
            self.door.settimeout(timeout)
            order = json.dumps([arguments, environment]).encode()
            socket.send_fds(self.door, [len(order).to_bytes(4, "big")], [out.fileno(), err.fileno()])
            self.door.sendall(order)
            code = int.from_bytes(self.door.recv(4, socket.MSG_WAITALL), "big", signed=True)
            out.seek(0), err.seek(0)
            return subprocess.CompletedProcess(["aws", *arguments], code, out.read().decode(), err.read().decode())


@functools.cache
def _cli():
    return Cli()


def run(arguments, environment, timeout):
    """`aws ARGUMENTS`; the completed process with text output."""
    return _cli().run(arguments, environment, timeout)


def _command(arguments, environment, out, err):
    """In the child."""
    import awscli.clidriver
    data = os.environ["AWS_DATA_PATH"]  # set by the import
    os.environ.clear()
    os.environ.update(environment, AWS_DATA_PATH=data)
    os.dup2(out, 1), os.dup2(err, 2)
    sys.argv = ["aws", *arguments]
    code = 70
    try:
        code = awscli.clidriver.main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    finally:
        sys.stdout.flush(), sys.stderr.flush()
        os._exit(code)


def _serve(door):
    import awscli.clidriver
    awscli.clidriver.create_clidriver()  # imports what it would import for the first command
    while True:
        length, fds, _, _ = socket.recv_fds(door, 4, 2)
        if not length:
            return
        arguments, environment = json.loads(door.recv(int.from_bytes(length, "big"), socket.MSG_WAITALL))
        child = os.fork()
        if child == 0:
            _command(arguments, environment, *fds)
        for fd in fds:
            os.close(fd)
        door.sendall(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]).to_bytes(4, "big", signed=True))


if __name__ == "__main__":
    # Not our own folder: modules of the same names are not to be found there.
    sys.path = [folder for folder in sys.path if pathlib.Path(folder or ".").resolve() != pathlib.Path(__file__).resolve().parent]
    _serve(socket.socket(fileno=int(sys.argv[1])))
