"""Every member, limit and enumeration of the service models that clients ship, walked one by one.

The models are botocore's own. Each place of each operation's input gets each value that the model forbids, whatever the client would have checked
itself: the answer must name the place and the rule. Values that just fit must not be found fault with. What is dealt with in another way stands in
the tables below, with the reason; a row that is no longer true fails as well.
"""
import http.client
import json
import pathlib
import re
import shutil
import subprocess

import pytest

import service_model
import suite
from aws import IMAGE, ROLE, Aws, serverless
from service_model import ABSENT

HERE = pathlib.Path(__file__).parent

OPERATIONS = {
    "sagemaker": """CreateModel DescribeModel ListModels DeleteModel CreateEndpointConfig DescribeEndpointConfig ListEndpointConfigs DeleteEndpointConfig
                    CreateEndpoint DescribeEndpoint ListEndpoints UpdateEndpoint DeleteEndpoint AddTags ListTags DeleteTags UpdateEndpointWeightsAndCapacities""".split(),
    "cloudwatch": """GetMetricStatistics GetMetricData ListMetrics PutMetricData PutMetricAlarm DescribeAlarms DeleteAlarms SetAlarmState DescribeAlarmsForMetric
                     EnableAlarmActions DisableAlarmActions DescribeAlarmHistory""".split(),
    "application-autoscaling": service_model.service("application-autoscaling").operation_names,
}
MODELS = {name: service_model.service(name) for name in OPERATIONS}
WALKS = [(service, operation) for service in OPERATIONS for operation in OPERATIONS[service]]

# Not offered: whoever gives it is told so by its name.
REFUSED = {
    "CreateEndpointConfig": ["DataCaptureConfig", "AsyncInferenceConfig", "ExplainerConfig", "ShadowProductionVariants"],
    "PutMetricAlarm": ["Metrics", "ThresholdMetricId"],
    "PutScalingPolicy": ["StepScalingPolicyConfiguration"],
}
# Without effect, as a member that nobody knows: they speak of other accounts and of how labels are shown.
IGNORED = {
    "GetMetricData": ["LabelOptions", "MetricDataQueries[].AccountId"],
    "ListMetrics": ["IncludeLinkedAccounts", "OwningAccount"],
}
# Our rule is another one than the installed model's.
OTHERWISE = {
    ("CreateModel", "Environment"): "newer models allow 100 entries",
    ("CreateModel", "ExecutionRoleArn"): "newer models do not require it",
    ("CreateEndpoint", "DeploymentConfig.BlueGreenUpdatePolicy"): "newer models do not require it: RollingUpdatePolicy stands beside it",
    ("UpdateEndpoint", "DeploymentConfig.BlueGreenUpdatePolicy"): "newer models do not require it: RollingUpdatePolicy stands beside it",
    ("CreateEndpoint", "MaximumExecutionTimeoutInSeconds"): "newer models allow 28800 s",
    ("UpdateEndpoint", "MaximumExecutionTimeoutInSeconds"): "newer models allow 28800 s",
    ("CreateEndpointConfig", "InstanceType"): "the list of types grows, so the form is what is checked",
    ("CreateEndpointConfig", "AcceleratorType"): "there are none, whatever their name",
    ("CreateEndpointConfig", "ModelName"): "newer models do not require it; a config without is refused in our words",
    ("PutMetricAlarm", "ComparisonOperator"): "comparisons with bands belong to anomaly detection, which is not offered",
    ("PutMetricAlarm", "TreatMissingData"): "the model has any text, the service four words",
    ("PutMetricAlarm", "EvaluateLowSampleCountPercentile"): "the model has any text, the service two words",
    ("GetMetricStatistics", "Period"): "told in the words of the service: which periods there are",
    ("PutScalingPolicy", "PredefinedMetricType"): "one belongs to provisioned concurrency, and it is younger than this model",
    ("PutScalingPolicy", "CustomizedMetricSpecification.MetricName"): "newer models do not require it; refused in our words",
    ("PutScalingPolicy", "CustomizedMetricSpecification.Namespace"): "newer models do not require it; refused in our words",
    ("PutScalingPolicy", "CustomizedMetricSpecification.Statistic"): "newer models do not require it; Average",
    ("*", "ServiceNamespace"): "sagemaker alone",
    ("*", "ScalableDimension"): "the one of provisioned concurrency, which is younger than this model",
}
SCALING = {"ServiceNamespace": "sagemaker", "ScalableDimension": "sagemaker:variant:DesiredProvisionedConcurrency", "ResourceId": "endpoint/e/variant/v"}


@pytest.fixture(scope="module")
def aws(up):
    return Aws(up)


@pytest.fixture(scope="module")
def line(aws):
    aws.create_model("walked", "s3://b/k")
    return Line(aws)


