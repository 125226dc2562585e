"""What a machine can enforce: shown by `pilotlight doctor`, insisted on by `sandbox: require`, done without where there are no rights."""
import concurrent.futures
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

import grpc
import pytest

import custom
import models
import suite

OK, FAILED, USAGE = range(3)
NOBODY = 65534
HOARDER = """
import numpy

def model_fn(model_dir):
    return []

def input_fn(body, content_type):
    return int(body)

def predict_fn(megabytes, kept):
    kept.append(numpy.ones((megabytes, 1 << 17)))
    return [float(megabytes)]
"""

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give it away")


def doctor(*options, prefix=()):
    out = subprocess.run([*prefix, suite.BIN / "pilotlight", "doctor", *options], capture_output=True, text=True, timeout=suite.PATIENCE * 2)
    return out.returncode, out.stdout, out.stderr


@pytest.fixture(scope="module")
def here():
    """What doctor finds for the user who runs the tests."""
    code, out, err = doctor("-o", "json")
    found = json.loads(out)
    assert code == (OK if found["complete"] else FAILED), err
    return found


def without_rights():
    """A prefix for commands: a user who owns nothing and may do nothing."""
    return ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all", "--no-new-privs")


# ---- doctor ----

def test_every_part_is_named_once(here):
    keys = [(check["kind"], check["key"]) for check in here["checks"]]
    assert len(keys) == len(set(keys)) >= 13
    assert {"USER_NS", "PID_NS", "MOUNT_NS", "NET_NS", "SECCOMP"} <= {key for kind, key in keys if kind == "feature"}
    assert {key for kind, key in keys if kind == "limit"} == {"MEMORY", "CPU", "PIDS"}


def test_complete_means_that_all_works(here):
    assert here["complete"] == all(check["ok"] for check in here["checks"])
    for check in here["checks"]:
        assert check["ok"] or (check["why"] and check["lost"] and check["advice"]), check


def test_an_instance_came_up(here):
    assert 0 < here["start_us"] < 10_000_000
    assert here["limits"] in ("cgroup v2", "cgroup v1", "rlimit only")


def test_table_for_people(here):
    code, out, _ = doctor()
    assert code == (OK if here["complete"] else FAILED)
    for check in here["checks"]:
        assert re.search(rf"^\w+ +{re.escape(check['name'])} +{'yes' if check['ok'] else 'NO'}", out, re.M), out


@as_root
def test_without_rights_it_says_what_is_missing_and_what_to_do():
    code, out, _ = doctor("-o", "json", prefix=without_rights())
    found = json.loads(out)
    missing = {check["key"]: check for check in found["checks"] if not check["ok"]}
    assert code == FAILED and not found["complete"] and not found["privileged"]
    assert "OWN_UID" in missing and "65534" in missing["OWN_UID"]["why"]
    code, table, _ = doctor(prefix=without_rights())
    assert code == FAILED
    for check in missing.values():
        assert check["advice"] in table


@as_root
def test_names_of_what_is_missing():
    code, out, _ = doctor("-o", "name", prefix=without_rights())
    assert code == FAILED and "OWN_UID" in out.split()


def test_a_runner_that_is_none():
    code, out, err = doctor("--runner", "/nowhere/runner")
    assert code == FAILED and "/nowhere/runner" in err and not out
    code, _, err = doctor("--runner", "/bin/echo")
    assert code == FAILED and "did not answer" in err


# ---- require ----

def worker_log(stack):
    return (stack.folder / "worker.log").read_text()


def test_require_on_a_host_that_can(stack, here):
    if not here["complete"]:
        pytest.skip("this host is not complete")
    stack.settings["worker"]["sandbox"] = "require"
    stack.start("worker")
    assert "sandbox_weaker" not in worker_log(stack)


