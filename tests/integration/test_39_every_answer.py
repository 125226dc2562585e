"""Every answer of every operation as two generations of clients understand it: Debian's boto3, and the newest SDK for JavaScript.

One life of everything is played by both at once (tests/lib/twin.py): each member that one of them got, the other must have got with the same value and
kind. service_model.check_answer looks at what stood on the wire, and at the end no member that the models know may be without an answer that had it.
"""
import datetime

import pytest

import service_model
import suite
import twin
from aws import IMAGE, ROLE, Aws, serverless
from test_19_service_models import MODELS, SCALING, WALKS


class Both(Aws):
    """What Aws does, done by both clients."""

    def __init__(self, up, node):
        super().__init__(up)
        self.plain, self.node, self.twins = Aws(up), node, {}

    def client(self, service, **config):
        if service not in self.twins:
            self.twins[service] = twin.Twin(self.plain, self.node, service)
        return self.twins[service]


@pytest.fixture(scope="module")
def aws(up):
    return Aws(up)


@pytest.fixture(scope="module")
def both(up, node):
    return Both(up, node)


# What no answer ever holds, as a path's start: it belongs to what is not offered, or is told in another way.
NEVER = {
    ("sagemaker", "DescribeModel"): ["Containers.ModelPackageName", "PrimaryContainer.ModelPackageName"],
    ("sagemaker", "ListTags"): ["NextToken"],  # a page has 50, and so may a resource
    ("sagemaker", "DescribeEndpointConfig"): ["DataCaptureConfig", "AsyncInferenceConfig", "ExplainerConfig", "ShadowProductionVariants", "ProductionVariants.AcceleratorType"],
    ("sagemaker", "DescribeEndpoint"): [
        "DataCaptureConfig", "AsyncInferenceConfig", "ExplainerConfig", "ShadowProductionVariants", "PendingDeploymentSummary.ShadowProductionVariants",
        "LastDeploymentConfig.AutoRollbackConfiguration", "LastDeploymentConfig.BlueGreenUpdatePolicy.TrafficRoutingConfiguration.CanarySize",
        "LastDeploymentConfig.BlueGreenUpdatePolicy.TrafficRoutingConfiguration.LinearStepSize", "ProductionVariants.VariantStatus",
        "PendingDeploymentSummary.ProductionVariants.Current", "PendingDeploymentSummary.ProductionVariants.AcceleratorType",
        "PendingDeploymentSummary.ProductionVariants.VariantStatus.StatusMessage"],
    ("cloudwatch", "GetMetricData"): ["Messages"],
    ("cloudwatch", "ListMetrics"): ["OwningAccounts"],
    ("cloudwatch", "DescribeAlarms"): ["CompositeAlarms.", "MetricAlarms.Metrics", "MetricAlarms.ThresholdMetricId"],
    ("cloudwatch", "DescribeAlarmsForMetric"): ["MetricAlarms.Metrics", "MetricAlarms.ThresholdMetricId"],
    ("application-autoscaling", "DescribeScalingActivities"): ["ScalingActivities.Details", "ScalingActivities.NotScaledReasons"],
    ("application-autoscaling", "DescribeScalingPolicies"): [
        "ScalingPolicies.StepScalingPolicyConfiguration", "ScalingPolicies.TargetTrackingScalingPolicyConfiguration.PredefinedMetricSpecification.ResourceLabel"],
    ("application-autoscaling", "DescribeScheduledActions"): ["ScheduledActions.Timezone"],
}


def test_every_member_of_every_answer(both, artifacts):
    play_endpoints(both, artifacts)
    play_metrics(both.client("cloudwatch"))
    play_scaling(both, both.client("application-autoscaling"))
    play_ends(both)
    missing, needless, apart = [], [], []
    for service, operation in WALKS:
        shape = MODELS[service].operation_model(operation).output_shape
        seen = twin.seen["boto3"][service, operation]
        starts = NEVER.get((service, operation), [])
        missing += [f"{operation}: {m}" for m in service_model.all_members(shape) if m not in seen and not m.startswith(tuple(starts))] if shape else []
        needless += [f"{operation}: {start}" for start in starts if any(m.startswith(start) for m in seen)]
        apart += [f"{operation}: {m}" for m in seen ^ twin.seen["javascript"][service, operation]]
    assert not missing and not needless, f"never seen: {sorted(set(missing))}\nseen all the same: {needless}"
    assert not apart, f"seen by one of the two: {sorted(apart)}"
    assert not {(who, at) for who in twin.seen for at in WALKS if at not in twin.seen[who]}


