"""The python runtime in the whole suite: scripts and estimators, deployed and called as people do."""
import json

import numpy
import pytest
import yaml

import custom
import suite

OK, FAILED, USAGE, NOT_FOUND, THROTTLED, MODEL, UNAVAILABLE = range(7)


@pytest.fixture(scope="module")
def cancer():
    return custom.BreastCancer()


@pytest.fixture(scope="module")
def cli(up):
    def run(*arguments, **options):
        return suite.command(*arguments, server=up.base, **options)
    return run


def deploy(cli, folder, name, uri, environment=None, runtime="python", **variant):
    """By `pilotlight apply`, as a user does."""
    path = folder / f"{name}.yaml"
    variant = {"name": "main", "model_name": name, "memory_size_mb": 1024, "max_concurrency": 4, **variant}
    path.write_text(yaml.safe_dump_all([
        {"kind": "Model", "name": name, "spec": {"artifact_uri": uri, "runtime": runtime, "environment": environment or {}}},
        {"kind": "EndpointConfig", "name": name, "spec": {"variants": [variant]}},
        {"kind": "Endpoint", "name": name, "spec": {"endpoint_config_name": name}},
    ]))
    return cli("apply", "-f", path)


@pytest.fixture(scope="module")
def cancer_endpoint(up, cli, cancer, artifacts, tmp_path_factory):
    uri = custom.archive(artifacts, custom.script("breast_cancer.py"), cancer.files)
    done = deploy(cli, tmp_path_factory.mktemp("apply"), "cancer", uri, {"SAGEMAKER_PROGRAM": "inference.py"})
    assert done.returncode == OK, done.stdout + done.stderr + up.logs()
    return "cancer"


# ---- a scikit-learn pipeline with a script ----

def test_csv_caller(up, cancer, cancer_endpoint):
    answer = up.invoke(cancer_endpoint, cancer.csv(0, 1, 2), content_type="text/csv", accept="text/csv")
    assert answer.content_type == "text/csv"
    assert answer.body.decode() == "".join("%s,%.6f\n" % pair for pair in cancer.expected(0, 1, 2))


def test_json_caller(up, cancer, cancer_endpoint):
    answer = up.invoke(cancer_endpoint, json.dumps(cancer.rows[3:5].tolist()).encode(), content_type="application/json")
    assert answer.content_type == "application/json"
    told = json.loads(answer.body)["predictions"]
    expected = cancer.expected(3, 4)
    assert [p["label"] for p in told] == [label for label, _ in expected]
    assert numpy.allclose([p["probability"] for p in told], [p for _, p in expected])


def test_one_row_is_one_row(up, cancer, cancer_endpoint):
    one = up.invoke(cancer_endpoint, cancer.csv(9), content_type="text/csv", accept="text/csv").body
    assert one == up.invoke(cancer_endpoint, cancer.csv(9, 10), content_type="text/csv", accept="text/csv").body.splitlines(True)[0]


def test_cli_invokes_it(cli, cancer, cancer_endpoint, tmp_path):
    (tmp_path / "rows.csv").write_bytes(cancer.csv(0))
    asked = cli("invoke", cancer_endpoint, "--content-type", "text/csv", "--accept", "text/csv", "-f", tmp_path / "rows.csv")
    assert asked.returncode == OK, asked.stderr
    assert asked.stdout.startswith(cancer.expected(0)[0][0])


def test_facts_of_the_model(up, cancer_endpoint):
    facts = up.endpoint(cancer_endpoint).variants[0].facts
    assert facts.objective == "Pipeline(StandardScaler, RandomForestClassifier)" and facts.features == 30
    assert facts.runtime_version.startswith("python 3.") and "scikit-learn" in facts.runtime_version


# ---- what control refuses ----

def test_xgboost_runs_no_scripts(cli, artifacts, tmp_path, name):
    done = deploy(cli, tmp_path, name, "file:///nowhere.tar.gz", {"SAGEMAKER_PROGRAM": "inference.py"}, runtime="xgboost")
    assert done.returncode != OK
    assert 'runtime is "xgboost", which runs no scripts' in done.stderr and "SAGEMAKER_PROGRAM" in done.stderr


def test_code_folder_must_be_one(cli, artifacts, tmp_path, name):
    done = deploy(cli, tmp_path, name, "file:///nowhere.tar.gz", {"SAGEMAKER_SUBMIT_DIRECTORY": "/etc"})
    assert done.returncode != OK
    assert 'SAGEMAKER_SUBMIT_DIRECTORY] is "/etc"' in done.stderr


# ---- code from elsewhere ----

def test_code_by_uri(up, artifacts, name):
    model = artifacts.tar(custom.entry("weights.txt", b"42"))
    code = artifacts.tar(custom.entry("serve_it.py", b"""
import os
import helper
def model_fn(model_dir):
    return open(os.path.join(model_dir, "weights.txt")).read() + helper.WORD
def transform_fn(model, body, content_type, accept):
    return model + os.environ["SAGEMAKER_SUBMIT_DIRECTORY"], "text/plain"
"""), custom.entry("helper.py", b"WORD = ' of '"))
    up.serve(name, model, model_fields={"runtime": "python", "environment": {
        "SAGEMAKER_PROGRAM": "serve_it.py", "SAGEMAKER_SUBMIT_DIRECTORY": code}})
    assert up.invoke(name, b"x").body == b"42 of /opt/ml/code"
    assert len(up.endpoint(name).variants[0].code_sha256) == 64


def test_code_that_is_not_there(up, artifacts, name):
    model = artifacts.tar(custom.entry("weights.txt", b"42"))
    up.create_model(name, model, runtime="python", environment={
        "SAGEMAKER_PROGRAM": "serve_it.py", "SAGEMAKER_SUBMIT_DIRECTORY": "file:///nowhere/sourcedir.tar.gz"})
    up.create_config(name, suite.variant_of(name))
    up.create_endpoint(name)
    endpoint, status = up.settled(name)
    assert status == "FAILED" and "/nowhere/sourcedir.tar.gz" in endpoint.failure_reason
