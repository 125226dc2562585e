"""Processes that die at the worst moment: what the caller sees, and that everything comes back."""
import contextlib
import os
import random
import resource
import signal
import socket
import threading
import time
import urllib.request

import grpc
import pytest

import models
import protos
import suite
from suite import Stack, variant_of, wait_until
from test_02_resources import URI, failure
from test_05_limits import frozen, in_flight


@pytest.fixture
def sample():
    return models.Sample()


@pytest.fixture(params=["auto", "off"])
def direct(stack, request):
    """Requests go straight to their instances, or by way of the worker."""
    stack.settings["router"]["direct"] = request.param


def refusal(stack, name):
    """The status that a call gets, or None when it is answered."""
    try:
        stack.invoke(name, b"")
    except grpc.RpcError as error:
        return error.code().name
    return None


# ---- an instance dies ----

def test_idle_instance_dies_and_nobody_notices(stack, sample, name):
    stack.start()
    stack.serve(name, models.SAMPLE_URI)
    stack.invoke(name, sample.row(0))
    (victim,) = stack.the_runners(1)
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: not stack.instances(name), "the router knows")
    answer = stack.invoke(name, sample.row(1))
    assert answer.body == sample.answer(1) and answer.timings.cold


def test_call_that_a_dead_instance_has_not_read_goes_to_another(stack, direct, sample, name):
    """By SIGKILL: it is the first process of its own process namespace, which no other signal from outside can end."""
    stack.start()
    stack.serve(name, models.SAMPLE_URI, provisioned=1)
    (victim,) = stack.the_runners(1)
    with frozen(stack):
        call = stack.inference.Invoke.future(endpoint_name=name, body=sample.row(0), timeout=suite.PATIENCE)
        wait_until(lambda: in_flight(stack, name) == 1, "it is in flight")
        os.kill(victim, signal.SIGKILL)
    answer = call.result()
    assert answer.body == sample.answer(0) and answer.timings.cold
    wait_until(lambda: len(stack.idle(name)) == 1, "it is replaced")
    assert stack.invoke(name, sample.row(1)).body == sample.answer(1)


def test_provisioned_instance_is_replaced(stack, sample, name):
    stack.start()
    stack.serve(name, models.SAMPLE_URI, provisioned=2)
    for _ in range(2):
        victim = stack.runners()[0]
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda: victim not in stack.runners() and len(stack.idle(name)) == 2, "it is replaced")
    assert stack.invoke(name, sample.row(0)).body == sample.answer(0)


def test_death_during_a_cold_start_is_another_start_or_a_clear_error(stack, sample, name):
    stack.start()
    stack.serve(name, models.SAMPLE_URI, concurrency=1, keep_alive_ms=0)
    stopped = threading.Event()
    killed = []

    def hunt():
        while not stopped.is_set():
            for pid in stack.runners():
                try:
                    os.kill(pid, signal.SIGKILL)
                    killed.append(pid)
                except ProcessLookupError:
                    pass

    hunter = threading.Thread(target=hunt)
    hunter.start()
    try:
        for i in range(10):
            try:
                assert stack.invoke(name, sample.row(i), timeout=suite.PATIENCE).body == sample.answer(i)
            except grpc.RpcError as error:
                told = protos.Failure(error)
                assert told.reason in ("INSTANCE_DIED", "MODEL_NOT_LOADED", "START_FAILED"), told
    finally:
        stopped.set()
        hunter.join()
    assert killed
    wait_until(lambda: stack.invoke(name, sample.row(0), timeout=suite.PATIENCE).body == sample.answer(0), "it serves again")


