"""The http runtime: programs of every kind behind `pilotlight-runner http`, driven over its socket as a worker host would."""
import os
import pathlib
import subprocess
import sys
import textwrap
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "python"))

import rig  # noqa: E402

BIN = pathlib.Path(os.environ.get("PILOTLIGHT_BIN", rig.ROOT / "build" / "bin"))

# Ten lines of shell that serve the contract on a unix socket, one connection after the other; enough for an HTTP server.
SHELL = r"""#!/bin/sh
exec /usr/bin/python3 -c '
import socket, os
s = socket.socket(socket.AF_UNIX); s.bind(os.environ["PILOTLIGHT_SOCKET"]); s.listen()
while True:
    c, _ = s.accept(); c.recv(65536); c.sendall(b"HTTP/1.0 200 OK\r\n\r\nhello"); c.close()
'
"""

SERVER = """#!/usr/bin/python3
import http.server, os, signal, sys, time

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    connections = 0

    def setup(self):
        Handler.connections += 1
        super().setup()

    def answer(self, status, body, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.answer(*PING())

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        POST(self, body)

    def log_message(self, *args):
        pass

def PING():
    return 200, b""

def POST(self, body):
    self.answer(200, body, Content_Type=self.headers.get("Content-Type", "none"))

{more}

class Server(http.server.HTTPServer):
    def server_bind(self):
        self.socket.bind(self.server_address)
        self.server_name = self.server_port = ""

if __name__ == "__main__":
    import socket
    Server.address_family = socket.AF_UNIX
    Handler.address_string = lambda self: ""
    Server(os.environ["PILOTLIGHT_SOCKET"], Handler).serve_forever()
"""


class Instance(rig.Instance):
    def __init__(self, model_dir, start_timeout_ms=20000, **options):
        super().__init__(model_dir, **options)
        self.load.runtime = "http"
        self.load.start_timeout_ms = start_timeout_ms

    def _process(self, model_dir, theirs):
        return subprocess.Popen([BIN / "pilotlight-runner", "http"], stdin=subprocess.DEVNULL, stdout=self.output, stderr=self.output,
                                pass_fds=(3,), preexec_fn=lambda: os.dup2(theirs.fileno(), 3), env={"OMP_NUM_THREADS": "1"})


@pytest.fixture
def program(tmp_path):
    """program(text): a loaded instance of it."""
    running = []

    def start(text, name="serve", mode=0o755, load=True, **options):
        folder = tmp_path / "model"
        folder.mkdir(exist_ok=True)
        (folder / name).write_text(text)
        (folder / name).chmod(mode)
        instance = Instance(folder, PILOTLIGHT_SOCKET=str(tmp_path / "http.sock"), **options)
        running.append(instance)
        instance.facts = instance.start() if load else None
        return instance

    yield start
    for instance in running:
        instance.__exit__(None, None, None)


def server(more=""):
    return SERVER.replace("{more}", textwrap.dedent(more))


def test_a_shell_script_is_served(program):
    instance = program(SHELL)
    assert instance.facts.objective == "serve" and instance.facts.runtime_version == "http"
    for _ in range(3):
        answer = instance.ask("1,2", "text/csv")
        assert (answer.body, answer.model_status) == (b"hello", 200)
    assert instance.stop() == 0


@pytest.mark.parametrize("size", [0, 1, 70000, 6 << 20])
def test_bodies_and_headers_pass_both_ways(program, size):
    instance = program(server("""
    def POST(self, body):
        seen = [self.headers.get(name, "") for name in ("Accept", "X-Amzn-SageMaker-Custom-Attributes", "X-Amzn-SageMaker-Inference-Id")]
        self.answer(200, body, Content_Type=self.headers["Content-Type"], X_Amzn_SageMaker_Custom_Attributes="|".join(seen))
    """))
    body = os.urandom(size)
    answer = instance.ask(body, "a/b; c=d", "e/f", custom_attributes="g=h", inference_id="i")
    assert answer.body == body
    assert (answer.content_type, answer.custom_attributes, answer.model_status) == ("a/b; c=d", "e/f|g=h|i", 200)


def test_a_connection_is_kept(program):
    instance = program(server("""
    def POST(self, body):
        self.answer(200, b"%d" % Handler.connections)
    """))
    assert [instance.ask("x").body for _ in range(5)] == [b"1"] * 5


