"""SageMaker Runtime as boto3 of Debian knows it: headers, limits, errors, throttling and streams of invocations."""
import json
import threading

import botocore.exceptions
import pytest

import models
import suite
from aws import Aws
from suite import wait_until
from test_13_sagemaker import refused


@pytest.fixture(scope="module")
def aws(up):
    return Aws(up)


@pytest.fixture(scope="module")
def endpoint(aws):
    aws.deploy("invoked", models.SAMPLE_URI, concurrency=2)
    return "invoked"


def test_headers_of_a_call(aws, endpoint):
    sample = models.Sample()
    out = aws.invoke(endpoint, sample.row(0), Accept="application/json", CustomAttributes="trace=1", InferenceId="my-id", TargetVariant="AllTraffic")
    assert out["ContentType"] == "application/json" and "predictions" in json.loads(out["Body"].read())
    assert aws.invoke(endpoint, sample.csv)["Body"].read() == sample.answers


REFUSED_HEADERS = [
    ({"TargetVariant": "none"}, "Variant none of endpoint invoked of account 000000000000 not found."),
    ({"TargetVariant": "-x"}, "at 'targetVariant'"),
    ({"TargetModel": "m.tar.gz"}, "X-Amzn-SageMaker-Target-Model cannot be used"),
    ({"TargetContainerHostname": "h"}, "X-Amzn-SageMaker-Target-Container-Hostname cannot be used"),
    ({"EnableExplanations": "`true`"}, "X-Amzn-SageMaker-Enable-Explanations cannot be used"),
    ({"InferenceId": "x" * 65}, "at 'inferenceId' failed to satisfy constraint: Member must have length less than or equal to 64"),
    ({"CustomAttributes": "x" * 1025}, "at 'customAttributes' failed to satisfy constraint: Member must have length less than or equal to 1024"),
    ({"ContentType": "x" * 1025}, "at 'contentType'"),
    ({"Accept": "x" * 1025}, "at 'accept'"),
]


@pytest.mark.parametrize("fields, text", REFUSED_HEADERS)
def test_headers_that_are_refused(aws, endpoint, fields, text):
    refused(aws.invoke, "ValidationError", text, name=endpoint, body=b"1", **fields)


@pytest.mark.parametrize("header, most, over", [
    ("Content-Type", 1024, "contentType"), ("Accept", 1024, "accept"), ("X-Amzn-SageMaker-Custom-Attributes", 1024, "customAttributes"),
    ("X-Amzn-SageMaker-Inference-Id", 64, "inferenceId"), ("X-Amzn-SageMaker-Target-Variant", 63, "targetVariant")])
def test_the_longest_headers(aws, endpoint, header, most, over):
    """What is just short enough gets as far as the model, or the variant; one more is refused for its length."""
    row = models.Sample().row(0)
    for length in (most, most + 1):
        status, _, body = aws.request("POST", f"/endpoints/{endpoint}/invocations", row, {"Content-Type": "text/csv", header: "x" * length})
        text = f"at '{over}' failed to satisfy constraint: Member must have length less than or equal to {most}"
        assert (text in body.decode()) == (length > most) and (status == 400) == (length > most or header.endswith("Variant")), body


def test_headers_that_are_no_text(aws, endpoint):
    for header, member in (("X-Amzn-SageMaker-Custom-Attributes", "customAttributes"), ("X-Amzn-SageMaker-Inference-Id", "inferenceId"), ("Accept", "accept")):
        out = raw_call(aws, endpoint, f"{header}: caf\u00e9\r\n".encode())
        assert out.startswith(b"HTTP/1.1 400 ") and f"at '{member}' failed to satisfy constraint: Member must satisfy regular expression pattern".encode() in out, out
    out = raw_call(aws, endpoint, b"X-Amzn-SageMaker-Inference-Id:\r\n")
    assert out.startswith(b"HTTP/1.1 400 ") and b"at 'inferenceId' failed to satisfy constraint: Member must have length greater than or equal to 1" in out


def raw_call(aws, endpoint, line):
    """With a header line as it is; it is not signed, as only those of AWS's own must be."""
    head = aws.signed("POST", f"/endpoints/{endpoint}/invocations", b"1", {"Content-Type": "text/csv"})
    lines = "".join(f"{k}: {v}\r\n" for k, v in head.items()).encode()
    return aws.raw(f"POST /endpoints/{endpoint}/invocations HTTP/1.1\r\nHost: 127.0.0.1:{aws.up.base}\r\nContent-Length: 1\r\nConnection: close\r\n".encode() + lines + line + b"\r\n1")


@pytest.mark.parametrize("header", ["X-Amzn-SageMaker-Inference-Component", "X-Amzn-SageMaker-Session-Id"])
@pytest.mark.parametrize("path", ["invocations", "invocations-response-stream"])
def test_headers_that_only_newer_clients_send(aws, endpoint, header, path):
    status, headers, body = aws.request("POST", f"/endpoints/{endpoint}/{path}", b"1", {header: "x"})
    assert (status, headers["x-amzn-errortype"]) == (400, "ValidationError") and f"{header} cannot be used" in json.loads(body)["Message"]


