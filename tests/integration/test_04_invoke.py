"""Calls: cold and warm, every content type and accept, all that the model refuses, all that the router refuses."""
import json

import grpc
import numpy
import pytest

import models
import protos
import suite
from suite import variant_of, wait_until
from test_02_resources import failure


# ---- cold and warm ----

def test_first_call_is_cold_and_second_warm(up, name):
    sample = models.Sample()
    up.serve(name, models.SAMPLE_URI)
    cold = up.invoke(name, sample.row(0), content_type="text/csv")
    warm = up.invoke(name, sample.row(1), content_type="text/csv")
    assert (cold.body, warm.body) == (sample.answer(0), sample.answer(1))
    assert cold.content_type == "text/csv" and cold.variant == "main" and cold.model_status == 200
    assert cold.timings.cold and cold.timings.start_us > 0 and 0 < cold.timings.load_us <= cold.timings.start_us
    assert cold.timings.queue_us >= cold.timings.load_us
    assert not warm.timings.cold and warm.timings.start_us == 0 and warm.timings.load_us == 0
    for t in (cold.timings, warm.timings):
        assert 0 < t.model_us <= t.total_us and t.overhead_us >= 0
        assert abs(t.total_us - (t.queue_us + t.model_us + t.overhead_us)) <= 2
    (instance,) = up.instances(name)
    assert instance.state == 2 and instance.requests_served == 2 and instance.memory_size_mb == 1024
    (stats,) = up.stats(name)
    assert (stats.invocations, stats.cold_starts, stats.instances_started, stats.failed, stats.in_flight) == (2, 1, 1, 0, 0)


def test_all_reference_predictions_row_by_row(up, diabetes):
    inference = up.inference
    calls = [inference.Invoke.future(endpoint_name="diabetes", body=diabetes.row(i), content_type="text/csv")
             for i in range(4)]
    answers = [call.result().body for call in calls]
    answers += [up.invoke("diabetes", diabetes.row(i)).body for i in range(4, len(diabetes.rows))]
    assert answers == [diabetes.answer(i) for i in range(len(diabetes.rows))]


def test_all_reference_predictions_in_one_call(up, diabetes):
    assert up.invoke("diabetes", diabetes.csv, content_type="text/csv").body == diabetes.answers


# ---- formats ----

def libsvm(sample, count):
    return "\n".join("0 " + " ".join(f"{i}:{cell}" for i, cell in enumerate(row.split(","))) for row in sample.rows[:count]).encode()


CSV_TYPES = ["text/csv", "csv", "text/csv; charset=utf-8", "text/csv; label_size=1", "TEXT/CSV", ""]


@pytest.mark.parametrize("content_type", CSV_TYPES)
def test_csv_types(up, diabetes, content_type):
    assert up.invoke("diabetes", diabetes.row(0), content_type=content_type).body == diabetes.answer(0)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", " "])
def test_csv_delimiters(up, diabetes, delimiter):
    body = "\n".join(row.replace(",", delimiter) for row in diabetes.rows[:3]).encode()
    assert up.invoke("diabetes", body, content_type="text/csv").body == b"".join(diabetes.answer(i) for i in range(3))


@pytest.mark.parametrize("ending", [b"", b"\n", b"\r\n", b"\n\n  \n"])
def test_csv_ends(up, diabetes, ending):
    assert up.invoke("diabetes", diabetes.row(7) + ending, content_type="text/csv").body == diabetes.answer(7)


@pytest.mark.parametrize("content_type", ["text/libsvm", "text/x-libsvm", "libsvm", ""])
def test_libsvm_types(up, diabetes, content_type):
    assert up.invoke("diabetes", libsvm(diabetes, 3), content_type=content_type).body == b"".join(diabetes.answer(i) for i in range(3))


def test_json_rows(up, diabetes):
    numbers = diabetes.numbers(3)
    wanted = b"".join(diabetes.answer(i) for i in range(3))
    for body in (numbers, {"instances": numbers}, {"instances": numbers, "other": [1, {"a": None}]}):
        assert up.invoke("diabetes", json.dumps(body).encode(), content_type="application/json").body == wanted
    assert up.invoke("diabetes", json.dumps(numbers[0]).encode(), content_type="application/json").body == diabetes.answer(0)


