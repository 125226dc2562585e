"""CloudWatch with real clients: boto3 and the command line (query and XML), the newest SDK for JavaScript (JSON 1.0), and what they would not send."""
import concurrent.futures
import datetime
import gzip
import json
import os
import shutil
import subprocess
import urllib.parse

import pytest

import models
import suite
from aws import Aws
from suite import wait_until
from test_05_limits import frozen, in_flight
from test_13_sagemaker import refused
from test_15_aws_clients import HERE, said

UTC = datetime.timezone.utc
MINUTE = datetime.timedelta(minutes=1)


@pytest.fixture(scope="module")
def aws(up):
    return Aws(up)


@pytest.fixture(scope="module")
def cloudwatch(aws):
    return aws.client("cloudwatch")


@pytest.fixture
def space(name):
    """A namespace of the test's own."""
    return f"Tests/{name}"


@pytest.fixture(scope="module")
def shop(cloudwatch):
    """Three minutes of two metrics, an hour ago: orders 1+2+3, 4, none, 6; errors none, 1, 2, 3."""
    start = datetime.datetime.now(UTC).replace(second=0, microsecond=0) - 60 * MINUTE
    orders = [[1.0, 2.0, 3.0], [4.0], [], [6.0]]
    errors = [[], [1.0], [2.0], [3.0]]
    data = [{"MetricName": name, "Dimensions": [{"Name": "Shop", "Value": "one"}], "Timestamp": start + i * MINUTE, "Values": values, "Unit": "Count"}
            for name, minutes in (("Orders", orders), ("Errors", errors)) for i, values in enumerate(minutes) if values]
    cloudwatch.put_metric_data(Namespace="Shops", MetricData=data)
    return start


def window(start, minutes=4):
    return {"StartTime": start, "EndTime": start + minutes * MINUTE}


def of_shop(name):
    return {"Namespace": "Shops", "MetricName": name, "Dimensions": [{"Name": "Shop", "Value": "one"}]}


def query(id_, name, stat="Sum", period=60, **fields):
    return {"Id": id_, "MetricStat": {"Metric": of_shop(name), "Period": period, "Stat": stat}, **fields}


def dated(points, key):
    return sorted((p["Timestamp"], p[key]) for p in points)


# ---- GetMetricStatistics ----

def test_the_calls_made_are_seen(aws, cloudwatch, name):
    """The article's monitoring: Invocations by hour, exactly as many as were made, with times as text."""
    sample = models.Sample()
    aws.deploy(name, models.SAMPLE_URI)
    before = datetime.datetime.now(UTC) - datetime.timedelta(hours=2)
    for i in range(7):
        aws.invoke(name, sample.row(i))
    with pytest.raises(aws.runtime.exceptions.ModelError):
        aws.invoke(name, b"a,b,c")

    def ask(metric, namespace="AWS/SageMaker", statistic="Sum"):
        return cloudwatch.get_metric_statistics(
            Namespace=namespace, MetricName=metric,
            Dimensions=[{"Name": "EndpointName", "Value": name}, {"Name": "VariantName", "Value": "AllTraffic"}],
            StartTime=before.strftime("%Y-%m-%dT%H:%M:%SZ"), EndTime=(before + datetime.timedelta(hours=4)).strftime("%Y-%m-%dT%H:%M:%SZ"),
            Period=3600, Statistics=[statistic])

    def total(*arguments):
        return sum(p["Sum"] for p in ask(*arguments)["Datapoints"])

    wait_until(lambda: total("Invocations") == 8, "all calls are counted")
    answer = ask("Invocations")
    assert answer["Label"] == "Invocations" and {p["Unit"] for p in answer["Datapoints"]} == {"None"}
    point = answer["Datapoints"][0]
    assert isinstance(point["Timestamp"], datetime.datetime) and set(point) == {"Timestamp", "Sum", "Unit"}
    assert point["Timestamp"].second == 0 and before - MINUTE < point["Timestamp"]
    assert total("Invocation4XXErrors") == 1 and total("Invocation5XXErrors") == 0 and total("InvocationModelErrors") == 1
    assert total("ColdStarts", "Pilotlight") == 1 and total("BilledDuration", "Pilotlight") >= 7
    latency = ask("ModelLatency", statistic="Average")["Datapoints"]
    assert latency[0]["Unit"] == "Microseconds" and latency[0]["Average"] > 0
    memory = wait_until(lambda: ask("MemoryUtilization", "/aws/sagemaker/Endpoints", "Maximum")["Datapoints"], "the memory of its instance is seen")
    assert memory[0]["Unit"] == "Percent" and 0 < memory[0]["Maximum"] < 100
    assert ask("MemoryUtilization", "aws/sagemaker/Endpoints", "Maximum")["Datapoints"]  # as some pages write it
    names = {m["MetricName"] for page in cloudwatch.get_paginator("list_metrics").paginate(Namespace="AWS/SageMaker", Dimensions=[{"Name": "EndpointName", "Value": name}]) for m in page["Metrics"]}
    assert {"Invocations", "ModelLatency", "OverheadLatency", "ModelSetupTime", "ServerlessConcurrentExecutionsUtilization"} <= names
    # The pair of dimensions is the metric: one alone is another, which nobody has.
    alone = cloudwatch.get_metric_statistics(Namespace="AWS/SageMaker", MetricName="Invocations", Dimensions=[{"Name": "EndpointName", "Value": name}],
                                             StartTime=before, EndTime=before + datetime.timedelta(hours=4), Period=3600, Statistics=["Sum"])
    assert alone["Datapoints"] == [] and alone["Label"] == "Invocations"


