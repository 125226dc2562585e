"""Two worker hosts, of which one leaves or dies under traffic; and a host's tools, or the host itself, dying while a model is prepared."""
import contextlib
import os
import pathlib
import random
import shutil
import signal
import urllib.parse

import numpy
import pytest

import models
import suite
from suite import variant_of, wait_until
from test_03_endpoints import Traffic


@pytest.fixture
def sample():
    return models.Sample()


# ---- two hosts ----

class SecondHost:
    """Another worker of the same control, with a cache of its own."""

    def __init__(self, stack):
        address = f"127.0.0.1:{stack.base + 7}"
        self.config, self.log = stack.folder / "worker-2.yaml", stack.folder / "worker-2.log"
        self.config.write_text(suite.to_yaml({**stack.settings["worker"], "listen": [address], "advertise": address, "admin_listen": "",
                                              "host_id": "host-2", "cache_dir": str(stack.folder / "cache-2")}))
        self.start()

    def start(self):
        self.program = suite.Program([suite.BIN / "pilotlight-worker", "--config", self.config], self.log)


def hosts(stack):
    return {h.id for h in stack.instances_service.ListHosts().hosts if h.connected}


def hosts_of(stack, name):
    """Where its instances are, one item for each."""
    return sorted(i.host for i in stack.instances(name))


def with_forests(worker):
    """How many of the worker's instances map a compiled forest; None while one comes or goes."""
    try:
        mapped = [".forest" in pathlib.Path(f"/proc/{pid}/maps").read_text() for pid in suite.instances_of(worker)]
    except OSError:
        return None
    return len(mapped) if all(mapped) else None


def test_a_host_that_joins_later_has_learned_the_models_before_a_call_comes(stack, sample, name, tmp_path):
    """It needs neither the artifact's source nor the host that served so far when a call comes."""
    source = shutil.copy(urllib.parse.urlparse(models.SAMPLE_URI).path, tmp_path / "model.tar.gz")
    stack.start()
    stack.serve(name, f"file://{source}")
    second = SecondHost(stack)
    try:
        learned = f'model_learned host="host-2" endpoint="{name}"'
        wait_until(lambda: learned in (stack.folder / "control.log").read_text(), "the second host has learned the model")
        assert len(list((stack.folder / "cache-2").rglob(".pilotlight-forest-*/0.forest"))) == 1
        assert hosts_of(stack, name).count("host-2") == 0, "and holds no instance for it"
        os.unlink(source)
        stack.kill("worker")
        wait_until(lambda: hosts(stack) == {"host-2"}, "the router has lost the first host")
        answer = stack.invoke(name, sample.row(0))
        assert answer.body == sample.answer(0) and answer.timings.cold and hosts_of(stack, name) == ["host-2"]
    finally:
        second.program.stop()


def test_two_hosts_share_and_either_may_leave_or_die_under_traffic(stack, sample, name):
    stack.start()
    second = SecondHost(stack)
    try:
        wait_until(lambda: hosts(stack) == {"host-1", "host-2"}, "the router sees both hosts")
        stack.serve(name, models.SAMPLE_URI, concurrency=12, provisioned=8)
        assert set(hosts_of(stack, name)) == {"host-1", "host-2"}, "both have some of them"
        for host, worker in (("host-1", stack.pid("worker")), ("host-2", second.program.pid)):
            wait_until(lambda: with_forests(worker) == hosts_of(stack, name).count(host), "each host has compiled the model")
        with Traffic(stack, name, sample.row(0), threads=4) as traffic:
            assert second.program.stop() == 0
            wait_until(lambda: hosts_of(stack, name) == ["host-1"] * 8, "the other host takes all")
            traffic.wait_more()
            assert not traffic.failures, f"a host that drains fails no call: {traffic.failures[:3]}"
            second.start()
            wait_until(lambda: hosts(stack) == {"host-1", "host-2"}, "it is back")
            stack.kill("worker")
            wait_until(lambda: hosts_of(stack, name) == ["host-2"] * 8, "the second host takes all", suite.PATIENCE * 2)
            assert all(told.code in ("UNAVAILABLE", "INTERNAL") and told.reason for told in traffic.failures), traffic.failures[:3]
            healed = len(traffic.failures)
            goal = traffic.mark() + 40
            wait_until(lambda: traffic.mark() >= goal, "calls are answered again")
            assert len(traffic.failures) == healed
        assert set(traffic.answers) == {sample.answer(0)}
        wait_until(lambda: len(stack.idle(name)) == 8, "all are idle")
        wait_until(lambda: with_forests(second.program.pid) == 8, "by the compiled model")
    finally:
        second.program.stop()


# ---- a model's preparation dies ----

def tools(stack, name):
    """Processes of this name that the worker has; a quick look, for those that do not live long."""
    out = []
    for children in pathlib.Path(f"/proc/{stack.pid('worker')}/task").glob("*/children"):
        for pid in children.read_text().split():
            with contextlib.suppress(OSError):
                if pathlib.Path(f"/proc/{pid}/comm").read_text().strip() == name:
                    out.append(int(pid))
    return out


def at_work(stack, tool):
    return wait_until(lambda: tools(stack, tool), f"a {tool} works", every=0.0005)[0]


@pytest.fixture(scope="module")
def large(artifacts):
    """Takes long enough to unpack and to compile that it can be killed at it; the model, and beside it what is no model."""
    _, booster = artifacts.booster(rounds=400, max_depth=6)
    junk = models.entry(".junk", random.Random(1).randbytes(6 << 20))
    return artifacts.tar(models.entry("xgboost-model", bytes(booster.save_raw("json"))), junk), booster


def begin(stack, name):
    stack.create_config(name, variant_of(name))
    stack.create_endpoint(name)


def unfinished(stack):
    """What is not in its place in the cache."""
    return [path for path in (stack.folder / "cache").glob("tmp/*")]


def right(stack, name, booster):
    row = [float(i) for i in range(10)]
    answer = stack.invoke(name, ",".join(map(str, row)).encode(), timeout=suite.PATIENCE).body
    return numpy.isclose(float(answer), booster.inplace_predict(numpy.array([row], numpy.float32))[0], rtol=1e-6)


def test_unpacking_and_compiling_may_be_killed(stack, large, name):
    uri, booster = large
    stack.start()
    stack.create_model(name, uri)
    begin(stack, name)
    os.kill(at_work(stack, "pl-unpack"), signal.SIGKILL)
    endpoint, status = stack.settled(name)
    assert status == "FAILED" and "killed by signal 9" in endpoint.failure_reason, endpoint.failure_reason
    assert not unfinished(stack)
    stack.delete_endpoint(name)
    stack.create_endpoint(name)
    os.kill(at_work(stack, "pl-compile"), signal.SIGKILL)
    endpoint, status = stack.settled(name)
    facts = endpoint.variants[0].facts
    assert status == "IN_SERVICE" and facts.forests == 1, f"it was run again: {facts}"
    assert not unfinished(stack) and right(stack, name, booster)


@pytest.mark.parametrize("tool", ["pl-unpack", "pl-compile"])
def test_worker_dies_while_it_prepares_a_model(stack, large, name, tool):
    uri, booster = large
    stack.start()
    stack.create_model(name, uri)
    begin(stack, name)
    at_work(stack, tool)
    stack.kill("worker")
    stack.start("worker")
    endpoint, status = stack.settled(name, suite.PATIENCE * 2)
    assert status == "IN_SERVICE" and endpoint.variants[0].facts.forests == 1, endpoint.failure_reason
    wait_until(lambda: not unfinished(stack), "what the dead worker began is cleared away")
    assert right(stack, name, booster)