def test_a_connection_that_was_closed_meanwhile_is_made_anew(program):
    instance = program(server("""
    def POST(self, body):
        self.answer(200, b"%d" % Handler.connections)
        self.close_connection = True
    """))
    assert [instance.ask("x").body for _ in range(3)] == [b"1", b"2", b"3"]


def test_statuses_and_texts_of_errors_reach_the_caller(program):
    instance = program(server("""
    def POST(self, body):
        self.answer(int(body), b"because of this")
    """))
    for status, expected in ((400, 400), (422, 422), (503, 503), (302, 500)):
        with pytest.raises(rig.Failure) as e:
            instance.ask(str(status))
        assert (e.value.status, e.value.text) == (expected, "because of this")
    assert instance.ask("204").model_status == 204


def test_the_callers_texts_cannot_make_headers(program):
    instance = program(server())
    with pytest.raises(rig.Failure) as e:
        instance.ask("x", "text/csv\r\nX-Evil: 1")
    assert e.value.status == 400 and "Content-Type is not printable ASCII" in e.value.text
    assert instance.ask("x", "text/csv").body == b"x"


def test_an_answer_that_is_too_large_is_named(program):
    instance = program(server("""
    def POST(self, body):
        self.answer(200, b"x" * (7 << 20))
    """))
    with pytest.raises(rig.Failure) as e:
        instance.ask("x")
    assert e.value.status == 500 and "larger than the payload limit" in e.value.text


def test_garbage_is_named(program):
    instance = program(server("""
    def POST(self, body):
        self.wfile.write(b"SSH-2.0\\r\\n")
        self.close_connection = True
    """))
    with pytest.raises(rig.Failure) as e:
        instance.ask("x")
    assert "does not begin with an HTTP/1 status line" in e.value.text


def test_a_program_that_dies_while_answering_is_named_and_ends_the_instance(program):
    instance = program(server("""
    def POST(self, body):
        os._exit(3)
    """))
    with pytest.raises(rig.Died):
        instance.ask("x")
    assert instance.process.wait(rig.PATIENCE) == 1
    assert "the program 'serve' exited with 3" in instance.log()


def test_a_program_that_dies_between_requests_ends_the_instance(program):
    instance = program(server("""
    def POST(self, body):
        self.answer(200, b"ok")
        self.wfile.flush()
        os.kill(os.getpid(), 9)
    """))
    assert instance.ask("x").body == b"ok"
    assert instance.process.wait(rig.PATIENCE) == 1
    assert "was killed by signal 9" in instance.log()


def test_ping_decides_when_it_is_ready(program, tmp_path):
    instance = program(server("""
    began = time.monotonic()
    def PING():
        return (200 if time.monotonic() - began > 0.5 else 503), b"soon"
    """))
    assert instance.ask("x").body == b"x"


def test_a_ping_is_given_up_after_two_seconds_and_the_next_one_counts(program):
    """The first one is never answered, on purpose; a program that is slow to begin with is not a program that fails."""
    instance = program(server("""
    import socketserver, threading
    pings = []
    def PING():
        pings.append(time.monotonic())
        if len(pings) == 1:
            threading.Event().wait()
        return 200, b"any text will do"
    def POST(self, body):
        self.answer(200, repr([t - pings[0] for t in pings]).encode())
    http.server.HTTPServer = http.server.ThreadingHTTPServer
    """))
    first, second = eval(instance.ask("x").body)
    assert first == 0 and second >= 1.9


def test_a_program_that_does_not_accept_is_named(program):
    """It listens, so connecting works until its queue is full, and would wait for ever then."""
    instance = program("#!/usr/bin/python3\nimport os, socket, time\ns = socket.socket(socket.AF_UNIX)\n"
                       "s.bind(os.environ['PILOTLIGHT_SOCKET'])\ns.listen(0)\ntime.sleep(600)\n", load=False, start_timeout_ms=2750)
    with pytest.raises(rig.Failure) as e:
        instance.start()
    assert e.value.text.endswith("within start_timeout_ms 2750: cannot connect to the program 'serve': it listens, but does not accept")


