"""Application Auto Scaling with real clients: provisioned concurrency that follows use and the clock, and every error by its name."""
import concurrent.futures
import datetime
import json
import os
import shutil
import subprocess

import pytest

import models
import suite
from aws import Aws
from suite import wait_until
from test_13_sagemaker import refused
from test_15_aws_clients import HERE, said

UTC = datetime.timezone.utc
DIMENSION = "sagemaker:variant:DesiredProvisionedConcurrency"


@pytest.fixture(scope="module")
def aws(up):
    return Aws(up)


@pytest.fixture(scope="module")
def scaling(aws):
    return aws.client("application-autoscaling")


@pytest.fixture(scope="module")
def served(aws):
    aws.deploy("served", models.SAMPLE_URI, concurrency=8)
    return keys("served")


@pytest.fixture
def target(scaling, served):
    """A registered target of nobody else's rules."""
    scaling.register_scalable_target(**served, MinCapacity=0, MaxCapacity=4)
    yield served
    try:
        scaling.deregister_scalable_target(**served)
    except scaling.exceptions.ObjectNotFoundException:
        pass


def keys(endpoint, variant="AllTraffic"):
    return {"ServiceNamespace": "sagemaker", "ResourceId": f"endpoint/{endpoint}/variant/{variant}", "ScalableDimension": DIMENSION}


def tracking(value=0.7, **fields):
    return {"TargetValue": value, "PredefinedMetricSpecification": {"PredefinedMetricType": "SageMakerVariantProvisionedConcurrencyUtilization"}, **fields}


def provisioned(aws, endpoint):
    (variant,) = aws.sagemaker.describe_endpoint(EndpointName=endpoint)["ProductionVariants"]
    return variant["CurrentServerlessConfig"].get("ProvisionedConcurrency", 0) if "CurrentServerlessConfig" in variant else None


# ---- what it does ----

def test_bounds_and_the_clock_change_the_capacity(up, aws, scaling, name):
    """Registering brings the capacity inside the bounds; a scheduled action moves the bounds; instances follow; activities tell."""
    aws.deploy(name, models.SAMPLE_URI, concurrency=8)
    # boto3 of Debian does not know the member: it is in the raw answer.
    def capacity():
        _, body, _ = aws.target("DescribeEndpoint", {"EndpointName": name})
        return body["ProductionVariants"][0]["CurrentServerlessConfig"].get("ProvisionedConcurrency", 0)

    arn = scaling.register_scalable_target(**keys(name), MinCapacity=1, MaxCapacity=3)
    assert arn["ResponseMetadata"]["HTTPStatusCode"] == 200
    wait_until(lambda: capacity() == 1, "the minimum is provisioned")
    wait_until(lambda: len(up.idle(name)) >= 1, "an instance is warm")
    soon = (datetime.datetime.now(UTC) + datetime.timedelta(seconds=2)).strftime("at(%Y-%m-%dT%H:%M:%S)")
    scaling.put_scheduled_action(**keys(name), ScheduledActionName="morning", Schedule=soon, ScalableTargetAction={"MinCapacity": 2, "MaxCapacity": 4})
    wait_until(lambda: capacity() == 2, "the action moved the bounds", 90)
    (target,) = scaling.describe_scalable_targets(ServiceNamespace="sagemaker", ResourceIds=[keys(name)["ResourceId"]])["ScalableTargets"]
    assert (target["MinCapacity"], target["MaxCapacity"]) == (2, 4)
    wait_until(lambda: len(up.idle(name)) >= 2, "instances follow")
    activities = scaling.describe_scaling_activities(**keys(name))["ScalingActivities"]
    assert {a["StatusCode"] for a in activities} == {"Successful"} and len(activities) >= 2
    newest = activities[0]
    assert newest["ResourceId"] == keys(name)["ResourceId"] and newest["ScalableDimension"] == DIMENSION and "2" in newest["Description"]
    assert "morning" in newest["Cause"] and isinstance(newest["StartTime"], datetime.datetime)
    pages = [p["ScalingActivities"] for p in scaling.get_paginator("describe_scaling_activities").paginate(**keys(name), PaginationConfig={"PageSize": 1})]
    assert [len(p) for p in pages] == [1] * len(activities)
    scaling.deregister_scalable_target(**keys(name))
    assert capacity() == 2  # stays
    aws.delete_endpoint(name)