# Namespace, name, unit, and the value of a call that the endpoint of the test below has made: (samples, sum), None for what only has to be more than 0.
ALL = "AWS/SageMaker"
PUBLISHED = [
    (ALL, "Invocations", "None", (7, 7)), (ALL, "Invocation4XXErrors", "None", (7, 1)), (ALL, "Invocation5XXErrors", "None", (7, 0)), (ALL, "InvocationModelErrors", "None", (7, 1)),
    (ALL, "ModelLatency", "Microseconds", (7, None)), (ALL, "OverheadLatency", "Microseconds", (7, None)), (ALL, "ModelSetupTime", "Microseconds", (1, None)),
    (ALL, "ServerlessConcurrentExecutionsUtilization", "None", (7, None)),
    # Of each call, and once a minute.
    (ALL, "ServerlessProvisionedConcurrencyExecutions", "Count", (None, None)), (ALL, "ServerlessProvisionedConcurrencyUtilization", "None", (None, None)),
    (ALL, "ServerlessProvisionedConcurrencyInvocations", "Count", (5, 5)), (ALL, "ServerlessProvisionedConcurrencySpilloverInvocations", "Count", (2, 2)),
    ("/aws/sagemaker/Endpoints", "MemoryUtilization", "Percent", (None, None)),
    ("Pilotlight", "Throttles", "Count", (1, 1)), ("Pilotlight", "ColdStarts", "Count", (7, 1)), ("Pilotlight", "Failures", "Count", (7, 0)), ("Pilotlight", "Cancellations", "Count", (7, 0)), ("Pilotlight", "QueueTime", "Microseconds", (1, None)),
    *(("Pilotlight", f"ColdStart{phase}Time", "Microseconds", (1, None)) for phase in ("Process", "Sandbox", "Load", "FirstPrediction")),
    ("Pilotlight", "BilledDuration", "Milliseconds", (7, None)), ("Pilotlight", "WarmInstances", "Count", (None, None)),
]


def test_every_metric_with_its_unit_and_dimensions(up, aws, cloudwatch, name):
    """Four calls within provisioned concurrency, one of which the model refuses; while a fifth is held there two spill over, and one is one too many."""
    sample = models.Sample()
    aws.create_model(name, models.SAMPLE_URI)
    status, out, _ = aws.target("CreateEndpointConfig", {"EndpointConfigName": name, "ProductionVariants": [
        {"VariantName": "AllTraffic", "ModelName": name, "ServerlessConfig": {"MemorySizeInMB": 1024, "MaxConcurrency": 2, "ProvisionedConcurrency": 1}}]})
    assert status == 200, out
    aws.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
    aws.in_service(name)
    wait_until(lambda: len(up.idle(name)) == 1, "the provisioned instance is there")
    for i in range(3):
        aws.invoke(name, sample.row(i))
    with pytest.raises(aws.runtime.exceptions.ModelError):
        aws.invoke(name, b"a,b,c")
    with concurrent.futures.ThreadPoolExecutor(2) as pool, frozen(up) as before:
        calls = [pool.submit(Aws(up).invoke, name, sample.row(0))]
        wait_until(lambda: in_flight(up, name) == 1, "it is held")
        assert aws.invoke(name, sample.row(1))["Body"].read() == sample.answer(1)
        with frozen(up, set(up.runners()) - set(before)):
            calls.append(pool.submit(Aws(up).invoke, name, sample.row(0)))
            wait_until(lambda: in_flight(up, name) == 2, "so is the next one")
            refused(aws.invoke, "ThrottlingException", "2", name=name, body=sample.row(0))
    assert [c.result()["Body"].read() for c in calls] == [sample.answer(0)] * 2
    pair = [{"Name": "EndpointName", "Value": name}, {"Name": "VariantName", "Value": "AllTraffic"}]
    now = datetime.datetime.now(UTC)

    def measured(namespace, metric):
        points = cloudwatch.get_metric_statistics(Namespace=namespace, MetricName=metric, Dimensions=pair, StartTime=now - 10 * MINUTE, EndTime=now + 10 * MINUTE, Period=60,
                                                  Statistics=["SampleCount", "Sum"])["Datapoints"]
        return {p["Unit"] for p in points}, sum(p["SampleCount"] for p in points), sum(p["Sum"] for p in points)

    wait_until(lambda: measured(ALL, "Invocations")[1] == 7 and measured("Pilotlight", "WarmInstances")[1] > 0 and measured("/aws/sagemaker/Endpoints", "MemoryUtilization")[1] > 0, "all is reported")
    for namespace, metric, unit, (samples, total) in PUBLISHED:
        units, count, value = measured(namespace, metric)
        assert units == {unit} and (count == samples if samples else count > 0) and (value == total if total is not None else value > 0), (metric, units, count, value)
    metrics = [m for namespace in {row[0] for row in PUBLISHED} for page in cloudwatch.get_paginator("list_metrics").paginate(
        Namespace=namespace, Dimensions=[{"Name": "EndpointName", "Value": name}]) for m in page["Metrics"]]
    assert all(m["Dimensions"] == pair for m in metrics)
    listed = {(m["Namespace"], m["MetricName"]) for m in metrics}
    assert listed == {row[:2] for row in PUBLISHED}


def test_all_statistics(cloudwatch, shop):
    answer = cloudwatch.get_metric_statistics(**of_shop("Orders"), **window(shop), Period=60, Statistics=["SampleCount", "Average", "Sum", "Minimum", "Maximum"])
    points = sorted(answer["Datapoints"], key=lambda p: p["Timestamp"])
    assert [p["Timestamp"] for p in points] == [shop, shop + MINUTE, shop + 3 * MINUTE]
    assert [(p["SampleCount"], p["Average"], p["Sum"], p["Minimum"], p["Maximum"]) for p in points] == [(3, 2, 6, 1, 3), (1, 4, 4, 4, 4), (1, 6, 6, 6, 6)]
    assert {p["Unit"] for p in points} == {"Count"}


def test_percentiles(cloudwatch, shop):
    answer = cloudwatch.get_metric_statistics(**of_shop("Orders"), **window(shop), Period=240, ExtendedStatistics=["p50", "p99.9", "tm90"])
    (point,) = answer["Datapoints"]
    assert set(point) == {"Timestamp", "Unit", "ExtendedStatistics"} and set(point["ExtendedStatistics"]) == {"p50", "p99.9", "tm90"}
    assert point["ExtendedStatistics"]["p50"] == pytest.approx(3, rel=0.01) and point["ExtendedStatistics"]["p99.9"] == pytest.approx(6, rel=0.01)


