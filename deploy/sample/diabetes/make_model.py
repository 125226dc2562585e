#!/usr/bin/env python3
"""Makes the sample: model.tar.gz, rows.csv and predictions.csv, beside this script.

Data: the diabetes data of Efron, Hastie, Johnstone and Tibshirani (2004) as scikit-learn ships it: 442 patients, 10 features,
and a measure of how far the disease has gone a year later. Model: 100 trees of depth 4, trained by one thread from a fixed seed, so that
the same versions of xgboost and scikit-learn make the same bytes. predictions.csv holds what Python's xgboost predicts for rows.csv,
each float32 printed as Python prints it.

Needs python3-xgboost and python3-sklearn.
"""
import gzip
import io
import pathlib
import tarfile

import xgboost
from sklearn.datasets import load_diabetes

HERE = pathlib.Path(__file__).resolve().parent
PARAMETERS = {
    "objective": "reg:squarederror",
    "max_depth": 4,
    "eta": 0.08,
    "subsample": 0.8,
    "colsample_bytree": 0.8,
    "seed": 442,
    "nthread": 1,
}
TREES = 100


def write_archive(path, name, content):
    """A tar.gz without times and owners, so that it is the same each time."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        info = tarfile.TarInfo(name)
        info.size = len(content)
        info.mode = 0o644
        tar.addfile(info, io.BytesIO(content))
    with open(path, "wb") as out, gzip.GzipFile(filename="", fileobj=out, mode="wb", mtime=0) as packed:
        packed.write(buffer.getvalue())


def main():
    features, target = load_diabetes(return_X_y=True, scaled=False)
    data = xgboost.DMatrix(features, target, nthread=1)
    booster = xgboost.train(PARAMETERS, data, TREES)

    write_archive(HERE / "model.tar.gz", "xgboost-model", bytes(booster.save_raw("ubj")))
    rows = [",".join(str(float(value)) for value in row) for row in features]
    (HERE / "rows.csv").write_text("\n".join(rows) + "\n")
    predictions = booster.predict(xgboost.DMatrix(features, nthread=1))
    (HERE / "predictions.csv").write_text("".join(f"{float(value)}\n" for value in predictions))
    print(f"{len(rows)} rows, {TREES} trees, root mean square error {booster.eval(data).split(':')[1]}")


if __name__ == "__main__":
    main()
