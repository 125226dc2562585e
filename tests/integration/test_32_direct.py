"""Requests to instances on the router's own machine: straight to them, or by way of the worker. Both ways do the same."""
import contextlib
import os
import re
import signal
import stat
import threading
import urllib.request

import grpc
import pytest

import custom
import models
import protos
import suite
from suite import Stack, wait_until
from test_05_limits import in_flight

SCRIPT = """
import os, sys, socket, time
def model_fn(model_dir):
    return 1
def transform_fn(model, body, content_type, accept):
    word = body[:5].decode("latin-1")
    if word == "print":
        print("printed for", body.decode())
    elif word == "noise":
        for i in range(400):
            print("noise", i, "for", body.decode())
    elif word == "sleep":
        print("sleeping for", body.decode())
        time.sleep(60)
    elif word == "wrong":
        raise ValueError("as asked")
    elif word == "long ":
        raise ValueError("ä" * int(body[5:]))
    elif word == "crash":
        print("crashing for", body.decode(), flush=True)
        os._exit(3)
    elif word == "babel":
        for fd in range(3, 64):
            try:
                kind = socket.socket(fileno=os.dup(fd))
            except OSError:
                continue
            kind.send(b"what nobody asked for " * 4)
            kind.detach()
    return body, "application/octet-stream"
"""


@pytest.fixture(scope="module", params=["auto", "off"])
def way(request, tmp_path_factory):
    stack = Stack(tmp_path_factory.mktemp("direct"), {"router": {"direct": request.param}, "worker": {"python.preload": []}})
    stack.start()
    stack.way = request.param
    yield stack
    codes = stack.stop()
    assert set(codes.values()) == {0}, "\n".join(program.tail() for program in stack.programs.values())


@pytest.fixture(scope="module")
def script(way, artifacts):
    way.serve("script", custom.archive(artifacts, SCRIPT), model_fields={"runtime": "python"}, invoke_timeout_ms=60000, concurrency=2)
    return "script"


def counter(stack, service, name):
    with urllib.request.urlopen(f"http://{stack.admin(service)}/metrics", timeout=10) as page:
        return int(float(re.search(rf"^pilotlight_{name} (\S+)$", page.read().decode(), re.M)[1]))


def ask(stack, body, **more):
    return stack.invoke("script", body, content_type="application/octet-stream", **more)


def refused(stack, body, **more):
    with pytest.raises(grpc.RpcError) as failed:
        ask(stack, body, **more)
    return protos.Failure(failed.value)


def lines(stack):
    done = suite.command("logs", "script", server=stack.base)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_which_way_it_goes(way):
    sample = models.Sample()
    way.serve("trees", models.SAMPLE_URI)
    before = counter(way, "router", "router_direct_requests_total"), counter(way, "worker", "worker_invocations_total")
    for i in range(20):
        assert way.invoke("trees", sample.row(i)).body == sample.answer(i)
    direct = counter(way, "router", "router_direct_requests_total") - before[0]
    worker = counter(way, "worker", "worker_invocations_total") - before[1]
    assert (direct, worker) == ((20, 0) if way.way == "auto" else (0, 20))
    assert stat.S_IMODE(os.stat(way.settings["worker"]["direct_socket"]).st_mode) == 0o600


def test_bodies_as_large_as_may_be(way, script):
    body = os.urandom((6 << 20) - 1024)
    for _ in range(2):
        answer = ask(way, body)
        assert answer.body == body and answer.timings.model_us > 0


def test_all_that_a_model_says_of_an_error(way, script):
    """A status has room for some of it; whoever wants the whole gets it as a response, up to 64 KiB, and what else is known of the call."""
    for count in (3, 10000, 40000):
        error = refused(way, b"long %d" % count)
        assert (error.code, error.reason, error.metadata["model_status"]) == ("INTERNAL", "MODEL_ERROR", "500")
        answer = ask(way, b"long %d" % count, model_error_as_response=True)
        text, summary = answer.body.decode(), ("transform_fn: ValueError: " + "ä" * count).encode()[:32 << 10].decode()
        assert text.startswith(summary + "\n") and text.startswith(error.message) and len(answer.body) <= 64 << 10
        assert (answer.model_status, answer.variant, answer.content_type) == (500, "main", "") and answer.timings.model_us > 0
    assert ask(way, b"fine", model_error_as_response=True).body == b"fine"
    died = refused(way, b"crash", model_error_as_response=True)
    assert (died.code, died.reason) == ("INTERNAL", "INSTANCE_DIED")


def test_lines_are_told_by_their_request(way, script):
    """Also when another request comes right behind."""
    def caller(k):
        for i in range(10):
            ask(way, f"print {k}.{i}".encode())
            ask(way, b"quiet")
    callers = [threading.Thread(target=caller, args=(k,)) for k in range(2)]
    for one in callers:
        one.start()
    for one in callers:
        one.join()
    ask(way, b"noise 1")
    # An answer is not passed on before what was printed for it has been read.
    told = lines(way)
    printed = [line for line in told if "printed for" in line]
    ids = [re.search(r"\b[0-9a-f]{16}\b", line)[0] for line in printed]
    assert len(printed) == 20 and len(set(ids)) == 20
    noise = [line for line in told if "noise" in line]
    assert len(noise) == 400 and len({re.search(r"\b[0-9a-f]{16}\b", line)[0] for line in noise}) == 1


