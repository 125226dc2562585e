"""The `pilotlight` command against a running suite."""
import json
import os
import re
import signal
import subprocess

import pytest
import yaml

import models
import suite
from suite import wait_until

OK, FAILED, USAGE, NOT_FOUND, THROTTLED, MODEL, UNAVAILABLE = range(7)
MANIFEST = models.SAMPLE / "manifest.yaml"


@pytest.fixture(scope="module")
def cli(up):
    def run(*arguments, **options):
        return suite.command(*arguments, server=up.base, **options)
    return run


@pytest.fixture(scope="module")
def applied(cli):
    first = cli("apply", "-f", MANIFEST)
    assert first.returncode == OK, first.stdout + first.stderr
    return first


def manifest(tmp_path, name, **variant):
    path = tmp_path / "manifest.yaml"
    variant = {"name": "main", "model_name": name, "memory_size_mb": 1024, "max_concurrency": 2, **variant}
    path.write_text(yaml.safe_dump_all([
        {"kind": "Model", "name": name, "spec": {"artifact_uri": str(models.SAMPLE / "model.tar.gz")}},
        {"kind": "EndpointConfig", "name": name, "spec": {"variants": [variant]}},
        {"kind": "Endpoint", "name": name, "spec": {"endpoint_config_name": name}},
    ]))
    return path


# ---- apply ----

def test_apply_makes_all_and_waits(applied, up):
    assert [line.split()[:3] for line in applied.stdout.splitlines() if line.startswith("+")] == [
        ["+", "Model", "diabetes"], ["+", "EndpointConfig", "diabetes"], ["+", "Endpoint", "diabetes"]]
    assert "IN_SERVICE" in applied.stdout and up.status("diabetes") == "IN_SERVICE"


def test_apply_again_changes_nothing(applied, cli, up):
    version = up.endpoint("diabetes").version
    again = cli("apply", "-f", MANIFEST)
    assert again.returncode == OK and again.stdout.count("unchanged") == 3
    assert up.endpoint("diabetes").version == version


def test_dry_run_changes_nothing(cli, up, tmp_path, name):
    told = cli("apply", "--dry-run", "-f", manifest(tmp_path, name))
    assert told.returncode == OK and "dry run: 3 to create, 0 to change, 0 unchanged" in told.stdout
    assert up.gone(name)


def test_changed_spec_is_refused_unless_replaced(cli, up, tmp_path, name):
    assert cli("apply", "-f", manifest(tmp_path, name)).returncode == OK
    changed = manifest(tmp_path, name, max_concurrency=3)
    refused = cli("apply", "-f", changed)
    assert refused.returncode != OK and "max_concurrency" in refused.stdout + refused.stderr
    assert up.configs.GetEndpointConfig(name=name).endpoint_config.variants[0].max_concurrency == 2
    dry = cli("apply", "--dry-run", "--replace", "-f", changed)
    assert "max_concurrency" in dry.stdout and "1 unchanged" in dry.stdout, dry.stdout
    replaced = cli("apply", "--replace", "-f", changed)
    assert replaced.returncode == OK, replaced.stderr
    assert up.endpoint(name).variants[0].variant.max_concurrency == 3


def test_apply_tells_why_an_endpoint_failed(cli, tmp_path, name):
    path = manifest(tmp_path, name)
    path.write_text(path.read_text().replace(str(models.SAMPLE / "model.tar.gz"), "file:///no/such/model.tar.gz"))
    failed = cli("apply", "-f", path)
    assert failed.returncode == FAILED and "/no/such/model.tar.gz" in failed.stderr


@pytest.mark.parametrize("change,fragments", [
    (("max_concurrency", "max_concurency"), ["max_concurency", "max_concurrency"]),
    (("kind: Model", "kind: Modle"), ["Modle", "Model"]),
    (("max_concurrency: 2", "max_concurrency: two"), ["max_concurrency", "two"]),
    (("max_concurrency: 2\n", "max_concurrency: 2\n: [\n"), ["manifest.yaml:"]),
])
def test_wrong_manifest_is_told_with_its_line_and_sends_nothing(cli, up, tmp_path, name, change, fragments):
    path = manifest(tmp_path, name)
    text = path.read_text()
    assert change[0] in text
    path.write_text(text.replace(*change))
    for arguments in (("apply", "-f", path), ("config", "check", "-f", path)):
        wrong = cli(*arguments)
        assert wrong.returncode == USAGE and all(fragment in wrong.stderr for fragment in fragments), wrong.stderr
    assert up.gone(name)