def test_missing_values_are_missing_in_every_format(up, artifacts, name):
    uri, predict = artifacts.model(4, columns=3)
    up.serve(name, uri)
    wanted = f"{float(predict([',2,3'])[0])}\n".encode()
    assert up.invoke(name, b",2,3", content_type="text/csv").body == wanted
    assert up.invoke(name, b"nan,2,3", content_type="text/csv").body == wanted
    assert up.invoke(name, b"1:2 2:3", content_type="text/libsvm").body == wanted
    assert up.invoke(name, b"[null,2,3]", content_type="application/json").body == wanted
    fewer = f"{float(predict(['1,2,'])[0])}\n".encode()
    assert up.invoke(name, b"0:1 1:2", content_type="text/libsvm").body == fewer


@pytest.mark.parametrize("accept", ["", "*/*", "text/csv", "text/*"])
def test_accept_csv(up, diabetes, accept):
    answer = up.invoke("diabetes", diabetes.row(0), accept=accept)
    assert (answer.body, answer.content_type) == (diabetes.answer(0), "text/csv")


def test_accept_json(up, diabetes):
    answer = up.invoke("diabetes", diabetes.row(0) + b"\n" + diabetes.row(1), accept="application/json")
    assert answer.content_type == "application/json"
    scores = [p["score"] for p in json.loads(answer.body)["predictions"]]
    assert [numpy.float32(s) for s in scores] == [numpy.float32(diabetes.predictions[i]) for i in range(2)]


def test_empty_body_is_204(up, diabetes):
    answer = up.invoke("diabetes", b"")
    assert answer.model_status == 204 and answer.body == b""


def test_custom_attributes_and_inference_id_pass(up, diabetes):
    assert up.invoke("diabetes", diabetes.row(0), custom_attributes="trace=1", inference_id="mine-1").body == diabetes.answer(0)


def test_objectives(up, artifacts, name):
    uri, predict = artifacts.model(1, objective="multi:softprob", num_class=3)
    up.serve(name, uri)
    row = "1,2,3,4,5,6,7,8,9,10"
    text = up.invoke(name, row.encode()).body.decode()
    assert [numpy.float32(v) for v in text.strip().split(",")] == list(predict([row])[0])
    (score,) = json.loads(up.invoke(name, row.encode(), accept="application/json").body)["predictions"]
    assert [numpy.float32(v) for v in score["score"]] == list(predict([row])[0])


def test_ensemble_is_the_mean(up, artifacts, name):
    one, first = artifacts.booster(1)
    two, second = artifacts.booster(2)
    uri = artifacts.tar(models.entry("one.ubj", one), models.entry("two.ubj", two), models.entry(".hidden", b"no model"))
    endpoint = up.serve(name, uri)
    assert endpoint.variants[0].facts.model_files == 2
    row = numpy.arange(1, 11, dtype=numpy.float32).reshape(1, -1)
    import xgboost
    wanted = (first.predict(xgboost.DMatrix(row)) + second.predict(xgboost.DMatrix(row)))[0] / 2
    got = float(up.invoke(name, b"1,2,3,4,5,6,7,8,9,10").body)
    assert got == pytest.approx(float(wanted), rel=1e-6)


def test_selected_output(up, artifacts, name):
    uri, predict = artifacts.model(1, objective="binary:logistic")
    up.serve(name, uri, model_fields={"environment": {"SAGEMAKER_INFERENCE_OUTPUT": "predicted_label,probability"}})
    row = "1,2,3,4,5,6,7,8,9,10"
    probability = float(predict([row])[0])
    (told,) = json.loads(up.invoke(name, row.encode(), accept="application/json").body)["predictions"]
    assert told["predicted_label"] == int(probability > 0.5) and told["probability"] == pytest.approx(probability)
    lines = up.invoke(name, row.encode(), accept="application/jsonlines").body.decode().splitlines()
    assert len(lines) == 1 and json.loads(lines[0]) == told


def test_bare_model_file_is_an_artifact(up, artifacts, name):
    content, _ = artifacts.booster(3)
    up.serve(name, artifacts.file(content, ".ubj"))
    assert float(up.invoke(name, b"1,2,3,4,5,6,7,8,9,10").body)


# ---- what the model refuses: status as its container would have answered ----

