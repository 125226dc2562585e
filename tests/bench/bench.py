"""The measurements behind tests/bench/run.

What is compared runs in turns on the same machine within seconds (A B A B ...), driven by the same client (load.c); a figure is the
median over the rounds of value / reference, so that a slow moment of the machine hits both sides or is left out.
"""
import argparse
import hashlib
import hmac
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS / "lib"))
import protos
import suite

INVOKE = "/pilotlight.v1.InferenceService/Invoke"
ECHO = "/bench.Echo/Call"
BUILD = protos.ROOT / "build" / "bench"
SMALL, LARGE = "trees-100x6", "trees-500x6"


def say(text):
    print(text, file=sys.stderr, flush=True)


# ---- what is measured ----

def make_models(names):
    """Models, their rows and predictions in build/bench/models; made once."""
    folder = BUILD / "models"
    missing = [name for name in names if not (folder / name / "predictions.csv").exists() or not (folder / f"{name}.tar.gz").exists()]
    if missing:
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(["/usr/bin/python3", TESTS / "models" / "make_models.py", folder, *missing], check=True, stdout=sys.stderr)
    return folder


class Server:
    """Something that load.c can call: a target, a method, a payload and what its answers must contain."""

    def __init__(self, target, path, payload, expected, folder, name):
        self.target, self.path = target, path
        self.payload, self.expected = folder / f"{name}.payload", folder / f"{name}.expected"
        self.payload.write_bytes(payload)
        self.expected.write_bytes(expected)

    def load(self, concurrency, seconds, warmup):
        out = subprocess.run([BUILD / "load", "--target", self.target, "--path", self.path, "--payload-file", self.payload,
                              "--expect-file", self.expected, "--concurrency", str(concurrency), "--seconds", str(seconds),
                              "--warmup", str(warmup)], check=True, capture_output=True, text=True)
        return json.loads(out.stdout)


class HttpServer:
    """The gateway: InvokeEndpoint on kept-alive connections, signed once for the few minutes that a run takes."""

    def __init__(self, up, endpoint, model_folder, folder):
        self.target = up.address("gateway")
        row, prediction = ((model_folder / file).read_text().splitlines()[0] for file in ("rows.csv", "predictions.csv"))
        shown = suite.command("credentials", "--state", up.folder / "state", "-o", "json")
        key = json.loads(shown.stdout)[0]
        self.request, self.expected = folder / f"http-{endpoint}.request", folder / f"http-{endpoint}.expected"
        self.request.write_bytes(signed_invoke(self.target, endpoint, row.encode(), key["accessKeyId"], key["secretAccessKey"]))
        self.expected.write_bytes(f"{prediction}\n".encode())

    def load(self, concurrency, seconds, warmup):
        out = subprocess.run([BUILD / "http_load", "--target", self.target, "--request-file", self.request, "--expect-file", self.expected,
                              "--concurrency", str(concurrency), "--seconds", str(seconds), "--warmup", str(warmup)],
                             check=True, capture_output=True, text=True)
        return json.loads(out.stdout)


def signed_invoke(host, endpoint, body, key, secret):
    """A whole POST as boto3 would send it, with its Signature Version 4."""
    def mac(secret, text):
        return hmac.new(secret, text.encode(), hashlib.sha256).digest()

    path, now = f"/endpoints/{endpoint}/invocations", time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    scope = f"{now[:8]}/us-east-1/sagemaker/aws4_request"
    names = "content-type;host;x-amz-date"
    canonical = (f"POST\n{path}\n\ncontent-type:text/csv\nhost:{host}\nx-amz-date:{now}\n\n{names}\n" + hashlib.sha256(body).hexdigest())
    signing = ("AWS4" + secret).encode()
    for part in scope.split("/"):
        signing = mac(signing, part)
    signature = mac(signing, f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}").hex()
    return (f"POST {path} HTTP/1.1\r\nHost: {host}\r\nAccept-Encoding: identity\r\nContent-Type: text/csv\r\n"
            "User-Agent: Boto3/1.26.27 Python/3.11.2 Linux/6.1.0 Botocore/1.29.27\r\n"
            f"X-Amz-Date: {now}\r\nAuthorization: AWS4-HMAC-SHA256 Credential={key}/{scope}, SignedHeaders={names}, Signature={signature}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n").encode() + body


