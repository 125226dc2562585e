"""The stand-ins of ../compat for SageMaker's own packages, importable without their files: an instance does not see that folder.

Asked last of all finders, so that a real package in code/vendor/ or in the interpreter wins, with all of its modules.
"""

import importlib.machinery
import os
import sys

_HERE = "<pilotlight>"


class Finder:
    """A finder and its own loader, as importlib has them."""

    def __init__(self, folder):
        self._codes = {}  # name: (code, whether it is a package)
        for at, folders, files in os.walk(folder):
            folders[:] = [name for name in folders if name != "__pycache__"]
            for name in files:
                if name.endswith(".py"):
                    self._take(folder, os.path.join(at, name))

    def _take(self, folder, path):
        parts = os.path.relpath(path, folder)[:-3].split(os.sep)
        package = parts[-1] == "__init__"
        with open(path, "rb") as f:
            code = compile(f.read(), "%s/%s" % (_HERE, os.path.relpath(path, folder)), "exec")
        self._codes[".".join(parts[:-1] if package else parts)] = code, package

    def find_spec(self, name, path=None, target=None):
        if name not in self._codes or ("." in name and path != [_HERE]):
            return None
        spec = importlib.machinery.ModuleSpec(name, self, origin=_HERE, is_package=self._codes[name][1])
        if spec.submodule_search_locations is not None:
            spec.submodule_search_locations.append(_HERE)
        return spec

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        exec(self._codes[module.__spec__.name][0], module.__dict__)


def install(folder):
    sys.meta_path.append(Finder(folder))