# ---- targets ----

def test_a_target_with_every_member(scaling, target):
    (got,) = scaling.describe_scalable_targets(ServiceNamespace="sagemaker", ScalableDimension=DIMENSION, ResourceIds=[target["ResourceId"]])["ScalableTargets"]
    assert {k: got[k] for k in target} == target and (got["MinCapacity"], got["MaxCapacity"]) == (0, 4)
    assert got["RoleARN"].startswith("arn:aws:iam::000000000000:role/") and isinstance(got["CreationTime"], datetime.datetime)
    assert got["SuspendedState"] == {"DynamicScalingInSuspended": False, "DynamicScalingOutSuspended": False, "ScheduledScalingSuspended": False}
    # What is not given stays; what was sent beside is of no consequence.
    scaling.register_scalable_target(**target, MaxCapacity=6, RoleARN="arn:aws:iam::000000000000:role/scaler",
                                     SuspendedState={"DynamicScalingInSuspended": True, "ScheduledScalingSuspended": True})
    (now,) = scaling.describe_scalable_targets(ServiceNamespace="sagemaker", ResourceIds=[target["ResourceId"]])["ScalableTargets"]
    assert (now["MinCapacity"], now["MaxCapacity"]) == (0, 6) and now["CreationTime"] == got["CreationTime"]
    assert now["SuspendedState"] == {"DynamicScalingInSuspended": True, "DynamicScalingOutSuspended": False, "ScheduledScalingSuspended": True}
    scaling.deregister_scalable_target(**target)
    assert scaling.describe_scalable_targets(ServiceNamespace="sagemaker", ResourceIds=[target["ResourceId"]])["ScalableTargets"] == []


def test_registrations_at_once_lose_nothing(aws, scaling, target):
    """Each gives one bound; the other's is not written back as it was read."""
    other = Aws(aws.up).client("application-autoscaling")
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for i in range(20):
            calls = [pool.submit(scaling.register_scalable_target, **target, MinCapacity=i % 3), pool.submit(other.register_scalable_target, **target, MaxCapacity=4 + i % 4)]
            for call in calls:
                call.result()
            (now,) = scaling.describe_scalable_targets(ServiceNamespace="sagemaker", ResourceIds=[target["ResourceId"]])["ScalableTargets"]
            assert (now["MinCapacity"], now["MaxCapacity"]) == (i % 3, 4 + i % 4)


@pytest.mark.parametrize("change, code, text", [
    ({"ResourceId": "endpoint/none/variant/AllTraffic"}, "ValidationException", "none"),
    ({"ResourceId": "endpoint/served/variant/other"}, "ValidationException", "other"),
    ({"ResourceId": "served"}, "ValidationException", "endpoint/ENDPOINT/variant/VARIANT"),
    ({"ResourceId": "endpoint/served"}, "ValidationException", "endpoint/ENDPOINT/variant/VARIANT"),
    ({"ResourceId": "endpoint//variant/x"}, "ValidationException", "endpoint/ENDPOINT/variant/VARIANT"),
    ({"ResourceId": "endpoint/a/b/variant/x"}, "ValidationException", "endpoint/ENDPOINT/variant/VARIANT"),
    ({"ResourceId": "e" * 1601}, "ValidationException", "less than or equal to 1600"),
    ({"ServiceNamespace": "dynamodb"}, "ValidationException", "Member must satisfy enum value set: [sagemaker]"),
    ({"ScalableDimension": "sagemaker:variant:DesiredInstanceCount"}, "ValidationException", "enum value set: [sagemaker:variant:DesiredProvisionedConcurrency]"),
    ({"MinCapacity": -1}, "ValidationException", "greater than or equal to 0"),
    ({"MinCapacity": 3, "MaxCapacity": 2}, "ValidationException", "MinCapacity is 3: it must be 0 to MaxCapacity, 2"),
    ({"MaxCapacity": 9}, "ValidationException", "MaxCapacity is 9: it must be at most the variant's max concurrency, 8"),
    ({"MaxCapacity": None}, "ValidationException", "must have MinCapacity and MaxCapacity"),
])
def test_targets_that_are_refused(scaling, served, change, code, text):
    refused(scaling.register_scalable_target, code, text, **{k: v for k, v in {**served, "MinCapacity": 0, "MaxCapacity": 4, **change}.items() if v is not None})