def invoke_payload(endpoint, model_folder):
    """One row as a call of 'endpoint', and the answer's first field as it must appear in the reply's bytes."""
    pb = protos.load()
    row = (model_folder / "rows.csv").read_text().splitlines()[0]
    prediction = (model_folder / "predictions.csv").read_text().splitlines()[0]
    request = pb("pilotlight.v1.InvokeRequest")(endpoint_name=endpoint, content_type="text/csv", body=row.encode())
    expected = pb("pilotlight.v1.InvokeResponse")(body=f"{prediction}\n".encode())
    return request.SerializeToString(), expected.SerializeToString()


class Bench:
    """Starts what the figures need when they first need it, and ends all of it."""

    def __init__(self, quick):
        self.quick = quick
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="pilotlight-bench-"))
        self.processes, self.servers, self.up = [], {}, None

    def close(self):
        for process in self.processes:
            process.kill()
            process.wait()
        if self.up:
            self.up.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def spawn(self, *arguments):
        process = subprocess.Popen([str(a) for a in arguments], stdout=subprocess.PIPE, text=True)
        self.processes.append(process)
        return f"127.0.0.1:{int(process.stdout.readline())}"

    def suite(self):
        if not self.up:
            say("starting the suite")
            self.up = suite.Up(self.folder)
            self.up.start()
        return self.up

    def product(self, model, concurrency):
        """The whole chain: client > router > worker host > instance > XGBoost, with its instances warm."""
        name = f"{model}-{concurrency}"
        if name not in self.servers:
            models = make_models([SMALL, LARGE])
            up = self.suite()
            up.serve(name, f"file://{models}/{model}.tar.gz", concurrency=concurrency, keep_alive_ms=600000, provisioned=0)
            self.servers[name] = Server(up.address("router"), INVOKE, *invoke_payload(name, models / model), self.folder, name)
        return self.servers[name]

    def http(self, model, concurrency):
        """The same endpoint by the gateway."""
        grpc = self.product(model, concurrency)
        name = f"http-{model}-{concurrency}"
        if name not in self.servers:
            self.servers[name] = HttpServer(self.suite(), f"{model}-{concurrency}", make_models([SMALL, LARGE]) / model, self.folder)
        return self.servers[name], grpc

    def hop(self, payload):
        """A bare C-core echo of the same number of bytes."""
        name = f"hop-{len(payload)}"
        if name not in self.servers:
            self.servers[name] = Server(self.spawn(BUILD / "hop_server", ECHO), ECHO, payload, payload, self.folder, name)
        return self.servers[name]

    def python(self, model):
        name = f"python-{model}"
        if name not in self.servers:
            models = make_models([SMALL, LARGE])
            target = self.spawn("/usr/bin/python3", TESTS / "bench" / "python_peer.py", models / model / "xgboost-model")
            self.servers[name] = Server(target, INVOKE, *invoke_payload("peer", models / model), self.folder, name)
        return self.servers[name]

    def compare(self, name, product, reference, concurrency, key, unit, reference_name):
        """Medians of 'key' in turns, and of the ratio of neighbours."""
        rounds, seconds, warmup = (3, 1, 200) if self.quick else (9, 3, 1000)
        values, references = [], []
        for i in range(rounds):
            references.append(reference.load(concurrency, seconds, warmup)[key])
            values.append(product.load(concurrency, seconds, warmup)[key])
            say(f"{name} {i + 1}/{rounds}: {values[-1]:.1f} {unit}, {reference_name} {references[-1]:.1f}")
        ratio = statistics.median(v / r for v, r in zip(values, references))
        return figure(name, statistics.median(values), unit, reference_name, statistics.median(references), ratio)


def figure(name, value, unit, reference, reference_value, ratio=None):
    return {"name": name, "value": round(value, 3), "unit": unit, "reference": reference,
            "reference_value": round(reference_value, 3),
            "ratio": round(value / reference_value if ratio is None else ratio, 4)}


