"""The libraries that a zygote has imported before it forks, so that no instance has to. What is missing is reported, not fatal."""

import importlib
import platform
import sys

# Parts that the packages import only when they are first used.
_MORE = {
    "scipy": ("scipy.sparse", "scipy.special", "scipy.linalg"),
    "sklearn": (
        "sklearn.ensemble",
        "sklearn.feature_extraction.text",
        "sklearn.linear_model",
        "sklearn.neighbors",
        "sklearn.pipeline",
        "sklearn.preprocessing",
        "sklearn.compose",
        "sklearn.impute",
        "sklearn.decomposition",
        "sklearn.cluster",
        "sklearn.svm",
        "sklearn.naive_bayes",
        "sklearn.neural_network",
    ),
}


def _import(name):
    """None, or why not."""
    try:
        importlib.import_module(name)
        for part in _MORE.get(name, ()):
            importlib.import_module(part)
    except ModuleNotFoundError as e:
        return "not installed" if e.name == name else "%s is not installed" % e.name
    except BaseException as e:
        return "%s: %s" % (type(e).__name__, e)
    return None


class Report:
    def __init__(self):
        self.python = platform.python_version()
        self.have, self.missing = {}, {}

    def add(self, name):
        why = _import(name)
        if why is None:
            self.have[name] = str(getattr(sys.modules[name], "__version__", "?"))
        else:
            self.missing[name] = why

    def __str__(self):
        parts = ["python %s" % self.python] + ["%s %s" % item for item in self.have.items()]
        if self.missing:
            parts.append("missing: " + ", ".join("%s (%s)" % item for item in self.missing.items()))
        return "; ".join(parts)


def preload(names):
    report = Report()
    for name in names:
        report.add(name)
    return report