def test_units_are_kept_apart(cloudwatch, space, shop):
    for unit, value in (("Seconds", 1.0), ("Milliseconds", 5.0)):
        cloudwatch.put_metric_data(Namespace=space, MetricData=[{"MetricName": "T", "Timestamp": shop, "Value": value, "Unit": unit}])
    ask = {"Namespace": space, "MetricName": "T", **window(shop), "Period": 60, "Statistics": ["Sum"]}
    assert sorted((p["Unit"], p["Sum"]) for p in cloudwatch.get_metric_statistics(**ask)["Datapoints"]) == [("Milliseconds", 5), ("Seconds", 1)]
    assert [(p["Unit"], p["Sum"]) for p in cloudwatch.get_metric_statistics(**ask, Unit="Seconds")["Datapoints"]] == [("Seconds", 1)]
    assert cloudwatch.get_metric_statistics(**ask, Unit="Bytes")["Datapoints"] == []


def test_buckets_start_at_the_rounded_start(cloudwatch, shop):
    """Not at the epoch's multiples: a range from :01 on has its five minutes from there."""
    answer = cloudwatch.get_metric_statistics(**of_shop("Orders"), StartTime=shop - MINUTE + datetime.timedelta(seconds=59), EndTime=shop + 4 * MINUTE, Period=120, Statistics=["Sum"])
    assert dated(answer["Datapoints"], "Sum") == [(shop - MINUTE, 6), (shop + MINUTE, 4), (shop + 3 * MINUTE, 6)]


HOUR_AGO, NOW = "2026-02-11T00:00:00Z", "2026-02-12T00:00:00Z"
ASK = {"Namespace": "N", "MetricName": "M", "StartTime": HOUR_AGO, "EndTime": NOW, "Period": 60, "Statistics": ["Sum"]}


@pytest.mark.parametrize("change, code, text", [
    ({"StartTime": NOW}, "InvalidParameterValue", "The parameter StartTime must be less than the parameter EndTime."),
    ({"EndTime": HOUR_AGO}, "InvalidParameterValue", "The parameter StartTime must be less than the parameter EndTime."),
    ({"EndTime": "2026-02-13T02:48:00Z"}, "InvalidParameterCombination", "You have requested up to 3,048 datapoints, which exceeds the limit of 1,440. "
     "You may reduce the datapoints requested by increasing Period, or decreasing the time range."),
    ({"Period": 61}, "InvalidParameterValue", "Period"),
    ({"Period": 0}, "InvalidParameterValue", "Period"),
    ({"Period": 60 * 2**33}, "InvalidParameterValue", "2147483640"),
    ({"Statistics": None}, "InvalidParameterCombination", "At least one of the parameters Statistics and ExtendedStatistics must be specified."),
    ({"ExtendedStatistics": ["p50"]}, "InvalidParameterCombination", "must not be specified together"),
    ({"Statistics": ["Median"]}, "ValidationError", "Member must satisfy enum value set: [SampleCount, Average, Sum, Minimum, Maximum]"),
    ({"Statistics": None, "ExtendedStatistics": ["p101"]}, "InvalidParameterValue", "p101"),
    ({"Statistics": None, "ExtendedStatistics": ["x"]}, "InvalidParameterValue", "x"),
    ({"Unit": "Pounds"}, "ValidationError", "Member must satisfy enum value set"),
    ({"Namespace": ":N"}, "ValidationError", "Member must satisfy regular expression pattern: [^:].*"),
    ({"Namespace": "n" * 256}, "ValidationError", "Member must have length less than or equal to 255"),
    ({"MetricName": "m" * 256}, "ValidationError", "Member must have length less than or equal to 255"),
    ({"Dimensions": [{"Name": "d", "Value": "v" * 1025}]}, "ValidationError", "Member must have length less than or equal to 1024"),
    ({"Dimensions": [{"Name": f"d{i}", "Value": "v"} for i in range(31)]}, "ValidationError", "Member must have length less than or equal to 30"),
    ({"Dimensions": [{"Name": "d", "Value": "v"}] * 2}, "InvalidParameterValue", "d"),
    ({"Namespace": None}, "MissingParameter", "The parameter Namespace is required."),
    ({"MetricName": None}, "MissingParameter", "The parameter MetricName is required."),
    ({"StartTime": None}, "MissingParameter", "The parameter StartTime is required."),
    ({"EndTime": None}, "MissingParameter", "The parameter EndTime is required."),
    ({"Period": None}, "MissingParameter", "The parameter Period is required."),
    ({"StartTime": "yesterday"}, "MalformedQueryString", "'startTime' is a string: it must be a time"),
    ({"Period": "often"}, "MalformedQueryString", "'period' is a string: it must be a whole number"),
    ({"Statistics": "Sum"}, "MalformedQueryString", "'statistics' is a string: it must be a list"),
    ({"Mystery": "7", "Owner": {"Deep": "x"}}, None, ""),
])
def test_statistics_that_are_refused(aws, change, code, text):
    """In both protocols: the query of older clients, and JSON 1.0, which has the code in a header."""
    ask = {k: v for k, v in {**ASK, **change}.items() if v is not None}
    status, headers, body = monitoring_form(aws, "GetMetricStatistics", ask)
    assert status == (400 if code else 200), body
    assert (f"<Code>{code}</Code>" if code else "<Label>M</Label>") in body and text in body.replace("&apos;", "'")
    status, headers, body = monitoring_json(aws, "GetMetricStatistics", ask)
    assert status == (400 if code else 200), body
    if code == "MalformedQueryString":
        assert body["__type"].endswith("#SerializationException")
    elif code:
        assert headers["x-amzn-query-error"] == f"{code};Sender" and text in body["message"]
    else:
        assert body["Label"] == "M" and body["Datapoints"] == []


