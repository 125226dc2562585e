"""Cold starts: one by one, 200 at once, and on a host that is full of idle instances.

One by one: an endpoint that keeps nothing is called with pauses, so that every call finds it at zero, on a connection that is there. The
suite's own count of cold starts must have grown by the number of calls. In turns with them run what others do for the same answer.
"""
import contextlib
import json
import pathlib
import statistics
import subprocess

from rig import BUILD, INVOKE, SMALL, TESTS, Server, figure, invoke_payload, make_models, say
import suite

SIZES = {"100x6": SMALL, "1000x8": "trees-1000x8"}
# The instance of the call before has left by then, and another blank one is in stock.
PAUSE_MS = 40
BURST_CALLS = 200


def serve(bench, up, name, model, **options):
    models = make_models([model])
    up.serve(name, f"file://{models}/{model}.tar.gz", **options)
    return Server(up.address("router"), INVOKE, *invoke_payload(name, models / model), bench.folder, name)


def at_zero(up, name):
    suite.wait_until(lambda: not up.instances(name) and len(up.runners()) == len(up.instances()), f"{name} is at zero")


def cold_starts(up, name):
    return sum(variant.cold_starts for variant in up.stats(name))


@contextlib.contextmanager
def all_cold(up, name, calls):
    at_zero(up, name)
    before = cold_starts(up, name)
    yield
    happened = cold_starts(up, name) - before
    assert happened == calls, f"{happened} of {calls} calls of {name} were cold"


# ---- one by one ----

def model_json(model):
    """The model as JSON, which is what XGBoost's tutorials save; made once."""
    folder = make_models([model]) / model
    path = folder / "model.json"
    if not path.exists():
        script = "import sys, xgboost; b = xgboost.Booster(); b.load_model(sys.argv[1]); b.save_model(sys.argv[2])"
        subprocess.run(["/usr/bin/python3", "-c", script, folder / "xgboost-model", path], check=True)
    return path, (folder / "rows.csv").read_text().splitlines()[0]


