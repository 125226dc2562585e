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

from rig import BUILD, ECHO, INVOKE, LARGE, SMALL, TESTS, Server, figure, invoke_payload, make_models, say
import suite
import cold
import estimators
import forests


# ---- what is measured ----

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


GROUPS = {
    "warm": [warm_p50_vs_hop, warm_qps_vs_hop, warm_p50_vs_python, warm_qps_vs_python],
    "http": [http_p50_vs_grpc, http_qps_vs_grpc],
    "idle": [idle_cpu_percent, idle_rss_mb],
    "cold": [*cold.FIGURES, *forests.FIGURES],
    "sklearn": estimators.FIGURES,
    "cold_p50_ms": cold.P50,
    "cold_vs_warm": cold.VS_WARM,
    "cold_burst_last_ms": cold.BURST,
    "density_1000": cold.DENSITY,
    "forest_row_vs_capi": forests.ROW,
    "forest_batch_vs_capi": forests.BATCH,
}


def chosen(only):
    figures = {f.__name__: [f] for group in GROUPS.values() for f in group}
    known = {**figures, **GROUPS}
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
