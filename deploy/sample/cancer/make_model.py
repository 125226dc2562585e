#!/usr/bin/python3
"""Trains the sample model and packs it as its owner would: make_model.py FOLDER writes model.tar.gz and manifest.yaml there.

    model.tar.gz
      model.joblib         a pipeline of scikit-learn: a scaler, and a forest of 100 trees, on the breast cancer data that comes with it
      code/inference.py    what a request is to it, and what its answer looks like
"""
import pathlib
import shutil
import sys
import tarfile
import tempfile

import joblib
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

HERE = pathlib.Path(__file__).resolve().parent


def trained():
    data = load_breast_cancer()
    model = make_pipeline(StandardScaler(), RandomForestClassifier(n_estimators=100, random_state=7))
    return model.fit(data.data[::2], data.target_names[data.target[::2]])


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile() as dumped, tarfile.open(folder / "model.tar.gz", "w:gz") as tar:
        joblib.dump(trained(), dumped.name)
        tar.add(dumped.name, "model.joblib")
        tar.add(HERE / "code" / "inference.py", "code/inference.py")
    shutil.copy(HERE / "manifest.yaml", folder)
    print(folder / "model.tar.gz")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(pathlib.Path(sys.argv[1]))