def spawned_ms(calls, *command):
    out = subprocess.run([BUILD / "spawned", "--calls", str(calls), *map(str, command)], check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(out.stdout)["p50_us"] / 1000


def one_round(up, servers, calls):
    took = {}
    for size, (cold, warm) in servers.items():
        with all_cold(up, f"cold-{size}", calls):
            took[f"cold-{size}"] = cold.run("--calls", calls, "--pause-ms", PAUSE_MS)["p50_us"] / 1000
        took[f"warm-{size}"] = warm.run("--calls", 500, "--warmup", 50)["p50_us"] / 1000
        took[f"rested-{size}"] = warm.run("--calls", calls, "--pause-ms", PAUSE_MS)["p50_us"] / 1000
        took[f"exec-{size}"] = spawned_ms(5, BUILD / "capi_once", *model_json(SIZES[size]))
    took["empty"] = spawned_ms(50, BUILD / "empty")
    took["python"] = spawned_ms(1, "/usr/bin/python3", TESTS / "bench" / "python_once.py", *model_json(SIZES["1000x8"]))
    return took


def rounds(bench):
    """What each side took, in milliseconds, by round; measured once for all figures."""
    if "cold" not in bench.servers:
        up = bench.suite()
        servers = {size: (serve(bench, up, f"cold-{size}", model, concurrency=1, keep_alive_ms=0),
                          serve(bench, up, f"warm-{size}", model, concurrency=1, keep_alive_ms=600000))
                   for size, model in SIZES.items()}
        out = []
        for i in range(3 if bench.quick else 7):
            out.append(one_round(up, servers, 20 if bench.quick else 40))
            say(f"cold {i + 1}: " + ", ".join(f"{name} {ms:.3f} ms" for name, ms in out[-1].items()))
        for name in [f"{kind}-{size}" for kind in ("cold", "warm") for size in SIZES]:
            up.delete_endpoint(name)
        bench.servers["cold"] = out
    return bench.servers["cold"]


def median(bench, name):
    return statistics.median(took[name] for took in rounds(bench))


def compared(bench, name, value, reference, text):
    """Medians of both, and of the ratio within a round."""
    ratio = statistics.median(took[value] / took[reference] for took in rounds(bench))
    return figure(name, median(bench, value), "ms", text, median(bench, reference), ratio)


def named(name, measure):
    measure.__name__ = name
    return measure


P50 = [named(f"cold_p50_ms_{size}", lambda bench, size=size, most=most:
             figure(f"cold_p50_ms_{size}", median(bench, f"cold-{size}"), "ms", f"limit, {SIZES[size]}", most))
       for size, most in (("100x6", 3), ("1000x8", 4))]
VS_WARM = [named(f"cold_vs_warm_{size}", lambda bench, size=size:
                 compared(bench, f"cold_vs_warm_{size}", f"cold-{size}", f"warm-{size}", f"a warm call, {SIZES[size]}"))
           for size in SIZES]


# A cold call finds the processors asleep and their caches taken by others; so does a warm call that comes as alone.
VS_RESTED = [named(f"cold_vs_rested_warm_{size}", lambda bench, size=size:
                   compared(bench, f"cold_vs_rested_warm_{size}", f"cold-{size}", f"rested-{size}", f"a warm call after the same pause, {SIZES[size]}"))
             for size in SIZES]


def cold_vs_exec_json(bench):
    return compared(bench, "cold_vs_exec_json", "cold-1000x8", "exec-1000x8", "exec of a C program that loads the model's JSON, trees-1000x8")


def cold_vs_empty_exec(bench):
    return compared(bench, "cold_vs_empty_exec", "cold-100x6", "empty", "exec of an empty static program")


def cold_vs_python(bench):
    return compared(bench, "cold_vs_python", "cold-1000x8", "python", "a Python process that imports xgboost, loads the model, trees-1000x8")


# ---- many at once ----

def bursts(bench):
    """By size: when the last of the calls was answered, in milliseconds, and how many were cold; the sizes in turns. Whoever waits takes what
    becomes free first, so that the first instances to be ready serve many of the calls: those count as warm, though all found nothing."""
    if "burst" not in bench.servers:
        up, took, colds = bench.suite(), {size: [] for size in SIZES}, {size: [] for size in SIZES}
        servers = {size: serve(bench, up, f"burst-{size}", model, concurrency=BURST_CALLS, keep_alive_ms=100) for size, model in SIZES.items()}
        for i in range(3 if bench.quick else 7):
            for size, server in servers.items():
                at_zero(up, f"burst-{size}")
                before = cold_starts(up, f"burst-{size}")
                ran = server.run("--calls", BURST_CALLS, "--concurrency", BURST_CALLS)
                took[size].append(ran["seconds"] * 1000)
                colds[size].append(cold_starts(up, f"burst-{size}") - before)
                say(f"burst {i + 1}, {size}: last {took[size][-1]:.0f} ms, {colds[size][-1]} were cold")
                assert ran["calls"] == BURST_CALLS, f"{ran['calls']} of {BURST_CALLS} calls were answered"
                assert 1 <= colds[size][-1] <= BURST_CALLS, f"{colds[size][-1]} of {BURST_CALLS} calls at zero were cold"
        for size in SIZES:
            up.delete_endpoint(f"burst-{size}")
        bench.servers["burst"] = took, colds
    return bench.servers["burst"]


def cold_burst_last_ms(bench):
    took, colds = (by_size["100x6"] for by_size in bursts(bench))
    text = f"limit, {BURST_CALLS} calls at once, {SIZES['100x6']}; {statistics.median(colds):.0f} of them cold, the others after those"
    return figure("cold_burst_last_ms", statistics.median(took), "ms", text, 400)


def cold_burst_last_ms_1000x8(bench):
    took, _ = bursts(bench)
    small, large = took["100x6"], took["1000x8"]
    return figure("cold_burst_last_ms_1000x8", statistics.median(large), "ms", f"the same of {SIZES['100x6']}", statistics.median(small),
                  statistics.median(b / a for a, b in zip(small, large)))


BURST = [cold_burst_last_ms, cold_burst_last_ms_1000x8]


# ---- a full host ----

def available_mb():
    line = next(line for line in pathlib.Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemAvailable:"))
    return int(line.split()[1]) / 1024


def cold_p50_ms(up, server, name, calls=60):
    with all_cold(up, name, calls):
        return server.run("--calls", calls, "--pause-ms", PAUSE_MS)["p50_us"] / 1000


def fill(bench, up):
    """1,000 idle instances that have served, of five endpoints."""
    for i in range(5):
        server = serve(bench, up, f"idle-{i}", SIZES["100x6"], concurrency=200, keep_alive_ms=3600000, provisioned=200)
        server.run("--calls", 1000, "--concurrency", 200)
    assert len(up.runners()) >= 1000, f"only {len(up.runners())} instances live"


def full_host(bench):
    if "density" not in bench.servers:
        folder = bench.folder / "density"
        folder.mkdir()
        up = suite.Up(folder).start()
        try:
            server = serve(bench, up, "cold", SIZES["1000x8"], concurrency=1, keep_alive_ms=0)
            alone, free = cold_p50_ms(up, server, "cold"), available_mb()
            fill(bench, up)
            needed = free - available_mb()
            full = cold_p50_ms(up, server, "cold")
            say(f"density: {len(up.runners())} instances need {needed:.0f} MB; a cold start {full:.3f} ms, {alone:.3f} ms without them")
        finally:
            up.stop()
        bench.servers["density"] = {"alone": alone, "full": full, "mb": needed}
    return bench.servers["density"]


def density_1000(bench):
    host = full_host(bench)
    return figure("density_1000", host["full"], "ms", "the same cold start on the host before 1,000 idle instances were there", host["alone"])


def density_1000_mb(bench):
    return figure("density_1000_mb", full_host(bench)["mb"], "MB", "limit: memory that 1,000 idle instances need", 4096)


DENSITY = [density_1000, density_1000_mb]

FIGURES = [*P50, cold_vs_exec_json, *VS_WARM, *VS_RESTED, cold_vs_empty_exec, cold_vs_python, *BURST, *DENSITY]