class Line:
    """One kept connection to the front door, for thousands of small calls in the JSON protocols."""

    def __init__(self, aws):
        self.aws, self.connection = aws, http.client.HTTPConnection(*aws.address, timeout=suite.PATIENCE)

    def call(self, service, operation, body):
        """(status, error code, message)"""
        meta = MODELS[service].metadata
        headers = {"Content-Type": f"application/x-amz-json-{meta.get('jsonVersion', '1.0')}", "X-Amz-Target": f"{meta.get('targetPrefix', 'GraniteServiceVersion20100801')}.{operation}"}
        data = json.dumps(body).encode()
        self.connection.request("POST", "/", data, self.aws.signed("POST", "/", data, headers, service=MODELS[service].signing_name))
        answer = self.connection.getresponse()
        out = json.loads(answer.read() or "{}")
        return answer.status, out.get("__type", "").split("#")[-1], out.get("message", "")


def body_of(service, operation, slot, value):
    model = MODELS[service].operation_model(operation)
    body = service_model.placed(model, slot, value, SCALING if service == "application-autoscaling" else None)
    for variant in body.get("ProductionVariants") or [] if operation == "CreateEndpointConfig" else []:
        if isinstance(variant, dict) and isinstance(variant.get("VariantName", ""), str) and not str(slot).endswith("].ModelName"):
            variant["ModelName"] = "walked"
    return body


def listed(table, operation, slot):
    return any(str(slot) == row or str(slot).startswith((row + ".", row + "[")) for row in table.get(operation, ()))


def otherwise(operation, slot):
    """The row that says why the place has another rule than the model's."""
    return next((row for row in OTHERWISE if row[0] in ("*", operation) and f".{slot}".endswith("." + row[1])), None)


def fault(line, service, operation, slot, value, words):
    """What is wrong with the refusal of a value that the model forbids; None when nothing is."""
    status, code, message = line.call(service, operation, body_of(service, operation, slot, value))
    told, codes = f"'{slot.told}'", ("ValidationException", "SerializationException")
    if slot.steps[-1] == service_model.KEY:
        told = told.replace("K.key", f"{value:.64}.key")
    if service == "cloudwatch" and value is ABSENT and len(slot.steps) == 1:
        told, words, codes = slot.steps[0], "is required", ("MissingRequiredParameterException",)
    if status == 400 and told in message and (not words or words in message) and code in codes:
        return None
    return f"{slot} = {str(value)[:40]!r} ({words}): {status} {code} {message[:200]}"


@pytest.mark.parametrize("service, operation", WALKS)
def test_what_the_model_forbids_is_refused_by_name(line, service, operation):
    faults, otherwise_met = [], set()
    for slot in service_model.slots(MODELS[service].operation_model(operation)):
        if listed(REFUSED, operation, slot) or listed(IGNORED, operation, slot):
            continue
        here = [f for value, words in service_model.bad_values(slot) if (f := fault(line, service, operation, slot, value, words))]
        here += [f"{slot} = {str(value)[:40]!r} fits: {message}" for value in service_model.limits(slot)
                 if f"'{slot.told}'" in (message := line.call(service, operation, body_of(service, operation, slot, value))[2])]
        if (row := otherwise(operation, slot)):
            otherwise_met.add((row, bool(here)))
        else:
            faults += here
    assert not faults, "\n" + "\n".join(faults)
    needless = {row for row, _ in otherwise_met if (row, True) not in otherwise_met}
    assert not needless, f"no reason is needed any more: {needless}"


@pytest.mark.parametrize("service, operation", WALKS)
def test_members_that_nobody_knows_are_ignored(line, service, operation):
    """At the top and in every structure: the answer is the one to the same call without them, whatever that says."""
    model = MODELS[service].operation_model(operation)
    name, made = next((m for m in model.input_shape.members if operation.startswith("Create") and m == operation[6:] + "Name"), None), iter(range(10**6))

    def answer(body):
        if name:  # what is made is not made twice
            body = {**body, name: f"known-{operation}-{next(made)}"}
        status, code, message = line.call(service, operation, body)
        return status, code, re.sub("known-[A-Za-z]*-[0-9]*", "known", message)

    strange = {"Mystery": {"deep": [{"x": None}]}, "mystery": "x", "": 1}
    plain = body_of(service, operation, next(service_model.slots(model).__iter__()), ABSENT)
    assert answer({**plain, **strange}) == answer(plain)
    for slot in service_model.slots(model):
        if slot.shape.type_name == "structure" and not listed(REFUSED, operation, slot):
            least = service_model.example(slot.shape)
            assert answer(body_of(service, operation, slot, {**least, **strange})) == answer(body_of(service, operation, slot, least)), slot


