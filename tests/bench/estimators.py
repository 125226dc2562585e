"""The python runtime: a scikit-learn pipeline (a scaler and a forest of 100 trees on the breast cancer data) that its owner packed as
model.joblib.

Cold starts are counted as in cold.py: the suite's own count must have grown by the number of calls. In turns with them runs a Python
process that does the same once.

Warm calls, one at a time, from the client's send to its answer, against the sum of
    predict  model.predict(row), in a loop in a process that has the model; the row is the float32 array that our input_fn makes. Reading
             the request and writing the answer are not in it: they are part of what a call may cost more
    path     a warm call of a small XGBoost model by the same client, which waits as long as 'predict' takes before each: between two
             calls of an estimator the client, the router and the cores have so long to fall asleep and to lose what is in their caches
sklearn_warm_vs_full_speed is the same with calls of the XGBoost model that follow at once, thousands in a second: the stricter reading,
which charges the estimator for sleep that nobody's call at that rate is spared.

The sides take short turns. The estimator's instance and the process run on one and the same core, in the next turn on another: the cores
of a virtual machine differ in speed by more than what is measured here, and change places from minute to minute.
"""
import io
import os
import pathlib
import re
import statistics
import subprocess
import tarfile
import urllib.request

import protos
from cold import PAUSE_MS, all_cold, spawned_ms
from rig import BUILD, INVOKE, SMALL, TESTS, Server, figure, say
import suite

ONCE = ("/usr/bin/python3", TESTS / "bench" / "estimator_once.py")
TEN = 10
WARM_CALLS = 50


def make_estimator():
    """build/bench/models/estimator.joblib and .tar.gz, a row of it and its answer; made once."""
    folder = BUILD / "models"
    folder.mkdir(parents=True, exist_ok=True)
    dumped, packed, said = (folder / f"estimator.{end}" for end in ("joblib", "tar.gz", "txt"))
    if not said.exists():
        import joblib
        import numpy
        from sklearn.datasets import load_breast_cancer
        from sklearn.ensemble import RandomForestClassifier
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        rows, labels = load_breast_cancer(return_X_y=True)
        model = make_pipeline(StandardScaler(), RandomForestClassifier(n_estimators=100, random_state=7)).fit(rows, labels)
        joblib.dump(model, dumped)
        with tarfile.open(packed, "w:gz") as tar:
            info = tarfile.TarInfo("model.joblib")
            info.size = dumped.stat().st_size
            tar.addfile(info, io.BytesIO(dumped.read_bytes()))
        answer = model.predict(rows[:1].astype(numpy.float32))[0]
        said.write_text(",".join(repr(float(v)) for v in rows[0]) + f"\n{answer}\n")
    row, answer = said.read_text().splitlines()
    return dumped, packed, row, answer


def serve(bench, up, name, environment=None, **options):
    _, packed, row, answer = make_estimator()
    up.serve(name, f"file://{packed}", model_fields={"runtime": "python", "environment": environment or {}}, memory=2048, **options)
    pb = protos.load()
    request = pb("pilotlight.v1.InvokeRequest")(endpoint_name=name, content_type="text/csv", accept="text/csv", body=row.encode())
    expected = pb("pilotlight.v1.InvokeResponse")(body=f"{answer}\n".encode())
    return Server(up.address("router"), INVOKE, request.SerializeToString(), expected.SerializeToString(), bench.folder, name)


def private_mb(pid):
    lines = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) / 1024


# ---- cold ----

def cold_rounds(bench):
    if "estimator-cold" not in bench.servers:
        up = bench.suite()
        model, _, row, _ = make_estimator()
        server = serve(bench, up, "estimator-cold", concurrency=1, keep_alive_ms=0)
        out = []
        for i in range(3 if bench.quick else 7):
            with all_cold(up, "estimator-cold", 10):
                cold_ms = server.run("--calls", 10, "--pause-ms", 5 * PAUSE_MS)["p50_us"] / 1000
            out.append((cold_ms, spawned_ms(1, *ONCE, model, row)))
            say(f"estimator, cold {i + 1}: {cold_ms:.2f} ms, a Python process {out[-1][1]:.0f} ms")
        up.delete_endpoint("estimator-cold")
        bench.servers["estimator-cold"] = out
    return bench.servers["estimator-cold"]


def sklearn_cold_vs_python(bench):
    took = cold_rounds(bench)
    return figure("sklearn_cold_vs_python", statistics.median(c for c, _ in took), "ms",
                  "a Python process that imports scikit-learn, loads the model and predicts", statistics.median(p for _, p in took),
                  statistics.median(c / p for c, p in took))


def worker_count(up, name):
    with urllib.request.urlopen(f"http://{up.admin('worker')}/metrics", timeout=suite.PATIENCE) as page:
        return float(re.search(rf"^pilotlight_{name} (\S+)$", page.read().decode(), re.M)[1])


