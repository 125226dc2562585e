"""Scripts and pickles that fail, misbehave or mean harm, inside the sandbox: each gives its caller the right error, and hurts nobody else.

After every test a neighbour on the same host is asked; it must answer as before.
"""
import os
import pathlib
import pickle
import subprocess
import textwrap

import grpc
import pytest

import custom
import suite
from suite import wait_until

GOOD = """
def model_fn(model_dir):
    return "model"
def input_fn(body, content_type):
    return body
def predict_fn(data, model):
    return data
def output_fn(prediction, accept):
    return prediction, "text/plain"
"""


@pytest.fixture(scope="module")
def up(tmp_path_factory):
    """As everywhere, but who hangs while it is proven is given up after seconds."""
    running = suite.Up(tmp_path_factory.mktemp("up"), "--set", "control.prepare_timeout=40s").start()
    yield running
    code = running.stop()
    assert code == 0, f"pilotlight up ended with {code}:\n{running.program.tail()}\n{running.logs()}"


@pytest.fixture(scope="module")
def neighbour(up, artifacts):
    up.serve("neighbour", custom.archive(artifacts, GOOD), model_fields={"runtime": "python"}, keep_alive_ms=600000)
    up.invoke("neighbour", b"warm", content_type="text/plain")
    return lambda: up.invoke("neighbour", b"as before", content_type="text/plain").body


@pytest.fixture(autouse=True)
def unhurt(up, neighbour):
    worker = up.pid("worker")
    yield
    assert neighbour() == b"as before"
    assert up.pid("worker") == worker


@pytest.fixture
def serve(up, artifacts, name):
    """The good script with what is given after it."""
    def deploy(text, memory=1024, **variant):
        code = GOOD + textwrap.dedent(text)
        up.serve(name, custom.archive(artifacts, code), model_fields={"runtime": "python"}, keep_alive_ms=600000, memory=memory, **variant)
        return lambda body=b"x", **fields: up.invoke(name, body, **{"content_type": "text/plain", **fields}).body
    return deploy


@pytest.fixture
def failure(up, artifacts, name):
    """Why what is given cannot be deployed."""
    def deploy(code=None, files=None, **variant):
        code = None if code is None else GOOD + textwrap.dedent(code)
        up.create_model(name, custom.archive(artifacts, code, files), runtime="python")
        up.create_config(name, suite.variant_of(name, **variant))
        up.create_endpoint(name)
        endpoint, status = up.settled(name, suite.PATIENCE * 4)
        assert status == "FAILED"
        return endpoint.failure_reason
    return deploy


def refused(ask, *texts, code=None, **fields):
    with pytest.raises(grpc.RpcError) as caught:
        ask(**fields)
    for text in texts:
        assert text in caught.value.details()
    assert code is None or caught.value.code() == code
    return caught.value.details()


@pytest.fixture
def logs(up, name):
    def read(*texts):
        def found():
            done = suite.command("logs", name, server=up.base)
            return done.returncode == 0 and all(t in done.stdout for t in texts) and done.stdout
        return wait_until(found, f"{texts} in the logs of {name}")
    return read


# ---- failing ----

def test_at_import(failure, logs):
    reason = failure("import no_such_module")
    assert "no_such_module" in reason and "inference.py" in reason
    assert "Traceback (most recent call last)" in logs("no_such_module")


def test_in_model_fn(failure, logs):
    assert "ValueError: not this one" in failure("def model_fn(model_dir):\n    raise ValueError('not this one')")
    logs("in model_fn", "ValueError: not this one")


@pytest.mark.parametrize("hook", ["input_fn(body, content_type)", "predict_fn(data, model)", "output_fn(prediction, accept)"])
def test_in_each_function(serve, logs, hook):
    ask = serve(f"""
    def deep(n):
        if n == 0:
            raise KeyError("for everybody to read")
        deep(n - 1)
    def {hook}:
        deep(200)
    """)
    told = refused(ask, hook.partition("(")[0], "KeyError", "for everybody to read", code=grpc.StatusCode.INTERNAL)
    assert len(told.encode()) <= 1024
    whole = logs("Traceback", "in deep", "for everybody to read")
    assert len(whole) > len(told)
    refused(ask, "KeyError")  # the instance lives, and fails again


