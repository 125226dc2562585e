"""What is measured: exactly the calls that were made, through kills of anybody; alarms and what they do; the bill."""
import http.server
import json
import threading
import time

import grpc
import pytest

import models
import protos
from protos import Service
from suite import Stack, command, wait_until
from test_05_limits import frozen, in_flight

MINUTE = 60000


@pytest.fixture
def sample():
    return models.Sample()


def service(api, name):
    return Service(api.channel("control"), f"pilotlight.v1.{name}")


def variant_metric(endpoint, metric, variant="main", namespace="AWS/SageMaker"):
    return {"namespace": namespace, "name": metric,
            "dimensions": [{"name": "EndpointName", "value": endpoint}, {"name": "VariantName", "value": variant}]}


def statistics(api, metric, extended=(), period=60, back_ms=10 * MINUTE):
    """(sample count, sum, minimum, maximum, [extended]) over the last minutes; zeros where there is nothing."""
    now = int(time.time() * 1000)
    result = service(api, "MetricsService").GetMetricStatistics(
        start_unix_ms=now - back_ms, end_unix_ms=now + MINUTE,
        queries=[{"metric": metric, "period_s": period, "extended_statistics": list(extended)}]).results[0]
    points = [p for unit in result.units for p in unit.datapoints]
    if not points:
        return 0, 0, 0, 0, []
    return (sum(p.sample_count for p in points), sum(p.sum for p in points), min(p.minimum for p in points),
            max(p.maximum for p in points), list(points[-1].extended))


def invocations(api, endpoint):
    return statistics(api, variant_metric(endpoint, "Invocations"))[1]


def usage(api, endpoint):
    rows = service(api, "UsageService").ListUsage(endpoint_name=endpoint).usage
    return sum(r.invocations for r in rows), sum(r.billed_ms for r in rows), sum(r.cost_nano for r in rows)


# ---- exactly what happened ----

def test_exactly_the_calls_made_appear(stack, sample, name):
    stack.start()
    stack.serve(name, models.SAMPLE_URI, concurrency=1)
    for i in range(20):
        stack.invoke(name, sample.row(i))
    for _ in range(3):
        with pytest.raises(grpc.RpcError):
            stack.invoke(name, b"no,numbers")
    with frozen(stack):
        held = stack.inference.Invoke.future(endpoint_name=name, body=sample.row(0), timeout=30)
        wait_until(lambda: in_flight(stack, name) == 1, "it is in flight")
        for _ in range(4):
            with pytest.raises(grpc.RpcError):
                stack.invoke(name, sample.row(1))
    held.result()
    wait_until(lambda: invocations(stack, name) == 24, "all are counted")
    assert statistics(stack, variant_metric(name, "Invocation4XXErrors"))[:2] == (24, 3)
    assert statistics(stack, variant_metric(name, "Invocation5XXErrors"))[:2] == (24, 0)
    assert statistics(stack, variant_metric(name, "InvocationModelErrors"))[:2] == (24, 3)
    assert statistics(stack, variant_metric(name, "Throttles", namespace="Pilotlight"))[1] == 4
    assert statistics(stack, variant_metric(name, "ColdStarts", namespace="Pilotlight"))[1] == 1
    count, total, low, high, (p50,) = statistics(stack, variant_metric(name, "ModelLatency"), ["p50"])
    assert count == 24 and 0 < low <= p50 <= high and low <= total / 24 <= high
    assert statistics(stack, variant_metric(name, "ModelSetupTime"))[0] == 1
    assert statistics(stack, variant_metric(name, "ServerlessConcurrentExecutionsUtilization"))[3] == 1
    billed = statistics(stack, variant_metric(name, "BilledDuration", namespace="Pilotlight"))
    rows = service(stack, "UsageService").ListUsage(endpoint_name=name)
    (row,) = rows.usage
    assert row.invocations == 24 and row.billed_ms == billed[1] and row.memory_size_mb == 1024 and row.cold_starts == 1
    assert row.cost_nano == pytest.approx(row.billed_ms * 20 + (row.bytes_in + row.bytes_out) * 16e6 / 2**30, abs=1)
    listed = service(stack, "MetricsService").ListMetrics(namespace="AWS/SageMaker", dimensions=[{"name": "EndpointName", "value": name}])
    assert {"Invocations", "ModelLatency", "OverheadLatency"} <= {m.name for m in listed.metrics}