def test_what_needs_a_target(scaling, served):
    refused(scaling.deregister_scalable_target, "ObjectNotFoundException", "No scalable target is registered", **served)
    refused(scaling.put_scaling_policy, "ObjectNotFoundException", "No scalable target", **served, PolicyName="p", TargetTrackingScalingPolicyConfiguration=tracking())
    refused(scaling.put_scheduled_action, "ObjectNotFoundException", "No scalable target", **served, ScheduledActionName="a", Schedule="rate(1 hour)", ScalableTargetAction={"MinCapacity": 1})
    refused(scaling.delete_scaling_policy, "ObjectNotFoundException", "No scal", **served, PolicyName="p")
    refused(scaling.delete_scheduled_action, "ObjectNotFoundException", "No scal", **served, ScheduledActionName="a")


# ---- policies ----

def test_policies(aws, scaling, target):
    made = scaling.put_scaling_policy(**target, PolicyName="use", PolicyType="TargetTrackingScaling",
                                      TargetTrackingScalingPolicyConfiguration=tracking(0.7, ScaleOutCooldown=10, ScaleInCooldown=20, DisableScaleIn=True))
    assert [a["AlarmName"].rpartition("-Alarm")[2][:5] for a in made["Alarms"]] == ["High-"]  # it never scales in
    assert made["PolicyARN"].startswith("arn:aws:autoscaling:us-east-1:000000000000:scalingPolicy:") and made["PolicyARN"].endswith(f":resource/sagemaker/{target['ResourceId']}:policyName/use")
    own = {"MetricName": "Depth", "Namespace": "Queue", "Dimensions": [{"Name": "Q", "Value": "one"}], "Statistic": "Maximum"}
    scaling.put_scaling_policy(**target, PolicyName="queue", TargetTrackingScalingPolicyConfiguration={"TargetValue": 100, "CustomizedMetricSpecification": own})
    got = {p["PolicyName"]: p for p in scaling.describe_scaling_policies(ServiceNamespace="sagemaker", ResourceId=target["ResourceId"], ScalableDimension=DIMENSION)["ScalingPolicies"]}
    assert set(got) == {"use", "queue"} and got["use"]["PolicyARN"] == made["PolicyARN"]
    assert {k: got["use"][k] for k in target} == target and got["use"]["PolicyType"] == "TargetTrackingScaling" and isinstance(got["use"]["CreationTime"], datetime.datetime)
    assert got["use"]["TargetTrackingScalingPolicyConfiguration"] == tracking(0.7, ScaleOutCooldown=10, ScaleInCooldown=20, DisableScaleIn=True)
    assert got["queue"]["TargetTrackingScalingPolicyConfiguration"] == {"TargetValue": 100, "CustomizedMetricSpecification": own, "DisableScaleIn": False}
    # By name, changed in place, page by page.
    again = scaling.put_scaling_policy(**target, PolicyName="use", TargetTrackingScalingPolicyConfiguration=tracking(0.5))
    assert again["PolicyARN"] == made["PolicyARN"]
    (one,) = scaling.describe_scaling_policies(ServiceNamespace="sagemaker", PolicyNames=["use"])["ScalingPolicies"]
    assert one["TargetTrackingScalingPolicyConfiguration"] == tracking(0.5, DisableScaleIn=False)
    pages = [[p["PolicyName"] for p in page["ScalingPolicies"]] for page in scaling.get_paginator("describe_scaling_policies").paginate(ServiceNamespace="sagemaker", PaginationConfig={"PageSize": 1})]
    assert sorted(n for p in pages for n in p) == ["queue", "use"] and [len(p) for p in pages] == [1, 1]
    # What a policy looks at is to be seen as alarms; they go with it.
    monitoring = aws.client("cloudwatch")
    alarms = {a["AlarmName"]: a for a in monitoring.describe_alarms(AlarmNamePrefix=f"TargetTracking-{target['ResourceId']}-")["MetricAlarms"]}
    assert {a["AlarmName"] for p in (again, got["queue"]) for a in p["Alarms"]} == set(alarms) and len(alarms) == 4
    high, low = (alarms[a["AlarmName"]] for a in again["Alarms"])
    assert [a["AlarmArn"] for a in (high, low)] == [a["AlarmARN"] for a in again["Alarms"]] and high["AlarmActions"] == low["AlarmActions"] == [again["PolicyARN"]]
    assert (high["ComparisonOperator"], high["Threshold"], high["EvaluationPeriods"], high["Period"]) == ("GreaterThanThreshold", 0.5, 3, 60)
    assert (low["ComparisonOperator"], low["Threshold"], low["EvaluationPeriods"], low["Period"]) == ("LessThanThreshold", 0.45, 15, 60)
    assert (high["Namespace"], high["MetricName"], high["Statistic"]) == ("AWS/SageMaker", "ServerlessProvisionedConcurrencyUtilization", "Average")
    assert high["Dimensions"] == [{"Name": "EndpointName", "Value": target["ResourceId"].split("/")[1]}, {"Name": "VariantName", "Value": "AllTraffic"}]
    of_queue = alarms[got["queue"]["Alarms"][0]["AlarmName"]]
    assert (of_queue["MetricName"], of_queue["Statistic"], of_queue["Threshold"]) == ("Depth", "Maximum", 100)
    monitoring.delete_alarms(AlarmNames=[low["AlarmName"]])  # by hand: nothing minds
    scaling.delete_scaling_policy(**target, PolicyName="use")
    assert {a["AlarmName"] for a in monitoring.describe_alarms(AlarmNamePrefix="TargetTracking-")["MetricAlarms"]} == {a["AlarmName"] for a in got["queue"]["Alarms"]}
    refused(scaling.delete_scaling_policy, "ObjectNotFoundException", 'No scaling policy "use"', **target, PolicyName="use")
    scaling.deregister_scalable_target(**target)  # the other one goes with it
    assert scaling.describe_scaling_policies(ServiceNamespace="sagemaker", ResourceId=target["ResourceId"])["ScalingPolicies"] == []
    assert monitoring.describe_alarms(AlarmNamePrefix="TargetTracking-")["MetricAlarms"] == []


