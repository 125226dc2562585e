"""What the SageMaker Python SDK does for an SKLearnModel, call by call, with boto3: the model and the source archive go to a bucket, the
environment says what to run."""
import json

import botocore.exceptions
import numpy
import pytest

import custom
from aws import ROLE, Aws
from suite import wait_until

SKLEARN_IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"
XGBOOST_IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1"


@pytest.fixture(scope="module")
def aws(up):
    return Aws(up)


@pytest.fixture(scope="module")
def cancer():
    return custom.BreastCancer()


@pytest.fixture(scope="module")
def bucket(aws):
    account = aws.client("sts").get_caller_identity()["Account"]
    bucket = f"sagemaker-{aws.region}-{account}"
    try:
        aws.s3.head_bucket(Bucket=bucket)
    except botocore.exceptions.ClientError:
        aws.s3.create_bucket(Bucket=bucket)
    return bucket


def upload(aws, bucket, key, uri):
    """The file behind a file:// URI; returns where it is now."""
    with open(uri.removeprefix("file://"), "rb") as f:
        aws.s3.put_object(Bucket=bucket, Key=key, Body=f)
    return f"s3://{bucket}/{key}"


def deploy(aws, name, image, model, code, program):
    """CreateModel, CreateEndpointConfig, CreateEndpoint, and the waiting, as sagemaker.model.Model.deploy() sends them."""
    aws.sagemaker.create_model(ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer={
        "Image": image, "ModelDataUrl": model, "Environment": {
            "SAGEMAKER_PROGRAM": program, "SAGEMAKER_SUBMIT_DIRECTORY": code, "SAGEMAKER_CONTAINER_LOG_LEVEL": "20",
            "SAGEMAKER_REGION": aws.region, "SAGEMAKER_MODEL_SERVER_WORKERS": "1"}})
    aws.sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[{
        "ModelName": name, "VariantName": "AllTraffic", "InitialVariantWeight": 1,
        "ServerlessConfig": {"MemorySizeInMB": 2048, "MaxConcurrency": 5}}])
    aws.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)

    def settled():
        told = aws.sagemaker.describe_endpoint(EndpointName=name)
        return told["EndpointStatus"] != "Creating" and told
    return wait_until(settled, f"endpoint {name} settles", every=0.2)


@pytest.fixture(scope="module")
def endpoint(aws, bucket, cancer, artifacts):
    model = upload(aws, bucket, "cancer/model.tar.gz", custom.archive(artifacts, files=cancer.files))
    code = upload(aws, bucket, "cancer/sourcedir.tar.gz", artifacts.tar(custom.entry("inference.py", custom.sample_script())))
    told = deploy(aws, "cancer", SKLEARN_IMAGE, model, code, "inference.py")
    assert told["EndpointStatus"] == "InService", told.get("FailureReason")
    return "cancer"


def test_csv_caller(aws, cancer, endpoint):
    told = aws.runtime.invoke_endpoint(EndpointName=endpoint, Body=cancer.csv(0, 1), ContentType="text/csv", Accept="text/csv")
    assert told["ContentType"] == "text/csv"
    assert told["Body"].read().decode() == "".join("%s,%.6f\n" % pair for pair in cancer.expected(0, 1))


def test_json_caller(aws, cancer, endpoint):
    told = aws.runtime.invoke_endpoint(EndpointName=endpoint, Body=json.dumps(cancer.rows[:2].tolist()), ContentType="application/json")
    predictions = json.loads(told["Body"].read())["predictions"]
    assert [p["label"] for p in predictions] == [label for label, _ in cancer.expected(0, 1)]


def test_npy_caller(aws, cancer, endpoint):
    import io

    body = io.BytesIO()
    numpy.save(body, cancer.rows[:2])
    told = aws.runtime.invoke_endpoint(EndpointName=endpoint, Body=body.getvalue(), ContentType="application/x-npy")
    assert len(json.loads(told["Body"].read())["predictions"]) == 2


def test_traceback_reaches_the_caller(aws, endpoint):
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        aws.runtime.invoke_endpoint(EndpointName=endpoint, Body=b"1,2,3", ContentType="text/csv")
    error = caught.value.response
    assert error["Error"]["Code"] == "ModelError" and error["OriginalStatusCode"] == 500
    assert "ValueError" in error["OriginalMessage"] and "predict_fn" in error["OriginalMessage"]
    assert error["LogStreamArn"].endswith(":log-group:/aws/sagemaker/Endpoints/cancer")


def test_xgboost_in_script_mode(aws, bucket, artifacts, name):
    _, booster = artifacts.booster(seed=3, columns=4)
    model = upload(aws, bucket, f"{name}/model.tar.gz", artifacts.tar(custom.entry("xgboost-model.json", bytes(booster.save_raw("json")))))
    code = upload(aws, bucket, f"{name}/sourcedir.tar.gz", artifacts.tar(custom.entry("explain.py", custom.script("shap_contributions.py"))))
    told = deploy(aws, name, XGBOOST_IMAGE, model, code, "explain.py")
    assert told["EndpointStatus"] == "InService", told.get("FailureReason")
    body = aws.runtime.invoke_endpoint(EndpointName=name, Body=b"1,2,3,4", ContentType="text/csv")["Body"].read()
    assert len(json.loads(body)[0]["contributions"]) == 4


def test_source_archive_that_is_not_there(aws, bucket, cancer, artifacts, name):
    model = upload(aws, bucket, f"{name}/model.tar.gz", custom.archive(artifacts, files=cancer.files))
    told = deploy(aws, name, SKLEARN_IMAGE, model, f"s3://{bucket}/{name}/sourcedir.tar.gz", "inference.py")
    assert told["EndpointStatus"] == "Failed" and f"{name}/sourcedir.tar.gz" in told["FailureReason"]


def test_program_that_is_not_in_it(aws, bucket, cancer, artifacts, name):
    model = upload(aws, bucket, f"{name}/model.tar.gz", custom.archive(artifacts, files=cancer.files))
    code = upload(aws, bucket, f"{name}/sourcedir.tar.gz", artifacts.tar(custom.entry("other.py", b"")))
    told = deploy(aws, name, SKLEARN_IMAGE, model, code, "inference.py")
    assert told["EndpointStatus"] == "Failed"
    assert "SAGEMAKER_PROGRAM 'inference.py' is not there: the folder of the code has other.py" in told["FailureReason"]