REFUSED = [
    # (content type, accept, body, model status, fragments)
    ("text/csv", "", b"age,sex,bmi\n1,2,3", 415, ["age", "header"]),
    ("text/csv", "", b"1,2\n1,2,3", 415, ["row 2"]),
    ("text/csv", "", b"1,,x", 415, ["x", "column 3"]),
    ("text/csv", "", b"   \n ", 415, ["no rows"]),
    ("text/csv", "", b"\xff\xfe,1", 415, []),
    ("text/csv; label_size=2", "", b"1,2", 415, ["label_size"]),
    ("text/csv", "", b",".join([b"1"] * 11), 400, ["Unable to evaluate payload provided"]),
    ("text/libsvm", "", b"0:1 x:2", 415, ["x:2"]),
    ("text/libsvm", "", b"0:one", 415, ["0:one"]),
    ("text/libsvm", "", b"99999999999999:1", 415, ["99999999999999"]),
    ("application/json", "", b"[[1,2],[3]]", 415, ["row 2"]),
    ("application/json", "", b"[1,2", 415, ["JSON"]),
    ("application/json", "", b'{"instances": "x"}', 415, []),
    ("application/json", "", b"[" * 100000, 415, []),
    ("application/x-recordio-protobuf", "", b"not recordio at all", 415, ["record"]),
    ("image/png", "", b"\x89PNG", 415, ["image/png"]),
    ("application/x-npy", "", b"x", 415, ["application/x-npy"]),
    ("text/csv", "image/png", b"1,2", 406, ["image/png"]),
    ("text/csv", "application/jsonlines", b"1,2", 500, ["jsonlines"]),
]


@pytest.mark.parametrize("content_type,accept,body,status,fragments", REFUSED, ids=[f"{i}-{c[0]}-{c[3]}" for i, c in enumerate(REFUSED)])
def test_model_refuses(up, diabetes, content_type, accept, body, status, fragments):
    told = failure(up.invoke, "diabetes", body, content_type=content_type, accept=accept)
    assert told.reason == "MODEL_ERROR" and told.metadata.get("model_status") == str(status), told
    assert told.code == ("INVALID_ARGUMENT" if status < 500 else "INTERNAL"), told
    assert all(fragment in told.message for fragment in fragments), told
    assert up.invoke("diabetes", diabetes.row(2)).body == diabetes.answer(2)


def test_model_refuses_more_than_its_max_content_length(up, diabetes, name):
    up.serve(name, models.SAMPLE_URI, model_fields={"environment": {"MAX_CONTENT_LENGTH": "200"}})
    assert up.invoke(name, diabetes.row(0)).body == diabetes.answer(0)
    told = failure(up.invoke, name, diabetes.csv)
    assert told.metadata.get("model_status") == "413" and "200" in told.message


# ---- what the router refuses ----

def test_unknown_endpoint(up):
    told = failure(up.invoke, "never-made", b"1")
    assert told.code == "NOT_FOUND" and "never-made" in told.message


@pytest.mark.parametrize("fields,field", [
    ({"endpoint_name": ""}, "endpoint_name"), ({"endpoint_name": "x" * 64}, "endpoint_name"), ({"endpoint_name": "a/b"}, "endpoint_name"),
    ({"inference_id": "x" * 65}, "inference_id"), ({"inference_id": "a\nb"}, "inference_id"),
    ({"custom_attributes": "x" * 1025}, "custom_attributes"), ({"custom_attributes": "é"}, "custom_attributes"),
], ids=lambda v: v if isinstance(v, str) else None)
def test_bad_fields(up, diabetes, fields, field):
    request = {"endpoint_name": "diabetes", "body": diabetes.row(0), **fields}
    told = failure(up.inference.Invoke, **request)
    assert told.code == "INVALID_ARGUMENT" and told.fields == [field], told


def test_body_of_exactly_the_limit_passes_and_one_byte_more_does_not(up, diabetes):
    limit = 6 << 20
    padded = diabetes.row(0) + b" " * (limit - len(diabetes.row(0)))
    assert up.invoke("diabetes", padded, content_type="text/csv", timeout=suite.PATIENCE * 2).body == diabetes.answer(0)
    told = failure(up.invoke, "diabetes", padded + b" ", content_type="text/csv")
    assert told.code == "RESOURCE_EXHAUSTED" and told.reason == "PAYLOAD_TOO_LARGE" and "6291456" in told.message, told
    huge = failure(up.invoke, "diabetes", bytes(32 << 20))
    assert huge.code == "RESOURCE_EXHAUSTED"
    assert up.invoke("diabetes", diabetes.row(1)).body == diabetes.answer(1)


