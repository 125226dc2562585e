"""The story that people follow with SageMaker Serverless Inference, call by call with boto3, of which nothing changes but the endpoint URL:

deploy XGBoost and a scikit-learn model with its script, call it cold and warm, look at the metrics, update in place under traffic, scale
provisioned concurrency, move a persistent endpoint to serverless, and delete everything.
"""
import datetime
import re
import subprocess
import threading
import time

import boto3
import botocore.exceptions
import pytest

import custom
import models
import suite
from aws import Aws, credentials
from protos import ROOT
from suite import wait_until

ROWS = ["1.5,2.3,0.7,4.1,3.2,0.9,1.8,2.1,3.5,0.4", "2.1,1.8,0.3,3.5,4.2,1.1,0.9,2.7,1.5,0.8"]
XGBOOST = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1"
SKLEARN = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"
SOON = {"Delay": 1, "MaxAttempts": 120}
PERSISTENT, SERVERLESS = "my-existing-endpoint", "xgb-serverless-endpoint"


@pytest.fixture
def client(up, monkeypatch):
    """boto3 as everybody has it set up; its retries too."""
    key, secret = credentials(up)
    for name, value in {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret, "AWS_DEFAULT_REGION": "us-east-1", "AWS_CONFIG_FILE": "/dev/null",
                        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_EC2_METADATA_DISABLED": "true"}.items():
        monkeypatch.setenv(name, value)
    return lambda service: boto3.client(service, endpoint_url=f"http://127.0.0.1:{up.base}")


def serverless(model, memory, concurrency):
    return [{"ModelName": model, "VariantName": "AllTraffic", "InitialVariantWeight": 1,
             "ServerlessConfig": {"MemorySizeInMB": memory, "MaxConcurrency": concurrency}}]


def timings(response):
    return dict(pair.split("=") for pair in response["ResponseMetadata"]["HTTPHeaders"]["x-pilotlight-timings"].split("; "))


def traffic(client, endpoint, stop, answers, failures):
    """Calls one after the other until told to stop."""
    runtime = client("sagemaker-runtime")
    while not stop.is_set():
        try:
            answers.append(runtime.invoke_endpoint(EndpointName=endpoint, ContentType="text/csv", Body=ROWS[0])["Body"].read())
        except botocore.exceptions.ClientError as error:
            failures.append(error.response)


def test_the_article(up, client, artifacts):
    sagemaker, runtime, cloudwatch, s3 = (client(s) for s in ("sagemaker", "sagemaker-runtime", "cloudwatch", "s3"))
    began = datetime.datetime.now(datetime.timezone.utc)

    # ---- a session: who am I, where do my artifacts go ----
    identity = client("sts").get_caller_identity()
    role = client("iam").get_role(RoleName=identity["Arn"].split("/")[1])["Role"]["Arn"]
    bucket = f"sagemaker-us-east-1-{identity['Account']}"
    with pytest.raises(botocore.exceptions.ClientError):
        s3.head_bucket(Bucket=bucket)
    s3.create_bucket(Bucket=bucket)
    first, predict = artifacts.model(seed=4)
    second, predict_second = artifacts.model(seed=5)
    for key, uri in (("xgb", first), ("xgb-2", second)):
        s3.upload_file(uri.removeprefix("file://"), bucket, f"models/{key}/model.tar.gz")

    def model(name, key):
        sagemaker.create_model(ModelName=name, ExecutionRoleArn=role, PrimaryContainer={
            "Image": XGBOOST, "ModelDataUrl": f"s3://{bucket}/models/{key}/model.tar.gz", "Environment": {}})

    def in_service(endpoint):
        sagemaker.get_waiter("endpoint_in_service").wait(EndpointName=endpoint, WaiterConfig=SOON)

    # ---- deploy as serverless: the SDK's three calls and its waiting ----
    model("xgb", "xgb")
    with pytest.raises(botocore.exceptions.ClientError, match="Cannot create already existing model"):
        model("xgb", "xgb")
    sagemaker.create_endpoint_config(EndpointConfigName=SERVERLESS, ProductionVariants=serverless("xgb", 2048, 10))
    sagemaker.create_endpoint(EndpointName=SERVERLESS, EndpointConfigName=SERVERLESS)
    while (status := sagemaker.describe_endpoint(EndpointName=SERVERLESS)["EndpointStatus"]) in ("Creating", "Updating"):
        time.sleep(0.1)
    assert status == "InService"

    # ---- a custom model with its own inference code ----
    cancer = custom.BreastCancer()
    archive = custom.archive(artifacts, files=cancer.files).removeprefix("file://")
    source = artifacts.tar(models.entry("inference.py", custom.sample_script())).removeprefix("file://")
    s3.upload_file(archive, bucket, "models/sklearn-model/model.tar.gz")
    s3.upload_file(source, bucket, "sklearn-serverless/sourcedir.tar.gz")
    sagemaker.create_model(ModelName="sklearn", ExecutionRoleArn=role, PrimaryContainer={
        "Image": SKLEARN, "ModelDataUrl": f"s3://{bucket}/models/sklearn-model/model.tar.gz", "Environment": {
            "SAGEMAKER_PROGRAM": "inference.py", "SAGEMAKER_SUBMIT_DIRECTORY": f"s3://{bucket}/sklearn-serverless/sourcedir.tar.gz",
            "SAGEMAKER_CONTAINER_LOG_LEVEL": "20", "SAGEMAKER_REGION": "us-east-1"}})
    sagemaker.create_endpoint_config(EndpointConfigName="sklearn-serverless", ProductionVariants=serverless("sklearn", 3072, 20))
    sagemaker.create_endpoint(EndpointName="sklearn-serverless", EndpointConfigName="sklearn-serverless")
    in_service("sklearn-serverless")
    answer = runtime.invoke_endpoint(EndpointName="sklearn-serverless", ContentType="text/csv", Accept="text/csv", Body=cancer.csv(0, 1))
    assert answer["Body"].read().decode() == "".join("%s,%.6f\n" % pair for pair in cancer.expected(0, 1))

    # ---- the first call is cold, the second warm ----
    cold, warm = (runtime.invoke_endpoint(EndpointName=SERVERLESS, ContentType="text/csv", Body=row) for row in ROWS)
    for response, row in ((cold, ROWS[0]), (warm, ROWS[1])):
        assert float(response["Body"].read().decode()) == pytest.approx(float(predict([row])[0]))
    assert timings(cold)["cold"] == "1" and timings(warm)["cold"] == "0"

    # ---- monitoring: exactly the calls made ----
    def invocations(endpoint):
        response = cloudwatch.get_metric_statistics(
            Namespace="AWS/SageMaker", MetricName="Invocations",
            Dimensions=[{"Name": "EndpointName", "Value": endpoint}, {"Name": "VariantName", "Value": "AllTraffic"}],
            StartTime=(began - datetime.timedelta(hours=12)).strftime("%Y-%m-%dT%H:00:00Z"), EndTime=(began + datetime.timedelta(hours=12)).strftime("%Y-%m-%dT%H:00:00Z"),
            Period=3600, Statistics=["Sum"])
        for dp in sorted(response["Datapoints"], key=lambda x: x["Timestamp"]):
            assert dp["Timestamp"].strftime("%M:%S") == "00:00"
        return sum(int(dp["Sum"]) for dp in response["Datapoints"])

    wait_until(lambda: invocations(SERVERLESS) == 2, "the two calls are seen")
    assert wait_until(lambda: invocations("sklearn-serverless"), "the other's call is seen") == 1

    # ---- update in place under traffic: no call fails ----
    answers, failures, stop = [], [], threading.Event()
    threads = [threading.Thread(target=traffic, args=(client, SERVERLESS, stop, answers, failures)) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        wait_until(lambda: len(answers) > 10, "traffic flows")
        model("xgb-2", "xgb-2")
        sagemaker.create_endpoint_config(EndpointConfigName="xgb-2", ProductionVariants=serverless("xgb-2", 3072, 20))
        sagemaker.update_endpoint(EndpointName=SERVERLESS, EndpointConfigName="xgb-2")
        in_service(SERVERLESS)
        wait_until(lambda: float(answers[-1]) == pytest.approx(float(predict_second([ROWS[0]])[0])), "the new model answers")
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not failures and len(set(answers)) == 2
    described = sagemaker.describe_endpoint(EndpointName=SERVERLESS)
    assert described["EndpointConfigName"] == "xgb-2" and described["ProductionVariants"][0]["CurrentServerlessConfig"] == {"MemorySizeInMB": 3072, "MaxConcurrency": 20}
    wait_until(lambda: invocations(SERVERLESS) == 2 + len(answers), "all calls are seen, through the update")

    # ---- provisioned concurrency by auto scaling ----
    scaling = client("application-autoscaling")
    target = {"ServiceNamespace": "sagemaker", "ResourceId": f"endpoint/{SERVERLESS}/variant/AllTraffic", "ScalableDimension": "sagemaker:variant:DesiredProvisionedConcurrency"}
    scaling.register_scalable_target(**target, MinCapacity=1, MaxCapacity=5)
    scaling.put_scaling_policy(**target, PolicyName="keep-some-free", PolicyType="TargetTrackingScaling", TargetTrackingScalingPolicyConfiguration={
        "TargetValue": 0.7, "PredefinedMetricSpecification": {"PredefinedMetricType": "SageMakerVariantProvisionedConcurrencyUtilization"}})
    wait_until(lambda: any(i.provisioned for i in up.instances(SERVERLESS)), "an instance is provisioned")
    assert scaling.describe_scaling_activities(**target)["ScalingActivities"][0]["StatusCode"] == "Successful"
    scaling.deregister_scalable_target(**target)

    # ---- from persistent to serverless, in place ----
    sagemaker.create_endpoint_config(EndpointConfigName="persistent", ProductionVariants=[
        {"VariantName": "AllTraffic", "ModelName": "xgb", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}])
    sagemaker.create_endpoint(EndpointName=PERSISTENT, EndpointConfigName="persistent")
    in_service(PERSISTENT)
    before = runtime.invoke_endpoint(EndpointName=PERSISTENT, ContentType="text/csv", Body=ROWS[0])
    sagemaker.create_endpoint_config(EndpointConfigName="my-model-serverless-config", ProductionVariants=[
        {"VariantName": "AllTraffic", "ModelName": "xgb", "ServerlessConfig": {"MemorySizeInMB": 2048, "MaxConcurrency": 10}}])
    sagemaker.update_endpoint(EndpointName=PERSISTENT, EndpointConfigName="my-model-serverless-config")
    in_service(PERSISTENT)
    after = runtime.invoke_endpoint(EndpointName=PERSISTENT, ContentType="text/csv", Body=ROWS[0])
    assert before["Body"].read() == after["Body"].read()
    assert sagemaker.describe_endpoint(EndpointName=PERSISTENT)["ProductionVariants"][0]["CurrentServerlessConfig"]["MaxConcurrency"] == 10
    sagemaker.delete_endpoint_config(EndpointConfigName="persistent")

    # ---- the end ----
    for endpoint in (SERVERLESS, "sklearn-serverless", PERSISTENT):
        sagemaker.delete_endpoint(EndpointName=endpoint)
    for endpoint in (SERVERLESS, "sklearn-serverless", PERSISTENT):
        sagemaker.get_waiter("endpoint_deleted").wait(EndpointName=endpoint, WaiterConfig=SOON)
    for config in (SERVERLESS, "sklearn-serverless", "xgb-2", "my-model-serverless-config"):
        sagemaker.delete_endpoint_config(EndpointConfigName=config)
    for name in ("xgb", "xgb-2", "sklearn"):
        sagemaker.delete_model(ModelName=name)
    assert sagemaker.list_endpoints()["Endpoints"] == [] and up.instances() == []


def test_the_example_of_the_readme(up):
    """README.md shows the script as it is, and what it prints but for the times."""
    path, readme = "deploy/sample/diabetes/serverless.py", (ROOT / "README.md").read_text()
    assert (ROOT / path).read_text() in readme
    aws = Aws(up)
    out = subprocess.run(["/usr/bin/python3", ROOT / path], env={**aws.environment, "PILOTLIGHT_URL": aws.url}, capture_output=True, text=True, timeout=suite.PATIENCE * 4)
    assert out.returncode == 0, out.stderr
    shown = re.search(rf"\$ python3 {path}\n((?:    .*\n)+)", readme)[1].replace("    ", "")
    masked = [re.sub(r"[0-9.]+ ms", "N ms", text) for text in (out.stdout, shown)]
    assert masked[0] == masked[1]