def monitoring_json(aws, operation, body, **signing):
    headers = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": f"GraniteServiceVersion20100801.{operation}", "x-amzn-query-mode": "true"}
    status, headers, out = aws.request("POST", "/", body if isinstance(body, bytes) else json.dumps(body).encode(), headers, service="monitoring", **signing)
    return status, headers, json.loads(out)


def monitoring_form(aws, operation, body, **signing):
    def flat(prefix, value):
        if isinstance(value, dict):
            return [p for k, v in value.items() for p in flat(f"{prefix}.{k}" if prefix else k, v)]
        if isinstance(value, list):
            return [p for i, v in enumerate(value, 1) for p in flat(f"{prefix}.member.{i}", v)]
        return [(prefix, str(value))]
    form = urllib.parse.urlencode([("Action", operation), ("Version", "2010-08-01"), *flat("", body)]).encode()
    status, headers, out = aws.request("POST", "/", form, {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}, service="monitoring", **signing)
    return status, headers, out.decode()


# ---- GetMetricData ----

def results(answer):
    return {r["Id"]: (r["Timestamps"], r["Values"], r["StatusCode"]) for r in answer["MetricDataResults"]}


def test_many_metrics_and_sums_over_them(cloudwatch, shop):
    m = [shop + i * MINUTE for i in range(4)]
    answer = cloudwatch.get_metric_data(**window(shop), ScanBy="TimestampAscending", MetricDataQueries=[
        query("orders", "Orders"), query("errors", "Errors", Label="Bad ones"), query("most", "Orders", "Maximum"), query("half", "Orders", "p50"),
        query("hidden", "Orders", ReturnData=False), query("nothing", "Nothing"),
        {"Id": "rate", "Expression": "100 * share"}, {"Id": "share", "Expression": "errors / orders", "ReturnData": False},
        {"Id": "all", "Expression": "SUM([orders, errors])"}, {"Id": "filled", "Expression": "FILL(orders, 0)", "Label": "orders, none is 0"}])
    got = results(answer)
    assert got["orders"] == ([m[0], m[1], m[3]], [6, 4, 6], "Complete")
    assert got["errors"] == (m[1:], [1, 2, 3], "Complete")
    assert got["most"][1] == [3, 4, 6] and got["half"][1][0] == pytest.approx(2, rel=0.01)
    assert got["nothing"] == ([], [], "Complete")
    assert got["rate"] == ([m[1], m[3]], [25, 50], "Complete")
    assert got["all"] == (m, [6, 5, 2, 9], "Complete")
    assert got["filled"] == (m, [6, 4, 0, 6], "Complete")
    assert "hidden" not in got and "share" not in got and "NextToken" not in answer
    labels = {r["Id"]: r["Label"] for r in answer["MetricDataResults"]}
    assert (labels["orders"], labels["errors"], labels["rate"], labels["filled"]) == ("Orders", "Bad ones", "rate", "orders, none is 0")
    newest = cloudwatch.get_metric_data(**window(shop), MetricDataQueries=[query("orders", "Orders")])
    assert results(newest)["orders"][0] == [m[3], m[1], m[0]]


