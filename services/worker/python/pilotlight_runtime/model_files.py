"""A model without a script: one file with a fitted estimator, or with a pickled XGBoost Booster.

Looked for at the top of the artifact: model.joblib, model.pkl, model.pickle; else the only file that ends so; else the name that a bare
file gets. Pickles are code, and run here, inside the sandbox.
"""

import os
import platform

from .failures import FAILED, HookFailed, Refusal

_NAMES = ("model.joblib", "model.pkl", "model.pickle")
_SUFFIXES = (".joblib", ".pkl", ".pickle")
_BARE_NAME = "xgboost-model"


class Facts:
    """What the model says of itself: pilotlight.v1.ModelFacts."""

    def __init__(self, model=None, program=""):
        self.model_files = 1
        self.runtime_version = _printable("python %s" % platform.python_version() + _library(model))
        self.objective = _printable(_kind(model) or program)
        self.features = _count(model, "n_features_in_") or _booster_features(model)
        self.outputs = _count(model, "n_outputs_") or (1 if self.features else 0)


def _printable(text):
    return "".join(c if " " <= c <= "~" else "?" for c in text)[:64]


def _count(model, name):
    try:
        value = int(getattr(model, name, 0))
    except Exception:
        return 0
    return value if 0 < value < 1 << 31 else 0


def is_booster(model):
    kind = type(model)
    return kind.__module__.partition(".")[0] == "xgboost" and kind.__name__ == "Booster"


def _booster_features(model):
    try:
        return model.num_features() if is_booster(model) else 0
    except Exception:
        return 0


def _library(model):
    import sys

    name = {"sklearn": "scikit-learn", "xgboost": "xgboost"}.get(type(model).__module__.partition(".")[0])
    module = sys.modules.get(type(model).__module__.partition(".")[0])
    version = getattr(module, "__version__", "")
    return ", %s %s" % (name, version) if name and version else ""


def _kind(model):
    """'RandomForestClassifier', 'Pipeline(StandardScaler, LogisticRegression)'."""
    if model is None:
        return ""
    name = type(model).__name__
    steps = getattr(model, "steps", None)
    try:
        return "%s(%s)" % (name, ", ".join(type(step).__name__ for _, step in steps)) if steps else name
    except Exception:
        return name


def find(model_dir):
    """Path of the model's file."""
    files = sorted(entry.name for entry in os.scandir(model_dir) if entry.is_file() and not entry.name.startswith("."))
    for name in _NAMES:
        if name in files:
            return os.path.join(model_dir, name)
    fitting = [name for name in files if name.endswith(_SUFFIXES)] or [name for name in files if name == _BARE_NAME]
    if len(fitting) == 1:
        return os.path.join(model_dir, fitting[0])
    raise Refusal(
        FAILED,
        "the artifact has neither code/inference.py nor one model.joblib or model.pkl: its top has %s"
        % (", ".join(files[:20]) if files else "no file"),
    )


def load(model_dir):
    path = find(model_dir)
    name = os.path.basename(path)
    try:
        import joblib
    except ImportError:
        import pickle as joblib  # the same load(), but for a file

        with open(path, "rb") as f:
            return _checked(name, lambda: joblib.load(f))
    return _checked(name, lambda: joblib.load(path))


def _checked(name, loads):
    try:
        model = loads()
    except BaseException as e:
        raise HookFailed("loading %s" % name, e) from None
    if is_booster(model):
        model.set_param({"nthread": 1})
    elif not callable(getattr(model, "predict", None)) and not callable(getattr(model, "transform", None)):
        raise Refusal(FAILED, "%s holds a %s, which has no predict(): a script with model_fn can load it" % (name, type(model).__name__))
    return model
