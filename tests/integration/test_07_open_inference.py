"""The Open Inference Protocol (v2), as KServe and Triton clients speak it."""
import struct

import grpc
import pytest

import models
import protos
import suite
from test_02_resources import failure


def infer(up, model, tensors, *, raw=(), **fields):
    return up.open_inference.ModelInfer(model_name=model, inputs=tensors, raw_input_contents=list(raw), timeout=suite.PATIENCE, **fields)


def tensor(datatype, shape, **contents):
    return {"name": "input", "datatype": datatype, "shape": shape, **({"contents": contents} if contents else {})}


def wanted(sample, count):
    return [float(sample.predictions[i]) for i in range(count)]


def test_server_live_ready_and_metadata(up):
    assert up.open_inference.ServerLive().live and up.open_inference.ServerReady().ready
    told = up.open_inference.ServerMetadata()
    assert told.name == "pilotlight" and told.version


def test_model_ready_and_metadata(up, diabetes):
    assert up.open_inference.ModelReady(name="diabetes").ready
    assert not up.open_inference.ModelReady(name="never-made").ready
    told = up.open_inference.ModelMetadata(name="diabetes")
    assert told.name == "diabetes" and "main" in told.versions and "xgboost" in told.platform
    assert list(told.inputs[0].shape) == [-1, 10] and told.inputs[0].datatype == "FP32"
    assert told.outputs[0].datatype == "FP32" and told.outputs[0].shape[0] == -1
    assert failure(up.open_inference.ModelMetadata, name="never-made").code == "NOT_FOUND"


@pytest.mark.parametrize("datatype,field", [("FP32", "fp32_contents"), ("FP64", "fp64_contents")])
def test_typed_contents(up, diabetes, datatype, field):
    flat = [v for row in diabetes.numbers(4) for v in row]
    answer = infer(up, "diabetes", [tensor(datatype, [4, 10], **{field: flat})], id="mine-7")
    assert answer.model_name == "diabetes" and answer.id == "mine-7"
    (output,) = answer.outputs
    assert output.datatype == "FP32" and output.shape[0] == 4
    assert list(output.contents.fp32_contents) == wanted(diabetes, 4)


@pytest.mark.parametrize("datatype,code", [("FP32", "f"), ("FP64", "d")])
def test_raw_contents(up, diabetes, datatype, code):
    flat = [v for row in diabetes.numbers(442) for v in row]
    answer = infer(up, "diabetes", [tensor(datatype, [442, 10])], raw=[struct.pack(f"<{len(flat)}{code}", *flat)])
    values = list(answer.outputs[0].contents.fp32_contents) or list(struct.unpack("<442f", answer.raw_output_contents[0]))
    assert values == wanted(diabetes, 442)


@pytest.mark.parametrize("datatype,field", [("INT32", "int_contents"), ("INT64", "int64_contents")])
def test_integers(up, artifacts, name, datatype, field):
    uri, predict = artifacts.model(1)
    up.serve(name, uri)
    answer = infer(up, name, [tensor(datatype, [1, 10], **{field: range(1, 11)})])
    assert list(answer.outputs[0].contents.fp32_contents) == [float(predict(["1,2,3,4,5,6,7,8,9,10"])[0])]


def test_version_is_the_variant(up, diabetes):
    flat = diabetes.numbers(1)[0]
    assert infer(up, "diabetes", [tensor("FP32", [1, 10], fp32_contents=flat)], model_version="main").outputs
    told = failure(infer, up, "diabetes", [tensor("FP32", [1, 10], fp32_contents=flat)], model_version="never")
    assert told.code == "NOT_FOUND"


REFUSED = [
    ([], [], ["0 inputs"]),
    ([tensor("BYTES", [1, 1], bytes_contents=[b"x"])], [], ["BYTES"]),
    ([tensor("FP32", [2, 10], fp32_contents=[1.0] * 10)], [], ["shape"]),
    ([tensor("FP32", [10], fp32_contents=[1.0] * 10)], [], ["shape"]),
    ([tensor("FP32", [1, 10])], [b"123"], []),
    ([tensor("FP32", [1, 11], fp32_contents=[1.0] * 11)], [], ["Unable to evaluate payload provided"]),
    ([tensor("FP32", [-1, -10], fp32_contents=[1.0] * 10)], [], ["shape"]),
    ([tensor("FP32", [1, 10], fp32_contents=[1.0] * 10)] * 2, [], ["2 inputs"]),
]


@pytest.mark.parametrize("tensors,raw,fragments", REFUSED, ids=[str(i) for i in range(len(REFUSED))])
def test_model_refuses(up, diabetes, tensors, raw, fragments):
    told = failure(infer, up, "diabetes", tensors, raw=raw)
    assert told.code == "INVALID_ARGUMENT" and told.reason == "MODEL_ERROR", told
    assert all(fragment in told.message for fragment in fragments), told


def test_unknown_model(up):
    assert failure(infer, up, "never-made", [tensor("FP32", [1, 1], fp32_contents=[1.0])]).code == "NOT_FOUND"


def test_malformed(up, diabetes):
    for garbage in (b"\xff", b"\x0a\x08diabetes\x2a\x7f", protos.load()("inference.ModelInferRequest")(model_name="diabetes").SerializeToString() + b"\x3a\xff"):
        with pytest.raises(grpc.RpcError) as failed:
            up.channel("router").unary_unary("/inference.GRPCInferenceService/ModelInfer")(garbage, timeout=suite.PATIENCE)
        assert failed.value.code() in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND), failed.value


def test_cold_start_through_it(up, name):
    sample = models.Sample()
    up.serve(name, models.SAMPLE_URI)
    answer = infer(up, name, [tensor("FP32", [1, 10], fp32_contents=sample.numbers(1)[0])])
    assert list(answer.outputs[0].contents.fp32_contents) == wanted(sample, 1)
    assert up.stats(name)[0].cold_starts == 1