def test_provisioned_concurrency_is_measured(stack, sample, name):
    stack.start()
    stack.serve(name, models.SAMPLE_URI, concurrency=2, provisioned=1)
    for i in range(5):
        stack.invoke(name, sample.row(i))
    wait_until(lambda: invocations(stack, name) == 5, "all are counted")
    assert statistics(stack, variant_metric(name, "ServerlessProvisionedConcurrencyInvocations"))[1] == 5
    assert statistics(stack, variant_metric(name, "ServerlessProvisionedConcurrencySpilloverInvocations"))[1] == 0
    assert statistics(stack, variant_metric(name, "ServerlessProvisionedConcurrencyUtilization"))[3] == 1
    rows = service(stack, "UsageService").ListUsage(endpoint_name=name).usage
    assert sum(r.provisioned_billed_ms for r in rows) == sum(r.billed_ms for r in rows) > 0


def test_nothing_is_said_when_nothing_happens(stack, name):
    stack.start()
    stack.serve(name, models.SAMPLE_URI, keep_alive_ms=0)
    time.sleep(1.5)  # longer than a report may take: absence cannot be waited for
    assert "control_report_batches_total 0" in metrics_page(stack, "control")


def metrics_page(api, name):
    import urllib.request
    with urllib.request.urlopen(f"http://{api.admin(name)}/metrics", timeout=10) as page:
        return page.read().decode()


# ---- kills ----

def test_reports_outlive_control_and_router(stack, sample, name, tmp_path):
    """Control is away and the router is killed, twice: what a router had told its disk is counted, once."""
    stack.start()
    stack.serve(name, models.SAMPLE_URI)
    spool = tmp_path / "router.snapshot.reports"
    total = 0
    for life in range(2):
        stack.kill("control")
        before = spool.stat().st_size
        for i in range(15):
            stack.invoke(name, sample.row(i))
            total += 1
        wait_until(lambda: spool.stat().st_size > before, "the report is on disk")
        time.sleep(1.2)  # and the last one, too: there is at most one a second
        stack.kill("router")
        stack.start("router", wait=True)
    stack.start("control")
    wait_until(lambda: usage(stack, name)[0] == total, "all are counted")
    assert invocations(stack, name) == total
    wait_until(lambda: spool.stat().st_size == 8, "the spool is empty")


def test_kills_of_the_router_never_count_twice(stack, sample, name):
    stack.start()
    stack.serve(name, models.SAMPLE_URI, keep_alive_ms=None)
    answered, failed, lost = 0, 0, 0
    for life in range(5):
        times = []
        end = time.monotonic() + 0.7 + 0.35 * life
        while time.monotonic() < end:
            try:
                stack.invoke(name, sample.row(answered % 100))
                answered += 1
                times.append(time.monotonic())
            except grpc.RpcError:
                failed += 1
        stack.kill("router")
        killed = time.monotonic()
        lost += sum(1 for t in times if t > killed - 1)  # at most the last second
        stack.start("router")
        wait_until(lambda: stack.invoke(name, sample.row(0)), "it serves again")
        answered += 1
    if lost < answered:
        wait_until(lambda: usage(stack, name)[0] >= answered - lost, "what is old enough is counted")
    time.sleep(1.5)
    counted = usage(stack, name)[0]
    assert answered - lost <= counted <= answered + failed
    assert invocations(stack, name) == counted


def test_kills_of_control_lose_nothing(stack, sample, name):
    stack.start()
    stack.serve(name, models.SAMPLE_URI)
    answered = 0
    for life in range(4):
        end = time.monotonic() + 0.8
        while time.monotonic() < end:
            stack.invoke(name, sample.row(answered % 100))
            answered += 1
        stack.kill("control")
        for _ in range(5):
            stack.invoke(name, sample.row(0))
            answered += 1
        stack.start("control")
    wait_until(lambda: usage(stack, name)[0] == answered, "all are counted")
    time.sleep(1.2)
    assert usage(stack, name)[0] == answered and invocations(stack, name) == answered


# ---- alarms ----