def test_pages_of_data(cloudwatch, shop):
    """Every point comes once, in the same order, whatever the page's size."""
    queries = [query("a", "Orders"), query("none", "Nothing"), query("b", "Errors"), {"Id": "c", "Expression": "a * 2"}]
    whole = results(cloudwatch.get_metric_data(**window(shop), MetricDataQueries=queries))
    for size in (1, 2, 3, 4, 100):
        seen, pages, token = {q["Id"]: [] for q in queries}, 0, {}
        while True:
            page = cloudwatch.get_metric_data(**window(shop), MetricDataQueries=queries, MaxDatapoints=size, **token)
            assert sum(len(r["Values"]) for r in page["MetricDataResults"]) <= size
            for r in page["MetricDataResults"]:
                seen[r["Id"]] += list(zip(r["Timestamps"], r["Values"]))
            pages += 1
            if "NextToken" not in page:
                break
            assert pages < 20
            token = {"NextToken": page["NextToken"]}
        assert seen == {k: list(zip(v[0], v[1])) for k, v in whole.items()}
        assert pages == -(-9 // size)
    for token in ("", "x", "1", "1.x", "-1.0", "500.0", "0.-1", "0.200000"):
        refused(cloudwatch.get_metric_data, "InvalidNextToken", "token", **window(shop), MetricDataQueries=queries, NextToken=token)
    assert cloudwatch.get_metric_data(**window(shop), MetricDataQueries=queries, NextToken="3.999")["MetricDataResults"][0]["Values"] == []


def test_more_than_one_question_to_control(cloudwatch, shop):
    """Two weeks of minutes of each metric are too much for one of control's answers; expressions still see all metrics."""
    two_weeks = {"StartTime": shop - datetime.timedelta(days=13), "EndTime": shop + datetime.timedelta(days=1)}
    m = [shop + i * MINUTE for i in range(4)]
    answer = cloudwatch.get_metric_data(**two_weeks, ScanBy="TimestampAscending", MetricDataQueries=[
        query("a", "Orders"), query("b", "Errors"), {"Id": "first", "Expression": "a + d"}, query("c", "Orders", "Maximum"), query("d", "Errors"),
        {"Id": "last", "Expression": "c"}])
    got = results(answer)
    assert got["a"] == ([m[0], m[1], m[3]], [6, 4, 6], "Complete") and got["d"] == got["b"] == (m[1:], [1, 2, 3], "Complete")
    assert got["first"] == ([m[1], m[3]], [5, 9], "Complete") and got["last"] == got["c"] == ([m[0], m[1], m[3]], [3, 4, 6], "Complete")
    refused(cloudwatch.get_metric_data, "InvalidParameterValue", "100800", **two_weeks, MetricDataQueries=[query(f"q{i}", "Orders") for i in range(6)])


def test_expressions_that_fail_say_why(cloudwatch, shop):
    answer = cloudwatch.get_metric_data(**window(shop), MetricDataQueries=[
        query("m1", "Orders"), {"Id": "bad", "Expression": "m1 +"}, {"Id": "on_bad", "Expression": "bad + 1"}, {"Id": "me", "Expression": "you"}, {"Id": "you", "Expression": "me"},
        {"Id": "who", "Expression": "m9"}, {"Id": "search", "Expression": "SEARCH('x', 'Sum', 60)"}, {"Id": "good", "Expression": "m1 * 2"}])
    assert {r["Id"]: r["StatusCode"] for r in answer["MetricDataResults"]} == {
        "m1": "Complete", "bad": "InternalError", "on_bad": "InternalError", "me": "InternalError", "you": "InternalError", "who": "InternalError",
        "search": "InternalError", "good": "Complete"}
    texts = {r["Id"]: r["Messages"][0]["Value"] for r in answer["MetricDataResults"] if r["StatusCode"] != "Complete"}
    assert "ends too early" in texts["bad"] and "an expression that failed" in texts["on_bad"] and "needs itself" in texts["you"]
    assert 'no query with the id "m9"' in texts["who"] and "no function SEARCH" in texts["search"]


@pytest.mark.parametrize("change, code, text", [
    ({"MetricDataQueries": []}, "MissingParameter|ValidationError", ""),
    ({"MetricDataQueries": [query("m1", "Orders")] * 2}, "InvalidParameterValue", "not unique: m1"),
    ({"MetricDataQueries": [query(f"m{i}", "Orders") for i in range(501)]}, "ValidationError", "Member must have length less than or equal to 500"),
    ({"MetricDataQueries": [query("M1", "Orders")]}, "ValidationError", "[a-z][a-zA-Z0-9_]*"),
    ({"MetricDataQueries": [{"Id": "m1"}]}, "InvalidParameterCombination", "exactly one of MetricStat and Expression"),
    ({"MetricDataQueries": [query("m1", "Orders", Expression="m1")]}, "InvalidParameterCombination", "exactly one of MetricStat and Expression"),
    ({"MetricDataQueries": [query("m1", "Orders", period=61)]}, "InvalidParameterValue", "MetricDataQueries[0].Period is 61: it must be 1, 5, 10, 20, 30 or a multiple of 60"),
    ({"MetricDataQueries": [query("m1", "Orders", stat="p200")]}, "InvalidParameterValue", "p200"),
    ({"MetricDataQueries": [query("m1", "Orders", period=1)], "StartTime": HOUR_AGO, "EndTime": "2026-02-14T00:00:00Z"}, "InvalidParameterValue", "100800"),
    ({"EndTime": "2020-01-01T00:00:00Z"}, "InvalidParameterValue", "StartTime must be less"),
    ({"ScanBy": "Random"}, "ValidationError", "[TimestampDescending, TimestampAscending]"),
    ({"MaxDatapoints": 100801}, "ValidationError", "less than or equal to 100800"),
])
def test_data_queries_that_are_refused(cloudwatch, shop, change, code, text):
    with pytest.raises(cloudwatch.exceptions.ClientError) as caught:
        cloudwatch.get_metric_data(**{**window(shop), "MetricDataQueries": [query("m1", "Orders")], **change})
    error = caught.value.response["Error"]
    assert error["Code"] in code.split("|") and text in error["Message"]


# ---- PutMetricData, ListMetrics ----

def test_values_of_each_kind(cloudwatch, space, shop):
    cloudwatch.put_metric_data(Namespace=space, MetricData=[
        {"MetricName": "one", "Timestamp": shop, "Value": 2.5},
        {"MetricName": "many", "Timestamp": shop, "Values": [1, 10], "Counts": [3, 1]},
        {"MetricName": "set", "Timestamp": shop, "StatisticValues": {"SampleCount": 4, "Sum": 10, "Minimum": 1, "Maximum": 5}},
        {"MetricName": "now", "Value": 1, "StorageResolution": 1}])

    def ask(metric, **fields):
        (p,) = cloudwatch.get_metric_statistics(Namespace=space, MetricName=metric, Period=60, Statistics=["SampleCount", "Sum", "Minimum", "Maximum"], **{**window(shop), **fields})["Datapoints"]
        return p["SampleCount"], p["Sum"], p["Minimum"], p["Maximum"]

    assert ask("one") == (1, 2.5, 2.5, 2.5) and ask("many") == (4, 13, 1, 10) and ask("set") == (4, 10, 1, 5)
    now = datetime.datetime.now(UTC)
    assert ask("now", StartTime=now - 5 * MINUTE, EndTime=now + MINUTE, ) == (1, 1, 1, 1)
    fine = cloudwatch.get_metric_statistics(Namespace=space, MetricName="now", Period=1, StartTime=now - 5 * MINUTE, EndTime=now + MINUTE, Statistics=["Sum"])["Datapoints"]
    assert len(fine) == 1 and abs((fine[0]["Timestamp"] - now).total_seconds()) < 60


@pytest.mark.parametrize("datum, code, text", [
    ({"MetricName": "m"}, "InvalidParameterCombination", "exactly one of Value, Values and StatisticValues"),
    ({"MetricName": "m", "Value": 1, "Values": [1]}, "InvalidParameterCombination", "exactly one of"),
    ({"MetricName": "m", "Values": [1, 2], "Counts": [1]}, "InvalidParameterValue", "MetricData[0].Counts has 1: it must have as many as Values, 2"),
    ({"MetricName": "m", "Values": [float(i) for i in range(151)]}, "ValidationError", "less than or equal to 150"),
    ({"MetricName": "m", "Value": 1e200}, "InvalidParameterValue", "MetricData[0].Values[0] is 1e+200: it must be a finite number"),
    ({"MetricName": "m", "Value": float("nan")}, "MalformedQueryString", "'metricData.1.member.value'"),
    ({"MetricName": "m", "StatisticValues": {"SampleCount": 0, "Sum": 1, "Minimum": 1, "Maximum": 1}}, "InvalidParameterValue", "MetricData[0].SampleCount is 0: it must be above 0"),
    ({"MetricName": "m", "Value": 1, "Timestamp": "2020-01-01T00:00:00Z"}, "InvalidParameterValue", "MetricData[0].Timestamp is 1577836800000: it must be at most two weeks ago"),
    ({"MetricName": "m", "Value": 1, "StorageResolution": 30}, "InvalidParameterValue", "MetricData[0].StorageResolution is 30: it must be 1 or 60"),
    ({"MetricName": "m", "Value": 1, "Unit": "Furlongs"}, "ValidationError", "enum value set"),
    ({"MetricName": "\u00fc", "Value": 1}, "InvalidParameterValue", "MetricData[0].MetricName"),
])
def test_data_that_is_refused(cloudwatch, space, datum, code, text):
    with pytest.raises(cloudwatch.exceptions.ClientError) as caught:
        cloudwatch.put_metric_data(Namespace=space, MetricData=[datum])
    error = caught.value.response["Error"]
    assert error["Code"] == code and any(t in error["Message"] for t in text.split("|")), error


def test_namespaces_of_aws_cannot_be_put_to(cloudwatch):
    refused(cloudwatch.put_metric_data, "InvalidParameterValue", "AWS/", Namespace="AWS/SageMaker", MetricData=[{"MetricName": "Invocations", "Value": 1}])
    refused(cloudwatch.put_metric_data, "ValidationError", "1000", Namespace="N", MetricData=[{"MetricName": "m", "Value": 1}] * 1001)


def test_packed_bodies(aws, space):
    """What newer clients do with large calls; what is not whole, is too large or is packed otherwise is refused."""
    body = json.dumps({"Namespace": space, "MetricData": [{"MetricName": "m", "Value": i, "Unit": "Count"} for i in range(500)]}).encode()

    def put(bytes_, encoding):
        headers = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "GraniteServiceVersion20100801.PutMetricData", "Content-Encoding": encoding}
        status, headers, out = aws.request("POST", "/", bytes_, headers, service="monitoring")
        return status, json.loads(out)

    assert put(gzip.compress(body), "gzip") == (200, {})
    now = int(datetime.datetime.now(UTC).timestamp())
    status, _, out = monitoring_json(aws, "GetMetricStatistics", {"Namespace": space, "MetricName": "m", "StartTime": now - 300, "EndTime": now + 60.5, "Period": 60, "Statistics": ["SampleCount"]})
    assert status == 200 and sum(p["SampleCount"] for p in out["Datapoints"]) == 500
    assert put(gzip.compress(body)[:-4], "gzip")[0] == 400
    assert "Content-Encoding" in put(body, "gzip")[1]["message"] and "br" in put(body, "br")[1]["message"]
    status, out = put(gzip.compress(b" " * (2 << 20)), "gzip")
    assert status == 413 and "1048576 bytes" in out["message"]
    assert put(body, "identity") == (200, {})