PLAN = {"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0}, "TerminationWaitInSeconds": 1,
                                  "MaximumExecutionTimeoutInSeconds": 600}}


def in_service(aws, name):
    suite.wait_until(lambda: aws.sagemaker.describe_endpoint(EndpointName=name)["EndpointStatus"] == "InService", f"{name} serves")


def play_endpoints(aws, artifacts):
    sagemaker = aws.sagemaker
    uri, tags = artifacts.model(seed=5)[0], [{"Key": "k", "Value": "v"}]
    vpc = {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]}
    container = {"Image": IMAGE, "ModelDataUrl": uri, "ContainerHostname": "h", "Mode": "SingleModel", "Environment": {"A": "b"}, "InferenceSpecificationName": "i",
                 "ImageConfig": {"RepositoryAccessMode": "Vpc", "RepositoryAuthConfig": {"RepositoryCredentialsProviderArn": "arn:x"}}, "MultiModelConfig": {"ModelCacheSetting": "Enabled"}}
    sagemaker.create_model(ModelName="whole", ExecutionRoleArn=ROLE, VpcConfig=vpc, EnableNetworkIsolation=True, InferenceExecutionConfig={"Mode": "Direct"}, Tags=tags, PrimaryContainer=container)
    sagemaker.create_model(ModelName="pipeline", ExecutionRoleArn=ROLE, Containers=[container, container])
    for model in ("whole", "pipeline"):
        sagemaker.describe_model(ModelName=model)
    aws.create_model("plain", uri)
    aws.create_model("broken", artifacts.json_that_is_no_model())
    sagemaker.create_endpoint_config(EndpointConfigName="instances", KmsKeyId="key", Tags=tags, ProductionVariants=[{
        "VariantName": "AllTraffic", "ModelName": "plain", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1, "InitialVariantWeight": 1, "VolumeSizeInGB": 1,
        "ModelDataDownloadTimeoutInSeconds": 60, "ContainerStartupHealthCheckTimeoutInSeconds": 60, "CoreDumpConfig": {"DestinationS3Uri": "s3://b/k", "KmsKeyId": "key"}}])
    for name, model in (("serverless", "plain"), ("broken", "broken")):
        sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[serverless(model)])
    for name in ("instances", "serverless"):
        sagemaker.describe_endpoint_config(EndpointConfigName=name)
    # Not made in no time: the description says what is pending.
    for name in ("instances", "serverless"):
        aws.create_model(f"{name}-slow", "https://127.0.0.1:1/x.tar.gz")
        config = sagemaker.describe_endpoint_config(EndpointConfigName=name)["ProductionVariants"][0] | {"ModelName": f"{name}-slow"}
        sagemaker.create_endpoint_config(EndpointConfigName=f"{name}-slow", ProductionVariants=[config])
        sagemaker.create_endpoint(EndpointName=f"{name}-slow", EndpointConfigName=f"{name}-slow")
        sagemaker.describe_endpoint(EndpointName=f"{name}-slow")
        sagemaker.delete_endpoint(EndpointName=f"{name}-slow")
    sagemaker.create_endpoint(EndpointName="whole", EndpointConfigName="instances", DeploymentConfig=PLAN, Tags=tags)
    in_service(aws, "whole")
    sagemaker.describe_endpoint(EndpointName="whole")
    sagemaker.update_endpoint(EndpointName="whole", EndpointConfigName="broken", RetainDeploymentConfig=True)
    suite.wait_until(lambda: "FailureReason" in sagemaker.describe_endpoint(EndpointName="whole"), "the update has failed")
    in_service(aws, "whole")
    sagemaker.update_endpoint(EndpointName="whole", EndpointConfigName="serverless")
    in_service(aws, "whole")
    sagemaker.update_endpoint_weights_and_capacities(EndpointName="whole", DesiredWeightsAndCapacities=[{"VariantName": "AllTraffic", "DesiredWeight": 2}])
    in_service(aws, "whole")
    sagemaker.update_endpoint_weights_and_capacities(EndpointName="whole", DesiredWeightsAndCapacities=[{"VariantName": "AllTraffic", "DesiredWeight": 1}])
    in_service(aws, "whole")
    for lister in (sagemaker.list_models, sagemaker.list_endpoint_configs):
        lister(MaxResults=1)
    sagemaker.create_endpoint(EndpointName="second", EndpointConfigName="serverless")
    sagemaker.list_endpoints(MaxResults=1)
    arn = sagemaker.describe_model(ModelName="plain")["ModelArn"]
    sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": f"k{i}", "Value": "v"} for i in range(50)])
    sagemaker.list_tags(ResourceArn=arn, MaxResults=50)
    for key in ("k1", "k2"):
        sagemaker.delete_tags(ResourceArn=arn, TagKeys=[key])


