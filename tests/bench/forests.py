"""Compiled forests: how fast one predicts beside XGBoost's own library, and what a warm instance keeps for itself.

A worker host takes the forest for any number of rows (member.c): there is no number from which the library would be faster. What shows
it are the forest_largest figures: as many rows as one request can hold, of the models of the other figures and of shapes that suit a
forest least, which are many stumps, and trees over so many columns that few rows fit into the cache beside them.
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys

from rig import BUILD, LARGE, SMALL, figure, make_models, say
import suite

MODELS = {"100x6": SMALL, "500x6": LARGE, "1000x8": "trees-1000x8", "5x100": "classes-5x100"}
SHAPES = {**MODELS, "stumps": "stumps-2000", "shallow": "shallow-2000x2", "deep": "deep-200x16", "wide": "wide-100x8"}
REQUEST_BYTES = 6 << 20


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
        subprocess.run(["bash", "-c", 'exec "$0" compile 3<"$1" 4<"$2"', suite.BIN / "pilotlight-runner",
                        folder / "model", compiled], check=True, stdout=sys.stderr, env={**os.environ, "OMP_NUM_THREADS": "1"})
    return folder / "model" / "xgboost-model", compiled / "0.forest"


def forest_times(bench, model, rows=(1, 8, 100, 1000), milliseconds=1500):
    """Microseconds by library and forest, by number of rows; measured once for all figures."""
    name = f"forest-{model}-{rows[0]}"
    if name not in bench.servers:
        milliseconds = 300 if bench.quick else milliseconds
        out = subprocess.run([BUILD / "forest", *compile_forest(bench, model), "--milliseconds", str(milliseconds), "--rows", ",".join(map(str, rows))],
                             check=True, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
        bench.servers[name] = json.loads(out.stdout)
        say(f"forest {model}: {out.stdout.strip()}")
    return bench.servers[name]


def forest_figure(kind, size, rows, reference):
    def measure(bench):
        times = forest_times(bench, MODELS[size])[f"rows_{rows}"]
        return figure(measure.__name__, times["forest_us"], "us", f"{reference}, {MODELS[size]}", times["library_us"])
    measure.__name__ = f"forest_{kind}_vs_capi_{size}"
    return measure


ROW = [forest_figure("row", size, 1, "XGBoost's C API, one row, proxy kept") for size in MODELS]
def columns(model):
    return (make_models([model]) / model / "rows.csv").read_text().partition("\n")[0].count(",") + 1


def largest_figure(shape):
    """At a byte a cell: more rows than any format holds, and all in one piece, which suits the library."""
    def measure(bench):
        rows = REQUEST_BYTES // columns(SHAPES[shape])
        times = forest_times(bench, SHAPES[shape], (rows,), 500)[f"rows_{rows}"]
        return figure(measure.__name__, times["forest_us"] / 1000, "ms", f"XGBoost's C API, {rows:,} rows, {SHAPES[shape]}", times["library_us"] / 1000)
    measure.__name__ = f"forest_largest_vs_capi_{shape}"
    return measure


BATCH = [forest_figure("batch", size, 1000, "XGBoost's C API, 1,000 rows, proxy kept") for size in MODELS]
LARGEST = [largest_figure(shape) for shape in SHAPES]


def uss_mb(pid):
    """Memory that is this process's alone and would come back with it."""
    private = [line.split() for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines() if line.startswith("Private_")]
    return sum(int(fields[1]) for fields in private) / 1024


def warm_instance_uss_mb(bench):
    """The largest of the tree models' warm instances, each measured after it has answered a hundred rows, one by one and at once."""
    up, most, whose = bench.suite(), 0, ""
    for size, model in MODELS.items():
        models = make_models([model])
        rows = (models / model / "rows.csv").read_bytes()
        others = set(up.runners())
        up.serve(f"uss-{size}", f"file://{models}/{model}.tar.gz", concurrency=1, keep_alive_ms=600000, provisioned=1)
        for row in [*rows.splitlines(), rows]:
            up.invoke(f"uss-{size}", row)
        (own,) = set(up.runners()) - others
        used = uss_mb(own)
        say(f"warm_instance_uss_mb {model}: {used:.2f} MB")
        if used > most:
            most, whose = used, model
        up.delete_endpoint(f"uss-{size}")
    return figure("warm_instance_uss_mb", most, "MB", f"limit; the largest is {whose}", 1.5)


FIGURES = [*ROW, *BATCH, *LARGEST, warm_instance_uss_mb]
