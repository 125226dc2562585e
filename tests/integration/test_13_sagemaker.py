"""SageMaker as boto3 of Debian knows it: whole flows, every member, every error by its code, status and text."""
import datetime
import threading

import botocore.exceptions
import pytest

import aws as clients
import models
from aws import IMAGE, ROLE, Aws, serverless
from suite import wait_until

ROW = b"0.5,0.1,-0.2,0,1,2,3,4,5,6"


@pytest.fixture(scope="module")
def aws(up):
    return Aws(up)


def refused(call, code, *texts, status=400, **arguments):
    """The call fails as a client sees it; returns the error's response."""
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        call(**arguments)
    response = caught.value.response
    assert (response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]) == (code, status), response
    for text in texts:
        assert text in response["Error"]["Message"], response["Error"]["Message"]
    assert len(response["ResponseMetadata"]["RequestId"]) == 36
    return response


def arn(kind, name, region=clients.REGION):
    return f"arn:aws:sagemaker:{region}:000000000000:{kind}/{name}"


# ---- the article's flow ----

def test_deploy_invoke_and_delete(up, aws, name):
    """Model, config named as the endpoint, endpoint, waiter; a cold and a warm call; delete with its waiter."""
    sample = models.Sample()
    session = Aws(up)
    identity = session.client("sts").get_caller_identity()
    assert identity["Account"] == "000000000000" and ":assumed-role/pilotlight/" in identity["Arn"]
    assert session.client("iam").get_role(RoleName="pilotlight")["Role"]["Arn"] == ROLE
    bucket = f"sagemaker-{clients.REGION}-{identity['Account']}"
    refused(session.s3.head_bucket, "404", status=404, Bucket=bucket)
    session.s3.create_bucket(Bucket=bucket)
    session.s3.upload_file(str(models.SAMPLE / "model.tar.gz"), bucket, f"{name}/model.tar.gz")
    aws.deploy(name, f"s3://{bucket}/{name}/model.tar.gz")
    first = aws.invoke(name, sample.row(0))
    second = aws.invoke(name, sample.row(1))
    assert (first["Body"].read(), second["Body"].read()) == (sample.answer(0), sample.answer(1))
    assert first["ContentType"] == "text/csv" and first["InvokedProductionVariant"] == "AllTraffic"
    cold, warm = (dict(pair.split("=") for pair in r["ResponseMetadata"]["HTTPHeaders"]["x-pilotlight-timings"].split("; ")) for r in (first, second))
    assert cold["cold"] == "1" and int(cold["start_us"]) > 0 and warm["cold"] == "0" and int(warm["model_us"]) > 0
    aws.delete_endpoint(name)
    refused(aws.sagemaker.describe_endpoint, "ValidationException", f'Could not find endpoint "{arn("endpoint", name)}".', EndpointName=name)
    assert aws.sagemaker.delete_endpoint_config(EndpointConfigName=name)["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert aws.sagemaker.delete_model(ModelName=name)["ResponseMetadata"]["HTTPStatusCode"] == 200


def test_from_persistent_to_serverless_in_place(up, aws, artifacts, name):
    """The article's migration: an instance-based endpoint is always warm; an update makes it serverless."""
    uri, predict = artifacts.model(seed=3)
    aws.create_model(name, uri)
    aws.sagemaker.create_endpoint_config(EndpointConfigName=f"{name}-old", ProductionVariants=[
        {"VariantName": "AllTraffic", "ModelName": name, "InstanceType": "ml.m5.large", "InitialInstanceCount": 2, "VolumeSizeInGB": 30}])
    aws.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=f"{name}-old")
    aws.in_service(name)
    wait_until(lambda: len(up.idle(name)) == 2, "two instances are kept warm")
    (variant,) = aws.sagemaker.describe_endpoint(EndpointName=name)["ProductionVariants"]
    assert (variant["CurrentInstanceCount"], variant["DesiredInstanceCount"]) == (2, 2) and "CurrentServerlessConfig" not in variant
    expected = aws.invoke(name, ROW)["Body"].read()
    assert float(expected) == pytest.approx(float(predict([ROW.decode()])[0]))
    aws.sagemaker.create_endpoint_config(EndpointConfigName=f"{name}-serverless", ProductionVariants=[
        {"VariantName": "AllTraffic", "ModelName": name, "ServerlessConfig": {"MemorySizeInMB": 2048, "MaxConcurrency": 10}}])
    # What is serverless about it is not asked for before it is, and the number of instances does not become provisioned concurrency.
    refused(aws.sagemaker.update_endpoint_weights_and_capacities, "ValidationException", f'Could not find endpoint "{arn("endpoint", "none")}".', EndpointName="none",
            DesiredWeightsAndCapacities=[{"VariantName": "AllTraffic", "DesiredInstanceCount": 1}])
    assert capacities(aws, name, ServerlessUpdateConfig={"MaxConcurrency": 5})[1:] == (
        "ValidationException", f'Variant "AllTraffic" of endpoint configuration "{name}-old" is instance-based: it has an instance count and no serverless config.')
    target = {"ServiceNamespace": "sagemaker", "ScalableDimension": "sagemaker:variant:DesiredProvisionedConcurrency", "ResourceId": f"endpoint/{name}/variant/AllTraffic"}
    refused(aws.client("application-autoscaling").register_scalable_target, "ValidationException", "is instance-based: it has no provisioned concurrency", **target, MinCapacity=1, MaxCapacity=3)
    aws.sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=f"{name}-serverless", RetainAllVariantProperties=True)
    aws.in_service(name)
    now = aws.sagemaker.describe_endpoint(EndpointName=name)
    assert now["EndpointConfigName"] == f"{name}-serverless"
    assert now["ProductionVariants"][0]["CurrentServerlessConfig"] == {"MemorySizeInMB": 2048, "MaxConcurrency": 10}
    assert "CurrentInstanceCount" not in now["ProductionVariants"][0]
    assert aws.invoke(name, ROW)["Body"].read() == expected
    assert capacities(aws, name, DesiredInstanceCount=2)[1:] == (
        "ValidationException", f'Variant "AllTraffic" of endpoint configuration "{name}-serverless" is serverless: it has a serverless config and no instance count.')
    # While it moves, what serves is still described as what it is; and back again.
    aws.create_model(f"{name}-slow", "https://127.0.0.1:1/model.tar.gz")
    aws.sagemaker.create_endpoint_config(EndpointConfigName=f"{name}-slow", ProductionVariants=[serverless(f"{name}-slow")])
    aws.sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=f"{name}-old", RetainAllVariantProperties=True)
    aws.in_service(name)
    aws.sagemaker.delete_endpoint_config(EndpointConfigName=f"{name}-old")
    aws.sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=f"{name}-slow")
    moving = aws.sagemaker.describe_endpoint(EndpointName=name)
    assert moving["EndpointStatus"] == "Updating" and moving["PendingDeploymentSummary"]["EndpointConfigName"] == f"{name}-slow"
    (variant,) = moving["ProductionVariants"]
    assert variant["CurrentInstanceCount"] == 2 and "CurrentServerlessConfig" not in variant
    assert variant["DesiredServerlessConfig"] == {"MemorySizeInMB": 2048, "MaxConcurrency": 10} and "DesiredInstanceCount" not in variant
    assert aws.invoke(name, ROW)["Body"].read() == expected
    aws.delete_endpoint(name)


