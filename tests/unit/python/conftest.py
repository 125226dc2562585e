import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import rig  # noqa: E402

sys.path.insert(0, str(rig.RUNTIME))


@pytest.fixture
def run(tmp_path):
    """run(script text, FILES..., environment=...): a loaded instance of it."""
    running = []

    def start(text, environment=None, files=None, **options):
        rig.script(tmp_path, text, **(files or {}))
        instance = rig.Instance(tmp_path, **options, **(environment or {}))
        running.append(instance)
        instance.start()
        return instance

    yield start
    for instance in running:
        instance.__exit__(None, None, None)
