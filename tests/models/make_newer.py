#!/usr/bin/env python3
"""Makes the models of a newer XGBoost that the tests read: by its C API, since Debian's module is tied to Debian's library.

    make_newer.py LIBRARY ARCHIVE

LIBRARY is a libxgboost.so of 2.0 or newer. ARCHIVE (tests/models/xgboost-VERSION.tar.xz) gets of each kind KIND.json and KIND.ubj, which
are one model in the two formats, and KIND.csv: rows, a semicolon, and what the library predicts for each, floats as Python prints them
(an empty cell is a missing value). The same library makes the same bytes.

Needs python3-numpy.
"""
import ctypes
import io
import json
import pathlib
import sys
import tarfile

import numpy

TRAIN_ROWS, TEST_ROWS, COLUMNS, CATEGORIES = 400, 16, 6, 9

# kind: (parameters, what else is special about it)
KINDS = {
    "squarederror": ({"objective": "reg:squarederror"}, {}),
    "base-score": ({"objective": "reg:squarederror", "base_score": "-3.5"}, {}),
    "squaredlogerror": ({"objective": "reg:squaredlogerror"}, {"labels": "positive"}),
    "pseudohubererror": ({"objective": "reg:pseudohubererror"}, {}),
    "absoluteerror": ({"objective": "reg:absoluteerror"}, {}),
    "logistic": ({"objective": "binary:logistic"}, {"labels": "binary"}),
    "logistic-base-score": ({"objective": "reg:logistic", "base_score": "0.2"}, {"labels": "binary"}),
    "logitraw": ({"objective": "binary:logitraw"}, {"labels": "binary"}),
    "hinge": ({"objective": "binary:hinge"}, {"labels": "binary"}),
    "poisson": ({"objective": "count:poisson"}, {"labels": "positive"}),
    "gamma": ({"objective": "reg:gamma"}, {"labels": "positive"}),
    "tweedie": ({"objective": "reg:tweedie"}, {"labels": "positive"}),
    "softprob": ({"objective": "multi:softprob", "num_class": "4"}, {"labels": "classes"}),
    "softmax": ({"objective": "multi:softmax", "num_class": "4"}, {"labels": "classes"}),
    "pairwise": ({"objective": "rank:pairwise"}, {"labels": "classes", "groups": True}),
    "ndcg": ({"objective": "rank:ndcg"}, {"labels": "classes", "groups": True}),
    "map": ({"objective": "rank:map"}, {"labels": "binary", "groups": True}),
    "cox": ({"objective": "survival:cox"}, {"labels": "positive"}),
    "aft": ({"objective": "survival:aft"}, {"labels": "bounds"}),
    "quantile": ({"objective": "reg:quantileerror", "quantile_alpha": "0.5"}, {}),
    "quantiles": ({"objective": "reg:quantileerror", "quantile_alpha": "[0.1,0.5,0.9]"}, {}),
    "dart": ({"objective": "reg:squarederror", "booster": "dart", "rate_drop": "0.4"}, {}),
    "dart-classes": ({"objective": "multi:softprob", "num_class": "3", "booster": "dart", "rate_drop": "0.4"}, {"labels": "classes"}),
    "parallel": ({"objective": "reg:squarederror", "num_parallel_tree": "3", "subsample": "0.6"}, {}),
    "stopped-early": ({"objective": "multi:softprob", "num_class": "4"}, {"labels": "classes", "best_iteration": 2}),
    "targets": ({"objective": "reg:squarederror"}, {"targets": 3}),
    "targets-logistic": ({"objective": "binary:logistic"}, {"targets": 2, "labels": "binary"}),
    "one-hot": ({"objective": "reg:squarederror", "max_cat_to_onehot": "100"}, {"categories": True}),
    "partition": ({"objective": "reg:squarederror", "max_cat_to_onehot": "1", "max_depth": "6"}, {"categories": True}),
    "partition-classes": ({"objective": "multi:softprob", "num_class": "4", "max_cat_to_onehot": "1"}, {"categories": True, "labels": "classes"}),
    "exact": ({"objective": "reg:squarederror", "tree_method": "exact"}, {}),
    "lossguide": ({"objective": "reg:squarederror", "grow_policy": "lossguide", "max_depth": "0", "max_leaves": "12"}, {}),
    # What no forest can be.
    "vector-leaves": ({"objective": "reg:squarederror", "multi_strategy": "multi_output_tree"}, {"targets": 3}),
    "linear": ({"objective": "reg:squarederror", "booster": "gblinear", "updater": "coord_descent"}, {}),
}
ROUNDS = 6


class Library:
    def __init__(self, path):
        self.so = ctypes.CDLL(path)
        self.so.XGBGetLastError.restype = ctypes.c_char_p
        major, minor, patch = ctypes.c_int(), ctypes.c_int(), ctypes.c_int()
        self.so.XGBoostVersion(ctypes.byref(major), ctypes.byref(minor), ctypes.byref(patch))
        self.version = f"{major.value}.{minor.value}.{patch.value}"

    def call(self, name, *arguments):
        if getattr(self.so, name)(*arguments) != 0:
            raise RuntimeError(f"{name}: {self.so.XGBGetLastError().decode()}")


def interface(array):
    return json.dumps({"data": [array.ctypes.data, True], "shape": array.shape, "typestr": array.dtype.str, "version": 3}).encode()