# ---- the figures ----

def warm_p50_vs_hop(bench):
    product = bench.product(SMALL, 1)
    hop = bench.hop(product.payload.read_bytes())
    return bench.compare("warm_p50_vs_hop", product, hop, 1, "p50_us", "us", "one bare C-core TCP echo hop, concurrency 1")


def warm_qps_vs_hop(bench):
    product = bench.product(SMALL, 64)
    hop = bench.hop(product.payload.read_bytes())
    return bench.compare("warm_qps_vs_hop", product, hop, 64, "qps", "calls/s", "one bare C-core TCP echo hop, concurrency 64")


def warm_p50_vs_python(bench):
    return bench.compare("warm_p50_vs_python", bench.product(LARGE, 1), bench.python(LARGE), 1, "p50_us", "us",
                         "Python grpcio + xgboost called directly, 500 trees, concurrency 1")


def warm_qps_vs_python(bench):
    return bench.compare("warm_qps_vs_python", bench.product(LARGE, 16), bench.python(LARGE), 16, "qps", "calls/s",
                         "Python grpcio + xgboost called directly, 500 trees, concurrency 16")


def http_p50_vs_grpc(bench):
    http, grpc = bench.http(SMALL, 1)
    return bench.compare("http_p50_vs_grpc", http, grpc, 1, "p50_us", "us", "the same call by gRPC at the router, concurrency 1")


def http_qps_vs_grpc(bench):
    http, grpc = bench.http(SMALL, 64)
    return bench.compare("http_qps_vs_grpc", http, grpc, 64, "qps", "calls/s", "the same call by gRPC at the router, concurrency 64")


def at_zero(bench):
    """A suite of its own that has served, and whose endpoint is at zero again."""
    if "idle" not in bench.servers:
        models = make_models([SMALL])
        folder = bench.folder / "idle"
        folder.mkdir()
        up = suite.Up(folder).start()
        try:
            up.serve("idle", f"file://{models}/{SMALL}.tar.gz", keep_alive_ms=200)
            up.invoke("idle", (models / SMALL / "rows.csv").read_bytes())
            suite.wait_until(lambda: not up.instances("idle") and not up.runners(), "no instance is left")
            up.close()
            bench.servers["idle"] = watch_idle(up, 5 if bench.quick else 20)
        finally:
            up.stop()
    return bench.servers["idle"]


def watch_idle(up, seconds):
    """CPU and memory of all services over a while, with `pilotlight up` itself."""
    pids = [up.program.pid, *suite.descendants(up.program.pid)]
    say(f"idle: watching {len(pids)} processes for {seconds} s")
    began, before = time.monotonic(), sum(map(suite.cpu_seconds, pids))
    time.sleep(seconds)
    used, took = sum(map(suite.cpu_seconds, pids)) - before, time.monotonic() - began
    assert sorted(pids) == sorted([up.program.pid, *suite.descendants(up.program.pid)]), "a process came or went while idle"
    return {"cpu_percent": 100 * used / took, "rss_mb": sum(map(suite.rss_bytes, pids)) / 2**20}


def idle_cpu_percent(bench):
    return figure("idle_cpu_percent", at_zero(bench)["cpu_percent"], "% of a core", "limit", 0.5)


def idle_rss_mb(bench):
    return figure("idle_rss_mb", at_zero(bench)["rss_mb"], "MB", "limit", 120)


# ---- compiled forests ----

FOREST_MODELS = {"100x6": SMALL, "500x6": LARGE, "1000x8": "trees-1000x8", "5x100": "classes-5x100"}


def compile_forest(bench, model):
    """What a worker host makes of a model when it is prepared: the same program, without its sandbox."""
    folder = bench.folder / f"forest-{model}"
    compiled = folder / "compiled"
    if not compiled.exists():
        source = make_models([model]) / model / "xgboost-model"
        (folder / "model").mkdir(parents=True)
        compiled.mkdir()
        shutil.copy(source, folder / "model")
        # Its descriptors 3 and 4 are the two folders.
        subprocess.run(["bash", "-c", 'exec "$0" compile 3<"$1" 4<"$2"', protos.ROOT / "build" / "bin" / "pilotlight-runner",
                        folder / "model", compiled], check=True, stdout=sys.stderr, env={**os.environ, "OMP_NUM_THREADS": "1"})
    return folder / "model" / "xgboost-model", compiled / "0.forest"


