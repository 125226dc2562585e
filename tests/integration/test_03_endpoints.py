"""The life of an endpoint: creating, in service, failed, updating, rolled back, deleting; and who watches it."""
import queue
import threading

import grpc
import pytest

import models
import protos
import suite
from suite import variant_of, wait_until
from test_02_resources import failure


class Watcher:
    """Collects what WatchEndpoint says."""

    def __init__(self, up, name):
        self.seen, self.ended = [], queue.Queue()
        self.stream = up.endpoints.WatchEndpoint(name=name, timeout=suite.PATIENCE * 4)
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        try:
            for message in self.stream:
                self.seen.append(message)
            self.ended.put("OK")
        except grpc.RpcError as error:
            self.ended.put(error.code().name)

    def statuses(self):
        names = {v: k.removeprefix("ENDPOINT_STATUS_") for k, v in
                 ((k, v.number) for k, v in protos.load().enum("pilotlight.v1.EndpointStatus").items())}
        out = []
        for message in self.seen:
            status = "deleted" if message.deleted else names[message.endpoint.status]
            if not out or out[-1] != status:
                out.append(status)
        return out


def test_creating_proves_the_model_and_tells_its_facts(up, name):
    up.create_model(name, models.SAMPLE_URI)
    up.create_config(name, variant_of(name))
    made = up.create_endpoint(name)
    assert made.status == 1 and not made.variants and made.version > 0
    endpoint, status = up.settled(name)
    assert status == "IN_SERVICE" and endpoint.failure_reason == "" and endpoint.version > made.version
    assert endpoint.endpoint_config_name == name and endpoint.pending_endpoint_config_name == ""
    (variant,) = endpoint.variants
    assert variant.artifact_sha256 == models.sha256(models.SAMPLE / "model.tar.gz")
    assert variant.facts.objective == "reg:squarederror" and variant.facts.features == 10 and variant.facts.outputs == 1
    assert variant.facts.artifact_bytes == (models.SAMPLE / "model.tar.gz").stat().st_size
    assert "xgboost" in variant.facts.runtime_version


def test_process_that_proved_a_model_has_ended_when_its_endpoint_is_in_service(stack, name):
    stack.start()
    for i in range(5):
        stack.serve(f"{name}-{i}", models.SAMPLE_URI)
        assert stack.runners() == []


def test_endpoint_at_rest_has_no_instance(up, diabetes, name):
    up.serve(name, models.SAMPLE_URI)
    assert up.instances(name) == []


def test_watch_tells_the_whole_story(up, name, artifacts):
    up.create_model(name, models.SAMPLE_URI)
    up.create_config(name, variant_of(name))
    up.create_endpoint(name)
    watcher = Watcher(up, name)
    up.settled(name)
    up.delete_endpoint(name)
    assert watcher.ended.get(timeout=suite.PATIENCE) == "OK"
    assert watcher.statuses()[-3:] == ["IN_SERVICE", "DELETING", "deleted"]
    versions = [m.endpoint.version for m in watcher.seen if not m.deleted]
    assert versions == sorted(versions)


def test_watch_of_nothing_is_not_found(up):
    with pytest.raises(grpc.RpcError) as failed:
        next(iter(up.endpoints.WatchEndpoint(name="never-made")))
    assert failed.value.code() == grpc.StatusCode.NOT_FOUND


def test_failed_endpoint_quotes_the_cause_and_can_only_be_deleted(up, name):
    up.create_model(name, "file:///no/such/model.tar.gz")
    up.create_config(name, variant_of(name))
    up.create_endpoint(name)
    endpoint, status = up.settled(name)
    assert status == "FAILED" and "/no/such/model.tar.gz" in endpoint.failure_reason and "No such file" in endpoint.failure_reason
    assert failure(up.endpoints.UpdateEndpoint, name=name, endpoint_config_name=name).code == "FAILED_PRECONDITION"
    told = failure(up.invoke, name, b"1")
    assert told.code == "NOT_FOUND"
    up.delete_endpoint(name)
    assert failure(up.invoke, name, b"1").code == "NOT_FOUND"


def test_name_of_a_living_endpoint_is_taken(up, diabetes):
    assert failure(up.create_endpoint, "diabetes").code == "ALREADY_EXISTS"


def test_deleted_endpoint_can_be_made_again(up, diabetes, name):
    for _ in range(2):
        up.serve(name, models.SAMPLE_URI)
        assert up.invoke(name, diabetes.row(0)).body == diabetes.answer(0)
        up.delete_endpoint(name)
        assert up.instances(name) == []
        up.configs.DeleteEndpointConfig(name=name)
        up.models.DeleteModel(name=name)


def test_endpoint_goes_on_without_its_model_and_config(up, diabetes, name):
    up.serve(name, models.SAMPLE_URI)
    up.configs.DeleteEndpointConfig(name=name)
    up.models.DeleteModel(name=name)
    assert up.invoke(name, diabetes.row(1)).body == diabetes.answer(1)


