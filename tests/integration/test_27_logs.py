"""What instances print, as people read it: `pilotlight logs`, LogService, CloudWatch Logs."""
import json
import re
import subprocess
import threading
import time

import botocore.exceptions
import pytest

import custom
import models
import suite
from aws import Aws
from suite import wait_until

SCRIPT = """
import sys
def model_fn(model_dir):
    print("loading the model")
    return "model"
def input_fn(body, content_type):
    return body.decode()
def predict_fn(data, model):
    if data == "fail":
        raise ValueError("as asked")
    print("predicting", data)
    print("and a warning about", data, file=sys.stderr)
    return data
def output_fn(prediction, accept):
    return prediction, "text/plain"
"""
GROUP = "/aws/sagemaker/Endpoints/chatty"


@pytest.fixture(scope="module")
def chatty(up, artifacts):
    up.serve("chatty", custom.archive(artifacts, SCRIPT), model_fields={"runtime": "python"})
    for word in ("one", "two", "three"):
        up.invoke("chatty", word.encode(), content_type="text/plain")
    with pytest.raises(Exception):
        up.invoke("chatty", b"fail", content_type="text/plain")
    wait_until(lambda: "as asked" in told(up), "all lines are there")
    return "chatty"


def told(up, *arguments):
    done = suite.command("logs", "chatty", *arguments, server=up.base)
    assert done.returncode == 0, done.stderr
    return done.stdout


# ---- pilotlight logs ----

def test_lines_and_whose_they_are(up, chatty):
    lines = told(up).splitlines()
    line = next(line for line in lines if line.endswith("predicting one"))
    assert up.instances("chatty")[0].id in line and "main" in line
    assert re.search(r"\b[0-9a-f]{16}\b", line), line
    assert [line.split("predicting ")[1] for line in lines if "predicting" in line] == ["one", "two", "three"]
    assert sum(line.endswith("loading the model") for line in lines) == 2  # who proved it, and who serves it


def test_lines_of_one_request_share_its_id(up, chatty):
    ids = {word: {re.search(r"\b[0-9a-f]{16}\b", line).group() for line in told(up).splitlines() if line.endswith(" " + word)}
           for word in ("one", "two")}
    assert all(len(of_word) == 1 for of_word in ids.values()) and ids["one"] != ids["two"]


def test_whole_traceback(up, chatty):
    text = told(up)
    assert "Traceback (most recent call last)" in text and "ValueError: as asked" in text and 'inference.py", line' in text


def test_last_lines_only(up, chatty):
    assert "ValueError: as asked" in told(up, "--tail", "5") and len(told(up, "--tail", "5").splitlines()) == 5


def test_since(up, chatty):
    assert told(up, "--since", "1h") == told(up, "--since", "1d")
    assert told(up, "--since", "2100-01-01T00:00:00Z") == ""


def test_follow(up, chatty):
    p = subprocess.Popen([suite.BIN / "pilotlight", "logs", "chatty", "-f", "--server", f"127.0.0.1:{up.base}"], stdout=subprocess.PIPE, text=True)
    seen = []
    reader = threading.Thread(target=lambda: seen.extend(iter(p.stdout.readline, "")))
    reader.start()
    try:
        wait_until(lambda: any("as asked" in line for line in seen), "the last lines came")
        up.invoke("chatty", b"later", content_type="text/plain")
        wait_until(lambda: any(line.endswith("predicting later\n") for line in seen), "the new line came")
    finally:
        p.terminate()
        reader.join(suite.PATIENCE)
        p.wait(suite.PATIENCE)


def test_endpoint_that_printed_nothing(up, chatty):
    done = suite.command("logs", "nobody", server=up.base)
    assert (done.returncode, done.stdout) == (0, "")


# ---- CloudWatch Logs ----

@pytest.fixture(scope="module")
def logs(up, chatty):
    return Aws(up).client("logs")


def refused(call, code, text, **arguments):
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        call(**arguments)
    assert caught.value.response["Error"]["Code"] == code and text in caught.value.response["Error"]["Message"]


def test_groups(logs):
    """One for each endpoint."""
    def names(**how):
        return [g["logGroupName"] for page in logs.get_paginator("describe_log_groups").paginate(**how) for g in page["logGroups"]]
    assert GROUP in names() and names(PaginationConfig={"PageSize": 1}) == sorted(names())
    assert names(logGroupNamePrefix=GROUP[:-1]) == names(logGroupNamePattern=GROUP[5:]) == [GROUP]
    assert names(logGroupNamePrefix="/aws/sage") == names() and names(logGroupNamePrefix="/aws/lambda/") == names(logGroupNamePrefix=GROUP + "x") == []
    group = logs.describe_log_groups(logGroupNamePrefix=GROUP)["logGroups"][0]
    assert group["arn"].endswith(f":log-group:{GROUP}:*") and group["creationTime"] > 0
    refused(logs.describe_log_groups, "InvalidParameterException", "mutually exclusive", logGroupNamePrefix="a", logGroupNamePattern="b")
    refused(logs.describe_log_groups, "InvalidParameterException", "", nextToken="no such")
    refused(logs.describe_log_groups, "InvalidParameterException", "limit", limit=51)


def test_streams(logs):
    streams = logs.describe_log_streams(logGroupName=GROUP, orderBy="LastEventTime", descending=True)["logStreams"]
    assert len(streams) == 2
    first = streams[0]
    assert re.fullmatch(r"main/[^/]+/\d+", first["logStreamName"])
    assert first["arn"].endswith(f":log-group:{GROUP}:log-stream:{first['logStreamName']}")
    assert first["firstEventTimestamp"] <= first["lastEventTimestamp"] and first["storedBytes"] > 0
    assert first["lastEventTimestamp"] >= streams[1]["lastEventTimestamp"]


