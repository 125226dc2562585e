"""The model's own code: where it is, how it is imported, which hooks it has.

    SAGEMAKER_PROGRAM           file of the hooks, or its name without .py; default inference.py, when it is there
    SAGEMAKER_SUBMIT_DIRECTORY  folder of it: /opt/ml/model/code, or an address that the worker host has fetched and unpacked already;
                                default code/ in the artifact
    vendor/ in that folder      pure-Python packages, importable like the code itself
    requirements.txt            checked, never installed (requirements.py)

Every hook may take one more argument than it must: the context of the request (context.py).
"""

import importlib.util
import inspect
import os
import sys

from . import requirements
from .failures import FAILED, HookFailed, Refusal

DEFAULT_PROGRAM = "inference.py"
CONTRACT_MODEL_DIR = "/opt/ml/model"
VENDOR = "vendor"

# Hook: arguments that it must take.
HOOKS = {
    "model_fn": 1,
    "input_fn": 2,
    "predict_fn": 2,
    "output_fn": 2,
    "transform_fn": 4,
    "model_warmup_fn": 2,
    "pre_model_fn": 1,
    "after_fork": 0,
}


class Hook:
    """A function of theirs; what it raises comes out as HookFailed."""

    def __init__(self, name, function):
        self.name = name
        self._function = function
        self._with_context = _takes(function) > HOOKS[name]

    def __call__(self, *args, context=None):
        try:
            return self._function(*args, context) if self._with_context else self._function(*args)
        except Refusal:
            raise
        except BaseException as e:
            raise HookFailed(self.name, e) from None


def _takes(function):
    """How many positional arguments it takes at most; 0 when that cannot be told."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return 0
    return sum(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in parameters)


def code_dir(load):
    """The folder of the code, whether it exists or not."""
    if load.code_dir:
        return load.code_dir
    asked = load.environment.get("SAGEMAKER_SUBMIT_DIRECTORY", "")
    if asked == CONTRACT_MODEL_DIR or asked.startswith(CONTRACT_MODEL_DIR + "/"):
        return os.path.normpath(os.path.join(load.model_dir, asked[len(CONTRACT_MODEL_DIR) + 1 :]))
    return os.path.join(load.model_dir, "code")


def find(load):
    """Path of the program; None when the model has none and asked for none."""
    folder = code_dir(load)
    asked = load.environment.get("SAGEMAKER_PROGRAM", "")
    name = asked or DEFAULT_PROGRAM
    path = os.path.normpath(os.path.join(folder, name))
    if os.path.isabs(name) or not path.startswith(os.path.normpath(folder) + "/"):
        raise Refusal(FAILED, "SAGEMAKER_PROGRAM '%.200s' is not a file inside the folder of the code" % name)
    for there in (path, path + ".py"):
        if os.path.isfile(there):
            return there
    if not asked:
        return None
    found = sorted(os.listdir(folder))[:20] if os.path.isdir(folder) else []
    raise Refusal(
        FAILED,
        "SAGEMAKER_PROGRAM '%.200s' is not there: the folder of the code %s"
        % (asked, "has " + ", ".join(found) if found else "is empty or missing"),
    )


def prepare_imports(folder):
    """Makes the code and what it brought along importable, and checks what it says it needs."""
    for path in (os.path.join(folder, VENDOR), folder):
        if os.path.isdir(path) and path not in sys.path:
            sys.path.insert(0, path)
    try:
        requirements.check(os.path.join(folder, "requirements.txt"))
    except requirements.Unsatisfied as e:
        raise Refusal(FAILED, str(e)) from None


def _import(path):
    name = os.path.splitext(os.path.basename(path))[0]
    if os.path.dirname(path) not in sys.path:
        sys.path.insert(0, os.path.dirname(path))
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise Refusal(FAILED, "SAGEMAKER_PROGRAM '%.200s' is not a Python file" % os.path.basename(path))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException as e:
        raise HookFailed("importing %s" % os.path.basename(path), e) from None
    return module


def _check(name, function, program):
    if not callable(function):
        raise Refusal(FAILED, "%s in %s is not a function" % (name, program))
    if inspect.iscoroutinefunction(function):
        raise Refusal(FAILED, "%s in %s is 'async def': hooks are plain functions" % (name, program))


def load_hooks(path):
    """Imports the program at 'path'; its hooks by name."""
    program = os.path.basename(path)
    module = _import(path)
    hooks = {}
    for name in HOOKS:
        function = getattr(module, name, None)
        if function is not None:
            _check(name, function, program)
            hooks[name] = Hook(name, function)
    if "model_fn" not in hooks:
        raise Refusal(FAILED, "%s has no model_fn(model_dir): it must load the model and return it" % program)
    replaced = [name for name in ("input_fn", "predict_fn", "output_fn") if name in hooks]
    if "transform_fn" in hooks and replaced:
        raise Refusal(FAILED, "%s has transform_fn and also %s, which it replaces: one of them must go" % (program, ", ".join(replaced)))
    return hooks