def test_callers_that_leave_at_the_last_moment_leave_no_instance_behind(stack, direct, sample, name):
    """An answer may cross the caller's leaving on its way: the instance that gave it must not be forgotten."""
    stack.start()
    stack.serve(name, models.SAMPLE_URI, concurrency=8)
    began = time.monotonic()
    for i in range(20):
        stack.invoke(name, sample.row(i))
    usual = (time.monotonic() - began) / 20

    def leave(seed):
        dice = random.Random(seed)
        for i in range(150):
            with contextlib.suppress(grpc.RpcError):
                stack.invoke(name, sample.row(i), timeout=usual * dice.uniform(0.5, 8))

    callers = [threading.Thread(target=leave, args=(seed,)) for seed in range(8)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    wait_until(lambda: len(stack.runners()) == len(stack.instances()), "every process is one that the router knows")
    assert sum(s.in_flight for s in stack.stats(name)) == 0
    assert stack.invoke(name, sample.row(0)).body == sample.answer(0)


def test_starts_that_are_given_up_leave_the_stock_as_it_was(stack, name):
    stack.settings["worker"]["blank_instances"] = 2
    stack.start()
    stack.serve(name, models.SAMPLE_URI)
    worker = protos.Service(stack.channel("worker"), "pilotlight.internal.v1.WorkerService")
    spec = {"endpoint_name": name, "variant_name": "main", "artifact_uri": models.SAMPLE_URI, "runtime": "xgboost",
            "artifact_sha256": models.sha256(models.SAMPLE / "model.tar.gz"), "memory_size_mb": 1024, "start_timeout_ms": 60000}

    def named(what):
        return [pid for pid, comm in suite.descendants(stack.pid("worker")).items() if comm == what]

    wait_until(lambda: len(named("pl-blank")) == 2, "the stock is full")
    with frozen(stack, named("pl-zygote")):
        calls = [worker.StartInstance.future(router_epoch=1 << 60, spec=spec, start_key=i + 1) for i in range(12)]
        wait_until(lambda: sum(call.done() for call in calls) == 2, "those for whom there was a blank one have come")
        for call in calls:
            call.cancel()
        worker.StopInstance(router_epoch=1 << 60, instance_id=1)  # behind the cancellations, on the same connection
        # A stop that comes before the cancellation of the start that it is about.
        late = worker.StartInstance.future(router_epoch=1 << 60, spec=spec, start_key=99)
        wait_until(lambda: worker.StopInstance(router_epoch=1 << 60, start_key=99) and late.done(), "the start has been given up")
        assert late.code() == grpc.StatusCode.CANCELLED
    wait_until(lambda: len(named("pl-blank")) == 2, "the stock is as it was")


# ---- two routers ----

@pytest.fixture
def second(stack, tmp_path):
    """Another router on the same control and worker, once it has been started; ended with the test."""
    other = Stack(tmp_path / "second")
    other.folder.mkdir()
    other.settings["router"] |= {"control": stack.address("control"), "router_id": "router-2"}
    yield other
    assert set(other.stop().values()) <= {0, -9}


def test_two_routers_share_a_host(stack, second, sample, name):
    """Each has instances of its own; the older one goes on when the newer one has come, and when it has gone."""
    stack.start()
    stack.serve(name, models.SAMPLE_URI, keep_alive_ms=500)
    assert stack.invoke(name, sample.row(0)).timings.cold
    second.start("router")
    wait_until(lambda: second.invoke(name, sample.row(1)).body == sample.answer(1), "the second one serves")
    wait_until(lambda: not stack.instances(name), "the first one has none any more")
    wait_until(lambda: not second.instances(name), "nor has the second")
    for i in range(2):
        assert second.invoke(name, sample.row(i)).timings.cold == (i == 0)
        assert stack.invoke(name, sample.row(i)).timings.cold == (i == 0)
    assert not {i.id for i in stack.instances(name)} & {i.id for i in second.instances(name)}
    second.kill("router")
    wait_until(lambda: not stack.instances(name), "keep-alive is over")
    assert stack.invoke(name, sample.row(2)).body == sample.answer(2)


def test_instances_of_a_router_that_does_not_come_back_stop(stack, second, sample, name):
    stack.settings["worker"]["orphan_timeout"] = "1s"
    stack.start()
    stack.serve(name, models.SAMPLE_URI)
    second.start("router")
    wait_until(lambda: second.invoke(name, sample.row(1)).body == sample.answer(1), "the second one serves")
    stack.invoke(name, sample.row(0))
    stack.the_runners(2)
    second.kill("router")
    stack.the_runners(1)
    assert not stack.invoke(name, sample.row(0)).timings.cold


def test_instances_of_a_router_that_is_away_are_taken_over(stack, second, sample, name):
    stack.start()
    stack.serve(name, models.SAMPLE_URI)
    stack.invoke(name, sample.row(0))
    (kept,) = stack.the_runners(1)
    stack.kill("router")
    second.start("router")
    answer = wait_until(lambda: second.invoke(name, sample.row(1)), "the second one serves")
    assert answer.body == sample.answer(1) and not answer.timings.cold and stack.runners() == [kept]


# ---- the worker dies ----

def test_worker_dies_idle_and_comes_back(stack, sample, name):
    stack.start()
    stack.serve(name, models.SAMPLE_URI)
    stack.invoke(name, sample.row(0))
    orphans = stack.runners()
    stack.kill("worker")
    wait_until(lambda: not any(os.path.exists(f"/proc/{pid}/exe") for pid in orphans), "its instances go with it")
    stack.start("worker")
    answer = wait_until(lambda: stack.invoke(name, sample.row(1), timeout=suite.PATIENCE), "it serves again")
    assert answer.body == sample.answer(1) and answer.timings.cold


def test_worker_dies_with_calls_in_flight(stack, direct, sample, name):
    stack.start()
    stack.serve(name, models.SAMPLE_URI, concurrency=2, provisioned=2)
    with frozen(stack):
        calls = [stack.inference.Invoke.future(endpoint_name=name, body=sample.row(i), timeout=suite.PATIENCE) for i in range(2)]
        wait_until(lambda: in_flight(stack, name) == 2, "they are in flight")
        stack.kill("worker")
        for call in calls:
            with pytest.raises(grpc.RpcError) as failed:
                call.result()
            told = protos.Failure(failed.value)
            assert told.code in ("UNAVAILABLE", "INTERNAL") and told.reason, told
    stack.start("worker")
    wait_until(lambda: len(stack.idle(name)) == 2, "the provisioned ones are back")
    assert stack.invoke(name, sample.row(3)).body == sample.answer(3)
    assert sum(s.in_flight for s in stack.stats(name)) == 0


def test_worker_dies_while_it_proves_a_model(stack, sample, name):
    stack.start()
    stack.create_model(name, models.SAMPLE_URI)
    stack.create_config(name, variant_of(name))
    stack.create_endpoint(name)
    stack.kill("worker")
    stack.start("worker")
    assert stack.settled(name, suite.PATIENCE * 2)[1] == "IN_SERVICE"
    assert wait_until(lambda: stack.invoke(name, sample.row(0), timeout=suite.PATIENCE), "it serves").body == sample.answer(0)


def test_zygotes_and_blank_processes_die_and_come_again(stack, sample, name):
    """What instances are made from: those that are there go on, and the next one is made anew."""
    stack.start()
    stack.serve(name, models.SAMPLE_URI)
    stack.invoke(name, sample.row(0))
    (instance,) = stack.the_runners(1)
    for pid in set(suite.descendants(stack.pid("worker"))) - {instance}:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    warm = stack.invoke(name, sample.row(1), timeout=suite.PATIENCE)
    assert warm.body == sample.answer(1) and not warm.timings.cold
    os.kill(instance, signal.SIGKILL)
    wait_until(lambda: not stack.instances(name), "the router knows")
    cold = stack.invoke(name, sample.row(2), timeout=suite.PATIENCE)
    assert cold.body == sample.answer(2) and cold.timings.cold


def test_no_worker_is_a_clear_error_that_comes_in_time(stack, sample, name):
    stack.start()
    stack.serve(name, models.SAMPLE_URI)
    stack.kill("worker")
    told = failure(stack.invoke, name, sample.row(0), timeout=suite.PATIENCE)
    assert told.code in ("UNAVAILABLE", "DEADLINE_EXCEEDED"), told
    stack.start("worker")
    wait_until(lambda: stack.invoke(name, sample.row(0), timeout=suite.PATIENCE).body == sample.answer(0), "it serves again")


# ---- control dies ----

def test_control_down_hurts_no_call(stack, sample, name):
    stack.start()
    stack.serve(name, models.SAMPLE_URI, keep_alive_ms=200)
    stack.kill("control")
    for i in range(3):
        answer = stack.invoke(name, sample.row(i))
        assert answer.body == sample.answer(i) and answer.timings.cold
        wait_until(lambda: not stack.instances(name), "it is at zero")
    stack.start("control")
    assert stack.status(name) == "IN_SERVICE"
    up_to_date = wait_until(lambda: stack.invoke(name, sample.row(4)), "it serves")
    assert up_to_date.body == sample.answer(4)


def test_router_restarts_from_its_snapshot_with_control_down(stack, sample, name):
    stack.start()
    stack.serve(name, models.SAMPLE_URI)
    stack.invoke(name, sample.row(0))
    warm = stack.the_runners(1)
    stack.kill("control")
    stack.kill("router")
    stack.start("router")
    answer = wait_until(lambda: stack.invoke(name, sample.row(1), timeout=suite.PATIENCE), "it serves from its snapshot")
    assert answer.body == sample.answer(1)
    assert stack.runners() == warm and not answer.timings.cold, "the warm instance was not taken over"
    stack.start("control")
    stack.delete_endpoint(name)
    wait_until(lambda: refusal(stack, name) == "NOT_FOUND", "the router follows control again")


def test_router_dies_with_a_call_in_flight(stack, direct, sample, name):
    stack.start()
    stack.serve(name, models.SAMPLE_URI, provisioned=1)
    with frozen(stack):
        call = stack.inference.Invoke.future(endpoint_name=name, body=sample.row(0), timeout=suite.PATIENCE)
        wait_until(lambda: in_flight(stack, name) == 1, "it is in flight")
        stack.kill("router")
        with pytest.raises(grpc.RpcError) as failed:
            call.result()
        assert failed.value.code() == grpc.StatusCode.UNAVAILABLE
    stack.start("router")
    wait_until(lambda: len(stack.idle(name)) == 1, "an instance is warm")
    assert stack.invoke(name, sample.row(1)).body == sample.answer(1)


def test_router_dies_while_an_instance_starts(stack, sample, name):
    """Nobody hears of what it has asked for: the next router finds the instance, or there is none."""
    stack.start()
    stack.serve(name, models.SAMPLE_URI)
    for i in range(5):
        call = stack.inference.Invoke.future(endpoint_name=name, body=sample.row(i), timeout=suite.PATIENCE)
        stack.kill("router")
        with contextlib.suppress(grpc.RpcError):
            assert call.result().body == sample.answer(i)  # or it was faster
        stack.start("router")
        assert wait_until(lambda: stack.invoke(name, sample.row(i), timeout=suite.PATIENCE), "it serves").body == sample.answer(i)
        wait_until(lambda: len(stack.runners()) == len(stack.instances()), "every process is one that the router knows")


def test_torn_snapshot_is_told_and_not_believed(stack, sample, name):
    stack.start()
    stack.serve(name, models.SAMPLE_URI)
    stack.kill("router")
    path = stack.folder / "router.snapshot"
    path.write_bytes(path.read_bytes()[:-7])
    stack.start("router")
    assert wait_until(lambda: stack.invoke(name, sample.row(0)), "it serves from control").body == sample.answer(0)


def test_control_dies_in_the_middle_of_writes_and_keeps_what_it_acknowledged(stack, name):
    """Creates go on while control is killed again and again: every acknowledged one is there, whole, and no other half-done."""
    stack.start("control")
    acknowledged, asked = [], []
    for round_ in range(5):
        started, models_ = threading.Event(), stack.models

        def write(round_=round_, models_=models_, started=started):
            for i in range(1000):
                each = f"m-{round_}-{i}"
                asked.append(each)
                try:
                    models_.CreateModel(model={"name": each, "artifact_uri": URI, "tags": [{"key": "n", "value": str(i)}]}, timeout=5)
                except grpc.RpcError:
                    return
                acknowledged.append(each)
                if i == 10:
                    started.set()

        writer = threading.Thread(target=write)
        writer.start()
        assert started.wait(suite.PATIENCE)
        stack.kill("control")
        writer.join()
        stack.start("control")
        there, token = {}, ""
        while True:
            page = stack.models.ListModels(options={"page_size": 1000, "page_token": token})
            there.update({m.name: m for m in page.models})
            token = page.next_page_token
            if not token:
                break
        assert set(acknowledged) <= set(there) <= set(asked)
        assert all(m.artifact_uri == URI and len(m.tags) == 1 for m in there.values())


def test_control_dies_while_an_endpoint_is_created_and_finishes_it(stack, sample, name):
    stack.start("control", "router")
    stack.create_model(name, models.SAMPLE_URI)
    stack.create_config(name, variant_of(name))
    stack.create_endpoint(name)
    assert stack.status(name) == "CREATING"
    stack.kill("control")
    stack.start("control", "worker")
    assert stack.settled(name)[1] == "IN_SERVICE"
    assert wait_until(lambda: stack.invoke(name, sample.row(0)), "it serves").body == sample.answer(0)


def test_control_dies_while_an_endpoint_is_updated_and_deleted(stack, sample, name):
    stack.start()
    stack.serve(name, models.SAMPLE_URI)
    stack.create_config(f"{name}-2", variant_of(name, concurrency=7))
    stack.kill("worker")
    stack.endpoints.UpdateEndpoint(name=name, endpoint_config_name=f"{name}-2")
    stack.kill("control")
    stack.start("worker", "control")
    endpoint, status = stack.settled(name)
    assert status == "IN_SERVICE" and endpoint.endpoint_config_name == f"{name}-2" and not endpoint.failure_reason
    stack.endpoints.DeleteEndpoint(name=name)
    stack.kill("control")
    stack.start("control")
    wait_until(lambda: stack.gone(name), "it is deleted", suite.PATIENCE * 4)


def test_endpoint_is_not_gone_before_a_router_that_missed_it_is_back(tmp_path, sample, name):
    """Control starts again, an endpoint is deleted at once; its router, which goes on serving it, has not come back yet."""
    stack = Stack(tmp_path, {"control": {"settle": "60s"}}).start()
    try:
        stack.serve(name, models.SAMPLE_URI)
        stack.kill("control")
        os.kill(stack.pid("router"), signal.SIGSTOP)
        try:
            stack.start("control")
            stack.endpoints.DeleteEndpoint(name=name)
            assert stack.status(name) == "DELETING"
        finally:
            os.kill(stack.pid("router"), signal.SIGCONT)
        wait_until(lambda: stack.gone(name), "it is deleted")
        assert refusal(stack, name) == "NOT_FOUND"
    finally:
        assert not any(stack.stop().values())


# ---- the whole suite ----

def test_state_survives_a_restart_of_the_suite(tmp_path, sample, name):
    up = suite.Up(tmp_path).start()
    up.serve(name, models.SAMPLE_URI)
    assert up.stop() == 0
    again = suite.Up(tmp_path).start()
    try:
        assert again.status(name) == "IN_SERVICE"
        assert wait_until(lambda: again.invoke(name, sample.row(0)), "it serves").body == sample.answer(0)
    finally:
        assert again.stop() == 0


@pytest.mark.parametrize("service", ["control", "router", "worker"])
def test_up_starts_again_what_dies(tmp_path, sample, name, service):
    up = suite.Up(tmp_path).start()
    try:
        up.serve(name, models.SAMPLE_URI)
        dead = up.pid(service)
        os.kill(dead, signal.SIGKILL)
        wait_until(lambda: up.pid(service) not in (None, dead) and up.health(service).Check(service="", timeout=2).status == 1, f"{service} serves again")
        assert wait_until(lambda: up.invoke(name, sample.row(0), timeout=5), "it serves").body == sample.answer(0)
    finally:
        assert up.stop() == 0


def test_up_starts_the_gateway_again(tmp_path):
    def ready():
        with urllib.request.urlopen(f"http://{up.admin('gateway')}/readyz", timeout=2) as answer:
            return answer.status == 200

    up = suite.Up(tmp_path).start()
    try:
        dead = up.pid("gateway")
        os.kill(dead, signal.SIGKILL)
        wait_until(lambda: up.pid("gateway") not in (None, dead) and ready(), "the gateway serves again")
    finally:
        assert up.stop() == 0


def test_nothing_is_left_behind(tmp_path, sample, name):
    up = suite.Up(tmp_path).start()
    up.serve(name, models.SAMPLE_URI, provisioned=2)
    everything = suite.descendants(up.program.pid)
    assert len(everything) >= 5
    assert up.stop() == 0
    wait_until(lambda: not any(os.path.exists(f"/proc/{pid}/exe") for pid in everything), "no process is left")


# ---- a service runs out of descriptors ----

def test_service_that_cannot_be_reached_any_more_ends(stack):
    """The core gives its listener up when accept() fails: a service that went on would be deaf for good, and look well."""
    stack.start("control")
    control = stack.programs["control"]
    assert resource.prlimit(control.pid, resource.RLIMIT_NOFILE)[0] > 1024, "the usual limit is raised at the start"
    few = len(os.listdir(f"/proc/{control.pid}/fd")) + 20
    resource.prlimit(control.pid, resource.RLIMIT_NOFILE, (few, few))
    with contextlib.ExitStack() as held:
        with contextlib.suppress(ConnectionRefusedError):  # it may be gone before the last of them
            for _ in range(60):
                held.enter_context(socket.create_connection(("127.0.0.1", stack.base + suite.PORTS["control"]), suite.PATIENCE))
        wait_until(lambda: control.said("listener_lost"), "the loss is told")
    assert control.process.wait(suite.PATIENCE * 3) == 1
    stack.start("control")