def test_list_by_status(up, diabetes):
    names = [e.name for e in up.endpoints.ListEndpoints(status=2).endpoints]
    assert "diabetes" in names
    assert "diabetes" not in [e.name for e in up.endpoints.ListEndpoints(status=6).endpoints]
    assert failure(up.endpoints.ListEndpoints, status=77).fields == ["status"]


# ---- updates ----

class Traffic:
    """Calls an endpoint without a pause from a few threads and keeps what came back."""

    def __init__(self, up, endpoint, row, threads=2):
        self.up, self.endpoint, self.row = up, endpoint, row
        self.answers, self.failures, self.stopped = [], [], threading.Event()
        self.threads = [threading.Thread(target=self._run, daemon=True) for _ in range(threads)]

    def _run(self):
        inference = self.up.inference
        while not self.stopped.is_set():
            try:
                self.answers.append(inference.Invoke(endpoint_name=self.endpoint, body=self.row, timeout=suite.PATIENCE).body)
            except grpc.RpcError as error:
                self.failures.append(protos.Failure(error))

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        wait_until(lambda: self.answers or self.failures, "the first answer")
        return self

    def __exit__(self, *_):
        self.stopped.set()
        for thread in self.threads:
            thread.join(suite.PATIENCE * 2)

    def mark(self):
        return len(self.answers)

    def wait_more(self, count=20):
        goal = len(self.answers) + count
        wait_until(lambda: len(self.answers) >= goal or self.failures, "more answers")


def one_row(predict, row):
    return f"{float(predict([row])[0])}\n".encode()


def test_update_under_traffic_fails_no_call_and_ends_with_the_new_model(up, artifacts, name):
    row = "1,2,3,4,5,6,7,8,9,10"
    answers = {}
    for seed in (1, 2, 3):
        uri, predict = artifacts.model(seed)
        up.create_model(f"{name}-{seed}", uri)
        up.create_config(f"{name}-{seed}", variant_of(f"{name}-{seed}"))
        answers[seed] = one_row(predict, row)
    assert len(set(answers.values())) == 3
    up.create_endpoint(name, f"{name}-1")
    assert up.settled(name)[1] == "IN_SERVICE"
    with Traffic(up, name, row.encode()) as traffic:
        for seed in (2, 3, 1, 2):
            traffic.wait_more()
            up.endpoints.UpdateEndpoint(name=name, endpoint_config_name=f"{name}-{seed}")
            endpoint, status = up.settled(name)
            assert status == "IN_SERVICE" and endpoint.endpoint_config_name == f"{name}-{seed}" and not endpoint.failure_reason
            # The routers have it when it is IN_SERVICE: a call sent now gets the new model.
            assert up.invoke(name, row.encode()).body == answers[seed]
    assert not traffic.failures, traffic.failures[:3]
    assert set(traffic.answers) == set(answers.values())
    # Instances of older generations finish and go.
    wait_until(lambda: len({i.generation for i in up.instances(name)}) <= 1, "older instances are gone")


def test_broken_update_rolls_back_under_traffic(up, diabetes, artifacts, name):
    up.serve(name, models.SAMPLE_URI)
    up.create_model(f"{name}-x", artifacts.json_that_is_no_model())
    up.create_config(f"{name}-x", variant_of(f"{name}-x"))
    with Traffic(up, name, diabetes.row(5)) as traffic:
        up.endpoints.UpdateEndpoint(name=name, endpoint_config_name=f"{name}-x")
        wait_until(lambda: up.endpoint(name).failure_reason, "the reason of the failed update")
        endpoint, status = up.settled(name)
        traffic.wait_more()
    assert status == "IN_SERVICE" and endpoint.endpoint_config_name == name and endpoint.pending_endpoint_config_name == ""
    assert f"{name}-x" in endpoint.failure_reason and "Unable to load model" in endpoint.failure_reason
    assert not traffic.failures and set(traffic.answers) == {diabetes.answer(5)}


def test_update_while_updating_is_refused_and_unknown_config_changes_nothing(up, diabetes, name):
    up.serve(name, models.SAMPLE_URI)
    told = failure(up.endpoints.UpdateEndpoint, name=name, endpoint_config_name="never-made")
    assert told.code == "NOT_FOUND" and up.status(name) == "IN_SERVICE"
    up.endpoints.UpdateEndpoint(name=name, endpoint_config_name=name)
    try:
        up.endpoints.UpdateEndpoint(name=name, endpoint_config_name=name)
    except grpc.RpcError as error:
        assert protos.Failure(error).code == "FAILED_PRECONDITION"
    assert up.settled(name)[1] == "IN_SERVICE"


def test_provisioned_instances_come_without_a_call_and_stay(up, name):
    up.serve(name, models.SAMPLE_URI, provisioned=2, keep_alive_ms=0)
    assert len(up.idle(name)) == 2 and all(i.provisioned for i in up.idle(name))
    ids = {i.id for i in up.idle(name)}
    up.invoke(name, models.Sample().row(0))
    assert {i.id for i in up.instances(name)} == ids
    up.delete_endpoint(name)
    assert up.instances(name) == []