def test_reference_to_nothing_is_told_before_anything_is_made(cli, tmp_path, name):
    for options in ((), ("--dry-run",)):
        refused = cli("apply", *options, "-f", manifest(tmp_path, name, model_name="never-made"))
        assert refused.returncode == NOT_FOUND and "never-made" in refused.stderr and "variants[0].model_name" in refused.stderr
        assert cli("get", "model", name).returncode == NOT_FOUND


def test_name_that_the_server_refuses_is_told_with_its_place(cli, tmp_path):
    refused = cli("apply", "-f", manifest(tmp_path, "no_name"))
    assert refused.returncode == FAILED and "manifest.yaml:1: Model: name \"no_name\"" in refused.stderr, refused.stderr


def test_replacing_by_what_the_server_refuses_loses_nothing(cli, up, tmp_path, name):
    assert cli("apply", "-f", manifest(tmp_path, name)).returncode == OK
    refused = cli("apply", "--replace", "-f", manifest(tmp_path, name, max_concurrency=201))
    assert refused.returncode == FAILED and "max_concurrency" in refused.stderr, refused.stderr
    kept = json.loads(cli("get", "endpoint-config", name, "-o", "json").stdout)
    assert kept["variants"][0]["max_concurrency"] == 2
    assert cli("apply", "-f", manifest(tmp_path, name)).stdout.count("unchanged") == 3


def test_value_that_the_server_refuses_names_field_and_limit(cli, up, tmp_path, name):
    for options in ((), ("--dry-run",)):
        refused = cli("apply", *options, "-f", manifest(tmp_path, name, max_concurrency=201))
        assert refused.returncode == FAILED and "max_concurrency" in refused.stderr and "200" in refused.stderr, refused.stderr
        assert cli("get", "model", name).returncode == NOT_FOUND, "something was made of what cannot all be made"


# ---- get, describe ----

@pytest.mark.parametrize("kind", ["models", "endpoint-configs", "endpoints", "instances", "variants", "hosts"])
def test_get_parses_in_every_format(applied, cli, kind):
    def shown():
        cli("invoke", "diabetes", models.Sample().rows[0])
        runs = [cli("get", kind, "-o", form) for form in ("json", "yaml", "table")]
        assert [run.returncode for run in runs] == [OK] * 3
        return json.loads(runs[0].stdout), yaml.safe_load(runs[1].stdout), runs[2].stdout.splitlines()

    def agree():  # an instance may come or go between two of them
        as_json, as_yaml, table = shown()
        assert isinstance(as_json, list) and isinstance(as_yaml, list) and table
        return as_json and len(as_json) == len(as_yaml) <= len(table) - 1
    wait_until(agree, f"three formats show the same {kind}")


def test_readme_shows_tables_with_their_columns(applied, cli):
    shown = {tuple(line.split()) for line in (suite.ROOT / "README.md").read_text().splitlines()}
    printed = [cli("get", kind).stdout for kind in ("endpoints", "instances", "variants")]
    printed.append(cli("invoke", "diabetes", models.Sample().rows[0], "-v").stderr)
    for table in printed:
        assert tuple(table.splitlines()[0].split()) in shown, table


def test_get_one(applied, cli):
    one = json.loads(cli("get", "endpoint", "diabetes", "-o", "json").stdout)
    assert one["name"] == "diabetes" and "IN_SERVICE" in one["status"]
    assert cli("get", "endpoints", "-o", "name").stdout.split().count("diabetes") == 1
    missing = cli("get", "endpoint", "never-made")
    assert missing.returncode == NOT_FOUND and "never-made" in missing.stderr


@pytest.mark.parametrize("kind", ["model", "endpoint-config", "endpoint"])
def test_describe(applied, cli, kind):
    told = cli("describe", kind, "diabetes")
    assert told.returncode == OK and "diabetes" in told.stdout
    assert json.loads(cli("describe", kind, "diabetes", "-o", "json").stdout)


# ---- invoke ----

def test_invoke_prints_the_answer_as_it_came(applied, cli):
    sample = models.Sample()
    answered = cli("invoke", "diabetes", sample.rows[0])
    assert (answered.returncode, answered.stdout) == (OK, sample.predictions[0] + "\n")
    assert cli("invoke", "diabetes", "-", stdin=sample.rows[1] + "\n").stdout == sample.predictions[1] + "\n"
    assert cli("invoke", "diabetes", "-f", models.SAMPLE / "rows.csv").stdout == sample.answers.decode()


def test_invoke_rows_answers_in_order(applied, cli):
    told = cli("invoke", "diabetes", "-f", models.SAMPLE / "rows.csv", "--rows", "--concurrency", "4")
    assert told.returncode == OK and told.stdout == models.Sample().answers.decode()
    assert "calls" in told.stderr and "p99" in told.stderr


