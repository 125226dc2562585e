"""Models with code of their owners: what the tests train, and the archives that they deploy."""
import io
import pathlib
import pickle

import joblib
import numpy
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from models import entry
from protos import ROOT

SAMPLE = ROOT / "deploy" / "sample" / "cancer"
SCRIPTS = pathlib.Path(__file__).parent / "scripts"


def dumped(model):
    out = io.BytesIO()
    joblib.dump(model, out)
    return out.getvalue()


def script(name):
    return (SCRIPTS / name).read_bytes()


def sample_script():
    """The one that README.md shows."""
    return (SAMPLE / "code" / "inference.py").read_bytes()


def archive(artifacts, code=None, files=None, program="inference.py", executable=False):
    """A model.tar.gz: 'files' at its top, 'code' (text or bytes) as code/PROGRAM. Returns its URI."""
    entries = [entry(name, content) for name, content in (files or {}).items()]
    if code is not None:
        code = code.encode() if isinstance(code, str) else code
        entries.append(entry(f"code/{program}", code, mode=0o755 if executable else 0o644))
    return artifacts.tar(*entries)


class BreastCancer:
    """The real data, and a forest behind a scaler; half of the rows are for asking."""

    def __init__(self):
        rows, labels = load_breast_cancer(return_X_y=True)
        names = numpy.array(["malignant", "benign"])[labels]
        self.model = make_pipeline(StandardScaler(), RandomForestClassifier(n_estimators=100, random_state=7))
        self.model.fit(rows[::2], names[::2])
        self.rows = rows[1::2]

    @property
    def files(self):
        return {"model.joblib": dumped(self.model)}

    def csv(self, *at):
        return "".join(",".join(repr(float(v)) for v in self.rows[i]) + "\n" for i in at).encode()

    def expected(self, *at, dtype=numpy.float32):
        """What the model says in this process, of rows as the default input_fn reads them."""
        rows = self.rows[list(at)].astype(dtype)
        return list(zip(self.model.predict(rows), self.model.predict_proba(rows).max(axis=1)))


def pickled(value):
    return pickle.dumps(value)
