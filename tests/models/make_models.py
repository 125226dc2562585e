#!/usr/bin/env python3
"""Makes models of many kinds for tests and benchmarks, into a folder; nothing of it is committed.

    make_models.py DIRECTORY [NAME ...]

Each model becomes DIRECTORY/NAME.tar.gz (with "xgboost-model" in UBJSON) and DIRECTORY/NAME/ with xgboost-model, rows.csv (100 rows; an
empty cell is a missing value) and predictions.csv (what Python's xgboost predicts, each float32 printed as Python prints it). The same
versions make the same bytes: fixed seeds, one thread.

Needs python3-xgboost and python3-numpy.
"""
import gzip
import io
import pathlib
import sys
import tarfile

import numpy
import xgboost

TRAIN_ROWS = 4000
TEST_ROWS = 100

# name: (trees, depth, columns, share of missing cells, parameters)
MODELS = {
    "trees-100x6": (100, 6, 10, 0, {"objective": "reg:squarederror"}),
    "trees-500x6": (500, 6, 30, 0, {"objective": "reg:squarederror"}),
    "trees-1000x8": (1000, 8, 30, 0, {"objective": "reg:squarederror"}),
    "classes-5x100": (100, 6, 30, 0, {"objective": "multi:softprob", "num_class": 5}),
    "binary-logistic": (100, 6, 10, 0, {"objective": "binary:logistic"}),
    "binary-logitraw": (50, 4, 10, 0, {"objective": "binary:logitraw"}),
    "binary-hinge": (50, 4, 10, 0, {"objective": "binary:hinge"}),
    "multi-softmax": (50, 4, 10, 0, {"objective": "multi:softmax", "num_class": 4}),
    "count-poisson": (50, 4, 10, 0, {"objective": "count:poisson"}),
    "reg-gamma": (50, 4, 10, 0, {"objective": "reg:gamma"}),
    "reg-logistic": (50, 4, 10, 0, {"objective": "reg:logistic"}),
    "missing-values": (100, 6, 10, 0.3, {"objective": "reg:squarederror"}),
    "categorical": (50, 5, 10, 0, {"objective": "reg:squarederror", "tree_method": "hist", "max_cat_to_onehot": 1}),
    "dart": (50, 4, 10, 0, {"objective": "reg:squarederror", "booster": "dart", "rate_drop": 0.1}),
    "stumps-2000": (2000, 1, 10, 0, {"objective": "reg:squarederror"}),
    "shallow-2000x2": (2000, 2, 30, 0, {"objective": "reg:squarederror"}),
    "deep-200x16": (200, 16, 30, 0, {"objective": "reg:squarederror", "min_child_weight": 0}),
    "wide-100x8": (100, 8, 2000, 0, {"objective": "reg:squarederror", "tree_method": "hist", "max_bin": 32, "colsample_bytree": 0.1}),
    "linear": (50, 0, 10, 0, {"objective": "reg:squarederror", "booster": "gblinear", "updater": "coord_descent"}),
}


def make_data(rng, rows, columns, missing, categorical):
    features = rng.normal(size=(rows, columns)).astype(numpy.float32)
    if categorical:
        features[:, 0] = rng.integers(0, 12, rows)
    hidden = features[:, 1] * 2 + numpy.sin(features[:, 2] * 3) + features[:, 3] * features[:, 4]
    if categorical:
        hidden += (features[:, 0] * 7) % 5
    features[rng.random(features.shape) < missing] = numpy.nan
    return features, hidden + rng.normal(scale=0.1, size=rows)


def make_labels(hidden, parameters):
    objective = parameters["objective"]
    if objective.startswith("multi:"):
        edges = numpy.quantile(hidden, numpy.linspace(0, 1, parameters["num_class"] + 1)[1:-1])
        return numpy.digitize(hidden, edges)
    if objective.startswith("binary:") or objective == "reg:logistic":
        return (hidden > 0).astype(float)
    if objective in ("count:poisson", "reg:gamma"):
        return numpy.floor(numpy.exp(numpy.clip(hidden, -3, 3) / 2)) + 1
    return hidden


def write_archive(path, content):
    """A tar.gz without times and owners, so that it is the same each time."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        info = tarfile.TarInfo("xgboost-model")
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))
    with open(path, "wb") as out, gzip.GzipFile(filename="", fileobj=out, mode="wb", mtime=0) as packed:
        packed.write(buffer.getvalue())


def cell(value):
    return "" if numpy.isnan(value) else str(float(value))


def make(directory, name):
    trees, depth, columns, missing, parameters = MODELS[name]
    parameters = {"max_depth": depth, "eta": 0.1, "seed": 1, "nthread": 1, "verbosity": 0, **parameters}
    rng = numpy.random.default_rng(1)
    kinds = ["c"] + ["q"] * (columns - 1) if name == "categorical" else None
    features, hidden = make_data(rng, TRAIN_ROWS + TEST_ROWS, columns, missing, kinds is not None)
    labels = make_labels(hidden, parameters)
    options = {"feature_types": kinds, "enable_categorical": kinds is not None, "nthread": 1}
    booster = xgboost.train(parameters, xgboost.DMatrix(features[:TRAIN_ROWS], labels[:TRAIN_ROWS], **options), trees)
    rows = features[TRAIN_ROWS:]
    predictions = numpy.atleast_2d(booster.predict(xgboost.DMatrix(rows, **options)).T).T

    folder = directory / name
    folder.mkdir(parents=True, exist_ok=True)
    content = bytes(booster.save_raw("ubj"))
    (folder / "xgboost-model").write_bytes(content)
    (folder / "rows.csv").write_text("".join(",".join(map(cell, row)) + "\n" for row in rows))
    (folder / "predictions.csv").write_text("".join(",".join(str(float(v)) for v in row) + "\n" for row in predictions))
    write_archive(directory / f"{name}.tar.gz", content)
    print(f"{name}: {trees} rounds, {len(content)} bytes")


def main(arguments):
    if not arguments or arguments[0].startswith("-"):
        print(__doc__, file=sys.stderr)
        return 2
    names = arguments[1:] or list(MODELS)
    unknown = [name for name in names if name not in MODELS]
    if unknown:
        print(f"unknown model {unknown[0]}: {', '.join(MODELS)}", file=sys.stderr)
        return 2
    for name in names:
        make(pathlib.Path(arguments[0]), name)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
