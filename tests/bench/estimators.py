"""The python runtime: a scikit-learn pipeline (a scaler and a forest of 100 trees on the breast cancer data) that its owner packed as
model.joblib.

Cold starts are counted as in cold.py: the suite's own count must have grown by the number of calls. In turns with them runs a Python
process that does the same once.
"""
import io
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

def in_process_us(bench):
    model, _, row, _ = make_estimator()
    out = subprocess.run([*map(str, ONCE), str(model), row, "--time", "200" if bench.quick else "500"], check=True, stdout=subprocess.PIPE, text=True)
    return float(out.stdout)


def sklearn_warm_vs_inprocess(bench):
    """The reference is what the work itself takes, and what a warm call takes whose model takes next to nothing."""
    server = serve(bench, bench.suite(), "estimator-warm", concurrency=1, keep_alive_ms=600000)
    trees = bench.product(SMALL, 1)
    values, references = [], []
    for i in range(3 if bench.quick else 7):
        own = in_process_us(bench)
        overhead = trees.load(1, 1, 200)["p50_us"]
        values.append(server.load(1, 2, 30)["p50_us"])
        references.append(own + overhead)
        say(f"estimator, warm {i + 1}: {values[-1]:.0f} us, in process {own:.0f} us, a warm call of {SMALL} {overhead:.0f} us")
    bench.suite().delete_endpoint("estimator-warm")
    return figure("sklearn_warm_vs_inprocess", statistics.median(values), "us", f"model.predict() in process and a warm call of {SMALL}",
                  statistics.median(references), statistics.median(v / r for v, r in zip(values, references)))


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


FIGURES = [sklearn_cold_vs_python, sklearn_template_cold_vs_python, sklearn_warm_vs_inprocess, sklearn_private_memory_vs_processes]
