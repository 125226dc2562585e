"""What a zygote does once so that no instance has to: it plays a small model of its own through all of our code and its libraries'.

An instance shares its zygote's memory until it writes to it, and an interpreter writes much the first time it runs a piece of code:
caches in the code itself, modules imported late, tables built on first use. After the rehearsal that is in the shared part.
"""

import os
import shutil
import sys
import tempfile

from . import content, messages, wire
from .handler import Handler

_dumped = []  # models, for the instances to come
_ROUNDS = 12  # an interpreter adapts code that has run about so often

_SCRIPT = """
def model_fn(model_dir):
    return len(model_dir)
def input_fn(body, content_type):
    return body
def predict_fn(data, model):
    return [[model, 0.5]]
def output_fn(prediction, accept):
    raise ValueError("rehearsed") if accept == "x/y" else None
"""


class _Load:
    runtime = "python"
    code_dir = ""
    memory_size_mb = 1024

    def __init__(self, model_dir, **environment):
        self.model_dir = model_dir
        self.environment = environment


def _request(body, content_type, accept):
    """By way of the wire, as in life."""
    packed = wire.put_bytes(2, content_type.encode()) + wire.put_bytes(3, accept.encode()) + wire.put_bytes(4, body)
    return messages.InvokeRequest(memoryview(packed))


def _ask(handler, body, content_type, accept):
    from . import failures

    try:
        answer = handler.answer(_request(body, content_type, accept))
        messages.invoke_response(answer.body, answer.content_type, answer.custom_attributes, answer.status)
    except Exception as e:
        failures.for_caller(e)


def _script(folder, rounds):
    os.mkdir(os.path.join(folder, "code"))
    with open(os.path.join(folder, "code", "inference.py"), "w", encoding="utf-8") as f:
        f.write(_SCRIPT)
    for _ in range(rounds):
        handler = Handler(_Load(folder))
        for content_type in (content.CSV, content.JSON):
            _ask(handler, b"[1, 2]", content_type, content.JSON)
            _ask(handler, b"[1, 2]", content_type, "x/y")


def _estimators():
    """Those whose predictions need no OpenMP: it must not run in a zygote."""
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rows = [[0.0, 1.0], [1.0, 0.0], [0.5, 1.0], [1.0, 0.5]]
    for last in (RandomForestClassifier(n_estimators=8, random_state=1), LogisticRegression()):
        yield make_pipeline(StandardScaler(), last).fit(rows, [0, 1, 0, 1])


def _dump(model):
    import io

    import joblib

    out = io.BytesIO()
    joblib.dump(model, out)
    return out.getvalue()


def _estimator(folder, dumped, rounds):
    path = os.path.join(folder, "model.joblib")
    with open(path, "wb") as f:
        f.write(dumped)
    for _ in range(rounds):
        handler = Handler(_Load(folder))
        handler.warm()
        for accept in (content.JSON, content.CSV):
            _ask(handler, b"0.1,0.2\n0.3,0.4\n", content.CSV, accept)
            _ask(handler, b"[[0.1, 0.2]]", content.JSON, accept)
    os.remove(path)


def _restore(folder, path, environment):
    shutil.rmtree(folder, ignore_errors=True)
    sys.modules.pop("inference", None)
    sys.path[:] = path
    for known in [known for known in sys.path_importer_cache if known.startswith(folder)]:
        del sys.path_importer_cache[known]
    os.environ.clear()
    os.environ.update(environment)


def _on_stage(plays):
    """Leaves nothing behind but what is warm."""
    path, environment = list(sys.path), dict(os.environ)
    folder = tempfile.mkdtemp(prefix="pilotlight-")
    try:
        plays(folder)
    finally:
        _restore(folder, path, environment)


def _play(folder):
    _script(folder, _ROUNDS)
    shutil.rmtree(os.path.join(folder, "code"))
    if "sklearn" in sys.modules and "joblib" in sys.modules:
        _dumped[:] = [_dump(model) for model in _estimators()]
        for dumped in _dumped:
            _estimator(folder, dumped, _ROUNDS)


def play():
    """In a zygote."""
    _on_stage(_play)


def _repeat(folder):
    _script(folder, 1)
    shutil.rmtree(os.path.join(folder, "code"))
    for dumped in _dumped[:1]:
        _estimator(folder, dumped, 1)


def repeat():
    """In a blank instance: once more, for the pages that it will write to anyway. Nobody waits for it yet."""
    _on_stage(_repeat)