def capacities(aws, name, variant="AllTraffic", **change):
    """UpdateEndpointWeightsAndCapacities by hand, for members that boto3 of Debian does not know: (status, error, message)"""
    status, out, _ = aws.target("UpdateEndpointWeightsAndCapacities", {"EndpointName": name, "DesiredWeightsAndCapacities": [{"VariantName": variant, **change}]})
    return status, out.get("__type"), out.get("message")


def test_update_in_place_under_traffic_fails_no_call(aws, artifacts, name):
    first, second = artifacts.model(seed=1)[0], artifacts.model(seed=2)[0]
    aws.deploy(name, first)
    aws.create_model(f"{name}-2", second)
    aws.sagemaker.create_endpoint_config(EndpointConfigName=f"{name}-2", ProductionVariants=[serverless(f"{name}-2", 3072, 20)])
    answers, failures, stop = [], [], threading.Event()

    def call():
        client = Aws(aws.up).runtime
        while not stop.is_set():
            try:
                answers.append(client.invoke_endpoint(EndpointName=name, ContentType="text/csv", Body=ROW)["Body"].read())
            except botocore.exceptions.ClientError as error:
                failures.append(error.response)

    threads = [threading.Thread(target=call) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        wait_until(lambda: len(answers) > 20, "calls are answered")
        aws.sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=f"{name}-2")
        aws.in_service(name)
        wait_until(lambda: answers[-1] != answers[0], "the new model answers")
        count = len(answers)
        wait_until(lambda: len(answers) > count + 20, "calls go on")
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not failures and len(set(answers)) == 2


# ---- models ----