class Hook:
    """An HTTP server that notes what it gets and answers with the statuses it is given."""

    def __init__(self):
        self.seen, self.statuses = [], []
        hook = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hook.seen.append((self.path, self.headers["Content-Type"], json.loads(body)))
                self.send_response(hook.statuses.pop(0) if hook.statuses else 204)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def url(self, path):
        return f"http://127.0.0.1:{self.server.server_port}{path}"


@pytest.fixture
def hook():
    server = Hook()
    yield server
    server.server.shutdown()
    server.server.server_close()


@pytest.fixture
def alarmed(tmp_path):
    """Control alone, which may do everything that alarms can ask for."""
    script = tmp_path / "act"
    script.write_text(f"#!/bin/sh\n(printf '%s %s %s ' \"$ALARM_NAME\" \"$ALARM_PREVIOUS_STATE\" \"$ALARM_STATE\"; cat) >{tmp_path}/acted.part\n"
                      f"mv {tmp_path}/acted.part {tmp_path}/acted\n")
    script.chmod(0o755)
    stack = Stack(tmp_path, {"control": {"alarms.plain_http": True, "alarms.timeout": "5s",
                                         "alarms.commands": {"act": str(script), "fail": "/bin/false"}}})
    stack.start("control")
    yield stack
    assert stack.stop() == {"control": 0}


def alarm_of(name, **fields):
    return {"name": name, "metric": {"namespace": "Shop", "name": "Errors"}, "statistic": "sum", "period_s": 10,
            "evaluation_periods": 2, "comparison": 1, "threshold": 3, **fields}


def rehearsal(name, **fields):
    """An alarm that keeps the state that it is given: it has no data, and does not mind."""
    return alarm_of(name, missing_data=2, **fields)


def alarm_state(api, name):
    (alarm,) = service(api, "AlarmService").ListAlarms(names=[name]).alarms
    return protos.load().pool.FindEnumTypeByName("pilotlight.v1.AlarmState").values_by_number[alarm.state].name[len("ALARM_STATE_"):]


def history(api, name):
    return [e.summary for e in service(api, "AlarmService").ListAlarmHistory(alarm_name=name).entries]


def test_an_alarm_sees_the_data_and_calls_the_hook(alarmed, hook):
    now = int(time.time() * 1000)
    service(alarmed, "MetricsService").PutMetricData(data=[
        {"metric": {"namespace": "Shop", "name": "Errors"}, "at_unix_ms": now - back * 1000, "resolution_s": 1,
         "values": {"values": [5.0]}} for back in range(5, 60, 5)])
    service(alarmed, "AlarmService").PutAlarm(alarm=alarm_of("errors", alarm_actions=[hook.url("/alarm"), "arn:aws:sns:x:y:z"],
                                                             ok_actions=[hook.url("/ok")]))
    wait_until(lambda: hook.seen, "the hook is called")
    path, kind, body = hook.seen[0]
    assert path == "/alarm" and kind == "application/json"
    assert body["alarm"] == "errors" and body["state"] == "ALARM" and body["previous_state"] == "INSUFFICIENT_DATA"
    assert "greater than the threshold 3" in body["reason"] and body["metric"]["namespace"] == "Shop"
    assert alarm_state(alarmed, "errors") == "ALARM"
    wait_until(lambda: any(s.startswith("Successfully executed action http") for s in history(alarmed, "errors")), "it is told")
    assert history(alarmed, "errors")[1:] == ["Alarm updated from INSUFFICIENT_DATA to ALARM", "Alarm created"]
    # No data any more: the next evaluations say so.
    wait_until(lambda: alarm_state(alarmed, "errors") == "INSUFFICIENT_DATA", "the silence is noticed", 90)


def test_failing_hooks_are_tried_again_and_told(alarmed, hook):
    hook.statuses = [500, 302]
    alarms = service(alarmed, "AlarmService")
    alarms.PutAlarm(alarm=rehearsal("a", alarm_actions=[hook.url("/a")]))
    alarms.SetAlarmState(name="a", state="ALARM_STATE_ALARM", reason="a rehearsal")
    wait_until(lambda: any(s.startswith("Successfully") for s in history(alarmed, "a")), "the third attempt is taken")
    assert len(hook.seen) == 3 and all(body["reason"] == "a rehearsal" for _, _, body in hook.seen)


