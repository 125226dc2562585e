"""What the documents say is what the programs do."""
import configparser
import re
import shutil
import subprocess

import pytest
import yaml

import suite
from protos import ROOT

README = ROOT / "README.md"
SERVICES = sorted(path.parent.name for path in (ROOT / "services").glob("*/main.c") if path.parent.name != "ctl")


def keys(tree, prefix=""):
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            yield from keys(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


@pytest.mark.parametrize("service", SERVICES)
def test_readme_names_every_setting(service):
    printed = subprocess.run([suite.BIN / f"pilotlight-{service}", "--print-config"], capture_output=True, text=True, check=True).stdout
    named = set(re.findall(r"`([a-z0-9_.]+)`", README.read_text()))
    missing = [key for key in keys(yaml.safe_load(printed)) if key not in named]
    assert not missing, f"README.md lacks settings of {service}: {missing}"


def test_readme_shows_the_settings_as_they_are():
    told = subprocess.run([ROOT / "deploy" / "document-settings", "--check"], capture_output=True, text=True)
    assert told.returncode == 0, told.stderr


def test_readme_names_every_package():
    text = README.read_text()
    for group in ("build", "test", "bench"):
        for line in (ROOT / "deploy" / "packages" / f"{group}.txt").read_text().splitlines():
            package = line.split("#")[0].strip()
            assert not package or f"`{package}`" in text, f"README.md's table of dependencies lacks {package}"


def test_readme_paths_exist():
    for path in set(re.findall(r"\]\(([^)#:]+)\)", README.read_text())):
        assert (ROOT / path).exists(), f"README.md links to {path}"


def test_files_on_the_way_of_a_request_exist():
    rows = re.findall(r"^\| [\w ]+ \| \[[\w/.]+\]\(([\w/.]+)/[\w.]+\) \| (.+) \|$", README.read_text(), re.M)
    assert len(rows) >= 7
    for folder, files in rows:
        for file in re.findall(r"`([\w/]+\.c)`", files):
            assert (ROOT / folder / file).exists(), f"README.md follows a request through {folder}/{file}"


def examples(pattern):
    return sorted(str(path.relative_to(ROOT)) for path in (ROOT / "deploy").glob(pattern))


@pytest.mark.parametrize("path", examples("sample/**/*.yaml"))
def test_example_manifests_are_right(path):
    checked = subprocess.run([suite.BIN / "pilotlight", "config", "check", "-f", ROOT / path], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize("path", examples("config/*.yaml"))
def test_example_configs_are_right(path):
    service = (ROOT / path).stem
    checked = subprocess.run([suite.BIN / f"pilotlight-{service}", "--config", ROOT / path, "--check-config"], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize("path", examples("systemd/*.service"))
def test_units_start_what_is_built_with_configs_that_are_shipped(path, tmp_path):
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str
    unit.read(ROOT / path)
    words = unit["Service"]["ExecStart"].split()
    program, config = words[0].rpartition("/")[2], words[words.index("--config") + 1].rpartition("/")[2]
    assert (suite.BIN / program).exists() and (ROOT / "deploy" / "config" / config).exists()
    if shutil.which("systemd-analyze"):
        copy = tmp_path / (ROOT / path).name
        copy.write_text((ROOT / path).read_text().replace("/usr/local/bin", str(suite.BIN)))
        told = subprocess.run(["systemd-analyze", "verify", copy], capture_output=True, text=True)
        assert told.returncode == 0 and copy.name not in told.stderr, told.stderr


def test_no_yaml_is_left_out():
    """Each YAML file below deploy/ is a manifest or a config: one of the tests above reads it."""
    assert set(examples("**/*.yaml")) == set(examples("sample/**/*.yaml")) | set(examples("config/*.yaml"))


def test_install_brings_the_programs_and_what_they_need(tmp_path):
    if not (suite.BIN.parent / "cmake_install.cmake").exists():
        pytest.skip("the programs do not lie in a build folder")
    subprocess.run(["cmake", "--install", suite.BIN.parent, "--prefix", tmp_path], check=True, capture_output=True)
    for program in ["pilotlight", "pilotlight-runner", *(f"pilotlight-{service}" for service in SERVICES)]:
        told = subprocess.run([tmp_path / "bin" / program, "version" if program in ("pilotlight", "pilotlight-runner") else "--version"],
                              capture_output=True, text=True)
        assert told.returncode == 0 and told.stdout.startswith(program), told.stderr
    assert (tmp_path / "lib/systemd/system/pilotlight-worker.service").exists()


def test_scripts_explain_themselves():
    for script in ("deploy/build", "deploy/quickstart", "deploy/document-settings", "tests/run", "tests/bench/run"):
        told = subprocess.run([ROOT / script, "--help"], capture_output=True, text=True)
        assert told.returncode == 0 and script.rpartition("/")[2] in told.stdout, script