def test_lists_of_metrics(cloudwatch, space, shop):
    cloudwatch.put_metric_data(Namespace=space, MetricData=[
        {"MetricName": f"m{i % 2}", "Timestamp": shop - 240 * MINUTE if i == 0 else shop, "Value": 1, "Dimensions": [{"Name": "i", "Value": str(i)}, {"Name": "k", "Value": "v"}]} for i in range(6)])

    def listed(**fields):
        return sorted(next(d["Value"] for d in m["Dimensions"] if d["Name"] == "i") for m in cloudwatch.list_metrics(Namespace=space, **fields)["Metrics"])

    assert listed() == list("012345") and listed(MetricName="m1") == list("135")
    assert listed(Dimensions=[{"Name": "k"}, {"Name": "i", "Value": "4"}]) == ["4"] and listed(Dimensions=[{"Name": "other"}]) == []
    assert listed(RecentlyActive="PT3H") == list("12345")
    (metric,) = cloudwatch.list_metrics(Namespace=space, Dimensions=[{"Name": "i", "Value": "4"}])["Metrics"]
    assert metric["Namespace"] == space and metric["MetricName"] == "m0" and len(metric["Dimensions"]) == 2
    refused(cloudwatch.list_metrics, "InvalidNextToken", "token", NextToken="other")
    refused(cloudwatch.list_metrics, "ValidationError", "[PT3H]", RecentlyActive="PT4H")


def test_a_page_of_metrics_has_five_hundred(cloudwatch, space):
    for part in range(2):
        cloudwatch.put_metric_data(Namespace=space, MetricData=[{"MetricName": f"m{part}-{i}", "Value": 1} for i in range(300)])
    pages = [page["Metrics"] for page in cloudwatch.get_paginator("list_metrics").paginate(Namespace=space)]
    assert [len(p) for p in pages] == [500, 100] and len({m["MetricName"] for p in pages for m in p}) == 600


# ---- alarms ----

ALARM = {"ComparisonOperator": "GreaterThanOrEqualToThreshold", "EvaluationPeriods": 2, "Threshold": 5.5, "Period": 60, "Statistic": "Sum",
         "MetricName": "Errors", "Namespace": "Shops"}


