"""Max concurrency to the call, scale to zero, deadlines, cancellation, clients that dawdle or leave.

A stopped process (SIGSTOP) holds a call in flight for as long as a test needs, without a guess about time.
"""
import contextlib
import os
import signal
import socket
import threading

import grpc
import pytest

import models
import protos
import suite
from suite import variant_of, wait_until
from test_02_resources import failure


@contextlib.contextmanager
def frozen(up, pids=None):
    """All instance processes stand still inside the block."""
    held = up.runners() if pids is None else pids
    for pid in held:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield held
    finally:
        for pid in held:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


@pytest.fixture
def sample():
    return models.Sample()


@pytest.fixture
def fresh(up):
    """No instance of another test is alive, so that 'frozen' holds only one's own."""
    for endpoint in up.endpoints.ListEndpoints().endpoints:
        up.delete_endpoint(endpoint.name)
    wait_until(lambda: not up.runners(), "no instance is alive")


def in_flight(up, name):
    return sum(s.in_flight for s in up.stats(name))


# ---- concurrency ----

@pytest.mark.parametrize("limit", [1, 3, 8])
def test_limit_is_exact(up, fresh, sample, name, limit):
    up.serve(name, models.SAMPLE_URI, concurrency=limit, provisioned=limit)
    inference = up.inference
    with frozen(up, up.the_runners(limit)):
        running = [inference.Invoke.future(endpoint_name=name, body=sample.row(i), timeout=suite.PATIENCE) for i in range(limit)]
        wait_until(lambda: in_flight(up, name) == limit, "all are in flight")
        for _ in range(5):
            told = failure(up.invoke, name, sample.row(0))
            assert told.code == "RESOURCE_EXHAUSTED" and told.reason == "MAX_CONCURRENCY", told
            assert str(limit) in told.message and name in told.message and told.quota and told.retry_ms, told
        assert in_flight(up, name) == limit
    assert [call.result().body for call in running] == [sample.answer(i) for i in range(limit)]
    assert up.invoke(name, sample.row(0)).body == sample.answer(0)
    (stats,) = up.stats(name)
    assert stats.throttled == 5 and stats.failed == 0 and stats.in_flight == 0
    assert len(up.instances(name)) <= limit


def test_waiting_calls_count_too(up, fresh, sample, name):
    """A request that waits for a cold start is in flight: the limit is not the number of warm instances."""
    up.serve(name, models.SAMPLE_URI, concurrency=2, keep_alive_ms=60000)
    worker = up.pid("worker")
    inference = up.inference
    with frozen(up, [worker]):
        waiting = [inference.Invoke.future(endpoint_name=name, body=sample.row(i), timeout=suite.PATIENCE) for i in range(2)]
        wait_until(lambda: in_flight(up, name) == 2, "both wait")
        assert failure(up.invoke, name, sample.row(0)).reason == "MAX_CONCURRENCY"
    assert [call.result().body for call in waiting] == [sample.answer(i) for i in range(2)]
    assert all(call.result().timings.queue_us > 0 for call in waiting)


def test_burst_from_zero_starts_no_more_than_needed(up, fresh, sample, name):
    up.serve(name, models.SAMPLE_URI, concurrency=6)
    inference = up.inference
    calls = [inference.Invoke.future(endpoint_name=name, body=sample.row(i), timeout=suite.PATIENCE) for i in range(6)]
    assert [call.result().body for call in calls] == [sample.answer(i) for i in range(6)]
    (stats,) = up.stats(name)
    assert stats.instances_started <= 6 and stats.invocations == 6 and stats.throttled == 0