def play_metrics(cloudwatch):
    of = {"Namespace": "Whole", "MetricName": "m", "Dimensions": [{"Name": "a", "Value": "b"}]}
    cloudwatch.put_metric_data(Namespace="Whole", MetricData=[{"MetricName": "m", "Dimensions": of["Dimensions"], "Values": [1, 2], "Unit": "Count"}])
    cloudwatch.put_metric_data(Namespace="Whole", MetricData=[{"MetricName": f"m{i}", "Value": 1} for i in range(501)])
    now = datetime.datetime.now(datetime.timezone.utc)
    window = {"StartTime": now - datetime.timedelta(minutes=10), "EndTime": now + datetime.timedelta(minutes=1)}
    cloudwatch.get_metric_statistics(**of, **window, Period=60, Statistics=["SampleCount", "Sum", "Average", "Minimum", "Maximum"])
    cloudwatch.get_metric_statistics(**of, **window, Period=60, ExtendedStatistics=["p50"])
    query = {"Id": "m", "MetricStat": {"Metric": of, "Period": 60, "Stat": "Sum"}}
    cloudwatch.put_metric_data(Namespace="Whole", MetricData=[{"MetricName": "m", "Dimensions": of["Dimensions"], "Value": 1, "Unit": "Count", "Timestamp": now - datetime.timedelta(minutes=5)}])
    cloudwatch.get_metric_data(**window, MaxDatapoints=1, MetricDataQueries=[query, {"Id": "e", "Expression": "SEARCH(1)"}])
    cloudwatch.get_metric_data(**window, MetricDataQueries=[query, {"Id": "e", "Expression": "nobody + 1"}])
    cloudwatch.list_metrics(Namespace="Whole")
    cloudwatch.list_metrics(MetricName="m")
    for name, statistic in (("whole", {"Statistic": "Sum"}), ("part", {"ExtendedStatistic": "p90", "EvaluateLowSampleCountPercentile": "ignore"})):
        cloudwatch.put_metric_alarm(AlarmName=name, AlarmDescription="d", ActionsEnabled=True, OKActions=["arn:ok"], AlarmActions=["arn:alarm"], InsufficientDataActions=["arn:none"], **of, **statistic,
                                    Period=60, Unit="Count", EvaluationPeriods=2, DatapointsToAlarm=1, Threshold=5, ComparisonOperator="GreaterThanThreshold", TreatMissingData="missing")
        cloudwatch.set_alarm_state(AlarmName=name, StateValue="OK", StateReason="r", StateReasonData='{"a":1}')
    cloudwatch.describe_alarms(MaxRecords=1)
    cloudwatch.describe_alarms(AlarmNames=["whole", "part"])
    cloudwatch.describe_alarms_for_metric(**of, Statistic="Sum")
    cloudwatch.describe_alarms_for_metric(**of, ExtendedStatistic="p90")
    cloudwatch.describe_alarm_history(MaxRecords=1)