def test_in_transform_fn(up, artifacts, name):
    code = "def model_fn(d):\n    return 1\ndef transform_fn(model, body, content_type, accept):\n    return 1 / 0\n"
    up.serve(name, custom.archive(artifacts, code), model_fields={"runtime": "python"})
    refused(lambda: up.invoke(name, b"x"), "transform_fn", "ZeroDivisionError")


@pytest.mark.parametrize("text, reason", [
    ("def output_fn(prediction, accept):\n    return object()", "output_fn returned object: an answer is bytes, str, "),
    ("def output_fn(prediction, accept):\n    return None", "output_fn returned NoneType: an answer is bytes, str, "),
    ("def output_fn(prediction, accept):\n    return b'x', 7", "output_fn returned a content type that is not printable ASCII"),
    ("def predict_fn(data, model):\n    return {1, 2}\ndel output_fn", "the prediction, a set, cannot be written as application/json"),
    ("def model_fn(model_dir):\n    return {}\ndel predict_fn", "predict: AttributeError: 'dict' object has no attribute 'predict'"),
], ids=["object", "nothing", "type-of-a-type", "prediction", "model"])  # fmt: skip
def test_wrong_type(serve, text, reason):
    refused(serve(text), reason, code=grpc.StatusCode.INTERNAL)


def test_not_a_script_at_all(failure):
    assert "SyntaxError" in failure("def model_fn(:")


# ---- leaving ----

@pytest.mark.parametrize("line, text", [
    ("sys.exit(3)", "SystemExit"), ("os._exit(5)", "exited with 5"), ("os.abort()", "killed by signal"),
    ("ctypes.string_at(0)", "killed by signal 11")])
def test_exits(serve, line, text):
    ask = serve(f"import ctypes, os, sys\ndef predict_fn(data, model):\n    if data == b'end':\n        {line}\n    return data")
    assert ask(b"one") == b"one"
    refused(lambda: ask(b"end"), text)
    assert ask(b"two") == b"two"


def test_exit_at_import(failure):
    assert "SystemExit" in failure("import sys; sys.exit(0)")


# ---- hanging ----

@pytest.mark.parametrize("line", ["time.sleep(1000)", "while True: pass", "threading.Event().wait()"])
def test_hangs_in_a_request(serve, line):
    ask = serve(f"import threading, time\ndef predict_fn(data, model):\n    if data == b'hang':\n        {line}\n    return data",
                invoke_timeout_ms=700)
    refused(lambda: ask(b"hang"), code=grpc.StatusCode.DEADLINE_EXCEEDED)
    assert ask(b"two") == b"two"


def test_hangs_at_import(failure):
    assert "did not load within start_timeout_ms 1500" in failure("import time; time.sleep(1000)", start_timeout_ms=1500)


def test_will_not_leave(up, serve, name):
    """A handler for SIGTERM, threads that never end, an exit function that hangs."""
    ask = serve("""
    import atexit, signal, threading, time
    def forever(*ignored):
        while True:
            time.sleep(1)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGALRM):
        signal.signal(number, lambda *ignored: None)
    atexit.register(forever)
    threading.Thread(target=forever).start()
    """)
    assert ask() == b"x"
    up.delete_endpoint(name)
    wait_until(lambda: len(up.runners()) <= len(up.instances()), "its process is gone all the same")


# ---- taking ----

def test_leaks_until_its_limit(serve):
    ask = serve("""
    kept = []
    def predict_fn(data, model):
        while data == b"leak":
            kept.append(bytearray(64 << 20))
            for i in range(0, 64 << 20, 4096):
                kept[-1][i] = 1
        return data
    """)
    refused(lambda: ask(b"leak"), "memory limit 1024 MB")
    assert ask(b"two") == b"two"


def test_forks(serve):
    ask = serve("import os\ndef predict_fn(data, model):\n    while True:\n        os.fork()")
    refused(ask, "PermissionError")
    refused(ask, "PermissionError")


PROCESSES = {
    "fork": "os.fork()",
    "program": "subprocess.run(['/bin/sh', '-c', 'id'])",
    "spawn": "os.posix_spawn('/bin/sh', ['sh'], {})",
    "process": "multiprocessing.Process(target=print).start()",
    "pool": "multiprocessing.Pool(2).map(abs, [1])",
    "manager": "multiprocessing.Manager()",
    "executor": "list(concurrent.futures.ProcessPoolExecutor(2).map(abs, [1]))",
}


