"""Whole flows with clients that are not boto3: the AWS CLI of Debian, and the newest SDK for JavaScript."""
import datetime
import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest

import models
import suite
from aws import IMAGE, ROLE, Aws
from suite import wait_until

HERE = pathlib.Path(__file__).resolve().parent


@pytest.fixture(scope="module")
def aws(up):
    return Aws(up)


# ---- the command line ----

def said(aws, *arguments):
    done = aws.cli(*arguments)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout) if done.stdout.strip().startswith("{") else done.stdout


def test_the_command_line(aws, tmp_path, name):
    sample = models.Sample()
    bucket = name.lower()
    said(aws, "s3", "mb", f"s3://{bucket}")
    said(aws, "s3", "cp", models.SAMPLE / "model.tar.gz", f"s3://{bucket}/m/model.tar.gz")
    assert "model.tar.gz" in said(aws, "s3", "ls", f"s3://{bucket}/m/")
    said(aws, "s3", "cp", f"s3://{bucket}/m/model.tar.gz", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == (models.SAMPLE / "model.tar.gz").read_bytes()
    said(aws, "sagemaker", "create-model", "--model-name", name, "--execution-role-arn", ROLE,
         "--primary-container", json.dumps({"Image": IMAGE, "ModelDataUrl": f"s3://{bucket}/m/model.tar.gz"}))
    said(aws, "sagemaker", "create-endpoint-config", "--endpoint-config-name", name, "--production-variants",
         json.dumps([{"VariantName": "AllTraffic", "ModelName": name, "ServerlessConfig": {"MemorySizeInMB": 2048, "MaxConcurrency": 10}}]))
    out = said(aws, "sagemaker", "create-endpoint", "--endpoint-name", name, "--endpoint-config-name", name)
    assert out["EndpointArn"].endswith(f":endpoint/{name}")
    wait_until(lambda: said(aws, "sagemaker", "describe-endpoint", "--endpoint-name", name)["EndpointStatus"] == "InService", "in service", every=0.5)
    (tmp_path / "row").write_bytes(sample.row(0))
    said(aws, "sagemaker-runtime", "invoke-endpoint", "--endpoint-name", name, "--content-type", "text/csv", "--body", f"fileb://{tmp_path / 'row'}", tmp_path / "answer")
    assert (tmp_path / "answer").read_bytes() == sample.answer(0)
    listed = said(aws, "sagemaker", "list-endpoints", "--name-contains", name, "--max-items", "1")
    assert [e["EndpointName"] for e in listed["Endpoints"]] == [name]
    assert said(aws, "sts", "get-caller-identity")["Account"] == "000000000000"
    said(aws, "sagemaker", "create-endpoint-config", "--endpoint-config-name", f"{name}-2", "--production-variants",
         json.dumps([{"VariantName": "AllTraffic", "ModelName": name, "ServerlessConfig": {"MemorySizeInMB": 3072, "MaxConcurrency": 20}}]))
    said(aws, "sagemaker", "update-endpoint", "--endpoint-name", name, "--endpoint-config-name", f"{name}-2")
    wait_until(lambda: said(aws, "sagemaker", "describe-endpoint", "--endpoint-name", name)["EndpointStatus"] == "InService", "in service again", every=0.5)
    said(aws, "sagemaker", "wait", "endpoint-in-service", "--endpoint-name", name)
    now = datetime.datetime.now(datetime.timezone.utc)

    def invocations():
        return sum(p["Sum"] for p in said(aws, "cloudwatch", "get-metric-statistics", "--namespace", "AWS/SageMaker", "--metric-name", "Invocations", "--dimensions",
                                          f"Name=EndpointName,Value={name}", "Name=VariantName,Value=AllTraffic", "--start-time", (now - datetime.timedelta(hours=1)).isoformat(),
                                          "--end-time", (now + datetime.timedelta(hours=1)).isoformat(), "--period", "3600", "--statistics", "Sum")["Datapoints"])
    wait_until(lambda: invocations() == 1, "the one call is counted", every=0.5)
    said(aws, "sagemaker", "delete-endpoint", "--endpoint-name", name)
    wait_until(lambda: aws.cli("sagemaker", "describe-endpoint", "--endpoint-name", name).returncode != 0, "gone", every=0.5)
    said(aws, "sagemaker", "wait", "endpoint-deleted", "--endpoint-name", name)
    said(aws, "s3", "rm", f"s3://{bucket}", "--recursive")
    said(aws, "s3", "rb", f"s3://{bucket}")


@pytest.mark.parametrize("arguments, code, text", [
    (["sagemaker", "describe-endpoint", "--endpoint-name", "none"], "ValidationException", 'Could not find endpoint "arn:aws:sagemaker:us-east-1:000000000000:endpoint/none".'),
    (["sagemaker", "list-training-jobs"], "UnknownOperationException", "does not offer the operation SageMaker.ListTrainingJobs"),
    (["sts", "get-session-token"], "InvalidAction", "GetSessionToken"),
    (["s3api", "get-object", "--bucket", "no-such-bucket", "--key", "k", "/dev/null"], "NoSuchBucket", "does not exist"),
])
def test_errors_on_the_command_line(aws, arguments, code, text):
    done = aws.cli(*arguments)
    assert done.returncode in (254, 255) and f"({code})" in done.stderr and text in done.stderr


def printed(value, text):
    """What `aws` prints of what boto3 has."""
    if isinstance(value, dict):
        return isinstance(text, dict) and value.keys() == text.keys() and all(printed(value[key], text[key]) for key in value)
    if isinstance(value, list):
        return isinstance(text, list) and len(value) == len(text) and all(map(printed, value, text))
    return datetime.datetime.fromisoformat(text) == value if isinstance(value, datetime.datetime) else value == text and type(value) is type(text)


@pytest.fixture(scope="module")
def stored(aws):
    aws.s3.create_bucket(Bucket="printed")
    aws.s3.put_object(Bucket="printed", Key="k", Body=b"x", Metadata={"a": "b"})


@pytest.mark.parametrize("service, method, arguments", [
    ("sagemaker", "describe_model", {"ModelName": "diabetes"}), ("sagemaker", "describe_endpoint", {"EndpointName": "diabetes"}),
    ("sagemaker", "list_endpoint_configs", {"NameContains": "diabetes"}), ("cloudwatch", "describe_alarms", {}),
    ("application-autoscaling", "describe_scalable_targets", {"ServiceNamespace": "sagemaker"}), ("s3api", "head_object", {"Bucket": "printed", "Key": "k"}),
    ("s3api", "list_objects_v2", {"Bucket": "printed"}), ("sts", "get_caller_identity", {})])
def test_the_command_line_prints_what_boto3_has(aws, diabetes, stored, service, method, arguments):
    options = [word for name, value in arguments.items() for word in ("--" + re.sub("(?<=[a-z0-9])(?=[A-Z])", "-", name).lower(), value)]
    done = aws.cli(service, method.replace("_", "-"), *options)
    assert done.returncode == 0, done.stderr
    value = getattr(aws.client(service.removesuffix("api")), method)(**arguments)
    text = json.loads(done.stdout)
    for told in ("ResponseMetadata", "IsTruncated", "KeyCount", "Name", "MaxKeys", "Prefix", "EncodingType"):  # of pages, which `aws` puts together
        value.pop(told, None), text.pop(told, None)
    assert printed(value, {key: inner for key, inner in text.items() if key != "RequestCharged"}), (value, text)


# ---- JavaScript ----

def test_the_newest_clients_for_javascript(aws, javascript, name):
    sample = models.Sample()
    shutil.copy(HERE / "aws_js" / "flow.mjs", javascript)
    out = subprocess.run(["node", "flow.mjs", name.lower()[:30], str(models.SAMPLE / "model.tar.gz"), sample.rows[0]], cwd=javascript, env={**os.environ, **aws.environment},
                         capture_output=True, text=True, timeout=suite.PATIENCE * 8)
    assert out.returncode == 0, out.stdout + out.stderr
    assert out.stdout.splitlines()[-1].encode() + b"\n" == sample.answer(0)