def play_scaling(aws, scaling):
    in_service(aws, "second")
    keys = {}
    for endpoint in ("whole", "second"):
        keys = {**SCALING, "ResourceId": f"endpoint/{endpoint}/variant/AllTraffic"}
        scaling.register_scalable_target(**keys, MinCapacity=1, MaxCapacity=2, SuspendedState={"DynamicScalingInSuspended": True})
        scaling.put_scaling_policy(**keys, PolicyName="used", PolicyType="TargetTrackingScaling", TargetTrackingScalingPolicyConfiguration={
            "TargetValue": 0.5, "PredefinedMetricSpecification": {"PredefinedMetricType": "SageMakerVariantProvisionedConcurrencyUtilization"}, "ScaleInCooldown": 1, "ScaleOutCooldown": 1})
        scaling.put_scaling_policy(**keys, PolicyName="own", TargetTrackingScalingPolicyConfiguration={"TargetValue": 5, "CustomizedMetricSpecification": {
            "MetricName": "m", "Namespace": "Whole", "Statistic": "Sum", "Unit": "Count", "Dimensions": [{"Name": "a", "Value": "b"}]}})
        scaling.put_scheduled_action(**keys, ScheduledActionName="a", Schedule="rate(1 day)", StartTime=datetime.datetime(2030, 1, 1), EndTime=datetime.datetime(2031, 1, 1),
                                     ScalableTargetAction={"MinCapacity": 1, "MaxCapacity": 2})
    suite.wait_until(lambda: len(scaling.describe_scaling_activities(ServiceNamespace="sagemaker")["ScalingActivities"]) > 1, "both were brought inside their bounds")
    for lister in (scaling.describe_scalable_targets, scaling.describe_scaling_policies, scaling.describe_scheduled_actions, scaling.describe_scaling_activities):
        lister(ServiceNamespace="sagemaker", MaxResults=1)
        lister(ServiceNamespace="sagemaker")
    for endpoint in ("whole", "second"):
        keys = {**SCALING, "ResourceId": f"endpoint/{endpoint}/variant/AllTraffic"}
        scaling.delete_scaling_policy(**keys, PolicyName="own")
        scaling.delete_scheduled_action(**keys, ScheduledActionName="a")
        scaling.deregister_scalable_target(**keys)


def play_ends(aws):
    """What answers with nothing."""
    for name in ("serverless-slow", "instances-slow"):
        aws.sagemaker.delete_endpoint_config(EndpointConfigName=name)
        aws.sagemaker.delete_model(ModelName=name)
    cloudwatch = aws.client("cloudwatch")
    cloudwatch.disable_alarm_actions(AlarmNames=["whole"])
    cloudwatch.enable_alarm_actions(AlarmNames=["whole"])
    for name in ("whole", "part"):
        cloudwatch.delete_alarms(AlarmNames=[name])


# ---- invocations, objects, who am I ----

def everything_seen(service, operations):
    """Each operation was answered for both, and both got the same members out of it."""
    assert not {(who, operation) for who in twin.seen for operation in operations if (service, operation) not in twin.seen[who]}
    for operation in operations:
        assert twin.seen["boto3"][service, operation] == twin.seen["javascript"][service, operation], operation


def test_invocations(both, diabetes):
    runtime = both.client("sagemaker-runtime")
    for accept in ("text/csv", "application/json"):
        out = runtime.invoke_endpoint(EndpointName="diabetes", Body=diabetes.row(0), ContentType="text/csv", Accept=accept, CustomAttributes="k=v", InferenceId="i")
        assert out["Body"] and (out["ContentType"], out["InvokedProductionVariant"]) == (accept, "main")
    events = both.node.call("client-sagemaker-runtime", "InvokeEndpointWithResponseStream", {"EndpointName": "diabetes", "Body": diabetes.row(0), "ContentType": "text/csv"})
    assert events == {"Body": {"$events": [{"PayloadPart": {"Bytes": diabetes.answer(0)}}]}, "ContentType": "text/csv", "InvokedProductionVariant": "main"}
    everything_seen("sagemaker-runtime", ["InvokeEndpoint"])


def test_who_am_i(both):
    assert both.client("sts").get_caller_identity()["Account"] == "000000000000"