@pytest.mark.parametrize("change, code, text", [
    ({"PolicyType": "StepScaling"}, "ValidationException", "Only PolicyType TargetTrackingScaling"),
    ({"PolicyType": "Other"}, "ValidationException", "enum value set"),
    ({"TargetTrackingScalingPolicyConfiguration": None}, "ValidationException", "TargetTrackingScalingPolicyConfiguration"),
    ({"TargetTrackingScalingPolicyConfiguration": {"TargetValue": 1}}, "ValidationException", "exactly one of PredefinedMetricSpecification and"),
    ({"TargetTrackingScalingPolicyConfiguration": tracking(0)}, "ValidationException", "TargetValue is 0: it must be a number above 0"),
    ({"TargetTrackingScalingPolicyConfiguration": tracking(ScaleInCooldown=86401)}, "ValidationException", "86400"),
    ({"TargetTrackingScalingPolicyConfiguration": {"TargetValue": 1, "PredefinedMetricSpecification": {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"}}},
     "ValidationException", "[SageMakerVariantProvisionedConcurrencyUtilization]"),
    ({"TargetTrackingScalingPolicyConfiguration": {"TargetValue": 1, "CustomizedMetricSpecification": {"MetricName": "m", "Statistic": "Sum"}}}, "ValidationException|ParamValidation", "Namespace"),
    ({"PolicyName": "p" * 257}, "ValidationException", "less than or equal to 256"),
    ({"PolicyName": "\u00fc"}, "ValidationException", "PolicyName"),
])
def test_policies_that_are_refused(aws, scaling, target, change, code, text):
    given = {**target, "PolicyName": "p", "PolicyType": "TargetTrackingScaling", "TargetTrackingScalingPolicyConfiguration": tracking(), **change}
    status, body = call(aws, "PutScalingPolicy", {k: v for k, v in given.items() if v is not None})
    assert status == 400 and body["__type"] in code.split("|") and text in body["message"], body
    assert scaling.describe_scaling_policies(ServiceNamespace="sagemaker")["ScalingPolicies"] == []


def call(aws, operation, body, **signing):
    headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": f"AnyScaleFrontendService.{operation}"}
    status, _, out = aws.request("POST", "/", json.dumps(body).encode(), headers, service="application-autoscaling", **signing)
    return status, json.loads(out)


# ---- scheduled actions ----

def test_scheduled_actions(scaling, target):
    start = datetime.datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
    given = {"ScheduledActionName": "nightly", "Schedule": "cron(0 22 * * ? *)", "StartTime": start, "EndTime": start + datetime.timedelta(days=1),
             "ScalableTargetAction": {"MinCapacity": 0, "MaxCapacity": 1}}
    scaling.put_scheduled_action(**target, **given, Timezone="UTC")
    scaling.put_scheduled_action(**target, ScheduledActionName="hourly", Schedule="rate(1 hour)", ScalableTargetAction={"MinCapacity": 2})
    got = {a["ScheduledActionName"]: a for a in scaling.describe_scheduled_actions(**target)["ScheduledActions"]}
    assert set(got) == {"nightly", "hourly"} and {k: got["nightly"][k] for k in given} == given and {k: got["nightly"][k] for k in target} == target
    assert got["hourly"]["ScalableTargetAction"] == {"MinCapacity": 2} and "StartTime" not in got["hourly"]
    assert got["nightly"]["ScheduledActionARN"].endswith(f":resource/sagemaker/{target['ResourceId']}:scheduledActionName/nightly")
    (one,) = scaling.describe_scheduled_actions(ServiceNamespace="sagemaker", ScheduledActionNames=["hourly"])["ScheduledActions"]
    assert one["Schedule"] == "rate(1 hour)"
    first = scaling.describe_scheduled_actions(**target, MaxResults=1)
    second = scaling.describe_scheduled_actions(**target, MaxResults=1, NextToken=first["NextToken"])
    assert len(first["ScheduledActions"]) == len(second["ScheduledActions"]) == 1 and "NextToken" not in second
    refused(scaling.describe_scheduled_actions, "InvalidNextTokenException", "token", ServiceNamespace="sagemaker", NextToken="other")
    refused(scaling.describe_scheduled_actions, "ValidationException", "less than or equal to 50", ServiceNamespace="sagemaker", MaxResults=51)
    scaling.delete_scheduled_action(**target, ScheduledActionName="hourly")
    refused(scaling.delete_scheduled_action, "ObjectNotFoundException", 'No scaling schedule "hourly"', **target, ScheduledActionName="hourly")


@pytest.mark.parametrize("change, text", [
    ({"Schedule": "whenever"}, "Schedule \"whenever\" is no schedule"),
    ({"Schedule": "cron(61 * * * ? *)"}, "61"),
    ({"Schedule": None}, "must have Schedule and ScalableTargetAction"),
    ({"ScalableTargetAction": None}, "must have Schedule and ScalableTargetAction"),
    ({"ScalableTargetAction": {}}, "Capacity"),
    ({"ScalableTargetAction": {"MinCapacity": 3, "MaxCapacity": 2}}, "MinCapacity is 3"),
    ({"Timezone": "Europe/Berlin"}, "times are UTC"),
])
def test_scheduled_actions_that_are_refused(scaling, target, change, text):
    given = {"ScheduledActionName": "a", "Schedule": "rate(1 hour)", "ScalableTargetAction": {"MinCapacity": 1}, **change}
    refused(scaling.put_scheduled_action, "ValidationException", text, **target, **{k: v for k, v in given.items() if v is not None})
    assert scaling.describe_scheduled_actions(**target)["ScheduledActions"] == []


# ---- the rest ----

def test_members_that_nobody_knows_are_ignored(aws, scaling, target):
    status, body = call(aws, "RegisterScalableTarget", {**target, "MaxCapacity": 5, "Mystery": {"deep": [1]}, "Tags": {"k": "v"}})
    assert status == 200 and body["ScalableTargetARN"].startswith("arn:aws:application-autoscaling:us-east-1:000000000000:scalable-target/")
    status, body = call(aws, "DescribeScalingActivities", {"ServiceNamespace": "sagemaker", "IncludeNotScaledActivities": True, "Other": 1})
    assert status == 200 and isinstance(body["ScalingActivities"], list)
    status, body = call(aws, "TagResource", {})
    assert status == 400 and body["__type"] == "UnknownOperationException"
    status, body = call(aws, "DescribeScalableTargets", {}, secret="wrong")
    assert status == 403 and body["__type"] == "InvalidSignatureException"
    status, body = call(aws, "DescribeScalableTargets", {})
    assert status == 400 and "Value null at 'serviceNamespace' failed to satisfy constraint: Member must not be null" in body["message"]


def test_the_command_line(aws, target):
    resource = ["--service-namespace", "sagemaker", "--resource-id", target["ResourceId"], "--scalable-dimension", DIMENSION]
    said(aws, "application-autoscaling", "register-scalable-target", *resource, "--min-capacity", "0", "--max-capacity", "3")
    said(aws, "application-autoscaling", "put-scaling-policy", *resource, "--policy-name", "cli", "--policy-type", "TargetTrackingScaling",
         "--target-tracking-scaling-policy-configuration", json.dumps(tracking(0.6)))
    out = said(aws, "application-autoscaling", "describe-scaling-policies", "--service-namespace", "sagemaker", "--policy-names", "cli")
    assert out["ScalingPolicies"][0]["TargetTrackingScalingPolicyConfiguration"]["TargetValue"] == 0.6
    said(aws, "application-autoscaling", "delete-scaling-policy", *resource, "--policy-name", "cli")
    out = said(aws, "application-autoscaling", "describe-scalable-targets", "--service-namespace", "sagemaker", "--resource-ids", target["ResourceId"])
    assert [t["MaxCapacity"] for t in out["ScalableTargets"]] == [3]
    done = aws.cli("application-autoscaling", "delete-scaling-policy", *resource, "--policy-name", "cli")
    assert done.returncode == 254 and "(ObjectNotFoundException)" in done.stderr


def test_the_newest_client_for_javascript(aws, javascript, target):
    shutil.copy(HERE / "aws_js" / "scale.mjs", javascript)
    out = subprocess.run(["node", "scale.mjs", target["ResourceId"]], cwd=javascript, env={**os.environ, **aws.environment}, capture_output=True, text=True, timeout=suite.PATIENCE * 4)
    assert out.returncode == 0, out.stdout + out.stderr
    assert out.stdout.endswith("fine\n")