def test_streams_by_page(logs):
    names = [s["logStreamName"] for page in logs.get_paginator("describe_log_streams").paginate(logGroupName=GROUP, PaginationConfig={"PageSize": 1})
             for s in page["logStreams"]]
    assert names == sorted(names) and len(names) == 2


@pytest.fixture(scope="module")
def stream(logs):
    return logs.describe_log_streams(logGroupName=GROUP, orderBy="LastEventTime", descending=True)["logStreams"][0]["logStreamName"]


def test_a_group_without_streams(up, logs):
    """An endpoint that has printed nothing has its group, and nothing in it."""
    up.serve("silent", models.SAMPLE_URI)
    group = GROUP.replace("chatty", "silent")
    assert logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"][0]["logGroupName"] == group
    assert logs.describe_log_streams(logGroupName=group)["logStreams"] == []
    assert logs.filter_log_events(logGroupName=group)["events"] == []


def test_events_from_the_head(logs, stream):
    told = logs.get_log_events(logGroupName=GROUP, logStreamName=stream, startFromHead=True)
    messages = [e["message"] for e in told["events"]]
    assert messages[0] == "loading the model" and "predicting one" in messages
    assert abs(told["events"][0]["timestamp"] / 1000 - time.time()) < 3600


def test_events_page_by_page_both_ways(logs, stream):
    everything = [e["message"] for e in logs.get_log_events(logGroupName=GROUP, logStreamName=stream, startFromHead=True)["events"]]
    forward, token = [], None
    while True:
        page = logs.get_log_events(logGroupName=GROUP, logStreamName=stream, startFromHead=True, limit=2, **({"nextToken": token} if token else {}))
        if page["nextForwardToken"] == token:
            break
        forward += [e["message"] for e in page["events"]]
        token = page["nextForwardToken"]
    assert forward[:len(everything)] == everything
    backward, token = [], None
    while True:
        page = logs.get_log_events(logGroupName=GROUP, logStreamName=stream, limit=3, **({"nextToken": token} if token else {}))
        if page["nextBackwardToken"] == token:
            break
        backward[:0] = [e["message"] for e in page["events"]]
        token = page["nextBackwardToken"]
    assert backward[:len(everything)] == everything


def test_filter(logs, stream):
    def messages(**arguments):
        return [e["message"] for page in logs.get_paginator("filter_log_events").paginate(logGroupName=GROUP, **arguments) for e in page["events"]]
    assert messages(filterPattern="predicting")[:3] == ["predicting one", "predicting two", "predicting three"]
    assert messages(filterPattern='"warning about two"') == ["and a warning about two"]
    assert messages(filterPattern="?one ?two -warning") == ["predicting one", "predicting two"]
    assert messages(filterPattern="loading") == ["loading the model"] * 2
    assert messages(filterPattern="loading", logStreamNames=[stream]) == ["loading the model"]
    assert messages(filterPattern="loading", logStreamNamePrefix="other") == []
    assert messages(startTime=int((time.time() + 3600) * 1000)) == []
    first = logs.filter_log_events(logGroupName=GROUP, limit=1)["events"][0]
    assert first["logStreamName"].startswith("main/") and first["eventId"]


def test_by_arn(up, logs):
    """logGroupIdentifier, which newer clients send."""
    arn = logs.describe_log_streams(logGroupName=GROUP)["logStreams"][0]["arn"].partition(":log-stream:")[0]
    body = json.dumps({"logGroupIdentifier": arn, "filterPattern": "loading"}).encode()
    status, _, answer = Aws(up).request("POST", "/", body, {"X-Amz-Target": "Logs_20140328.FilterLogEvents", "Content-Type": "application/x-amz-json-1.1"},
                                        service="logs")
    assert status == 200 and len(json.loads(answer)["events"]) == 2


def test_what_is_refused(logs, stream):
    refused(logs.describe_log_streams, "ResourceNotFoundException", "log group does not exist", logGroupName="/aws/lambda/other")
    refused(logs.describe_log_streams, "ResourceNotFoundException", "log group does not exist", logGroupName="/aws/sagemaker/Endpoints/nobody")
    refused(logs.get_log_events, "ResourceNotFoundException", "log stream does not exist", logGroupName=GROUP, logStreamName="nobody")
    refused(logs.get_log_events, "InvalidParameterException", "nextToken", logGroupName=GROUP, logStreamName=stream, nextToken="x/1")
    refused(logs.filter_log_events, "InvalidParameterException", "filter pattern", logGroupName=GROUP, filterPattern="{ $.a = 1 }")
    refused(logs.filter_log_events, "InvalidParameterException", "cannot both", logGroupName=GROUP, logStreamNames=[stream], logStreamNamePrefix="m")
    refused(logs.get_log_events, "InvalidParameterException", "limit must be an integer between 1 and 10000", logGroupName=GROUP, logStreamName=stream, limit=10001)


def test_error_of_a_call_leads_to_its_logs(up, logs):
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        Aws(up).runtime.invoke_endpoint(EndpointName="chatty", Body=b"fail", ContentType="text/plain")
    group = caught.value.response["LogStreamArn"].rpartition(":log-group:")[2]
    found = logs.filter_log_events(logGroupName=group, filterPattern='"ValueError: as asked"')["events"]
    assert found