def test_starts_given_up_leave_no_instance(up, fresh, sample, name):
    """Deleting calls off starts whose answer may be on its way: what they made goes too."""
    up.create_model(name, models.SAMPLE_URI)
    up.create_config(name, variant_of(name, concurrency=6))
    for _ in range(8):
        up.create_endpoint(name)
        assert up.settled(name)[1] == "IN_SERVICE"
        calls = [up.inference.Invoke.future(endpoint_name=name, body=sample.row(i), timeout=suite.PATIENCE) for i in range(6)]
        assert [call.result().body for call in calls] == [sample.answer(i) for i in range(6)]
        up.delete_endpoint(name)
    wait_until(lambda: not up.runners(), "no instance is alive")


def test_variants_have_their_own_limits(up, fresh, sample, name):
    up.create_model(name, models.SAMPLE_URI)
    up.create_config(name, variant_of(name, name="a", concurrency=1, provisioned=1), variant_of(name, name="b", concurrency=1, provisioned=1))
    up.create_endpoint(name)
    assert up.settled(name)[1] == "IN_SERVICE"
    wait_until(lambda: len(up.idle(name)) == 2, "both are warm")
    with frozen(up):
        running = up.inference.Invoke.future(endpoint_name=name, body=sample.row(0), target_variant="a", timeout=suite.PATIENCE)
        wait_until(lambda: in_flight(up, name) == 1, "it is in flight")
        assert failure(up.invoke, name, sample.row(0), target_variant="a").reason == "MAX_CONCURRENCY"
        other = up.inference.Invoke.future(endpoint_name=name, body=sample.row(1), target_variant="b", timeout=suite.PATIENCE)
        wait_until(lambda: in_flight(up, name) == 2, "the other variant takes one")
    assert running.result().body == sample.answer(0) and other.result().body == sample.answer(1)


# ---- zero and back ----

def test_scale_to_zero_and_back(up, fresh, sample, name):
    up.serve(name, models.SAMPLE_URI, keep_alive_ms=300)
    for i in range(3):
        answer = up.invoke(name, sample.row(i))
        assert answer.timings.cold and answer.body == sample.answer(i)
        wait_until(lambda: not up.instances(name) and not up.runners(), "it is at zero")
    (stats,) = up.stats(name)
    assert stats.cold_starts == 3 and stats.instances_started == 3


def test_keep_alive_of_zero_stops_at_once(up, fresh, sample, name):
    up.serve(name, models.SAMPLE_URI, keep_alive_ms=0)
    assert up.invoke(name, sample.row(0)).timings.cold
    wait_until(lambda: not up.runners(), "it is at zero")


def test_calls_keep_it_alive(up, fresh, sample, name):
    up.serve(name, models.SAMPLE_URI, keep_alive_ms=60000)
    answers = [up.invoke(name, sample.row(0)) for _ in range(20)]
    assert [a.timings.cold for a in answers] == [True] + [False] * 19
    up.the_runners(1)


# ---- deadlines and cancellation ----

def test_callers_deadline_in_flight(up, fresh, sample, name):
    up.serve(name, models.SAMPLE_URI, concurrency=1, provisioned=1)
    with frozen(up):
        told = failure(up.invoke, name, sample.row(0), timeout=0.4)
        assert told.code == "DEADLINE_EXCEEDED"
        # A prediction cannot be interrupted: its instance is killed, and a place is free again.
        wait_until(lambda: in_flight(up, name) == 0, "its place is free")
    assert up.invoke(name, sample.row(1), timeout=suite.PATIENCE).body == sample.answer(1)


def test_callers_deadline_while_waiting(up, fresh, sample, name):
    up.serve(name, models.SAMPLE_URI, concurrency=1)
    with frozen(up, [up.pid("worker")]):
        assert failure(up.invoke, name, sample.row(0), timeout=0.4).code == "DEADLINE_EXCEEDED"
        wait_until(lambda: in_flight(up, name) == 0, "its place is free")
    assert up.invoke(name, sample.row(1), timeout=suite.PATIENCE).body == sample.answer(1)