def test_objects(both):
    s3, of = both.client("s3"), {"Bucket": "both", "Key": "k"}
    for name in ("both", "other"):
        s3.create_bucket(Bucket=name)
    s3.head_bucket(Bucket="both")
    s3.list_buckets()
    s3.get_bucket_location(Bucket="both")
    s3.get_bucket_versioning(Bucket="both")
    s3.put_object(**of, Body=b"0123456789", ContentType="text/plain", Metadata={"a": "b"}, CacheControl="no-store", ContentDisposition="inline", ContentEncoding="x", ContentLanguage="en",
                  Expires=datetime.datetime(2030, 1, 1))
    for key in ("l/1", "l/2", "l/m/3"):
        s3.put_object(Bucket="both", Key=key, Body=b"x")
    for read in (s3.get_object, s3.head_object):
        read(**of)
        read(**of, Range="bytes=2-5")
    for lister in (s3.list_objects, s3.list_objects_v2):
        lister(Bucket="both")
        lister(Bucket="both", Prefix="l/", Delimiter="/", MaxKeys=1)
        lister(Bucket="both", Prefix="none", EncodingType="url")
    s3.list_objects_v2(Bucket="both", StartAfter="k", FetchOwner=True)
    s3.list_objects_v2(Bucket="both", MaxKeys=1, ContinuationToken=s3.list_objects_v2(Bucket="both", MaxKeys=1)["NextContinuationToken"])
    s3.list_objects(Bucket="both", Marker="k", Delimiter="m")
    for key in ("p1", "p2"):
        upload = {"Bucket": "both", "Key": key, "UploadId": s3.create_multipart_upload(Bucket="both", Key=key)["UploadId"]}
        etag = s3.upload_part(**upload, PartNumber=1, Body=b"part")["ETag"]
        s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": [{"ETag": etag, "PartNumber": 1}]})
        s3.get_object(Bucket="both", Key=key)
        s3.abort_multipart_upload(Bucket="both", Key=key, UploadId=s3.create_multipart_upload(Bucket="both", Key=key)["UploadId"])
    s3.delete_object(**of)
    s3.delete_object(**of)  # it is gone: the same answer
    for key in ("p1", "p2"):
        s3.delete_objects(Bucket="both", Delete={"Objects": [{"Key": key}, {"Key": "none"}]})
    for key in ("l/1", "l/2", "l/m/3"):
        s3.delete_objects(Bucket="both", Delete={"Objects": [{"Key": key}], "Quiet": True})
    for name in ("both", "other"):
        s3.delete_bucket(Bucket=name)
    everything_seen("s3", """ListBuckets CreateBucket HeadBucket DeleteBucket GetBucketLocation GetBucketVersioning PutObject GetObject HeadObject ListObjects ListObjectsV2 DeleteObject
                             DeleteObjects CreateMultipartUpload UploadPart CompleteMultipartUpload AbortMultipartUpload""".split())


# ---- errors ----