@pytest.fixture(scope="module")
def evaluates(up, artifacts):
    code = GOOD + textwrap.dedent("""
    import concurrent.futures, multiprocessing, os, subprocess
    def predict_fn(data, model):
        return repr(eval(data))
    """)
    up.serve("evaluates", custom.archive(artifacts, code), model_fields={"runtime": "python"}, keep_alive_ms=600000)
    return lambda text: up.invoke("evaluates", text.encode(), content_type="text/plain").body


@pytest.mark.parametrize("how", PROCESSES)
def test_starts_processes(evaluates, how):
    """Whatever asks for one hears why there is none, at once, and the instance goes on."""
    told = refused(lambda: evaluates(PROCESSES[how]), "an instance is one process: the sandbox lets it start no other, and no program")
    assert "predict_fn: " in told
    assert evaluates("1 + 1") == b"2"


def test_threads_without_end(serve):
    ask = serve("""
    import threading, time
    def predict_fn(data, model):
        while True:
            threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
    """)
    refused(ask, "can't start new thread")


def test_files_without_end(serve):
    """The scratch folder is bounded, in one file or in many, and counts as memory."""
    ask = serve("""
    import itertools
    def predict_fn(data, model):
        f = open("/tmp/large", "wb")
        for i in itertools.count():
            if data == b"many":
                f = open("/tmp/%d" % i, "wb")
            f.write(bytes(1 << 20))
    """, memory=2048)
    refused(ask, "OSError: [Errno 27] File too large")
    refused(lambda: ask(b"many"), "OSError: [Errno 28] No space left on device")


def test_descriptors_without_end(serve):
    refused(serve("kept = []\ndef predict_fn(data, model):\n    while True:\n        kept.append(open('/dev/null'))"), "Too many open files")


# ---- writing and reading where it should not ----

@pytest.mark.parametrize("path", ["/opt/ml/model/new", "/usr/lib/new", "/etc/new", "/new", "/dev/new"])
def test_writes_elsewhere(serve, path):
    refused(serve(f"def predict_fn(data, model):\n    open({path!r}, 'w')"), "Error", path)


def test_scratch_is_its_own(serve):
    """What one instance writes another one never sees."""
    ask = serve("""
    import os, time
    def predict_fn(data, model):
        seen = os.path.exists("/tmp/mark")
        open("/tmp/mark", "w").close()
        if data == b"end":
            os._exit(1)
        return str(seen)
    """)
    assert ask() == b"False" and ask() == b"True"
    refused(lambda: ask(b"end"), "exited with 1")
    assert ask() == b"False"