def test_a_model_with_every_member(aws, name):
    given = {
        "PrimaryContainer": {"Image": IMAGE, "ModelDataUrl": "s3://bucket/key/model.tar.gz", "Environment": {"A_1": "b", "C": ""}, "ContainerHostname": "host-1",
                             "Mode": "SingleModel", "ImageConfig": {"RepositoryAccessMode": "Platform"}},
        "InferenceExecutionConfig": {"Mode": "Serial"}, "ExecutionRoleArn": "arn:aws:iam::123456789012:role/service-role/My.Role",
        "VpcConfig": {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1", "subnet-2"]}, "EnableNetworkIsolation": True}
    assert aws.sagemaker.create_model(ModelName=name, Tags=[{"Key": "k", "Value": "v"}], **given)["ModelArn"] == arn("model", name)
    out = aws.sagemaker.describe_model(ModelName=name)
    assert {key: out[key] for key in given} == given
    assert out["ModelArn"] == arn("model", name) and abs((datetime.datetime.now(datetime.timezone.utc) - out["CreationTime"]).total_seconds()) < 60
    assert aws.sagemaker.list_tags(ResourceArn=out["ModelArn"])["Tags"] == [{"Key": "k", "Value": "v"}]
    refused(aws.sagemaker.create_model, "ValidationException", f'Cannot create already existing model "{arn("model", name)}".', ModelName=name, **given)


def test_members_that_only_newer_clients_know(aws, name):
    """Sent by hand: the client of Debian does not know them. Unknown members are ignored, null is absence."""
    source = {"S3DataSource": {"S3Uri": "s3://b/k.tar.gz", "S3DataType": "S3Object", "CompressionType": "Gzip", "ModelAccessConfig": {"AcceptEula": True}}}
    status, out, _ = aws.target("CreateModel", {"ModelName": name, "PrimaryContainer": {"Image": IMAGE, "ModelDataSource": source, "Brandnew": [1]}, "VpcConfig": None, "Unknown": {"x": 1}})
    assert (status, out) == (200, {"ModelArn": arn("model", name)})
    status, out, _ = aws.target("DescribeModel", {"ModelName": name})
    assert out["PrimaryContainer"]["ModelDataSource"] == source and "Unknown" not in out and "Brandnew" not in out["PrimaryContainer"]
    status, out, _ = aws.target("CreateEndpointConfig", {"EndpointConfigName": name, "ProductionVariants": [
        {"VariantName": "v", "ModelName": name, "ServerlessConfig": {"MemorySizeInMB": 1024, "MaxConcurrency": 5, "ProvisionedConcurrency": 2}}]})
    assert status == 200, out
    assert aws.target("DescribeEndpointConfig", {"EndpointConfigName": name})[1]["ProductionVariants"][0]["ServerlessConfig"]["ProvisionedConcurrency"] == 2
    status, out, _ = aws.target("CreateEndpointConfig", {"EndpointConfigName": name + "x", "ProductionVariants": [
        {"VariantName": "v", "ModelName": name, "ServerlessConfig": {"MemorySizeInMB": 1024, "MaxConcurrency": 5, "ProvisionedConcurrency": 6}}]})
    assert (status, out["__type"]) == (400, "ValidationException") and "ProvisionedConcurrency" in out["message"] and "5" in out["message"]


@pytest.mark.parametrize("image, runtime", [(IMAGE, "xgboost"), ("x/sagemaker-scikit-learn:1.2-1-cpu-py3", "python"), ("my/xgboost", "xgboost")])
def test_images_choose_the_runtime(up, aws, name, image, runtime):
    aws.create_model(name, "s3://b/k", image=image)
    assert up.models.GetModel(name=name).model.runtime == runtime


def test_a_script_of_the_users_runs_in_python(up, aws, name):
    aws.create_model(name, "s3://b/k", Environment={"SAGEMAKER_PROGRAM": "inference.py"})
    assert up.models.GetModel(name=name).model.runtime == "python"


VALID = {"ModelName": "m", "PrimaryContainer": {"Image": IMAGE, "ModelDataUrl": "s3://b/k"}, "ExecutionRoleArn": ROLE}
MODEL_REFUSALS = [
    ({"ModelName": "-bad"}, "Value '-bad' at 'modelName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}"),
    ({"ModelName": "a" * 64}, "at 'modelName' failed to satisfy constraint: Member must have length less than or equal to 63"),
    ({"ModelName": "with_underscore"}, "at 'modelName'"),
    ({"ExecutionRoleArn": "arn:aws:iam::12:role/x"}, "at 'executionRoleArn' failed to satisfy constraint: Member must satisfy regular expression pattern: arn:aws"),
    ({"PrimaryContainer": {"Image": "a b", "ModelDataUrl": "s3://b/k"}}, "at 'primaryContainer.image' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\S]+"),
    ({"PrimaryContainer": {"Image": "x" * 256, "ModelDataUrl": "s3://b/k"}}, "at 'primaryContainer.image' failed to satisfy constraint: Member must have length less than or equal to 255"),
    ({"PrimaryContainer": {"Image": IMAGE, "ModelDataUrl": "ftp://b/k"}}, "at 'primaryContainer.modelDataUrl' failed to satisfy constraint: Member must satisfy regular expression pattern: (https|s3)://"),
    ({"PrimaryContainer": {"Image": IMAGE, "ModelDataUrl": "s3://b/" + "k" * 1024}}, "Member must have length less than or equal to 1024"),
    ({"PrimaryContainer": {"Image": IMAGE, "ModelDataUrl": "s3://b/k", "Environment": {"1A": "x"}}}, "at 'primaryContainer.environment.1A.key' failed to satisfy constraint"),
    ({"PrimaryContainer": {"Image": IMAGE, "ModelDataUrl": "s3://b/k", "Environment": {f"A{i}": "x" for i in range(101)}}}, "Member must have length less than or equal to 100"),
    ({"PrimaryContainer": {"Image": IMAGE, "ModelDataUrl": "s3://b/k", "Environment": {"A": "x" * 1025}}}, "Member must have length less than or equal to 1024"),
    ({"PrimaryContainer": {"Image": IMAGE, "ModelDataUrl": "s3://b/k", "Mode": "Many"}}, "at 'primaryContainer.mode' failed to satisfy constraint: Member must satisfy enum value set: [SingleModel, MultiModel]"),
    ({"PrimaryContainer": {"Image": "somebody/else:1", "ModelDataUrl": "s3://b/k"}}, "Image 'somebody/else:1' is not one that can be run here"),
    ({"PrimaryContainer": {"Image": IMAGE}}, "ModelDataUrl must be given"),
    ({"PrimaryContainer": {"ModelDataUrl": "s3://b/k"}}, "Image must be given"),
    ({"Containers": [{"Image": IMAGE, "ModelDataUrl": "s3://b/k"}]}, "Only one of PrimaryContainer and Containers"),
    ({"Tags": [{"Key": f"k{i}", "Value": ""} for i in range(51)]}, "at 'tags' failed to satisfy constraint: Member must have length less than or equal to 50"),
    ({"Tags": [{"Key": "a!", "Value": ""}]}, "at 'tags.1.member.key'"),
    ({"Tags": [{"Key": "a", "Value": ""}, {"Key": "a", "Value": "b"}]}, "more than once"),
    ({"VpcConfig": {"SecurityGroupIds": [f"sg-{i}" for i in range(6)], "Subnets": ["s-1"]}}, "at 'vpcConfig.securityGroupIds' failed to satisfy constraint: Member must have length less than or equal to 5"),
    ({"InferenceExecutionConfig": {"Mode": "Parallel"}}, "[Serial, Direct]"),
    ({"ModelName": "-bad", "ExecutionRoleArn": "a" * 20}, "2 validation errors detected: "),
]


@pytest.mark.parametrize("change, text", MODEL_REFUSALS)
def test_models_that_are_refused(aws, change, text):
    refused(aws.sagemaker.create_model, "ValidationException", text, **{**VALID, **change})


def test_what_a_client_checks_itself_is_checked_here_too(aws):
    """JavaScript's client checks almost nothing."""
    for body, text in (({}, "Value null at 'modelName' failed to satisfy constraint: Member must not be null"),
                       ({"ModelName": "m"}, "One of PrimaryContainer and Containers must be given"),
                       ({**VALID, "Tags": [{"Key": "k"}]}, "Value null at 'tags.1.member.value'")):
        status, out, _ = aws.target("CreateModel", body)
        assert (status, out["__type"]) == (400, "ValidationException") and text in out["message"]
    for body in ({**VALID, "Tags": "x"}, {**VALID, "EnableNetworkIsolation": "yes"}, {**VALID, "PrimaryContainer": []}):
        status, out, _ = aws.target("CreateModel", body)
        assert (status, out["__type"]) == (400, "SerializationException"), out


def test_several_containers_are_kept_but_not_deployed(aws, name):
    aws.sagemaker.create_model(ModelName=name, ExecutionRoleArn=ROLE, Containers=[{"Image": IMAGE, "ModelDataUrl": "s3://b/1"}, {"Image": IMAGE, "ModelDataUrl": "s3://b/2"}])
    assert len(aws.sagemaker.describe_model(ModelName=name)["Containers"]) == 2
    refused(aws.sagemaker.create_endpoint_config, "ValidationException", "several Containers", EndpointConfigName=name, ProductionVariants=[serverless(name)])


# ---- endpoint configs ----

@pytest.fixture(scope="module")
def model(aws):
    aws.create_model("a-model", "s3://b/k")
    return "a-model"


def test_a_config_with_every_member(aws, model, name):
    given = {"KmsKeyId": "key", "ProductionVariants": [
        {"VariantName": "one", "ModelName": model, "InitialInstanceCount": 1, "InstanceType": "ml.m5.large", "InitialVariantWeight": 0.25, "VolumeSizeInGB": 8,
         "ModelDataDownloadTimeoutInSeconds": 60, "ContainerStartupHealthCheckTimeoutInSeconds": 3600},
        {"VariantName": "two", "ModelName": model, "InitialInstanceCount": 3, "InstanceType": "ml.c5.xlarge", "InitialVariantWeight": 0.75}]}
    out = aws.sagemaker.create_endpoint_config(EndpointConfigName=name, Tags=[{"Key": "k", "Value": "v"}], **given)
    assert out["EndpointConfigArn"] == arn("endpoint-config", name)
    out = aws.sagemaker.describe_endpoint_config(EndpointConfigName=name)
    assert {key: out[key] for key in given} == given and out["EndpointConfigName"] == name
    refused(aws.sagemaker.create_endpoint_config, "ValidationException", f'Cannot create already existing endpoint configuration "{arn("endpoint-config", name)}".',
            EndpointConfigName=name, **given)
    aws.sagemaker.delete_endpoint_config(EndpointConfigName=name)
    refused(aws.sagemaker.describe_endpoint_config, "ValidationException", f'Could not find endpoint configuration "{arn("endpoint-config", name)}".', EndpointConfigName=name)
    refused(aws.sagemaker.delete_endpoint_config, "ValidationException", "Could not find endpoint configuration", EndpointConfigName=name)


AT = "productionVariants.1.member.serverlessConfig"
CONFIG_REFUSALS = [
    ({"ServerlessConfig": {"MemorySizeInMB": 7168, "MaxConcurrency": 1}}, f"Value '7168' at '{AT}.memorySizeInMB' failed to satisfy constraint: Member must have value less than or equal to 6144"),
    ({"ServerlessConfig": {"MemorySizeInMB": 1500, "MaxConcurrency": 1}}, "MemorySizeInMB is 1500: it must be 1024 to 6144 MB in steps of 1024"),
    ({"ServerlessConfig": {"MemorySizeInMB": 2048, "MaxConcurrency": 201}}, f"Value '201' at '{AT}.maxConcurrency' failed to satisfy constraint: Member must have value less than or equal to 200"),
    ({"ServerlessConfig": {"MemorySizeInMB": 9000, "MaxConcurrency": 999}}, "2 validation errors detected: "),
    ({"ServerlessConfig": {"MemorySizeInMB": 2**32 + 2048, "MaxConcurrency": 1}}, f"Value '4294969344' at '{AT}.memorySizeInMB' failed to satisfy constraint"),
    ({"ServerlessConfig": {"MemorySizeInMB": 2048, "MaxConcurrency": 2**32 + 1}}, f"Value '4294967297' at '{AT}.maxConcurrency' failed to satisfy constraint"),
    ({"VariantName": "a b"}, "at 'productionVariants.1.member.variantName'"),
    ({"ModelName": "no-such-model"}, 'Could not find model "arn:aws:sagemaker:us-east-1:000000000000:model/no-such-model".'),
    ({"InstanceType": "ml.m5.large"}, "ProductionVariants[0].InstanceType cannot be used with ServerlessConfig"),
    ({"ServerlessConfig": None, "InstanceType": "ml.m5.large", "InitialInstanceCount": 201}, "ProductionVariants[0].InitialInstanceCount is 201: it must be at most 200 here"),
    ({"InitialInstanceCount": 1}, "ProductionVariants[0].InitialInstanceCount cannot be used with ServerlessConfig"),
    ({"VolumeSizeInGB": 1}, "ProductionVariants[0].VolumeSizeInGB cannot be used with ServerlessConfig"),
    ({"AcceleratorType": "ml.eia1.large"}, "ProductionVariants[0].AcceleratorType cannot be used with ServerlessConfig"),
    ({"CoreDumpConfig": {"DestinationS3Uri": "s3://x/y"}}, "ProductionVariants[0].CoreDumpConfig cannot be used with ServerlessConfig"),
    ({"ServerlessConfig": None}, "must have a ServerlessConfig, or an InstanceType"),
    ({"ContainerStartupHealthCheckTimeoutInSeconds": 5000}, "Member must have value less than or equal to 3600"),
    ({"InitialVariantWeight": 0.0}, "weight adds up to 0"),
]


@pytest.mark.parametrize("change, text", CONFIG_REFUSALS)
def test_configs_that_are_refused(aws, model, change, text):
    variant = {k: v for k, v in {**serverless(model), **change}.items() if v is not None}
    refused(aws.sagemaker.create_endpoint_config, "ValidationException", text, EndpointConfigName="refused", ProductionVariants=[variant])


@pytest.mark.parametrize("variant", [
    *({"ServerlessConfig": {"MemorySizeInMB": memory, "MaxConcurrency": 1}} for memory in range(1024, 6145, 1024)),
    {"ServerlessConfig": {"MemorySizeInMB": 6144, "MaxConcurrency": 200, "ProvisionedConcurrency": 200}},
    {"ServerlessConfig": {"MemorySizeInMB": 1024, "MaxConcurrency": 1, "ProvisionedConcurrency": 1}},
    {"InstanceType": "ml.m5.large", "InitialInstanceCount": 200, "VolumeSizeInGB": 512, "ModelDataDownloadTimeoutInSeconds": 3600},
    {"InstanceType": "ml.m5.large"}])
def test_configs_on_the_limits(aws, model, name, variant):
    given = {"VariantName": "v" * 63, "ModelName": model, **variant}
    status, out, _ = aws.target("CreateEndpointConfig", {"EndpointConfigName": name, "ProductionVariants": [given]})
    assert status == 200, out
    assert aws.target("DescribeEndpointConfig", {"EndpointConfigName": name})[1]["ProductionVariants"] == [{**given, "InitialVariantWeight": 1}]


@pytest.mark.parametrize("config, text", [
    ({"ProvisionedConcurrency": 0}, f"Value '0' at '{AT}.provisionedConcurrency' failed to satisfy constraint: Member must have value greater than or equal to 1"),
    ({"ProvisionedConcurrency": 201}, f"Value '201' at '{AT}.provisionedConcurrency' failed to satisfy constraint: Member must have value less than or equal to 200"),
    ({"ProvisionedConcurrency": 6}, "ProvisionedConcurrency is 6: it must be at most MaxConcurrency, which is 5"),
    ({"MaxConcurrency": 0}, f"Value '0' at '{AT}.maxConcurrency' failed to satisfy constraint: Member must have value greater than or equal to 1"),
    ({"MemorySizeInMB": 1023}, f"Value '1023' at '{AT}.memorySizeInMB' failed to satisfy constraint: Member must have value greater than or equal to 1024"),
    ({"MemorySizeInMB": 0, "MaxConcurrency": 0}, "2 validation errors detected: ")])
def test_serverless_configs_that_a_client_of_debian_would_not_send(aws, model, config, text):
    status, out, _ = aws.target("CreateEndpointConfig", {"EndpointConfigName": "refused", "ProductionVariants": [
        {"VariantName": "v", "ModelName": model, "ServerlessConfig": {"MemorySizeInMB": 1024, "MaxConcurrency": 5, **config}}]})
    assert (status, out["__type"]) == (400, "ValidationException") and text in out["message"], out


WHOLE_REFUSALS = [
    ({"AsyncInferenceConfig": {"OutputConfig": {"S3OutputPath": "s3://x/y"}}}, "AsyncInferenceConfig is not offered"),
    ({"DataCaptureConfig": {"InitialSamplingPercentage": 1, "DestinationS3Uri": "s3://x/y", "CaptureOptions": [{"CaptureMode": "Input"}]}}, "DataCaptureConfig is not offered"),
    ({"ExplainerConfig": {"ClarifyExplainerConfig": {"ShapConfig": {"ShapBaselineConfig": {}}}}}, "ExplainerConfig is not offered"),
]


@pytest.mark.parametrize("change, text", WHOLE_REFUSALS)
def test_blocks_that_are_refused(aws, model, change, text):
    refused(aws.sagemaker.create_endpoint_config, "ValidationException", text, EndpointConfigName="refused", ProductionVariants=[serverless(model)], **change)


def test_shadows_mixtures_and_numbers_of_variants(aws, model):
    create = aws.sagemaker.create_endpoint_config
    refused(create, "ValidationException", "ShadowProductionVariants are not offered", EndpointConfigName="refused", ProductionVariants=[serverless(model)], ShadowProductionVariants=[serverless(model)])
    refused(create, "ValidationException", "must all have a ServerlessConfig, or none", EndpointConfigName="refused", ProductionVariants=[
        serverless(model), {"VariantName": "b", "ModelName": model, "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}])
    refused(create, "ValidationException", "at 'productionVariants' failed to satisfy constraint: Member must have length less than or equal to 10", EndpointConfigName="refused",
            ProductionVariants=[serverless(model, variant=f"v{i}", concurrency=1) for i in range(11)])
    refused(create, "ValidationException", "more than once", EndpointConfigName="refused", ProductionVariants=[serverless(model), serverless(model)])
    refused(create, "ValidationException", "adds up to 201", EndpointConfigName="refused", ProductionVariants=[serverless(model, concurrency=200), serverless(model, concurrency=1, variant="b")])


@pytest.mark.parametrize("member, what", [({"VpcConfig": {"SecurityGroupIds": ["sg-1"], "Subnets": ["s-1"]}}, "a VpcConfig"), ({"EnableNetworkIsolation": True}, "EnableNetworkIsolation")])
def test_models_that_cannot_be_serverless(aws, name, member, what):
    aws.sagemaker.create_model(ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer={"Image": IMAGE, "ModelDataUrl": "s3://b/k"}, **member)
    refused(aws.sagemaker.create_endpoint_config, "ValidationException", f"has {what}, which cannot be used with ServerlessConfig", EndpointConfigName=name, ProductionVariants=[serverless(name)])
    aws.sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[{"VariantName": "v", "ModelName": name, "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}])


# ---- endpoints ----

def test_endpoint_errors(aws, model, name):
    refused(aws.sagemaker.create_endpoint, "ValidationException", f'Could not find endpoint configuration "{arn("endpoint-config", "none")}".', EndpointName=name, EndpointConfigName="none")
    for call in (aws.sagemaker.describe_endpoint, aws.sagemaker.delete_endpoint):
        refused(call, "ValidationException", f'Could not find endpoint "{arn("endpoint", name)}".', EndpointName=name)
    refused(aws.sagemaker.update_endpoint, "ValidationException", "Could not find endpoint", EndpointName=name, EndpointConfigName="none")
    refused(aws.sagemaker.create_endpoint, "ValidationException", "at 'endpointName'", EndpointName="a b", EndpointConfigName="none")


def test_an_endpoint_that_cannot_be_made_fails_with_its_reason(aws, artifacts, name):
    aws.create_model(name, artifacts.json_that_is_no_model())
    aws.sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[serverless(name)])
    aws.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
    with pytest.raises(botocore.exceptions.WaiterError):
        aws.in_service(name)
    out = aws.sagemaker.describe_endpoint(EndpointName=name)
    assert out["EndpointStatus"] == "Failed" and out["FailureReason"] and "ProductionVariants" not in out
    refused(aws.sagemaker.update_endpoint, "ValidationException", "FAILED", EndpointName=name, EndpointConfigName=name)
    refused(aws.runtime.invoke_endpoint, "ValidationError", f"Endpoint {name} of account 000000000000 not found.", EndpointName=name, Body=b"1")
    aws.delete_endpoint(name)


def test_a_failed_update_leaves_the_old_config_in_service(aws, artifacts, name):
    aws.deploy(name, artifacts.model()[0])
    refused(aws.sagemaker.create_endpoint, "ValidationException", f'Cannot create already existing endpoint "{arn("endpoint", name)}".', EndpointName=name, EndpointConfigName=name)
    aws.create_model(f"{name}-bad", artifacts.json_that_is_no_model())
    aws.sagemaker.create_endpoint_config(EndpointConfigName=f"{name}-bad", ProductionVariants=[serverless(f"{name}-bad")])
    aws.sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=f"{name}-bad")
    wait_until(lambda: "FailureReason" in aws.sagemaker.describe_endpoint(EndpointName=name), "the update has failed")
    aws.in_service(name)
    assert aws.sagemaker.describe_endpoint(EndpointName=name)["EndpointConfigName"] == name
    assert aws.invoke(name, ROW)["Body"].read()


def test_while_it_is_being_made(aws, name):
    """The source of its artifact does not answer, so it stays in Creating until it is deleted."""
    aws.create_model(name, "https://127.0.0.1:1/model.tar.gz")
    aws.sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[serverless(name)])
    aws.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name, Tags=[{"Key": "k", "Value": "v"}])
    out = aws.sagemaker.describe_endpoint(EndpointName=name)
    assert out["EndpointStatus"] == "Creating" and out["EndpointArn"] == arn("endpoint", name) and out["CreationTime"] <= out["LastModifiedTime"]
    pending = out["PendingDeploymentSummary"]
    assert pending["EndpointConfigName"] == name and pending["ProductionVariants"][0]["VariantName"] == "AllTraffic"
    assert pending["ProductionVariants"][0]["DesiredServerlessConfig"] == {"MemorySizeInMB": 2048, "MaxConcurrency": 10}
    refused(aws.sagemaker.update_endpoint, "ValidationException", f'Cannot update in-progress endpoint "{arn("endpoint", name)}".', EndpointName=name, EndpointConfigName=name)
    assert aws.sagemaker.list_tags(ResourceArn=out["EndpointArn"])["Tags"] == [{"Key": "k", "Value": "v"}]
    aws.delete_endpoint(name)


def test_weights_and_capacities(aws, artifacts, name):
    aws.create_model(name, artifacts.model()[0])
    aws.sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[serverless(name, concurrency=5, variant="a"), serverless(name, concurrency=5, variant="b")])
    aws.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
    aws.in_service(name)
    update = aws.sagemaker.update_endpoint_weights_and_capacities
    refused(update, "ValidationException", f'The variant name(s) "c" is/are not present within endpoint configuration "{name}".', EndpointName=name, DesiredWeightsAndCapacities=[{"VariantName": "c", "DesiredWeight": 1}])
    refused(update, "ValidationException", 'The variant name "a" was non-unique within the request.', EndpointName=name, DesiredWeightsAndCapacities=[{"VariantName": "a", "DesiredWeight": 1}] * 2)
    refused(update, "ValidationException", "Could not find endpoint", EndpointName="none", DesiredWeightsAndCapacities=[{"VariantName": "a", "DesiredWeight": 1}])
    assert update(EndpointName=name, DesiredWeightsAndCapacities=[{"VariantName": "a", "DesiredWeight": 0}])["EndpointArn"] == arn("endpoint", name)
    aws.in_service(name)
    out = {v["VariantName"]: v for v in aws.sagemaker.describe_endpoint(EndpointName=name)["ProductionVariants"]}
    assert (out["a"]["CurrentWeight"], out["b"]["CurrentWeight"]) == (0, 1)
    assert {aws.invoke(name, ROW)["InvokedProductionVariant"] for _ in range(10)} == {"b"}
    assert aws.invoke(name, ROW, TargetVariant="a")["InvokedProductionVariant"] == "a"
    # Concurrency, by hand: the client of Debian does not know the member.
    status, out, _ = aws.target("UpdateEndpointWeightsAndCapacities", {"EndpointName": name, "DesiredWeightsAndCapacities": [
        {"VariantName": "b", "ServerlessUpdateConfig": {"MaxConcurrency": 7, "ProvisionedConcurrency": 1}}]})
    assert status == 200, out
    aws.in_service(name)
    wait_until(lambda: len(aws.up.idle(name)) >= 1, "the provisioned instance is there")
    out = {v["VariantName"]: v for v in aws.target("DescribeEndpoint", {"EndpointName": name})[1]["ProductionVariants"]}
    assert out["b"]["CurrentServerlessConfig"] == {"MemorySizeInMB": 2048, "MaxConcurrency": 7, "ProvisionedConcurrency": 1}
    at = "desiredWeightsAndCapacities.1.member"
    for change, text in (({"ServerlessUpdateConfig": {"MaxConcurrency": 201}}, f"at '{at}.serverlessUpdateConfig.maxConcurrency' failed to satisfy constraint: Member must have value less than or equal to 200"),
                         ({"ServerlessUpdateConfig": {"MaxConcurrency": 0}}, f"at '{at}.serverlessUpdateConfig.maxConcurrency' failed to satisfy constraint: Member must have value greater than or equal to 1"),
                         ({"ServerlessUpdateConfig": {"ProvisionedConcurrency": 201}}, f"at '{at}.serverlessUpdateConfig.provisionedConcurrency' failed to satisfy constraint: Member must have value less than or equal to 200"),
                         ({"ServerlessUpdateConfig": {"ProvisionedConcurrency": 0}}, f"at '{at}.serverlessUpdateConfig.provisionedConcurrency' failed to satisfy constraint: Member must have value greater than or equal to 1"),
                         ({"ServerlessUpdateConfig": {"ProvisionedConcurrency": 8}}, "ProvisionedConcurrency is 8: it must be at most MaxConcurrency, which is 7"),
                         ({"ServerlessUpdateConfig": {"MaxConcurrency": 196}}, "adds up to 201"),
                         ({"DesiredWeight": -0.5}, f"at '{at}.desiredWeight' failed to satisfy constraint: Member must have value greater than or equal to 0"),
                         ({"DesiredWeight": 0}, "weight adds up to 0"),
                         ({"DesiredInstanceCount": 1, "ServerlessUpdateConfig": {"MaxConcurrency": 5}}, "only one of DesiredInstanceCount and ServerlessUpdateConfig")):
        status, code, message = capacities(aws, name, "b", **change)
        assert (status, code) == (400, "ValidationException") and text in message, message
    assert capacities(aws, name, "b", ServerlessUpdateConfig={"MaxConcurrency": 195, "ProvisionedConcurrency": 1})[0] == 200  # all that the other leaves
    aws.in_service(name)
    # An update keeps what was set, when asked to.
    aws.sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=name, RetainAllVariantProperties=True)
    aws.in_service(name)
    assert [v["CurrentWeight"] for v in aws.sagemaker.describe_endpoint(EndpointName=name)["ProductionVariants"]] == [0, 1]
    aws.sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=name, RetainAllVariantProperties=True, ExcludeRetainedVariantProperties=[{"VariantPropertyType": "DesiredWeight"}])
    aws.in_service(name)
    assert [v["CurrentWeight"] for v in aws.sagemaker.describe_endpoint(EndpointName=name)["ProductionVariants"]] == [1, 1]