def test_large_answer_comes_whole(up, diabetes):
    rows = 20000
    body = up.invoke("diabetes", b"".join(diabetes.row(i % 442) + b"\n" for i in range(rows)), timeout=suite.PATIENCE * 2).body
    assert body == b"".join(diabetes.answer(i % 442) for i in range(rows))


GARBAGE = [b"\xff", b"\x22\xff\xff\xff\xff\x0f", b"\x22\x05ab", b"\x08\x01" * 10 + b"\xff", b"\x0a\x02\xff\xfe", b"\x0c", b"\x0b" * 100,
           b"\x0d\x01", b"\x00\x00"]


@pytest.mark.parametrize("garbage", GARBAGE, ids=[f"{i}" for i in range(len(GARBAGE))])
def test_malformed_protobuf(up, diabetes, garbage):
    request = protos.load()("pilotlight.v1.InvokeRequest")(endpoint_name="diabetes").SerializeToString()
    for bytes_ in (garbage, request + garbage):
        with pytest.raises(grpc.RpcError) as failed:
            up.channel("router").unary_unary("/pilotlight.v1.InferenceService/Invoke")(bytes_, timeout=suite.PATIENCE)
        assert failed.value.code() in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND), failed.value
    assert up.invoke("diabetes", diabetes.row(3)).body == diabetes.answer(3)


def test_hop_fields_of_a_caller_do_not_count(up, diabetes):
    """Fields 100..102 belong to the hop between router and host: what a caller puts there is overridden."""
    def varint(number, value):
        out = b""
        for v in (number << 3, value):
            while v > 127:
                out, v = out + bytes([v & 127 | 128]), v >> 7
            out += bytes([v])
        return out
    request = protos.load()("pilotlight.v1.InvokeRequest")(endpoint_name="diabetes", body=diabetes.row(9)).SerializeToString()
    forged = request + varint(100, 1) + varint(101, 7) + varint(102, 1)
    answer = up.channel("router").unary_unary("/pilotlight.v1.InferenceService/Invoke",
                                              response_deserializer=protos.load()("pilotlight.v1.InvokeResponse").FromString)
    assert answer(forged, timeout=suite.PATIENCE).body == diabetes.answer(9)


def test_repeated_field_last_one_wins(up, diabetes):
    request = protos.load()("pilotlight.v1.InvokeRequest")
    doubled = request(endpoint_name="never-made", body=b"x").SerializeToString() + \
        request(endpoint_name="diabetes", body=diabetes.row(4)).SerializeToString()
    answer = up.channel("router").unary_unary("/pilotlight.v1.InferenceService/Invoke",
                                              response_deserializer=protos.load()("pilotlight.v1.InvokeResponse").FromString)
    assert answer(doubled, timeout=suite.PATIENCE).body == diabetes.answer(4)


# ---- variants ----

def test_variants_share_by_weight_and_can_be_aimed_at(up, artifacts, name):
    row, answers = "1,2,3,4,5,6,7,8,9,10", {}
    for seed, variant in ((1, "a"), (2, "b"), (3, "none")):
        uri, predict = artifacts.model(seed)
        up.create_model(f"{name}-{variant}", uri)
        answers[variant] = f"{float(predict([row])[0])}\n".encode()
    up.create_config(name, variant_of(f"{name}-a", name="a", weight=3), variant_of(f"{name}-b", name="b", weight=1),
                     variant_of(f"{name}-none", name="none", weight=0.0))
    up.create_endpoint(name)
    assert up.settled(name)[1] == "IN_SERVICE"
    seen = {}
    for _ in range(200):
        answer = up.invoke(name, row.encode())
        assert answer.body == answers[answer.variant]
        seen[answer.variant] = seen.get(answer.variant, 0) + 1
    assert set(seen) == {"a", "b"} and 110 <= seen["a"] <= 185, seen
    assert up.invoke(name, row.encode(), target_variant="none").body == answers["none"]
    told = failure(up.invoke, name, row.encode(), target_variant="never")
    assert told.code == "NOT_FOUND" and "never" in told.message


def test_stats_of_an_idle_endpoint_add_up(up, diabetes):
    wait_until(lambda: all(s.in_flight == 0 for s in up.stats("diabetes")), "nothing is in flight")
    (stats,) = up.stats("diabetes")
    assert stats.idle == len(up.idle("diabetes")) and stats.busy == 0 and stats.waiting == 0