def test_sees_nothing_of_the_host(serve, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("of the host")
    ask = serve(f"""
    import os
    def predict_fn(data, model):
        there = [p for p in ({str(secret)!r}, "/etc/passwd", "/root", "/home", "/proc/1", "/var", "/sys") if os.path.exists(p)]
        return repr((there, os.getpid(), sorted(os.listdir("/"))))
    """)
    there, pid, top = eval(ask())  # of our own making
    assert there == [] and pid == 1
    assert set(top) <= {"bin", "dev", "etc", "lib", "lib64", "models", "opt", "tmp", "usr", *pathlib.Path(os.environ.get("PILOTLIGHT_BIN", suite.BIN)).parts}


def test_no_network(up, serve):
    ask = serve(f"""
    import socket
    def predict_fn(data, model):
        socket.create_connection(("127.0.0.1", {up.base + suite.PORTS["router"]}), 2)
    """)
    refused(ask, "Error")


# ---- saying ----

def test_prints_binary(serve, logs):
    ask = serve("import os\ndef predict_fn(data, model):\n    os.write(1, bytes(range(256)) * 8 + b'\\nafter it\\n')\n    return data")
    assert ask() == b"x"
    logs("after it")


def test_prints_a_gigabyte(up, serve):
    ask = serve("""
    import os
    def predict_fn(data, model):
        for i in range(1 << 10):
            os.write(1, (b"x" * 1023 + b"\\\\n") * (1 << 10))
        return data
    """, invoke_timeout_ms=20000)
    try:
        assert ask() == b"x"
    except grpc.RpcError as error:  # whoever is so loud is slowed down
        assert error.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    assert suite.rss_bytes(up.pid("worker")) < 200 << 20
    kept = sum(f.stat().st_size for f in pathlib.Path(up.folder).rglob("logs/**/*") if f.is_file())
    assert 0 < kept < 80 << 20


def test_a_line_without_end(serve, logs):
    ask = serve("import os\ndef predict_fn(data, model):\n    os.write(2, b'y' * (4 << 20))\n    os.write(2, b'\\nthe next line\\n')\n    return data")
    assert ask() == b"x"
    logs("the next line")


# ---- changing what is around it ----

def test_changes_directory_and_environment(serve):
    ask = serve("""
    import os, sys, builtins
    def predict_fn(data, model):
        os.chdir("/tmp")
        os.environ.clear()
        sys.path[:] = []
        sys.stdout.close()
        builtins.print = None
        return data
    """)
    assert [ask(), ask()] == [b"x", b"x"]


def test_closes_its_descriptors(serve):
    ask = serve("import os\ndef predict_fn(data, model):\n    if data == b'close':\n        os.closerange(0, 256)\n    return data")
    refused(lambda: ask(b"close"))
    assert ask(b"two") == b"two"


def test_speaks_to_the_host_itself(serve):
    """It knows its channels, and answers there what nobody asked."""
    ask = serve("""
    import os, stat
    def predict_fn(data, model):
        if data == b"lie":
            for fd in range(3, 64):
                try:
                    if stat.S_ISSOCK(os.fstat(fd).st_mode):
                        os.write(fd, b"\\x05\\0\\0\\0\\x05\\x01\\0\\0" + bytes(8) + b"hello" + b"?" * 500)
                except OSError:
                    pass
        return data
    """)
    refused(lambda: ask(b"lie"), "instance")
    assert ask(b"two") == b"two"


# ---- pickles ----

class Evil:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def test_pickle_that_runs_a_program(failure, tmp_path):
    mark = tmp_path / "pwned"
    reason = failure(files={"model.pkl": pickle.dumps(Evil(subprocess.check_output, ["/bin/sh", "-c", f"touch {mark}"]))})
    assert "PermissionError" in reason and "no program" in reason and not mark.exists()


def test_pickle_that_reads_the_host(failure, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("of the host")
    reason = failure(files={"model.pkl": pickle.dumps(Evil(open, str(secret)))})
    assert "FileNotFoundError" in reason and "of the host" not in reason


@pytest.mark.parametrize("attempt", [
    "ctypes.CDLL(None).ptrace(0, 0, 0, 0)", "ctypes.CDLL(None).unshare(0x10000000)", "ctypes.CDLL(None).mount(b'none', b'/tmp', b'tmpfs', 0, None)",
    "ctypes.CDLL(None).setuid(0)"])
def test_pickle_that_means_to_escape(failure, attempt):
    """What only an attacker calls ends the process at once."""
    reason = failure(files={"model.pkl": pickle.dumps(Evil(exec, f"import ctypes; {attempt}"))})
    assert "killed by signal 31" in reason


def test_pickle_that_exits(failure):
    assert "exited with 9" in failure(files={"model.pkl": pickle.dumps(Evil(os._exit, 9))})


def test_pickle_of_something_else(failure):
    assert "holds a dict, which has no predict()" in failure(files={"model.pkl": pickle.dumps({"a": 1})})


def test_pickle_cut_short(failure):
    assert "loading model.pkl" in failure(files={"model.pkl": pickle.dumps(list(range(1000)))[:-10]})


# ---- content types ----

def test_unsupported_content_type(up, artifacts, name):
    up.serve(name, custom.archive(artifacts, "def model_fn(d):\n    return None\n"), model_fields={"runtime": "python"})
    refused(lambda: up.invoke(name, b"x", content_type="image/png"), "Content type image/png is not supported")


def test_unsupported_accept(up, artifacts, name):
    up.serve(name, custom.archive(artifacts, "def model_fn(d):\n    return None\ndef predict_fn(data, model):\n    return data\n"),
             model_fields={"runtime": "python"})
    refused(lambda: up.invoke(name, b"1,2", content_type="text/csv", accept="image/png"), "image/png")
