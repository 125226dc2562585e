"""Models and artifacts for the tests: the sample, small models made here, and archives that must be refused."""
import gzip
import hashlib
import io
import json
import tarfile

import numpy
import xgboost

from protos import ROOT

SAMPLE = ROOT / "deploy" / "sample" / "diabetes"
SAMPLE_URI = f"file://{SAMPLE / 'model.tar.gz'}"


class Sample:
    """The diabetes sample: its rows as text and its reference predictions as text."""

    def __init__(self):
        self.rows = (SAMPLE / "rows.csv").read_text().splitlines()
        self.predictions = (SAMPLE / "predictions.csv").read_text().splitlines()

    def row(self, i):
        return self.rows[i].encode()

    def answer(self, i):
        return f"{self.predictions[i]}\n".encode()

    @property
    def csv(self):
        return "".join(f"{row}\n" for row in self.rows).encode()

    @property
    def answers(self):
        return "".join(f"{p}\n" for p in self.predictions).encode()

    def numbers(self, count=None):
        return [[float(cell) for cell in row.split(",")] for row in self.rows[:count]]


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def entry(name, content=b"", **fields):
    """A member of a tar with its bytes; 'fields' are those of TarInfo."""
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for key, value in fields.items():
        setattr(info, key, value)
    return info, content


class Artifacts:
    """Makes artifacts in one folder; each method returns a file:// URI."""

    def __init__(self, folder):
        self.folder = folder
        self.made = 0

    def _path(self, suffix):
        self.made += 1
        return self.folder / f"{self.made:03}{suffix}"

    def tar(self, *entries, suffix=".tar.gz"):
        path = self._path(suffix)
        with tarfile.open(path, "w:gz") as tar:
            for info, content in entries:
                tar.addfile(info, io.BytesIO(content))
        return f"file://{path}"

    def file(self, content, suffix=".bin"):
        path = self._path(suffix)
        path.write_bytes(content)
        return f"file://{path}"

    def booster(self, seed=1, columns=10, rounds=5, **parameters):
        """Bytes of a small model (UBJSON) and the booster itself; other seeds predict other values."""
        rng = numpy.random.default_rng(seed)
        features = rng.normal(size=(200, columns)).astype(numpy.float32)
        target = features[:, 0] * seed + features[:, 1] + 100 * seed
        if "num_class" in parameters:
            target = (rng.random(200) * parameters["num_class"]).astype(int)
        elif str(parameters.get("objective", "")).startswith("binary:"):
            target = (features[:, 0] > 0).astype(int)
        booster = xgboost.train({"max_depth": 3, "seed": seed, "nthread": 1, "verbosity": 0, **parameters},
                                xgboost.DMatrix(features, target, nthread=1), rounds)
        return bytes(booster.save_raw("ubj")), booster

    def model(self, seed=1, **parameters):
        """A good model.tar.gz, and how it predicts text rows."""
        content, booster = self.booster(seed, **parameters)

        def predict(rows):
            matrix = numpy.array([[float(c) if c else numpy.nan for c in row.split(",")] for row in rows], dtype=numpy.float32)
            return booster.predict(xgboost.DMatrix(matrix, nthread=1), validate_features=False)

        return self.tar(entry("xgboost-model", content)), predict

    def bomb(self, megabytes=64):
        """Zeros that pack a thousand to one."""
        path = self._path(".tar.gz")
        with gzip.open(path, "wb", compresslevel=9) as out:
            info = tarfile.TarInfo("xgboost-model")
            info.size = megabytes << 20
            out.write(info.tobuf())
            for _ in range(megabytes):
                out.write(bytes(1 << 20))
            out.write(bytes(1024))
        return f"file://{path}"

    def many_entries(self, count):
        return self.tar(*[entry(f"f{i}", b"") for i in range(count)])

    def json_that_is_no_model(self):
        return self.tar(entry("xgboost-model.json", json.dumps({"hello": [1, 2, 3]}).encode()))