def cells(random, rows, special):
    out = random.normal(size=(rows, COLUMNS)).astype(numpy.float32)
    if special.get("categories"):
        out[:, :2] = random.integers(0, CATEGORIES, size=(rows, 2))
    out[random.random(out.shape) < 0.1] = numpy.nan
    return out


def labels(random, rows, special):
    known = numpy.nan_to_num(rows)
    out = known[:, 0] * 2 + known[:, 1] * known[:, 2] + 3 * (known[:, 1] % 3 == 1) + random.normal(size=len(rows)) / 9
    kind = special.get("labels")
    if kind == "binary":
        out = out > 0
    elif kind in ("positive", "bounds"):
        out = numpy.abs(out) + 0.1
    elif kind == "classes":
        out = numpy.digitize(out, [-1, 0, 1]) % 3 if special.get("three") else numpy.digitize(out, [-1, 0, 1])
    out = out.astype(numpy.float32)
    if "targets" in special:
        return numpy.ascontiguousarray(numpy.stack([out if special.get("labels") != "binary" or i == 0 else 1 - out * (known[:, 3] > 0)
                                                    for i in range(special["targets"])], axis=1) * (1 if special.get("labels") else [1, -2, 3]),
                                       dtype=numpy.float32)
    return out


def matrix(lib, rows, special):
    handle = ctypes.c_void_p()
    lib.call("XGDMatrixCreateFromDense", interface(rows), b'{"missing":NaN,"nthread":1}', ctypes.byref(handle))
    if special.get("categories"):
        kinds = (ctypes.c_char_p * COLUMNS)(*[b"c"] * 2, *[b"float"] * (COLUMNS - 2))
        lib.call("XGDMatrixSetStrFeatureInfo", handle, b"feature_type", kinds, ctypes.c_uint64(COLUMNS))
    return handle


def label(lib, handle, values, special):
    if special.get("labels") == "bounds":
        for bound in (b"label_lower_bound", b"label_upper_bound"):
            lib.call("XGDMatrixSetInfoFromInterface", handle, bound, interface(values))
        return
    lib.call("XGDMatrixSetInfoFromInterface", handle, b"label", interface(values))
    if special.get("groups"):
        groups = numpy.full(TRAIN_ROWS // 20, 20, dtype=numpy.uint32)
        lib.call("XGDMatrixSetInfoFromInterface", handle, b"group", interface(groups))


def train(lib, data, parameters, special):
    booster = ctypes.c_void_p()
    lib.call("XGBoosterCreate", (ctypes.c_void_p * 1)(data), ctypes.c_uint64(1), ctypes.byref(booster))
    for name, value in ({"max_depth": "3", "nthread": "1", "seed": "7", "verbosity": "0", "tree_method": "hist"} | parameters).items():
        lib.call("XGBoosterSetParam", booster, name.encode(), value.encode())
    for i in range(ROUNDS):
        lib.call("XGBoosterUpdateOneIter", booster, i, data)
    if "best_iteration" in special:
        lib.call("XGBoosterSetAttr", booster, b"best_iteration", str(special["best_iteration"]).encode())
    return booster


def predict(lib, booster, rows, special):
    data = matrix(lib, rows, special)
    shape, dims, values = ctypes.POINTER(ctypes.c_uint64)(), ctypes.c_uint64(), ctypes.POINTER(ctypes.c_float)()
    config = {"type": 0, "training": False, "iteration_begin": 0, "iteration_end": special.get("best_iteration", -1) + 1, "strict_shape": True}
    lib.call("XGBoosterPredictFromDMatrix", booster, data, json.dumps(config).encode(), ctypes.byref(shape), ctypes.byref(dims), ctypes.byref(values))
    sizes = [shape[i] for i in range(dims.value)]
    lib.call("XGDMatrixFree", data)
    return numpy.ctypeslib.as_array(values, (int(numpy.prod(sizes)),)).reshape(sizes[0], -1).copy()


def saved(lib, booster, form):
    n, data = ctypes.c_uint64(), ctypes.POINTER(ctypes.c_char)()
    lib.call("XGBoosterSaveModelToBuffer", booster, json.dumps({"format": form}).encode(), ctypes.byref(n), ctypes.byref(data))
    return ctypes.string_at(data, n.value)


def line(row, wanted):
    return ",".join("" if numpy.isnan(x) else repr(float(x)) for x in row) + ";" + ",".join(repr(float(x)) for x in wanted)


def make(lib, kind):
    parameters, special = KINDS[kind]
    special = special | {"three": parameters.get("num_class") == "3"}
    random = numpy.random.default_rng(2024)
    rows, asked = cells(random, TRAIN_ROWS, special), cells(random, TEST_ROWS, special)
    values, data = labels(random, rows, special), matrix(lib, rows, special)
    label(lib, data, values, special)
    booster = train(lib, data, parameters, special)
    table = "".join(line(*pair) + "\n" for pair in zip(asked, predict(lib, booster, asked, special)))
    out = {f"{kind}.json": saved(lib, booster, "json"), f"{kind}.ubj": saved(lib, booster, "ubj"), f"{kind}.csv": table.encode()}
    lib.call("XGBoosterFree", booster)
    lib.call("XGDMatrixFree", data)
    return out


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    lib = Library(sys.argv[1])
    with tarfile.open(pathlib.Path(sys.argv[2]), "w:xz") as archive:
        for kind in KINDS:
            for name, content in make(lib, kind).items():
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
    print(f"{len(KINDS)} kinds by xgboost {lib.version}")


if __name__ == "__main__":
    main()