def test_cancel_in_flight_frees_its_place(up, fresh, sample, name):
    up.serve(name, models.SAMPLE_URI, concurrency=1, provisioned=1)
    (victim,) = up.the_runners(1)
    with frozen(up):
        call = up.inference.Invoke.future(endpoint_name=name, body=sample.row(0), timeout=suite.PATIENCE)
        wait_until(lambda: in_flight(up, name) == 1, "it is in flight")
        call.cancel()
        wait_until(lambda: in_flight(up, name) == 0, "its place is free")
        wait_until(lambda: victim not in up.runners(), "the instance is killed")
    assert up.invoke(name, sample.row(1), timeout=suite.PATIENCE).body == sample.answer(1)


def test_cancel_while_waiting_frees_its_place(up, fresh, sample, name):
    up.serve(name, models.SAMPLE_URI, concurrency=1)
    with frozen(up, [up.pid("worker")]):
        call = up.inference.Invoke.future(endpoint_name=name, body=sample.row(0), timeout=suite.PATIENCE)
        wait_until(lambda: in_flight(up, name) == 1, "it waits")
        call.cancel()
        wait_until(lambda: in_flight(up, name) == 0, "its place is free")
    assert up.invoke(name, sample.row(1), timeout=suite.PATIENCE).body == sample.answer(1)


def test_invoke_timeout_names_the_limit_and_spares_the_others(up, fresh, sample, name):
    up.serve(name, models.SAMPLE_URI, concurrency=2, provisioned=2, invoke_timeout_ms=500)
    with frozen(up, up.the_runners(2)) as (victim, other):
        calls = [up.inference.Invoke.future(endpoint_name=name, body=sample.row(i), timeout=suite.PATIENCE) for i in range(2)]
        wait_until(lambda: in_flight(up, name) == 2, "each has an instance")
        os.kill(other, signal.SIGCONT)
        ends = []
        for i, call in enumerate(calls):
            try:
                ends.append(call.result().body == sample.answer(i))
            except grpc.RpcError as error:
                told = protos.Failure(error)
                assert told.code == "DEADLINE_EXCEEDED" and told.reason == "INVOKE_TIMEOUT" and "500" in told.message, told
                ends.append("late")
        assert sorted(map(str, ends)) == ["True", "late"]
    wait_until(lambda: len(up.idle(name)) == 2, "the dead one is replaced")
    assert victim not in up.runners()


# ---- clients ----

INVOKE = "/pilotlight.v1.InferenceService/Invoke"


def stream(up, service="router", path=INVOKE):
    return up.channel(service).stream_unary(path)


@pytest.mark.parametrize("service,path", [("router", INVOKE), ("control", "/pilotlight.v1.ModelService/GetModel"),
                                          ("worker", "/pilotlight.internal.v1.WorkerService/StartInstance")])
def test_half_closed_stream_without_a_message(up, service, path):
    with pytest.raises(grpc.RpcError) as failed:
        stream(up, service, path)(iter([]), timeout=suite.PATIENCE)
    assert failed.value.code() == grpc.StatusCode.INVALID_ARGUMENT and "without sending a message" in failed.value.details()


def test_stream_that_never_half_closes_ends_by_its_deadline(up, fresh, sample, name):
    """One whole message and then silence: the answer may come, or the deadline; the endpoint's place is free after it."""
    up.serve(name, models.SAMPLE_URI, concurrency=1)
    never, request = threading.Event(), protos.load()("pilotlight.v1.InvokeRequest")(endpoint_name=name, body=sample.row(0))

    def messages():
        yield request.SerializeToString()
        never.wait(suite.PATIENCE)

    try:
        stream(up)(messages(), timeout=1)
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    never.set()
    wait_until(lambda: in_flight(up, name) == 0, "its place is free")
    assert up.invoke(name, sample.row(1)).body == sample.answer(1)


