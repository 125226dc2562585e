"""What the documents say is what the programs do."""
import re
import subprocess

import pytest
import yaml

import suite
from protos import ROOT

README = ROOT / "README.md"


def keys(tree, prefix=""):
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            yield from keys(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


@pytest.mark.parametrize("service", ["control", "router", "worker"])
def test_readme_names_every_setting(service):
    printed = subprocess.run([suite.BIN / f"pilotlight-{service}", "--print-config"], capture_output=True, text=True, check=True).stdout
    named = set(re.findall(r"`([a-z0-9_.]+)`", README.read_text()))
    missing = [key for key in keys(yaml.safe_load(printed)) if key not in named]
    assert not missing, f"README.md lacks settings of {service}: {missing}"


def test_readme_names_every_package():
    text = README.read_text()
    for group in ("build", "test", "bench"):
        for line in (ROOT / "deploy" / "packages" / f"{group}.txt").read_text().splitlines():
            package = line.split("#")[0].strip()
            assert not package or f"`{package}`" in text, f"README.md's table of dependencies lacks {package}"


def test_readme_paths_exist():
    for path in set(re.findall(r"\]\(([^)#:]+)\)", README.read_text())):
        assert (ROOT / path).exists(), f"README.md links to {path}"


@pytest.mark.parametrize("path", sorted(str(p.relative_to(ROOT)) for p in (ROOT / "deploy").rglob("*.yaml")))
def test_example_manifests_are_right(path):
    checked = subprocess.run([suite.BIN / "pilotlight", "config", "check", "-f", ROOT / path], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr


def test_scripts_explain_themselves():
    for script in ("deploy/build", "deploy/quickstart", "tests/run", "tests/bench/run"):
        told = subprocess.run([ROOT / script, "--help"], capture_output=True, text=True)
        assert told.returncode == 0 and script.rpartition("/")[2] in told.stdout, script
