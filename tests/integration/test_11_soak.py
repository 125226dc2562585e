"""A short run of tests/fault/soak.py: calls while endpoints scale, are updated and lose instances."""
import json
import subprocess
import sys

import pytest

import suite
from protos import ROOT


@pytest.mark.slow
def test_no_call_fails_but_those_whose_instance_was_killed():
    run = subprocess.run([sys.executable, ROOT / "tests" / "fault" / "soak.py", "--calls", "5000"], capture_output=True, text=True,
                         timeout=suite.PATIENCE * 10)
    assert run.returncode == 0, run.stdout + run.stderr
    told = json.loads(run.stdout)
    assert told["wrong"] == [] and told["calls"] >= 5000 and told["cold"] > 10