def test_commands_run_only_when_the_settings_know_them(alarmed, tmp_path):
    alarms = service(alarmed, "AlarmService")
    with pytest.raises(grpc.RpcError) as refused:
        alarms.PutAlarm(alarm=alarm_of("a", alarm_actions=["command:/bin/true"]))
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT and "alarms.commands" in refused.value.details()
    alarms.PutAlarm(alarm=rehearsal("a", alarm_actions=["command:act", "command:fail"]))
    alarms.SetAlarmState(name="a", state="ALARM_STATE_ALARM", reason="a rehearsal")
    wait_until((tmp_path / "acted").exists, "the command ran")
    name, before, now, body = (tmp_path / "acted").read_text().split(" ", 3)
    assert (name, before, now) == ("a", "INSUFFICIENT_DATA", "ALARM") and json.loads(body)["reason"] == "a rehearsal"
    wait_until(lambda: any(s.startswith("Failed to execute action command:fail") for s in history(alarmed, "a")), "the failure is told", 40)


def test_actions_that_a_kill_interrupted_run_again(alarmed, hook):
    """The hook does not answer; control is killed; the next control calls it again."""
    held = threading.Event()
    taken = threading.Event()

    class Slow(list):
        def pop(self, _):
            taken.set()
            held.wait(30)
            return 204

    hook.statuses = Slow([204])
    alarms = service(alarmed, "AlarmService")
    alarms.PutAlarm(alarm=rehearsal("a", alarm_actions=[hook.url("/a")]))
    alarms.SetAlarmState(name="a", state="ALARM_STATE_ALARM", reason="a rehearsal")
    assert taken.wait(30)
    alarmed.kill("control")
    hook.statuses = []
    held.set()
    alarmed.start("control")
    wait_until(lambda: len(hook.seen) >= 2, "it is called again")
    wait_until(lambda: any(s.startswith("Successfully") for s in history(alarmed, "a")), "and told")


# ---- the command ----

def test_cost_and_metrics_commands(up, diabetes, name):
    for i in range(6):
        up.invoke("diabetes", diabetes.row(i))
    wait_until(lambda: usage(up, "diabetes")[0] == 6, "all are counted")
    cost = json.loads(command("cost", "diabetes", "-o", "json", server=up.base).stdout)
    assert cost["total"]["invocations"] == 6 and cost["total"]["cost_nano"] == usage(up, "diabetes")[2] > 0
    assert cost["instance"] == "ml.m5.large" and cost["saved_nano"] == cost["instance_nano"] - cost["total"]["cost_nano"]
    table = command("cost", server=up.base).stdout
    assert "diabetes" in table and "persistent" in table
    lines = json.loads(command("metrics", "diabetes", "-o", "json", server=up.base).stdout)
    assert sum(line["requests"] or 0 for line in lines) == 6 and lines[-1]["variant"] == "main"
    assert "MODEL P50" in command("metrics", "diabetes", server=up.base).stdout
    missing = command("metrics", "no-such-endpoint", server=up.base)
    assert missing.returncode == 3 and "no-such-endpoint" in missing.stderr, missing.stderr
    assert "ModelLatency" in command("metrics", server=up.base).stdout
    top = json.loads(command("top", "-n", "1", "-o", "json", server=up.base).stdout)
    assert [v["endpoint_name"] for v in top["variants"]] == ["diabetes"]
    wrong = command("cost", "--from", "yesterday", server=up.base)
    assert wrong.returncode == 2 or "from_day" in wrong.stderr


def test_the_documented_estimate(up):
    done = command("cost", "estimate", "--requests", "30000", "--duration", "200ms", "--memory", "2048", server=up.base)
    assert done.returncode == 0 and "0.24 USD a month" in done.stdout and "96.48 USD a month" in done.stdout
    assert "96.24 USD a month" in done.stdout and done.stderr == ""
    # What is more than can be said is the most that can, and not a saving.
    most = command("cost", "estimate", "--requests", "1000000000000", "--duration", "1h", "--bytes", "1GiB", "-o", "json", server=up.base)
    assert most.returncode == 0 and json.loads(most.stdout)["serverless_nano"] == 2**63 - 1, most.stdout + most.stderr