def test_invoke_verbose_shows_where_time_went(applied, cli):
    told = cli("invoke", "diabetes", models.Sample().rows[0], "-v")
    assert all(word in told.stderr for word in ("queue", "start", "load", "model", "overhead", "total"))
    assert "warm" in told.stderr or "cold" in told.stderr


def test_invoke_exit_codes(applied, cli):
    assert cli("invoke", "never-made", "1").returncode == NOT_FOUND
    wrong = cli("invoke", "diabetes", "not,a,number")
    assert wrong.returncode == MODEL and "415" in wrong.stderr
    assert cli("invoke", "diabetes", "1", "-f", "x").returncode == USAGE
    assert cli("invoke").returncode == USAGE
    assert suite.command("invoke", "diabetes", "1", "--router", "127.0.0.1:9", "--timeout", "2s").returncode == UNAVAILABLE


def test_invoke_over_the_limit_is_refused_with_its_own_code(cli, up, tmp_path, name):
    assert cli("apply", "-f", manifest(tmp_path, name, max_concurrency=2)).returncode == OK
    worker = up.pid("worker")
    os.kill(worker, signal.SIGSTOP)
    try:
        held = subprocess.Popen([suite.BIN / "pilotlight", "invoke", name, "-f", models.SAMPLE / "rows.csv", "--repeat", "2", "--concurrency", "2",
                                 "--quiet"], env={**os.environ, "PILOTLIGHT_SERVER": f"127.0.0.1:{up.base}"}, stderr=subprocess.PIPE, text=True)
        wait_until(lambda: sum(s.in_flight for s in up.stats(name)) == 2, "two are in flight")
        refused = cli("invoke", name, "1")
    finally:
        os.kill(worker, signal.SIGCONT)
    assert held.wait(suite.PATIENCE) == OK, held.stderr.read()
    assert refused.returncode == THROTTLED and "MAX_CONCURRENCY" in refused.stderr


# ---- delete, help ----

def test_delete(cli, up, tmp_path, name):
    path = manifest(tmp_path, name)
    assert cli("apply", "-f", path).returncode == OK
    assert cli("delete", "-f", path, "--wait").returncode == OK
    assert up.gone(name) and cli("get", "model", name).returncode == NOT_FOUND
    assert cli("delete", "-f", path).returncode == NOT_FOUND
    assert cli("delete", "-f", path, "--ignore-missing").returncode == OK


def test_help_and_version(cli):
    overview = cli("help")
    assert overview.returncode == OK
    commands = [line.split()[0] for line in overview.stdout.splitlines() if line.startswith("  ")]
    assert {"up", "apply", "get", "describe", "delete", "invoke", "version"} <= set(commands)
    told = cli("version")
    assert told.returncode == OK and re.fullmatch(r"pilotlight (\S+)\nserver     pilotlight \1\n", told.stdout), told.stdout
    assert json.loads(cli("version", "-o", "json").stdout)["server"]["name"] == "pilotlight"
    assert "exit" in cli("help", "exit-codes").stdout.lower()
    assert cli("no-such-command").returncode == USAGE
    assert subprocess.run(["bash", "-n"], input=cli("completion", "bash").stdout, text=True).returncode == 0


@pytest.mark.parametrize("words,wanted", [
    (["cost", "e"], ["estimate"]),
    (["cost", "estimate", "--re"], ["--requests"]),
    (["cost", "--by", "d"], ["day"]),
    (["config", ""], ["check"]),
    (["config", "check", "--f"], ["--file"]),
    (["co"], ["completion", "config", "cost"]),
    (["get", "endpoint-"], ["endpoint-configs"]),
], ids=" ".join)
def test_completion_in_bash(cli, words, wanted):
    script = cli("completion", "bash").stdout + """
        COMP_WORDS=(pilotlight "$@") COMP_CWORD=$#
        _pilotlight
        printf '%s\\n' "${COMPREPLY[@]}"
    """
    found = subprocess.run(["bash", "-s", "--", *words], input=script, text=True, capture_output=True)
    assert (found.returncode, sorted(found.stdout.split())) == (0, wanted), found.stderr


def test_second_up_in_one_state_folder_is_refused(up):
    second = suite.command("up", "--state", up.folder / "state", "--port", suite.free_base_port())
    assert second.returncode != OK and str(up.folder / "state") in second.stderr


def test_wrong_setting_is_told_before_anything_starts(tmp_path):
    wrong = suite.command("up", "--state", tmp_path, "--port", suite.free_base_port(), "--set", "router.keep_alife=1s")
    assert wrong.returncode == USAGE and "keep_alife" in wrong.stderr