def test_deployment_configs_and_limits_of_updates(aws, artifacts, name):
    aws.create_model(name, artifacts.model(seed=8)[0])
    for config, memory in ((name, 2048), (f"{name}-2", 3072)):
        aws.sagemaker.create_endpoint_config(EndpointConfigName=config, ProductionVariants=[serverless(name, memory)])
    def plan(wait, **fields):
        return {"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0, **fields}, "TerminationWaitInSeconds": wait}}

    def last():
        aws.in_service(name)
        return aws.sagemaker.describe_endpoint(EndpointName=name).get("LastDeploymentConfig")

    aws.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name, DeploymentConfig=plan(0))
    assert last() == plan(0)
    for config, arguments, kept in ((f"{name}-2", {"DeploymentConfig": plan(1)}, plan(1)), (name, {"RetainDeploymentConfig": True}, plan(1)),
                                    (f"{name}-2", {"DeploymentConfig": plan(2), "RetainDeploymentConfig": True}, plan(2)), (name, {}, None)):
        aws.sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=config, **arguments)
        assert last() == kept
    size = {"Type": "CAPACITY_PERCENT", "Value": 10}
    for config, text in ((plan(0, Type="CANARY", CanarySize=size), "TrafficRoutingConfiguration.Type CANARY is not offered"), (plan(0, Type="LINEAR", LinearStepSize=size), "LINEAR is not offered"),
                         ({**plan(0), "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "a"}]}}, "AutoRollbackConfiguration is not offered")):
        for call in (aws.sagemaker.create_endpoint, aws.sagemaker.update_endpoint):
            refused(call, "ValidationException", text, EndpointName=name, EndpointConfigName=name, DeploymentConfig=config)
    status, out, _ = aws.target("UpdateEndpoint", {"EndpointName": name, "EndpointConfigName": name, "DeploymentConfig": {  # only newer clients know it
        "RollingUpdatePolicy": {"MaximumBatchSize": size, "WaitIntervalInSeconds": 0}}})
    assert (status, out["__type"]) == (400, "ValidationException") and "RollingUpdatePolicy is not offered" in out["message"]
    for change, text in (({"ExcludeRetainedVariantProperties": [{"VariantPropertyType": "DesiredWeight"}] * 4}, "Member must have length less than or equal to 3"),
                         ({"ExcludeRetainedVariantProperties": [{"VariantPropertyType": "Colour"}]}, "Member must satisfy enum value set"),
                         ({"EndpointConfigName": "x" * 64}, "Member must have length less than or equal to 63"),
                         ({"EndpointConfigName": "none"}, "Could not find endpoint configuration")):
        refused(aws.sagemaker.update_endpoint, "ValidationException", text, **{"EndpointName": name, "EndpointConfigName": name, **change})