@pytest.mark.parametrize("operation, member", [(o, m) for o in REFUSED for m in REFUSED[o]])
def test_what_is_not_offered_is_refused_by_name(line, operation, member):
    service = next(s for s in OPERATIONS if operation in OPERATIONS[s])
    (slot,) = [s for s in service_model.slots(MODELS[service].operation_model(operation)) if str(s) == member]
    status, code, message = line.call(service, operation, {**body_of(service, operation, slot, service_model.example(slot.shape)), **COMPLETE.get(operation, {})})
    assert status == 400 and code in ("ValidationException", "InvalidParameterValueException") and member.removesuffix("Configuration") in message, (code, message)


COMPLETE = {"PutMetricAlarm": {"AlarmName": "a", "ComparisonOperator": "GreaterThanThreshold", "EvaluationPeriods": 1},
            "CreateEndpointConfig": {"EndpointConfigName": "refused", "ProductionVariants": [serverless("walked")]}}


@pytest.mark.parametrize("operation, member", [(o, m) for o in IGNORED for m in IGNORED[o]])
def test_what_has_no_effect_has_none(line, operation, member):
    service = next(s for s in OPERATIONS if operation in OPERATIONS[s])
    (slot,) = [s for s in service_model.slots(MODELS[service].operation_model(operation)) if str(s) == member]
    before = line.call(service, operation, {k: v for k, v in body_of(service, operation, slot, ABSENT).items()})
    for value in (service_model.example(slot.shape), {"whatever": [1, 2]}):
        assert line.call(service, operation, body_of(service, operation, slot, value)) == before


def test_the_tables_name_what_there_is():
    """A row for a member that the model does not have (any more) would hide nothing, and is wrong."""
    for table in (REFUSED, IGNORED):
        for operation in table:
            service = next(s for s in OPERATIONS if operation in OPERATIONS[s])
            places = {str(s) for s in service_model.slots(MODELS[service].operation_model(operation))}
            assert set(table[operation]) <= places
    for operation, member in OTHERWISE:
        assert any(otherwise(o, slot) == (operation, member) for service, o in WALKS if operation in ("*", o)
                   for slot in service_model.slots(MODELS[service].operation_model(o))), (operation, member)


# ---- what only the newest clients know ----

# Members that are younger than the installed model, and what becomes of them: "used" has tests of its own, "kept" is described again, "refused" by
# name, "ignored" like any member that nobody knows.
YOUNGER = {
    "CreateModel": {"PrimaryContainer.ModelDataSource": "used", "PrimaryContainer.AdditionalModelDataSources": "refused", "PrimaryContainer.ContainerMetricsConfig": "kept",
                    "Containers[].ModelDataSource": "used", "Containers[].AdditionalModelDataSources": "refused", "Containers[].ContainerMetricsConfig": "kept"},
    "CreateEndpointConfig": {
        **{f"ProductionVariants[].{m}": how for m, how in {
            "InstancePools": "refused", "VariantInstanceProvisionTimeoutInSeconds": "ignored", "ServerlessConfig.ProvisionedConcurrency": "used", "EnableSSMAccess": "kept",
            "ManagedInstanceScaling": "refused", "RoutingConfig": "refused", "InferenceAmiVersion": "kept", "CapacityReservationConfig": "refused"}.items()},
        "ExecutionRoleArn": "kept", "VpcConfig": "refused", "EnableNetworkIsolation": "refused", "MetricsConfig": "kept"},
    "CreateEndpoint": {"DeploymentConfig.RollingUpdatePolicy": "used"},
    "UpdateEndpoint": {"DeploymentConfig.RollingUpdatePolicy": "used"},
    "UpdateEndpointWeightsAndCapacities": {"DesiredWeightsAndCapacities[].ServerlessUpdateConfig": "used"},
    "PutMetricData": {"EntityMetricData": "refused", "StrictEntityValidation": "ignored"},
    "PutMetricAlarm": {m: "ignored" for m in ("EvaluationWindow", "WarmUpConfiguration", "EvaluationCriteria", "EvaluationInterval", "ActionConfiguration")},
    "DescribeAlarmHistory": {"AlarmContributorId": "ignored"},
    "DescribeScalingActivities": {"IncludeNotScaledActivities": "ignored"},
    "PutScalingPolicy": {"TargetTrackingScalingPolicyConfiguration.CustomizedMetricSpecification.Metrics": "refused", "PredictiveScalingPolicyConfiguration": "refused"},
    "RegisterScalableTarget": {"Tags": "ignored"},
}
# Values that such a member may have, where it is not a structure.
EXAMPLES = {"AdditionalModelDataSources": [{"ChannelName": "c"}], "InstancePools": [{}], "EnableSSMAccess": True, "InferenceAmiVersion": "al2", "ExecutionRoleArn": ROLE,
            "VpcConfig": {"SecurityGroupIds": ["sg-1"], "Subnets": ["s-1"]}, "EnableNetworkIsolation": True, "EntityMetricData": [{}], "Metrics": [{}], "IncludeNotScaledActivities": True,
            "StrictEntityValidation": True, "VariantInstanceProvisionTimeoutInSeconds": 60, "AlarmContributorId": "c"}