def test_bytes_that_are_no_http2_and_connections_that_say_nothing(up, fresh, sample, name):
    up.serve(name, models.SAMPLE_URI)
    held = []
    for service in ("router", "control", "worker"):
        host, port = up.address(service).split(":")
        for words in (b"", b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00\x01", os.urandom(4096), b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
                      b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00" + b"\xff" * 64):
            s = socket.create_connection((host, int(port)), timeout=suite.PATIENCE)
            with contextlib.suppress(OSError):
                s.sendall(words)
            held.append(s)
    assert up.invoke(name, sample.row(0)).body == sample.answer(0)
    for s in held:
        s.close()
    assert up.invoke(name, sample.row(1)).body == sample.answer(1)


def test_client_that_sends_slowly_holds_up_nobody(up, fresh, sample, name):
    """The HTTP/2 headers of a call and one byte of its message, then silence: it is not admitted, and others are served."""
    import struct
    up.serve(name, models.SAMPLE_URI, concurrency=1)

    def frame(kind, flags, stream_id, payload):
        return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream_id) + payload

    def literal(key, value):
        return b"\x00" + bytes([len(key)]) + key.encode() + bytes([len(value)]) + value.encode()

    headers = b"\x83\x86" + literal(":path", INVOKE) + literal(":authority", "x") + literal("content-type", "application/grpc") + literal("te", "trailers")
    host, port = up.address("router").split(":")
    with socket.create_connection((host, int(port)), timeout=suite.PATIENCE) as s:
        s.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, b"") + frame(1, 4, 1, headers) + frame(0, 0, 1, b"\x00"))
        for i in range(10):
            assert up.invoke(name, sample.row(i)).body == sample.answer(i)
        assert in_flight(up, name) == 0
    assert up.invoke(name, sample.row(0)).body == sample.answer(0)


def test_client_that_vanishes_in_flight_frees_its_place(up, fresh, sample, name):
    up.serve(name, models.SAMPLE_URI, concurrency=1, provisioned=1)
    channel = grpc.insecure_channel(up.address("router"), suite.CHANNEL)
    with frozen(up):
        inference = protos.Service(channel, "pilotlight.v1.InferenceService")
        call = inference.Invoke.future(endpoint_name=name, body=sample.row(0), timeout=suite.PATIENCE)  # dropped, it would be cancelled
        wait_until(lambda: in_flight(up, name) == 1, "it is in flight")
        channel.close()
        wait_until(lambda: in_flight(up, name) == 0, "its place is free")
        assert call.done()
    assert up.invoke(name, sample.row(1), timeout=suite.PATIENCE).body == sample.answer(1)


# ---- drain ----

def test_router_finishes_what_is_in_flight_when_it_drains(stack, sample, name):
    stack.start()
    stack.serve(name, models.SAMPLE_URI, concurrency=2, provisioned=1)
    watch = stack.health("router").Watch(service="pilotlight.v1.InferenceService", timeout=suite.PATIENCE)
    assert next(watch).status == 1
    with frozen(stack):
        call = stack.inference.Invoke.future(endpoint_name=name, body=sample.row(0), timeout=suite.PATIENCE)
        wait_until(lambda: in_flight(stack, name) == 1, "it is in flight")
        stack.programs["router"].process.send_signal(signal.SIGTERM)
        told = []
        with pytest.raises(grpc.RpcError) as ended:
            for answer in watch:
                told.append(answer.status)
        assert told == [2] and ended.value.code() == grpc.StatusCode.UNAVAILABLE, "whoever watches hears NOT_SERVING, and then the end"
        # A new connection is refused, or its call is told that the router drains.
        def refused():
            with grpc.insecure_channel(stack.address("router"), suite.CHANNEL) as other:
                try:
                    protos.Service(other, "pilotlight.v1.InferenceService").Invoke(endpoint_name="x", body=b"", timeout=2)
                except grpc.RpcError as error:
                    return error.code() == grpc.StatusCode.UNAVAILABLE
        wait_until(refused, "new calls are refused")
        assert stack.programs["router"].alive()
    assert call.result().body == sample.answer(0)
    assert stack.programs["router"].process.wait(suite.PATIENCE) == 0