def test_errors_of_the_model_spare_it(way, script):
    told = refused(way, b"wrong")
    assert told.reason == "MODEL_ERROR" and "as asked" in told.message, told
    assert not ask(way, b"after").timings.cold


def test_it_is_told_how_an_instance_died(way, script):
    told = refused(way, b"crash 1")
    assert told.code == "INTERNAL" and told.reason == "INSTANCE_DIED" and "exited with 3" in told.message, told
    assert ask(way, b"again").body == b"again"
    line = wait_until(lambda: [line for line in lines(way) if "crashing for crash 1" in line], "its last line is kept")[0]
    assert re.search(r"\b[0-9a-f]{16}\b", line), line


def test_instance_that_is_killed_while_it_answers(way, script):
    call = way.inference.Invoke.future(endpoint_name=script, body=b"sleep until killed", content_type="application/octet-stream", timeout=suite.PATIENCE)
    wait_until(lambda: [line for line in lines(way) if "sleeping for sleep until killed" in line], "it is at work")
    for pid in way.runners():
        os.kill(pid, signal.SIGKILL)
    with pytest.raises(grpc.RpcError) as failed:
        call.result()
    told = protos.Failure(failed.value)
    assert told.code == "INTERNAL" and told.reason == "INSTANCE_DIED" and "killed by signal 9" in told.message, told
    assert ask(way, b"again").body == b"again"


def test_instance_that_says_what_nobody_asked_for_is_killed(way, script):
    told = refused(way, b"babel")
    assert told.code == "INTERNAL" and told.reason == "INSTANCE_DIED" and "killed: it" in told.message, told
    assert ask(way, b"again").body == b"again"


def test_callers_deadline_kills_only_its_instance(way, script):
    ask(way, b"first")
    (mine,) = {i.id for i in way.idle(script)} or {None}
    told = refused(way, b"sleep", timeout=0.4)
    assert told.code == "DEADLINE_EXCEEDED"
    wait_until(lambda: mine not in {i.id for i in way.instances(script)}, "the sleeper is gone")
    assert ask(way, b"again").body == b"again"
    wait_until(lambda: len(way.runners()) == len(way.instances()), "every process is one that the router knows")


def test_invocation_timeout(way, artifacts, name):
    way.serve(name, custom.archive(artifacts, SCRIPT), model_fields={"runtime": "python"}, invoke_timeout_ms=500)
    with pytest.raises(grpc.RpcError) as failed:
        way.invoke(name, b"sleep", content_type="application/octet-stream")
    told = protos.Failure(failed.value)
    assert told.code == "DEADLINE_EXCEEDED" and told.reason == "INVOKE_TIMEOUT" and "500 ms" in told.message, told
    assert way.invoke(name, b"again", content_type="application/octet-stream").timings.cold
    way.delete_endpoint(name)


def test_instance_outlives_its_router(way, script):
    """It finishes what it has, which nobody hears, and serves the next router without a cold start."""
    ask(way, b"first")
    runners = way.runners()
    for pid in runners:
        os.kill(pid, signal.SIGSTOP)
    try:
        call = way.inference.Invoke.future(endpoint_name=script, body=b"lost", content_type="application/octet-stream", timeout=suite.PATIENCE)
        wait_until(lambda: in_flight(way, script) == 1, "it is in flight")
        way.kill("router")
    finally:
        for pid in runners:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
    with pytest.raises(grpc.RpcError):
        call.result()
    way.start("router")
    answer = wait_until(lambda: ask(way, b"next"), "the next router serves")
    assert answer.body == b"next"
    if way.way == "auto":  # by way of the worker, the end of its call ends the instance
        assert not answer.timings.cold and set(way.runners()) == set(runners)
        before = counter(way, "router", "router_direct_requests_total")
        ask(way, b"once more")
        assert counter(way, "router", "router_direct_requests_total") == before + 1


def test_worker_that_drains_waits_for_what_it_does_not_see(way, script):
    ask(way, b"first")
    runners = way.runners()
    for pid in runners:
        os.kill(pid, signal.SIGSTOP)
    call = way.inference.Invoke.future(endpoint_name=script, body=b"slow", content_type="application/octet-stream", timeout=suite.PATIENCE)
    try:
        wait_until(lambda: in_flight(way, script) == 1, "it is in flight")
        os.kill(way.pid("worker"), signal.SIGTERM)
        wait_until(lambda: way.programs["worker"].said("drain"), "it drains")
    finally:
        for pid in runners:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
    assert call.result().body == b"slow"
    wait_until(lambda: not way.programs["worker"].alive(), "it has ended")
    assert way.programs["worker"].process.returncode == 0
    way.start("worker")
    assert wait_until(lambda: ask(way, b"again"), "it serves again").body == b"again"