def test_each_member_that_the_newest_clients_know_has_its_place(javascript):
    """Their own schemas say what there is: what is in neither the installed model nor the table above is new to us too."""
    shutil.copy(HERE / "aws_js" / "members.mjs", javascript)
    found = {}
    for service, operations in OPERATIONS.items():
        client = "client-" + {"application-autoscaling": "application-auto-scaling"}.get(service, service)
        out = subprocess.run(["node", "members.mjs", client, *operations], cwd=javascript, capture_output=True, text=True, timeout=suite.PATIENCE * 4)
        assert out.returncode == 0, out.stderr
        for operation, members in json.loads(out.stdout).items():
            old = {str(slot) for slot in service_model.slots(MODELS[service].operation_model(operation))}
            refused = tuple(f"{member}{end}" for member in REFUSED.get(operation, ()) for end in ".[")
            new = [m for m in members if m not in old and not m.startswith(refused)]
            tops = {m for m in new if not m.startswith(tuple(f"{other}{end}" for other in new for end in ".["))}
            if tops:
                found[operation] = tops
    assert found == {operation: set(members) for operation, members in YOUNGER.items()}


def younger(how):
    return [(operation, member) for operation, members in YOUNGER.items() for member, its in members.items() if its == how]


def with_younger(operation, member, base):
    """'base' with the member in its place; all that is on the way to it is there."""
    place, leaf = base, member.rpartition(".")[2]
    for step in member.split(".")[:-1]:
        place = place.setdefault(step.removesuffix("[]"), [{}] if step.endswith("[]") else {})
        place = place[0] if step.endswith("[]") else place
    place[leaf] = EXAMPLES.get(leaf, {})
    return base, place[leaf]


def base_of(operation, member):
    container = {"Image": IMAGE, "ModelDataUrl": "s3://b/k"}
    name = re.sub("[^a-zA-Z0-9]+", "-", member).strip("-")[-60:].strip("-")
    return name, {
        "CreateModel": {"ModelName": name, "Containers" if member.startswith("Containers") else "PrimaryContainer": [container] if member.startswith("Containers") else container},
        "CreateEndpointConfig": {"EndpointConfigName": name, "ProductionVariants": [serverless("walked")]},
        "PutMetricData": {"Namespace": "Younger", "MetricData": [{"MetricName": "m", "Value": 1}]},
        "PutMetricAlarm": {"AlarmName": "younger", "Namespace": "Younger", "MetricName": "m", "Statistic": "Sum", "Period": 60, "EvaluationPeriods": 1, "Threshold": 1,
                           "ComparisonOperator": "GreaterThanThreshold"},
        "PutScalingPolicy": {**SCALING, "PolicyName": "p", "TargetTrackingScalingPolicyConfiguration": {"TargetValue": 1}},
        "RegisterScalableTarget": dict(SCALING), "DescribeScalingActivities": dict(SCALING)}.get(operation, {})


@pytest.mark.parametrize("operation, member", younger("refused"))
def test_younger_members_that_are_refused(line, operation, member):
    service = next(s for s in OPERATIONS if operation in OPERATIONS[s])
    body, _ = with_younger(operation, member, base_of(operation, member)[1])
    status, code, message = line.call(service, operation, body)
    leaf = "CustomizedMetricSpecification" if member.endswith(".Metrics") else member.rpartition(".")[2]
    assert status == 400 and code in ("ValidationException", "InvalidParameterValueException") and leaf in message, (code, message)


@pytest.mark.parametrize("operation, member", younger("kept"))
def test_younger_members_that_are_kept(aws, line, operation, member):
    name, body = base_of(operation, member)
    body, value = with_younger(operation, member, body)
    assert line.call("sagemaker", operation, body)[0] == 200
    described = aws.target(operation.replace("Create", "Describe"), {("ModelName" if "Model" in operation else "EndpointConfigName"): name})[1]
    for step in member.split("."):
        described = described[step.removesuffix("[]")]
        described = described[0] if step.endswith("[]") else described
    assert described == value


@pytest.mark.parametrize("operation, member", younger("ignored"))
def test_younger_members_that_are_ignored(line, operation, member):
    service = next(s for s in OPERATIONS if operation in OPERATIONS[s])
    plain = line.call(service, operation, base_of(operation, member)[1])
    name, body = base_of(operation, member)
    if operation == "CreateEndpointConfig":
        body["EndpointConfigName"] = name[:50] + "-2"
    assert line.call(service, operation, with_younger(operation, member, body)[0]) == plain
