"""The http runtime in the whole suite: programs of a model's owner, each alone on a network of its own."""
import concurrent.futures
import subprocess
import time

import grpc
import pytest

import custom
import protos
import suite
from aws import Aws
from suite import wait_until


@pytest.fixture(scope="module")
def up(tmp_path_factory):
    """As everywhere, but who does not leave is killed after seconds."""
    running = suite.Up(tmp_path_factory.mktemp("up"), "--set", "router.keep_alive=60s", "--set", "worker.http.stop_grace=6s").start()
    yield running
    code = running.stop()
    assert code == 0, f"pilotlight up ended with {code}:\n{running.program.tail()}\n{running.logs()}"


@pytest.fixture
def serve(up, artifacts, name):
    def deploy(content=custom.script("server.py"), program="serve", environment=None, **variant):
        uri = custom.archive(artifacts, content, program=program, executable=True)
        up.serve(name, uri, model_fields={"runtime": "http", "environment": environment or {}}, **variant)
        return name
    return deploy


@pytest.fixture
def failure(up, artifacts, name):
    """Deploys what cannot start; why not, as its owner reads it."""
    def deploy(content=custom.script("server.py"), environment=None, executable=True, **variant):
        up.create_model(name, custom.archive(artifacts, content, program="serve", executable=executable), runtime="http",
                        environment=environment or {})
        up.create_config(name, suite.variant_of(name, **variant))
        up.create_endpoint(name)
        endpoint, status = up.settled(name)
        assert status == "FAILED"
        return endpoint.failure_reason
    return deploy


def model_error(up, name, body):
    with pytest.raises(grpc.RpcError) as failed:
        up.invoke(name, body)
    return failed.value


def lines(up, name):
    done = suite.command("logs", name, server=up.base)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_all_that_it_says_of_an_error(up, serve):
    """Cold and warm, with and without a client of AWS's: the whole of it, up to 64 KiB."""
    name, runtime = serve(), Aws(up).runtime
    for count in (30000, 3, 0, 40000):  # the first one is cold
        with pytest.raises(runtime.exceptions.ModelError) as failed:
            runtime.invoke_endpoint(EndpointName=name, Body=b"status 422 %d" % count)
        said, response = "ä" * min(count, 32 << 10) or "the program answered with the status 422 and no text", failed.value.response
        assert (response["OriginalStatusCode"], response["OriginalMessage"]) == (422, said)
        assert response["Error"]["Message"].startswith(f'Received client error (422) from primary with message "{said[:500]}')
        assert len(response["Error"]["Message"].encode()) <= 2048
        assert response["ResponseMetadata"]["HTTPHeaders"]["x-pilotlight-timings"].startswith(f"cold={int(count == 30000)}; ")
        answer = up.invoke(name, b"status 422 %d" % count, model_error_as_response=True)
        assert (answer.model_status, answer.body.decode(), answer.timings.cold) == (422, said, False)
        error = protos.Failure(model_error(up, name, b"status 422 %d" % count))
        assert error.metadata["model_status"] == "422" and error.message == said.encode()[:1023].decode(errors="ignore")
        shown = suite.command("invoke", name, f"status 422 {count}", server=up.base)
        assert shown.returncode == 5 and f"pilotlight: {said}\n  code: MODEL  reason: MODEL_ERROR  model status: 422\n" in shown.stderr


def test_ten_lines_of_c(up, serve, tmp_path):
    subprocess.run(["cc", "-static", "-o", tmp_path / "serve", custom.SCRIPTS / "echo.c"], check=True)
    name = serve((tmp_path / "serve").read_bytes())
    answer = up.invoke(name, b"1,2,3\n")
    assert (answer.body, answer.content_type) == (b"1,2,3\n", "text/plain")


def test_unix_socket(up, serve):
    name = serve(environment={"BY_SOCKET": "yes", "WHO": "a socket"})
    assert up.invoke(name, b"hello").body == b"hello from a socket"


def test_a_name_of_its_own(up, serve):
    name = serve(program="my-server", environment={"SAGEMAKER_PROGRAM": "my-server"})
    assert up.invoke(name, b"hello").body == b"hello from nobody"


def test_headers_both_ways(up, serve):
    answer = up.invoke(serve(), b"headers", content_type="text/csv", accept="a/b", custom_attributes="k=v", inference_id="id-1")
    assert answer.body == b"text/csv|a/b|k=v|id-1"
    assert (answer.content_type, answer.custom_attributes) == ("text/x-own", "seen=1")


def test_each_instance_has_the_same_port(up, serve):
    name = serve(concurrency=3, provisioned=3)
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(lambda i: up.invoke(name, b"%d" % i).body, range(30)))
    assert answers == [b"%d from nobody" % i for i in range(30)]


def test_no_way_out(up, serve):
    """The router listens on the host's 127.0.0.1; the program's is another one."""
    port = up.base + suite.PORTS["router"]
    assert b"refused" in up.invoke(serve(), b"connect %d" % port).body


def test_status_is_the_callers_error(up, serve):
    name = serve()
    error = model_error(up, name, b"status 422")
    assert "as you wish" in error.details()
    assert up.invoke(name, b"still here").body == b"still here from nobody"


def test_crash_and_the_next_caller(up, serve):
    name = serve()
    assert up.invoke(name, b"one").body == b"one from nobody"
    assert "exited with 7" in model_error(up, name, b"crash").details()
    assert up.invoke(name, b"two").body == b"two from nobody"


def test_hang_ends_at_the_limit(up, serve):
    name = serve(invoke_timeout_ms=1000)
    assert model_error(up, name, b"hang").code() == grpc.StatusCode.DEADLINE_EXCEEDED
    assert up.invoke(name, b"two").body == b"two from nobody"


def test_it_is_asked_to_stop_and_may_take_its_time(up, serve):
    """Longer than an instance of another runtime would be given."""
    name = serve(environment={"LINGER": "3"}, keep_alive_ms=60000)
    up.invoke(name, b"hello")
    up.delete_endpoint(name)
    wait_until(lambda: lines(up, name).count("left by myself") == 2, "both, the one that proved it too, have left by themselves")
    wait_until(lambda: not up.runners(), "its processes are gone")


def test_it_is_killed_when_it_does_not_leave(up, serve):
    """SIGTERM, http.stop_grace, SIGKILL; not before the one has been said and the other is over."""
    name = serve(environment={"LINGER": "1000"}, keep_alive_ms=60000)
    up.invoke(name, b"hello")
    start = time.monotonic()
    up.delete_endpoint(name)
    wait_until(lambda: not up.runners(), "its processes are gone")
    assert time.monotonic() - start >= 5
    assert lines(up, name).count("told to stop") == 2 and "left by myself" not in lines(up, name)


def test_what_it_prints(up, serve):
    name = serve()
    up.invoke(name, b"hello")
    wait_until(lambda: "asked hello" in lines(up, name), "its line is in the logs")


def test_exits_at_start(failure):
    assert "the program 'serve' exited with 3" in failure(environment={"FAIL_WITH": "3"})


def test_never_ready(failure):
    reason = failure(environment={"NEVER_READY": "yes"}, start_timeout_ms=1500)
    assert "did not answer GET /ping with 200 within start_timeout_ms 1500" in reason


def test_not_executable(failure):
    assert "not marked executable" in failure(executable=False)


def test_no_program(failure):
    assert "its interpreter" in failure(b"#!/no/such/interpreter\n")
