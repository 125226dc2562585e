"""Frames: what is none ends the instance, whatever it is."""
import os
import random

import pytest
import rig
from pilotlight_runtime import wire

SCRIPT = "def model_fn(d):\n    return 1\ndef transform_fn(m, body, content_type, accept):\n    return body\n"


@pytest.fixture
def loaded(run):
    return run(SCRIPT)


@pytest.mark.parametrize("frame", [
    rig.HEADER.pack(0, rig.INVOKE, 2, 0, 1),
    rig.HEADER.pack(0, rig.INVOKE, 1, 1, 1),
    rig.HEADER.pack((7 << 20) + 1, rig.INVOKE, 1, 0, 1),
    rig.HEADER.pack(0, rig.RESULT, 1, 0, 1),
    rig.HEADER.pack(0, rig.LOAD, 1, 0, 1),
    rig.HEADER.pack(0, rig.INVOKE, 1, 0, 1) + b"more than a header",
])  # fmt: skip
def test_a_broken_host_ends_the_instance(loaded, frame):
    loaded.socket.sendall(frame)
    assert loaded.process.wait(rig.PATIENCE) == 2
    assert "pilotlight: " in loaded.log()


@pytest.mark.parametrize("frame", [rig.HEADER.pack(9, rig.INVOKE, 1, 0, 1)[:10], rig.HEADER.pack(9, rig.INVOKE, 1, 0, 1) + b"part"])
def test_half_a_frame_ends_the_instance(loaded, frame):
    loaded.socket.sendall(frame)
    assert loaded.stop() == 2


def test_an_invoke_before_load_ends_the_instance(tmp_path):
    rig.script(tmp_path, SCRIPT)
    with rig.Instance(tmp_path) as instance:
        instance.send(rig.INVOKE, b"")
        assert instance.process.wait(rig.PATIENCE) == 2


@pytest.mark.parametrize("size", [0, 1, 65520, 65536, 70000, 6 << 20])
def test_bodies_of_every_size(loaded, size):
    body = os.urandom(size)
    for _ in range(2):
        assert loaded.ask(body, "x/y").body == body


def test_garbage_instead_of_a_message_is_an_error(loaded):
    loaded.send(rig.INVOKE, b"\xff" * 9)
    kind, _ = loaded.receive()
    assert kind == rig.ERROR
    assert loaded.ask("x", "x/y").body == b"x"


# ---- a router that has borrowed it ----

def test_a_router_has_a_socket_of_its_own(loaded):
    first = loaded.attach()
    for i in range(3):
        with loaded.by(first):
            assert loaded.ask("direct %d" % i, "x/y").body == b"direct %d" % i
        assert loaded.ask("by the worker", "x/y").body == b"by the worker"
    second = loaded.attach()
    with loaded.by(second):
        assert loaded.ask(os.urandom(1 << 20), "x/y").body
    assert first.recv(1) == b""
    loaded.detach()
    assert second.recv(1) == b""
    loaded.detach()
    assert loaded.ask("still here", "x/y").body == b"still here"
    assert loaded.stop() == 0


@pytest.mark.parametrize("last_words", [
    b"",
    rig.HEADER.pack(9, rig.INVOKE, 1, 0, 1)[:10],
    rig.HEADER.pack(9, rig.INVOKE, 1, 0, 1) + b"part",
    rig.HEADER.pack(0, rig.INVOKE, 1, 0, 1),
    b"no frame at all, but long enough",
])  # fmt: skip
def test_a_router_that_leaves_is_not_the_end(loaded, last_words):
    router = loaded.attach()
    router.sendall(last_words)
    router.close()
    assert loaded.ask("x", "x/y").body == b"x"
    with loaded.by(loaded.attach()) as again:
        assert again.ask("y", "x/y").body == b"y"


def test_frames_that_follow_each_other(loaded):
    router = loaded.attach()  # and right behind it:
    assert loaded.ask("x", "x/y").body == b"x"
    with loaded.by(router):
        assert loaded.ask("y", "x/y").body == b"y"


def test_wire_reads_what_protobuf_writes_and_survives_the_rest():
    message = rig.InvokeRequest(content_type="text/csv", body=b"1,2", request_id=(1 << 64) - 1, instance_id=300)
    found = {number: value if isinstance(value, int) else bytes(value) for number, _, value in wire.fields(message.SerializeToString())}
    assert found == {2: b"text/csv", 4: b"1,2", 100: 300, 101: (1 << 64) - 1}
    rng = random.Random(7)
    for _ in range(3000):
        data = rng.randbytes(rng.randrange(40))
        try:
            list(wire.fields(data))
        except wire.Malformed:
            pass


def test_wire_writes_what_protobuf_reads():
    for value in (0, 1, 127, 128, 1 << 40, -1):
        message = rig.LoadResponse.FromString(wire.put_varint(2, value))
        assert message.load_us == value
    assert rig.RunnerError.FromString(wire.put_varint(1, 500) + wire.put_bytes(2, "ä".encode())).message == "ä"