@pytest.mark.parametrize("more, reason", [
    ("def PING(): return 503, b''", "it answered with the status 503"),
    ("def PING(): time.sleep(600)", "it did not answer in time"),
    ("time.sleep(600)", "cannot connect to the program 'serve'"),
])  # fmt: skip
def test_a_program_that_is_never_ready_is_named(program, more, reason):
    instance = program(server(more), load=False, start_timeout_ms=2000)
    with pytest.raises(rig.Failure) as e:
        instance.start()
    assert "the program 'serve' did not answer GET /ping with 200 within start_timeout_ms 2000: " in e.value.text and reason in e.value.text


@pytest.mark.parametrize("text, mode, reason", [
    ("#!/bin/sh\nexit 3\n", 0o755, "the program 'serve' exited with 3"),
    ("#!/bin/sh\nkill -11 $$\n", 0o755, "the program 'serve' was killed by signal 11"),
    ("#!/no/such/interpreter\n", 0o755, "its interpreter, the one behind #! or its loader, is not here"),
    ("\x7fnonsense", 0o755, "it is neither a program for this machine nor a script with #!"),
    ("#!/bin/sh\n", 0o644, "it is not marked executable (chmod +x, before it is packed)"),
])  # fmt: skip
def test_programs_that_cannot_be_run_say_why(program, text, mode, reason):
    instance = program(text, mode=mode, load=False)
    with pytest.raises(rig.Failure) as e:
        instance.start()
    assert e.value.status == 500 and reason in e.value.text


@pytest.mark.parametrize("environment, reason", [
    ({"SAGEMAKER_PROGRAM": "other"}, "there is no program 'other' in the artifact"),
    ({"SAGEMAKER_PROGRAM": "../../bin/sh"}, "leads out of its folder"),
    ({"SAGEMAKER_BIND_TO_PORT": "http"}, "SAGEMAKER_BIND_TO_PORT is 'http': 1 to 65535 are allowed"),
    ({"SAGEMAKER_BIND_TO_PORT": "65536"}, "1 to 65535 are allowed"),
])  # fmt: skip
def test_settings_that_do_not_fit_are_named(program, environment, reason):
    instance = program(SHELL, load=False, **environment)
    with pytest.raises(rig.Failure) as e:
        instance.start()
    assert reason in e.value.text


def test_the_program_may_have_another_name_and_listen_on_a_port(program):
    import socket

    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    instance = program("""#!/usr/bin/python3
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(os.environ["MINE"].encode() + os.environ["SM_MODEL_DIR"].encode())
    do_POST = do_GET
    def log_message(self, *args): pass
http.server.HTTPServer(("127.0.0.1", int(os.environ["SAGEMAKER_BIND_TO_PORT"])), Handler).serve_forever()
""", name="my-server", SAGEMAKER_PROGRAM="my-server", SAGEMAKER_BIND_TO_PORT=str(port), MINE="yes ")
    assert instance.ask("x").body.startswith(b"yes /")


def test_the_program_is_asked_to_stop_before_it_is_killed(program, tmp_path):
    instance = program(server(f"""
    def stop(*args):
        open({str(tmp_path / "stopped")!r}, "w").write("asked")
        os._exit(0)
    signal.signal(signal.SIGTERM, stop)
    """))
    assert instance.stop() == 0
    assert (tmp_path / "stopped").read_text() == "asked"


def test_nothing_of_ours_is_open_in_the_program(program):
    instance = program(server("""
    def POST(self, body):
        paths = ["/proc/self/fd/" + fd for fd in os.listdir("/proc/self/fd") if int(fd) > 2]
        self.answer(200, " ".join(os.readlink(path) for path in paths if os.path.islink(path)).encode())
    """))
    got = instance.ask("x").body.decode().split()
    # Its own: the listening socket and the connection.
    assert len([name for name in got if name.startswith("socket:")]) == 2, got


def test_orphans_are_taken_in(program):
    instance = program(server("""
    def POST(self, body):
        if os.fork() == 0:
            if os.fork() == 0:
                time.sleep(0.1)
            os._exit(0)
        os.wait()
        self.answer(200, b"ok")
    """))
    for _ in range(5):
        assert instance.ask("x").body == b"ok"
    deadline = time.monotonic() + rig.PATIENCE
    assert instance.stop() == 0 and time.monotonic() < deadline