# Of the running suite; test_20_errors.py has each that control and a router can be made to answer with, for both clients too.
REFUSED = [
    ("sagemaker", "describe_model", {"ModelName": "none"}, "ValidationException", 400),
    ("sagemaker", "create_endpoint_config", {"EndpointConfigName": "-", "ProductionVariants": [serverless("m", 7000, 300)]}, "ValidationException", 400),
    ("sagemaker", "add_tags", {"ResourceArn": "arn:aws:sagemaker:us-east-1:000000000000:model/none", "Tags": [{"Key": "k", "Value": "v"}]}, "ValidationException", 400),
    ("sagemaker", "list_training_jobs", {}, "UnknownOperationException", 400),
    ("sagemaker-runtime", "invoke_endpoint", {"EndpointName": "none", "Body": b"1"}, "ValidationError", 400),
    ("sagemaker-runtime", "invoke_endpoint", {"EndpointName": "diabetes", "Body": b"a,b", "ContentType": "text/csv"}, "ModelError", 424),
    ("sagemaker-runtime", "invoke_endpoint", {"EndpointName": "diabetes", "Body": b"1", "ContentType": "image/png"}, "ModelError", 424),
    ("sagemaker-runtime", "invoke_endpoint", {"EndpointName": "diabetes", "Body": b"1", "TargetVariant": "none"}, "ValidationError", 400),
    ("sagemaker-runtime", "invoke_endpoint", {"EndpointName": "diabetes", "Body": bytes((6 << 20) + 1)}, "ValidationError", 400),
    ("sagemaker-runtime", "invoke_endpoint_async", {"EndpointName": "diabetes", "InputLocation": "s3://b/k"}, "ValidationError", 400),
    ("cloudwatch", "get_metric_statistics", {"Namespace": "N", "MetricName": "m", "StartTime": datetime.datetime(2026, 1, 1), "EndTime": datetime.datetime(2026, 1, 2), "Period": 60},
     "InvalidParameterCombination", 400),
    ("cloudwatch", "get_metric_statistics", {"Namespace": "N", "MetricName": "m", "StartTime": datetime.datetime(2026, 1, 2), "EndTime": datetime.datetime(2026, 1, 1), "Period": 60,
                                             "Statistics": ["Sum"]}, "InvalidParameterValue", 400),
    ("cloudwatch", "list_metrics", {"NextToken": "x"}, "InvalidNextToken", 400),
    ("cloudwatch", "set_alarm_state", {"AlarmName": "none", "StateValue": "OK", "StateReason": "r"}, "ResourceNotFound", 404),
    ("cloudwatch", "delete_alarms", {"AlarmNames": ["none"]}, "ResourceNotFound", 404),
    ("cloudwatch", "put_metric_data", {"Namespace": "N", "MetricData": [{"MetricName": "m"}]}, "InvalidParameterCombination", 400),
    ("application-autoscaling", "describe_scalable_targets", {"ServiceNamespace": "ecs"}, "ValidationException", 400),
    ("application-autoscaling", "deregister_scalable_target", {**SCALING, "ResourceId": "endpoint/none/variant/v"}, "ObjectNotFoundException", 400),
    ("application-autoscaling", "describe_scaling_policies", {"ServiceNamespace": "sagemaker", "NextToken": "x"}, "InvalidNextTokenException", 400),
    ("s3", "head_bucket", {"Bucket": "none"}, "404", 404),
    ("s3", "get_object", {"Bucket": "none", "Key": "k"}, "NoSuchBucket", 404),
    ("s3", "get_object", {"Bucket": "kept", "Key": "none"}, "NoSuchKey", 404),
    ("s3", "head_object", {"Bucket": "kept", "Key": "none"}, "404", 404),
    ("s3", "get_object", {"Bucket": "kept", "Key": "k", "Range": "bytes=9-"}, "InvalidRange", 416),
    ("s3", "get_object", {"Bucket": "kept", "Key": "k", "IfMatch": '"x"'}, "PreconditionFailed", 412),
    ("s3", "delete_bucket", {"Bucket": "kept"}, "BucketNotEmpty", 409),
    ("s3", "upload_part", {"Bucket": "kept", "Key": "k", "UploadId": "none", "PartNumber": 1, "Body": b"x"}, "NoSuchUpload", 404),
    ("s3", "copy_object", {"Bucket": "kept", "Key": "k2", "CopySource": "kept/k"}, "NotImplemented", 501),
    ("s3", "list_objects_v2", {"Bucket": "kept", "ExpectedBucketOwner": "123456789012"}, "AccessDenied", 403),
    ("sts", "get_session_token", {}, "InvalidAction", 400),
]


@pytest.fixture(scope="module")
def kept(aws):
    aws.s3.create_bucket(Bucket="kept")
    aws.s3.put_object(Bucket="kept", Key="k", Body=b"x")


@pytest.mark.parametrize("service, method, arguments, code, status", REFUSED)
def test_errors(both, diabetes, kept, service, method, arguments, code, status):
    got = both.client(service).refused(method, **arguments)
    assert got[:2] == (code, status), got
    assert set(got[3]) == ({"OriginalStatusCode", "OriginalMessage", "LogStreamArn"} if code == "ModelError" else set()), got