def forest_times(bench, model):
    """Microseconds by library and forest, by number of rows; measured once for all figures."""
    name = f"forest-{model}"
    if name not in bench.servers:
        out = subprocess.run([BUILD / "forest", *compile_forest(bench, model), "--milliseconds", "300" if bench.quick else "1500"],
                             check=True, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
        bench.servers[name] = json.loads(out.stdout)
        say(f"forest {model}: {out.stdout.strip()}")
    return bench.servers[name]


def forest_figure(kind, size, rows, reference):
    def measure(bench):
        times = forest_times(bench, FOREST_MODELS[size])[f"rows_{rows}"]
        return figure(measure.__name__, times["forest_us"], "us", f"{reference}, {FOREST_MODELS[size]}", times["library_us"])
    measure.__name__ = f"forest_{kind}_vs_capi_{size}"
    return measure


FOREST_ROW = [forest_figure("row", size, 1, "XGBoost's C API, one row, proxy kept") for size in FOREST_MODELS]
FOREST_BATCH = [forest_figure("batch", size, 1000, "XGBoost's C API, 1,000 rows, proxy kept") for size in FOREST_MODELS]

def uss_mb(pid):
    """Memory that is this process's alone and would come back with it."""
    private = [line.split() for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines() if line.startswith("Private_")]
    return sum(int(fields[1]) for fields in private) / 1024


def warm_instance_uss_mb(bench):
    """The largest of the tree models' warm instances, each measured after it has answered a hundred rows, one by one and at once."""
    up, most, whose = bench.suite(), 0, ""
    for size, model in FOREST_MODELS.items():
        models = make_models([model])
        rows = (models / model / "rows.csv").read_bytes()
        up.serve(f"uss-{size}", f"file://{models}/{model}.tar.gz", concurrency=1, keep_alive_ms=600000, provisioned=1)
        for row in [*rows.splitlines(), rows]:
            up.invoke(f"uss-{size}", row)
        used = uss_mb(up.the_runners(1)[0])
        say(f"warm_instance_uss_mb {model}: {used:.2f} MB")
        if used > most:
            most, whose = used, model
        up.delete_endpoint(f"uss-{size}")
    return figure("warm_instance_uss_mb", most, "MB", f"limit; the largest is {whose}", 1.5)


GROUPS = {
    "warm": [warm_p50_vs_hop, warm_qps_vs_hop, warm_p50_vs_python, warm_qps_vs_python],
    "http": [http_p50_vs_grpc, http_qps_vs_grpc],
    "idle": [idle_cpu_percent, idle_rss_mb],
    "cold": [*FOREST_ROW, *FOREST_BATCH, warm_instance_uss_mb],
    "forest_row_vs_capi": FOREST_ROW,
    "forest_batch_vs_capi": FOREST_BATCH,
}


def chosen(only):
    figures = {f.__name__: [f] for group in GROUPS.values() for f in group}
    known = {**GROUPS, **figures}
    for name in only:
        if name not in known:
            sys.exit(f"tests/bench/run: no figure or group '{name}'; groups: {', '.join(GROUPS)}; figures: {', '.join(figures)}")
    wanted = [f for name in only for f in known[name]] if only else [f for group in GROUPS.values() for f in group]
    return list(dict.fromkeys(wanted))


def main():
    parser = argparse.ArgumentParser(prog="tests/bench/run")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="a figure or a group; may be repeated")
    parser.add_argument("--quick", action="store_true", help="shorter runs, rougher figures")
    options = parser.parse_args()
    figures = chosen(options.only)
    bench = Bench(options.quick)
    try:
        for measure in figures:
            print(json.dumps(measure(bench)), flush=True)
    finally:
        bench.close()


if __name__ == "__main__":
    main()