@pytest.fixture
def powerless():
    """A stack whose worker has no rights: in a folder of its user, by a wrapper in the runner's and the worker's place."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="pilotlight-nobody-"))
    os.chown(folder, NOBODY, NOBODY)
    stack = suite.Stack(folder)
    yield stack
    codes = stack.stop()
    shutil.rmtree(folder, ignore_errors=True)
    assert set(codes.values()) <= {0, 1}, codes


def start_powerless_worker(stack):
    config = stack.config("worker")
    program = suite.Program([*without_rights(), suite.BIN / "pilotlight-worker", "--config", config], stack.folder / "worker.log")
    stack.programs["worker"] = program
    return program


@as_root
def test_require_on_a_host_that_cannot(powerless):
    powerless.settings["worker"]["sandbox"] = "require"
    program = start_powerless_worker(powerless)
    suite.wait_until(lambda: not program.alive(), "the worker refuses to start")
    assert program.process.returncode != 0
    assert "'require' cannot be kept" in worker_log(powerless) and "user id of its own" in worker_log(powerless)


# ---- the whole suite without rights ----

@pytest.fixture(scope="module")
def nobodys():
    """`pilotlight up` by a user who may do nothing."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="pilotlight-nobody-"))
    os.chown(folder, NOBODY, NOBODY)
    running = suite.Up(folder, prefix=without_rights()).start()
    yield running
    code = running.stop()
    shutil.rmtree(folder, ignore_errors=True)
    assert code == 0, f"it ended with {code}"


def log_of(running):
    return (running.folder / "state" / "log" / "worker.log").read_text()


@as_root
def test_without_rights_its_log_says_what_doctor_says(nobodys):
    _, out, _ = doctor("-o", "json", prefix=without_rights())
    found = json.loads(out)
    missing = {check["name"] for check in found["checks"] if not check["ok"]}
    assert missing == set(re.findall(r'sandbox_weaker missing="([^"]+)"', log_of(nobodys))) and "user id of its own" in missing
    assert found["limits"] == "rlimit only" and 'sandbox_ready limits="rlimit only" complete=false privileged=false' in log_of(nobodys)


@as_root
def test_without_rights_it_serves_cold_and_warm_and_at_once(nobodys):
    sample = models.Sample()
    endpoint = nobodys.serve("weak", models.SAMPLE_URI, concurrency=6)
    assert endpoint.variants[0].facts.forests == 1
    cold, warm = (nobodys.invoke("weak", sample.row(i)) for i in range(2))
    assert [cold.body, warm.body] == [sample.answer(0), sample.answer(1)] and cold.timings.cold and not warm.timings.cold
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        assert list(pool.map(lambda i: nobodys.invoke("weak", sample.row(i)).body, range(60))) == [sample.answer(i) for i in range(60)]
    for pid in nobodys.runners():
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
        assert re.search(rf"^Uid:\s{NOBODY}\s", status, re.M) and re.search(r"^CapEff:\s0+$", status, re.M)
        assert re.search(r"^NoNewPrivs:\s1$", status, re.M) and re.search(r"^Seccomp:\s2$", status, re.M), "the filter needs no rights"
    nobodys.delete_endpoint("weak")
    suite.wait_until(lambda: not nobodys.runners(), "its instances have gone")


@as_root
@pytest.mark.skipif("ASAN_OPTIONS" in os.environ, reason="without control groups the limit is one on addresses, of which ASan needs terabytes")
def test_without_rights_memory_is_still_limited(nobodys):
    folder = nobodys.folder / "artifacts"
    folder.mkdir()
    hoards(nobodys, models.Artifacts(folder), "out of memory: the instance may use 1024 MB")


# ---- memory ----

def hoards(running, artifacts, told):
    uri = custom.archive(artifacts, HOARDER)
    running.serve("hoarder", uri, concurrency=2, memory=1024, model_fields={"runtime": "python", "environment": {"SAGEMAKER_PROGRAM": "inference.py"}})
    assert running.invoke("hoarder", b"10", content_type="text/csv").body
    with pytest.raises(grpc.RpcError) as failed:
        running.invoke("hoarder", b"4000", content_type="text/csv")
    assert told in failed.value.details()
    assert running.invoke("hoarder", b"10", content_type="text/csv").body, "another instance answers the next caller"


def test_memory_limit_is_the_callers_answer(up, artifacts):
    hoards(up, artifacts, "memory limit 1024 MB")