def test_endpoints_that_are_not_there(aws):
    refused(aws.runtime.invoke_endpoint, "ValidationError", "Endpoint nobody of account 000000000000 not found.", EndpointName="nobody", Body=b"1")
    status, headers, body = aws.request("POST", "/endpoints//invocations", b"1")
    assert status == 400 and headers["x-amzn-errortype"] == "ValidationError" and "endpointName" in json.loads(body)["Message"]


def test_model_errors(aws, endpoint):
    error = refused(aws.invoke, "ModelError", "Received client error (415) from primary with message", "logEventViewer:group=/aws/sagemaker/Endpoints/invoked in account 000000000000",
                    status=424, name=endpoint, body=b"a,b,c")
    assert error["OriginalStatusCode"] == 415 and "not a number" in error["OriginalMessage"]
    assert error["LogStreamArn"] == "arn:aws:logs:us-east-1:000000000000:log-group:/aws/sagemaker/Endpoints/invoked"
    with pytest.raises(aws.runtime.exceptions.ModelError):
        aws.invoke(endpoint, b"a")
    error = refused(aws.invoke, "ModelError", status=424, name=endpoint, body=b"1", ContentType="image/png")
    assert error["OriginalStatusCode"] == 415
    error = refused(aws.invoke, "ModelError", status=424, name=endpoint, body=b"1", Accept="image/png")
    assert error["OriginalStatusCode"] == 406


def test_payload_limits_both_ways(aws, endpoint):
    sample = models.Sample()
    assert aws.invoke(endpoint, sample.row(0) + b"\n" * (6291456 - len(sample.row(0))))["Body"].read() == sample.answer(0)
    refused(aws.invoke, "ValidationError", "has oversize body. It has 6291457 bytes, the limit is 6291456 bytes.", name=endpoint, body=b"1" * 6291457)
    error = refused(aws.invoke, "ModelError", "6291456", status=424, name=endpoint, body=b"1\n" * 1500000)
    assert error["OriginalStatusCode"] in (0, 500)


def test_over_max_concurrency_is_throttled_with_a_reason(aws, endpoint):
    """Many at once on two places: what is refused says so, and which limit."""
    body = b"\n".join([b"0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8,0.9,1"] * 50000)
    outcomes = []

    def call():
        try:
            Aws(aws.up).invoke(endpoint, body)
            outcomes.append(None)
        except botocore.exceptions.ClientError as error:
            outcomes.append(error.response)

    def throttled():
        threads = [threading.Thread(target=call) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return [o for o in outcomes if o]

    errors = wait_until(throttled, "a call is throttled")
    for response in errors:
        assert response["Error"]["Code"] == "ThrottlingException" and response["ResponseMetadata"]["HTTPStatusCode"] == 400
        assert "2" in response["Error"]["Message"] and "concurrency" in response["Error"]["Message"]


def test_asynchronous_calls_are_refused(aws, endpoint):
    refused(aws.runtime.invoke_endpoint_async, "ValidationError", "is not asynchronous", EndpointName=endpoint, InputLocation="s3://b/k")


def test_a_streamed_answer(aws, endpoint):
    """The client of Debian does not know the operation; its frames are read here."""
    import struct
    import zlib
    sample = models.Sample()
    status, headers, body = aws.request("POST", f"/endpoints/{endpoint}/invocations-response-stream", sample.csv, {"Content-Type": "text/csv", "X-Amzn-SageMaker-Accept": "text/csv"})
    assert status == 200 and headers["content-type"] == "application/vnd.amazon.eventstream" and headers["x-amzn-sagemaker-content-type"] == "text/csv"
    payload = b""
    while body:
        total, length, crc = struct.unpack(">III", body[:12])
        assert crc == zlib.crc32(body[:8]) and struct.unpack(">I", body[total - 4:total])[0] == zlib.crc32(body[:total - 4])
        assert b":event-type\x07\x00\x0bPayloadPart" in body[12:12 + length]
        payload += body[12 + length:total - 4]
        body = body[total:]
    assert payload == sample.answers
    status, headers, body = aws.request("POST", "/endpoints/nobody/invocations-response-stream", b"1")
    assert status == 400 and headers["x-amzn-errortype"] == "ValidationError"


def test_without_a_router_it_says_unavailable(tmp_path):
    up = suite.Up(tmp_path, "--set", "gateway.router=127.0.0.1:1", "--set", "gateway.upstream_connect_timeout=100ms").start()
    try:
        aws = Aws(up)
        error = refused(aws.runtime.invoke_endpoint, "ServiceUnavailable", status=503, EndpointName="x", Body=b"1")
        assert "the router cannot be reached" in error["Error"]["Message"]
    finally:
        assert up.stop() == 0