def test_an_alarm_with_every_member(cloudwatch, name):
    given = {**ALARM, "AlarmName": name, "AlarmDescription": "too many", "ActionsEnabled": True, "OKActions": ["arn:aws:sns:us-east-1:000000000000:ok"],
             "AlarmActions": ["https://localhost/hook", "arn:aws:sns:us-east-1:000000000000:bad"], "InsufficientDataActions": ["arn:aws:sns:us-east-1:000000000000:none"],
             "Dimensions": [{"Name": "Shop", "Value": "one"}], "Unit": "Count", "DatapointsToAlarm": 1, "TreatMissingData": "notBreaching"}
    cloudwatch.put_metric_alarm(**given, Tags=[{"Key": "k", "Value": "v"}])
    (alarm,) = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
    assert {k: alarm[k] for k in given} == given
    assert alarm["AlarmArn"] == f"arn:aws:cloudwatch:us-east-1:000000000000:alarm:{name}"
    assert alarm["StateValue"] in ("INSUFFICIENT_DATA", "OK") and isinstance(alarm["StateUpdatedTimestamp"], datetime.datetime) and alarm["StateReason"]
    (found,) = cloudwatch.describe_alarms_for_metric(MetricName="Errors", Namespace="Shops", Dimensions=given["Dimensions"])["MetricAlarms"]
    assert found["AlarmName"] == name
    changed = {k: v for k, v in given.items() if k not in ("Statistic", "Unit", "DatapointsToAlarm", "TreatMissingData")}
    cloudwatch.put_metric_alarm(**{**changed, "ExtendedStatistic": "p99", "ActionsEnabled": False})
    (alarm,) = cloudwatch.describe_alarms(AlarmNamePrefix=name[:20])["MetricAlarms"]
    assert alarm["ExtendedStatistic"] == "p99" and "Statistic" not in alarm and alarm["ActionsEnabled"] is False and "Unit" not in alarm
    cloudwatch.enable_alarm_actions(AlarmNames=[name])
    assert cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"][0]["ActionsEnabled"] is True
    cloudwatch.disable_alarm_actions(AlarmNames=[name])
    assert cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"][0]["ActionsEnabled"] is False
    cloudwatch.delete_alarms(AlarmNames=[name])
    assert cloudwatch.describe_alarms(AlarmNames=[name]) ["MetricAlarms"] == []


def test_an_alarm_goes_off(cloudwatch, space, name):
    now = datetime.datetime.now(UTC)
    cloudwatch.put_metric_data(Namespace=space, MetricData=[{"MetricName": "m", "Value": 9, "StorageResolution": 1, "Timestamp": now - datetime.timedelta(seconds=s)} for s in range(5, 60, 5)])
    cloudwatch.put_metric_alarm(AlarmName=name, Namespace=space, MetricName="m", Statistic="Maximum", Period=10, EvaluationPeriods=1, Threshold=5, ComparisonOperator="GreaterThanThreshold")
    wait_until(lambda: cloudwatch.describe_alarms(AlarmNames=[name], StateValue="ALARM")["MetricAlarms"], "it goes off")
    (alarm,) = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
    assert "9" in alarm["StateReason"] and json.loads(alarm["StateReasonData"])
    items = cloudwatch.describe_alarm_history(AlarmName=name, HistoryItemType="StateUpdate")["AlarmHistoryItems"]
    assert "ALARM" in items[0]["HistorySummary"] and items[0]["AlarmType"] == "MetricAlarm" and json.loads(items[0]["HistoryData"])


def test_states_can_be_set_and_history_tells(cloudwatch, name):
    before = datetime.datetime.now(UTC) - MINUTE
    cloudwatch.put_metric_alarm(**{**ALARM, "AlarmName": name, "Namespace": "Nowhere", "TreatMissingData": "ignore"})
    for state in ("ALARM", "OK", "ALARM"):
        cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason="rehearsal", StateReasonData='{"by":"hand"}')
    (alarm,) = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
    assert (alarm["StateValue"], alarm["StateReason"], alarm["StateReasonData"]) == ("ALARM", "rehearsal", '{"by":"hand"}')
    items = [i for page in cloudwatch.get_paginator("describe_alarm_history").paginate(AlarmName=name, StartDate=before, PaginationConfig={"PageSize": 2}) for i in page["AlarmHistoryItems"]]
    assert [i["HistoryItemType"] for i in items] == ["StateUpdate"] * 3 + ["ConfigurationUpdate"]
    oldest = cloudwatch.describe_alarm_history(AlarmName=name, ScanBy="TimestampAscending", MaxRecords=1)["AlarmHistoryItems"]
    assert oldest == items[-1:]
    assert cloudwatch.describe_alarm_history(AlarmName=name, EndDate=before)["AlarmHistoryItems"] == []
    refused(cloudwatch.set_alarm_state, "ResourceNotFound", "nobody", status=404, AlarmName="nobody", StateValue="OK", StateReason="r")


def test_lists_of_alarms(cloudwatch, name):
    names = [f"{name}-{i}" for i in range(5)]
    for n in names:
        cloudwatch.put_metric_alarm(**{**ALARM, "AlarmName": n, "AlarmActions": [f"arn:aws:sns:x:y:{n}"], "TreatMissingData": "ignore"})
    pages = list(cloudwatch.get_paginator("describe_alarms").paginate(AlarmNamePrefix=f"{name}-", PaginationConfig={"PageSize": 2}))
    assert [len(p["MetricAlarms"]) for p in pages] == [2, 2, 1] and sorted(a["AlarmName"] for p in pages for a in p["MetricAlarms"]) == names
    cloudwatch.set_alarm_state(AlarmName=names[3], StateValue="ALARM", StateReason="r")
    assert [a["AlarmName"] for a in cloudwatch.describe_alarms(AlarmNamePrefix=f"{name}-", StateValue="ALARM")["MetricAlarms"]] == [names[3]]
    assert [a["AlarmName"] for a in cloudwatch.describe_alarms(ActionPrefix=f"arn:aws:sns:x:y:{names[2]}")["MetricAlarms"]] == [names[2]]
    assert cloudwatch.describe_alarms(AlarmTypes=["CompositeAlarm"], AlarmNamePrefix=name)["MetricAlarms"] == []
    cloudwatch.delete_alarms(AlarmNames=names)
    assert cloudwatch.describe_alarms(AlarmNamePrefix=f"{name}-")["MetricAlarms"] == []