def sklearn_template_cold_vs_python(bench):
    """All of them copies of the template, by the worker's own count."""
    up = bench.suite()
    model, _, row, _ = make_estimator()
    server = serve(bench, up, "estimator-template", {"PILOTLIGHT_SNAPSHOT": "1"}, concurrency=1, keep_alive_ms=0)
    suite.wait_until(lambda: worker_count(up, "worker_templates") == 1, "the template is ready")
    took = []
    for i in range(3 if bench.quick else 7):
        before = worker_count(up, "worker_template_starts_total")
        with all_cold(up, "estimator-template", 10):
            cold_ms = server.run("--calls", 10, "--pause-ms", 5 * PAUSE_MS)["p50_us"] / 1000
        copies = worker_count(up, "worker_template_starts_total") - before
        assert copies == 10, f"{copies} of 10 starts were copies"
        took.append((cold_ms, spawned_ms(1, *ONCE, model, row)))
        say(f"estimator, cold with a template {i + 1}: {cold_ms:.2f} ms, a Python process {took[-1][1]:.0f} ms")
    up.delete_endpoint("estimator-template")
    return figure("sklearn_template_cold_vs_python", statistics.median(c for c, _ in took), "ms",
                  "a Python process that imports scikit-learn, loads the model and predicts", statistics.median(p for _, p in took),
                  statistics.median(c / p for c, p in took))


# ---- warm ----

class InProcess:
    """A process that has the model and predicts its row when told to."""

    def __init__(self):
        model, _, row, _ = make_estimator()
        self.process = subprocess.Popen([*map(str, ONCE), str(model), row, "--time"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline(), "the process ended"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()

    def predict_us(self, calls):
        print(calls, file=self.process.stdin, flush=True)
        return float(self.process.stdout.readline())


def only_instance(up, endpoint, others):
    """The process of the endpoint's only instance: the one that is none of the 'others'."""
    ours = set(up.runners()) - others
    assert len(ours) == 1 and len(up.instances(endpoint)) == 1, f"{endpoint} has not one instance"
    return ours.pop()


def to_one_core(pids, turn):
    cores = sorted(os.sched_getaffinity(0))
    for pid in pids:
        os.sched_setaffinity(pid, {cores[turn % len(cores)]})


def warm_turns(bench):
    """(the call, predict, the path as often, the path at full speed) of each turn, in microseconds; measured once for both figures."""
    if "estimator-warm" not in bench.servers:
        up, trees = bench.suite(), bench.product(SMALL, 1)
        trees.run("--calls", WARM_CALLS)
        others = set(up.runners())
        server = serve(bench, up, "estimator-warm", concurrency=1, keep_alive_ms=600000)
        server.run("--calls", WARM_CALLS)
        instance = only_instance(up, "estimator-warm", others)
        out = []
        with InProcess() as own:
            for turn in range(12 if bench.quick else 60):
                to_one_core((instance, own.process.pid), turn)
                predict = own.predict_us(WARM_CALLS)
                path = trees.run("--calls", WARM_CALLS, "--pause-ms", predict / 1000)["p50_us"]
                call = server.run("--calls", WARM_CALLS)["p50_us"]
                out.append((call, predict, path, trees.run("--calls", 200)["p50_us"]))
                say(f"estimator, warm {turn + 1}: {call:.0f} us, in process {predict:.0f} us, a warm call of {SMALL} {path:.0f} us, "
                    f"at full speed {out[-1][-1]:.0f} us")
        served = [i.requests_served for i in up.instances("estimator-warm")]
        assert served == [WARM_CALLS * (len(out) + 1)], f"{served} calls were served by warm instances"
        up.delete_endpoint("estimator-warm")
        bench.servers["estimator-warm"] = out
    return bench.servers["estimator-warm"]


def warm_figure(name, reference, turns):
    """Of (call, predict, path)."""
    return figure(name, statistics.median(call for call, _, _ in turns), "us", f"model.predict() in process and a warm call of {SMALL}{reference}",
                  statistics.median(predict + path for _, predict, path in turns),
                  statistics.median(call / (predict + path) for call, predict, path in turns))


def sklearn_warm_vs_inprocess(bench):
    return warm_figure("sklearn_warm_vs_inprocess", ", as often", [(call, predict, path) for call, predict, path, _ in warm_turns(bench)])


def sklearn_warm_vs_full_speed(bench):
    return warm_figure("sklearn_warm_vs_full_speed", " at full speed", [(call, predict, path) for call, predict, _, path in warm_turns(bench)])


# ---- memory ----

def ten_processes_mb():
    model, _, row, _ = make_estimator()
    processes = [subprocess.Popen([*map(str, ONCE), str(model), row, "--stay"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
                 for _ in range(TEN)]
    try:
        for process in processes:
            assert process.stdout.readline(), "a process ended"
        return sum(private_mb(process.pid) for process in processes)
    finally:
        for process in processes:
            process.stdin.close()
            process.wait()
            process.stdout.close()


def sklearn_private_memory_vs_processes(bench):
    up = bench.suite()
    before = set(up.runners())
    server = serve(bench, up, "estimator-ten", concurrency=TEN, keep_alive_ms=600000, provisioned=TEN)
    server.run("--calls", 30 * TEN, "--concurrency", TEN)
    ours = set(up.runners()) - before
    assert len(ours) == TEN and all(i.requests_served > 0 for i in up.instances("estimator-ten")), "not all ten have served"
    value = sum(map(private_mb, ours))
    up.delete_endpoint("estimator-ten")
    suite.wait_until(lambda: not up.instances("estimator-ten"), "the ten are gone")
    return figure("sklearn_private_memory_vs_processes", value, "MB", "ten Python processes with the same model", ten_processes_mb())


FIGURES = [sklearn_cold_vs_python, sklearn_template_cold_vs_python, sklearn_warm_vs_inprocess, sklearn_warm_vs_full_speed,
           sklearn_private_memory_vs_processes]
