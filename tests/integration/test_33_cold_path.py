"""What a cold start costs and an instance uses is told wherever it is asked for, and a host that is full says why."""
import json
import pathlib
import re
import urllib.request

import grpc
import pytest

import models
import suite

MIB = 1 << 20
PHASES = ("sandbox", "load", "first_predict")


def cli(up, *arguments):
    run = suite.command(*arguments, server=up.base)
    assert run.returncode == 0, run.stderr
    return run.stdout


def listed(up, *arguments):
    return json.loads(cli(up, *arguments, "-o", "json"))


def counted(up):
    """How often each phase has been measured, by the worker's histograms."""
    with urllib.request.urlopen(f"http://{up.admin('worker')}/metrics") as answer:
        text = answer.read().decode()
    return {phase: int(re.search(rf"pilotlight_worker_instance_{phase}_seconds_count (\d+)", text)[1]) for phase in (*PHASES, "start")}


def test_phases_of_a_cold_start_are_told(up):
    sample, calls = models.Sample(), 3
    up.serve("phases", models.SAMPLE_URI, keep_alive_ms=0)
    before = counted(up)
    for i in range(calls):
        suite.wait_until(lambda: not up.instances("phases"), "the last one has gone")
        told = up.invoke("phases", sample.row(i)).timings
        assert told.cold and min(told.sandbox_us, told.load_us, told.first_predict_us) > 0
        assert told.sandbox_us + told.load_us + told.first_predict_us <= told.start_us <= told.queue_us <= told.total_us
    after = counted(up)
    assert all(after[phase] - before[phase] >= calls for phase in after), (before, after)
    shown = cli(up, "describe", "endpoint", "phases")
    titles, values = shown.partition("cold starts since the router started, mean times:\n")[2].splitlines()[:2]
    assert [word in titles for word in ("SANDBOX", "LOAD", "FIRST PREDICTION")] == [True] * 3, titles
    (stats,) = listed(up, "describe", "endpoint", "phases")["stats"]
    assert stats["cold_start_times"]["count"] == calls and all(stats["cold_start_times"][f"{phase}_us"] > 0 for phase in PHASES)


def proportional_bytes(pid):
    return int(re.search(r"^Pss: +(\d+) kB", pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M)[1]) * 1024


def test_memory_is_told_of_instances_endpoints_and_hosts(up):
    """What the worker says an instance uses is its proportional share, as the kernel counts it."""
    sample, count = models.Sample(), 3
    up.serve("uses", models.SAMPLE_URI, concurrency=count, provisioned=count)
    assert up.invoke("uses", sample.row(0)).body == sample.answer(0)

    def measured():
        each = [instance["memory_used_bytes"] for instance in listed(up, "get", "instances") if instance["endpoint_name"] == "uses"]
        (whole,) = [variant["memory_used_bytes"] for variant in listed(up, "get", "variants") if variant["endpoint_name"] == "uses"]
        return len(each) == count and all(each) and sum(each) == whole and whole
    whole = suite.wait_until(measured, "each instance has been measured, and the endpoint is their sum")
    by_kernel = sum(proportional_bytes(pid) for pid in up.the_runners(count))
    assert by_kernel / 2 < whole < by_kernel * 2, (whole, by_kernel)
    suite.wait_until(lambda: listed(up, "get", "hosts")[0]["memory_used_mb"] >= whole // MIB, "the host's sum has it")
    assert "MEMORY" in cli(up, "get", "instances").splitlines()[0]
    up.delete_endpoint("uses")


def test_zygotes_have_one_thread(up):
    """A process of more than one cannot be copied with its locks; so nobody has opened a parallel region in it."""
    zygotes = [pid for pid, name in suite.descendants(up.pid("worker")).items() if name == "pl-zygote"]
    assert zygotes and all(re.search(r"^Threads:\s1$", pathlib.Path(f"/proc/{pid}/status").read_text(), re.M) for pid in zygotes)


def test_a_full_host_says_why(stack, name):
    """Memory sizes are promises up to the host's overcommit; two endpoints keep what there is, the third finds nothing left."""
    sample = models.Sample()
    stack.settings["worker"] |= {"memory": "2GiB", "overcommit": 1}
    stack.start()
    stack.serve(name, models.SAMPLE_URI, keep_alive_ms=0)
    for i in range(2):
        stack.serve(f"{name}-{i}", models.SAMPLE_URI, provisioned=1)
    with pytest.raises(grpc.RpcError) as refused:
        stack.invoke(name, sample.row(0), timeout=suite.PATIENCE)
    assert "may not exceed 2048 MB: overcommit 1 of 2048 MB" in refused.value.details(), refused.value
    assert stack.invoke(f"{name}-1", sample.row(0)).body == sample.answer(0)

    late = f"{name}-late"
    stack.create_model(late, models.SAMPLE_URI)
    stack.create_config(late, suite.variant_of(late))
    stack.create_endpoint(late)
    suite.wait_until(lambda: "may not exceed 2048 MB" in stack.endpoint(late).waiting_reason, "the endpoint says what it waits for")
    assert stack.status(late) == "CREATING" and not stack.endpoint(late).failure_reason
    assert re.search(r"^waits +variant .*may not exceed 2048 MB.* \(tried \d+ times\)$", cli(stack, "describe", "endpoint", late), re.M)
    stack.delete_endpoint(f"{name}-0")
    endpoint, status = stack.settled(late)
    assert status == "IN_SERVICE" and not endpoint.waiting_reason