@pytest.mark.parametrize("change, code, text", [
    ({"ComparisonOperator": "Equal"}, "ValidationError", "enum value set"),
    ({"Statistic": None}, "InvalidParameterCombination", "Exactly one of the parameters Statistic and ExtendedStatistic"),
    ({"ExtendedStatistic": "p50"}, "InvalidParameterCombination", "Exactly one of"),
    ({"Statistic": None, "ExtendedStatistic": "p500"}, "InvalidParameterValue", "p500"),
    ({"Period": 45}, "InvalidParameterValue", "Period is 45: it must be 10, 20, 30 or a multiple of 60 seconds"),
    ({"DatapointsToAlarm": 3}, "InvalidParameterValue", "DatapointsToAlarm is 3: it must be 0 to EvaluationPeriods, 2"),
    ({"EvaluationPeriods": 2000}, "InvalidParameterValue", "EvaluationPeriods x Period is 120000 s: it must be at most a day (86400)"),
    ({"Threshold": None}, "MissingParameter", "Threshold"),
    ({"MetricName": None}, "MissingParameter", "MetricName"),
    ({"AlarmActions": ["a"] * 6}, "ValidationError", "less than or equal to 5"),
    ({"OKActions": ["nonsense"]}, "InvalidParameterValue", 'OKActions[0] "nonsense" must be https://host/path, command:NAME or an ARN'),
    ({"AlarmActions": ["http://localhost/hook"]}, "InvalidParameterValue", "it must start with https://"),
    ({"InsufficientDataActions": ["https://user:secret@host/"]}, "InvalidParameterValue", "must be https://host/path"),
    ({"AlarmActions": ["command:none"]}, "InvalidParameterValue", "there is no such command in the setting alarms.commands"),
    ({"TreatMissingData": "never"}, "ValidationError", "[breaching, notBreaching, ignore, missing]"),
    ({"AlarmName": "n" * 256}, "ValidationError", "less than or equal to 255"),
    ({"Metrics": [{"Id": "m1", "Expression": "1"}]}, "InvalidParameterValue", "one metric"),
])
def test_alarms_that_are_refused(cloudwatch, name, change, code, text):
    refused(cloudwatch.put_metric_alarm, code, text, **{k: v for k, v in {**ALARM, "AlarmName": name, **change}.items() if v is not None})
    assert cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"] == []


def test_what_is_not_offered(aws, cloudwatch):
    refused(cloudwatch.get_dashboard, "InvalidAction", "GetDashboard", DashboardName="d")
    status, headers, body = monitoring_json(aws, "GetDashboard", {})
    assert status == 400 and body["__type"].endswith("UnknownOperationException") and headers["x-amzn-query-error"] == "InvalidAction;Sender"
    refused(cloudwatch.describe_alarms, "InvalidParameterCombination", "AlarmNames and AlarmNamePrefix", AlarmNames=["a"], AlarmNamePrefix="b")


def test_the_other_protocol_of_newer_clients_is_refused_in_its_own_form(aws):
    status, headers, body = aws.request("POST", "/service/GraniteServiceVersion20100801/operation/ListMetrics", b"\xa0",
                                        {"smithy-protocol": "rpc-v2-cbor", "Content-Type": "application/cbor", "Accept": "application/cbor"}, service="monitoring")
    assert (status, headers["smithy-protocol"], headers["content-type"]) == (400, "rpc-v2-cbor", "application/cbor")
    assert body.startswith(b"\xa2\x66__type\x78\x19UnknownOperationException\x67message") and b"json or query" in body


def test_who_may_ask(aws):
    status, _, body = monitoring_json(aws, "ListMetrics", {}, secret="wrong")
    assert status == 403 and body["__type"].endswith("InvalidSignatureException")
    status, _, body = monitoring_form(aws, "ListMetrics", {}, secret="wrong")
    assert status == 403 and "<Code>SignatureDoesNotMatch</Code>" in body
    status, _, body = aws.request("POST", "/", b"Action=ListMetrics&Version=2010-08-01", {"Content-Type": "application/x-www-form-urlencoded"}, service="sagemaker")
    assert status == 403 and b"SignatureDoesNotMatch" in body


# ---- other clients ----

def test_the_command_line(aws, cloudwatch, shop, name):
    out = said(aws, "cloudwatch", "get-metric-statistics", "--namespace", "Shops", "--metric-name", "Orders", "--dimensions", "Name=Shop,Value=one", "--start-time", shop.isoformat(),
               "--end-time", (shop + 4 * MINUTE).isoformat(), "--period", "60", "--statistics", "Sum")
    assert sorted(p["Sum"] for p in out["Datapoints"]) == [4, 6, 6]
    out = said(aws, "cloudwatch", "get-metric-data", "--start-time", shop.isoformat(), "--end-time", (shop + 4 * MINUTE).isoformat(), "--metric-data-queries",
               json.dumps([query("m1", "Orders"), {"Id": "e1", "Expression": "m1 * 2"}]))
    assert [r["Values"] for r in out["MetricDataResults"]] == [[6, 4, 6], [12, 8, 12]]
    said(aws, "cloudwatch", "put-metric-data", "--namespace", "Cli", "--metric-name", "m", "--value", "3", "--dimensions", f"test={name}")
    assert [m["MetricName"] for m in said(aws, "cloudwatch", "list-metrics", "--namespace", "Cli", "--dimensions", f"Name=test,Value={name}")["Metrics"]] == ["m"]
    said(aws, "cloudwatch", "put-metric-alarm", "--alarm-name", name, "--namespace", "Cli", "--metric-name", "m", "--statistic", "Sum", "--period", "60", "--evaluation-periods", "1",
         "--threshold", "5", "--comparison-operator", "GreaterThanThreshold")
    assert [a["AlarmName"] for a in said(aws, "cloudwatch", "describe-alarms", "--alarm-names", name)["MetricAlarms"]] == [name]
    said(aws, "cloudwatch", "delete-alarms", "--alarm-names", name)


def test_the_newest_client_for_javascript(aws, javascript, name):
    shutil.copy(HERE / "aws_js" / "monitor.mjs", javascript)
    out = subprocess.run(["node", "monitor.mjs", name], cwd=javascript, env={**os.environ, **aws.environment}, capture_output=True, text=True, timeout=suite.PATIENCE * 4)
    assert out.returncode == 0, out.stdout + out.stderr
    assert out.stdout.endswith("fine\n")
