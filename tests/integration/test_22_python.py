"""The python runtime in the whole suite: scripts and estimators, deployed and called as people do."""
import concurrent.futures
import json
import pathlib
import subprocess
import textwrap

import grpc
import numpy
import pytest
import xgboost
import yaml
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

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
def cancer_endpoint(up, cli, cancer, tmp_path_factory):
    """As README.md shows it."""
    folder = tmp_path_factory.mktemp("cancer")
    subprocess.run(["/usr/bin/python3", custom.SAMPLE / "make_model.py", folder], check=True)
    done = cli("apply", "-f", folder / "manifest.yaml")
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


# ---- other real models ----

def python_model(**environment):
    return {"runtime": "python", "environment": environment}


def test_xgboost_that_explains_itself(up, artifacts, name):
    _, booster = artifacts.booster(seed=3, columns=4, rounds=20)
    files = {"xgboost-model.json": bytes(booster.save_raw("json"))}
    up.serve(name, custom.archive(artifacts, custom.script("shap_contributions.py"), files), model_fields=python_model())
    rows = numpy.array([[0.5, -1, 2, 0], [1, 1, 1, 1]], dtype=numpy.float32)
    told = json.loads(up.invoke(name, b"0.5,-1,2,0\n1,1,1,1\n", content_type="text/csv").body)
    matrix = xgboost.DMatrix(rows, nthread=1)
    assert numpy.allclose([r["prediction"] for r in told], booster.predict(matrix))
    assert numpy.allclose([r["contributions"] + [r["bias"]] for r in told], booster.predict(matrix, pred_contribs=True), atol=1e-5)
    for row in told:
        assert abs(row["bias"] + sum(row["contributions"]) - row["prediction"]) < 1e-3 * abs(row["prediction"])


def test_text_classifier_takes_raw_text(up, artifacts, name):
    texts = ["a wonderful film", "what a lovely evening", "truly great and moving", "dull and far too long",
             "a terrible waste of time", "the worst of all"]
    model = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(texts, ["good"] * 3 + ["bad"] * 3)
    uri = custom.archive(artifacts, custom.script("sentiment.py"), {"model.joblib": custom.dumped(model)})
    up.serve(name, uri, model_fields=python_model())
    answer = up.invoke(name, "a lovely, moving film\nthe dull worst waste\n".encode(), content_type="text/plain")
    assert (answer.body, answer.content_type) == (b"good\nbad\n", "text/plain; charset=utf-8")
    with pytest.raises(grpc.RpcError) as refused:
        up.invoke(name, b"1,2", content_type="text/csv")
    assert "send text/plain, not text/csv" in refused.value.details()


def test_streamed_answer_with_its_own_type(up, artifacts, name):
    up.serve(name, custom.archive(artifacts, custom.script("drawing.py")), model_fields=python_model())
    answer = up.invoke(name, b"1,2\n3,4\n", content_type="text/plain")
    assert (answer.content_type, answer.custom_attributes) == ("image/svg+xml", "drawn=1")
    assert answer.body.startswith(b"<svg") and answer.body.count(b"<circle") == 2 and answer.body.endswith(b"</svg>")


def test_estimator_without_a_script(up, cancer, artifacts, name):
    up.serve(name, custom.archive(artifacts, files=cancer.files), model_fields=python_model())
    answer = up.invoke(name, cancer.csv(5, 6), content_type="text/csv", accept="application/json")
    assert json.loads(answer.body) == [label for label, _ in cancer.expected(5, 6)]


def page_faults(pid):
    return int(pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[7])


def test_warm_calls_work_in_the_memory_that_is_there(up, cancer, artifacts, name):
    """Not in pages that each call gets anew and gives back, nor in copies of its zygote's."""
    others = set(up.runners())
    up.serve(name, custom.archive(artifacts, files=cancer.files), model_fields=python_model(), concurrency=1)

    def call(times):
        for _ in range(times):
            up.invoke(name, cancer.csv(5), content_type="text/csv")
    call(20)
    (pid,) = set(up.runners()) - others
    before = page_faults(pid)
    call(40)
    assert page_faults(pid) - before < 40


@pytest.mark.parametrize("n_jobs", [-1, 2])
def test_estimator_with_threads(up, cancer, artifacts, name, n_jobs):
    """Their pool has locks, which the C library keeps in /dev/shm. -1 is as many as the memory size buys cores, here one."""
    model = RandomForestClassifier(n_estimators=10, random_state=3, n_jobs=n_jobs).fit(cancer.rows, cancer.model.predict(cancer.rows))
    up.serve(name, custom.archive(artifacts, files={"model.joblib": custom.dumped(model)}), model_fields=python_model())
    for _ in range(2):
        answer = up.invoke(name, cancer.csv(5, 6), content_type="text/csv", accept="application/json")
        assert json.loads(answer.body) == model.predict(cancer.rows[5:7].astype(numpy.float32)).tolist()


def test_locks_and_pools_of_threads(up, artifacts, name):
    script = """
        import multiprocessing, os
        from multiprocessing.pool import ThreadPool
        import joblib
        def model_fn(model_dir):
            return ThreadPool
        def predict_fn(data, model):
            with model(2) as threads, multiprocessing.Lock():
                return [threads.map(lambda n: n * n, range(4)), os.listdir("/dev/shm"), joblib.effective_n_jobs(-1),
                        joblib.Parallel(n_jobs=2)(joblib.delayed(abs)(-n) for n in range(3))]
    """
    up.serve(name, custom.archive(artifacts, textwrap.dedent(script)), model_fields=python_model(), memory=1024)
    assert json.loads(up.invoke(name, b"[1]").body) == [[0, 1, 4, 9], [], 1, [0, 1, 2]]


def test_shared_memory(up, artifacts, name):
    """Of threads; the program that would remove it when its users are gone is not missed."""
    script = """
        from multiprocessing import Array, shared_memory
        def model_fn(model_dir):
            return Array("i", 3)
        def predict_fn(data, model):
            block = shared_memory.SharedMemory(create=True, size=100)
            model[0] = block.buf[7] = 9
            again = shared_memory.SharedMemory(block.name)
            told = [again.buf[7], model[0]]
            again.close(), block.close(), block.unlink()
            return told
    """
    up.serve(name, custom.archive(artifacts, textwrap.dedent(script)), model_fields=python_model())
    for _ in range(2):
        assert json.loads(up.invoke(name, b"[1]").body) == [9, 9]


def test_names_of_sagemakers_packages(up, artifacts, name):
    """As scripts of its examples import them, and some that nobody uses."""
    script = """
        from sagemaker_containers.beta.framework import content_types, encoders, env, modules, transformer, worker
        from sagemaker_inference import decoder
        def model_fn(model_dir):
            return env.ServingEnv().module_name
        def input_fn(body, content_type):
            return decoder.decode(body, content_type)
        def predict_fn(data, model):
            return data + len(model)
        def output_fn(prediction, accept):
            return worker.Response(encoders.encode(prediction, accept), mimetype=accept)
    """
    up.serve(name, custom.archive(artifacts, textwrap.dedent(script)), model_fields=python_model())
    answer = up.invoke(name, b"0.5,1", content_type="text/csv", accept="text/csv")
    assert (answer.body, answer.content_type) == (b"9.5,10.0\n", "text/csv")


def test_pickled_booster_without_a_script(up, artifacts, name):
    _, booster = artifacts.booster(seed=5, columns=3)
    up.serve(name, custom.archive(artifacts, files={"model.pkl": custom.pickled(booster)}), model_fields=python_model())
    row = numpy.array([[1, 2, 3]], dtype=numpy.float32)
    expected = booster.predict(xgboost.DMatrix(row, nthread=1))[0]
    assert numpy.isclose(float(up.invoke(name, b"1,2,3\n", content_type="text/csv", accept="text/csv").body), expected)


def test_vendored_dependency(up, artifacts, name):
    uri = artifacts.tar(custom.entry("code/inference.py", b"""
import dates_of_mine
def model_fn(model_dir):
    return dates_of_mine.VERSION
def transform_fn(model, body, content_type, accept):
    return model
"""), custom.entry("code/vendor/dates_of_mine.py", b"VERSION = '7.1'"))
    up.serve(name, uri, model_fields=python_model())
    assert up.invoke(name, b"x").body == b"7.1"


def test_unsatisfied_requirement_is_named(up, artifacts, name):
    uri = artifacts.tar(custom.entry("code/inference.py", b"def model_fn(model_dir):\n    return 1\n"),
                        custom.entry("code/requirements.txt", b"numpy\nno-such-package>=2\n"))
    up.create_model(name, uri, runtime="python")
    up.create_config(name, suite.variant_of(name))
    up.create_endpoint(name)
    endpoint, status = up.settled(name)
    assert status == "FAILED" and "no-such-package" in endpoint.failure_reason, endpoint.failure_reason


# ---- scale and cold starts ----

def test_cold_starts_share_one_zygote(up, cancer, cancer_endpoint):
    """Four at once: each its own instance, none of them imports anything."""
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda i: up.invoke(cancer_endpoint, cancer.csv(i), content_type="text/csv", accept="text/csv"), range(12)))
    for i, answer in enumerate(answers):
        assert answer.body.decode() == "%s,%.6f\n" % cancer.expected(i)[0]
    log = (up.folder / "state" / "log" / "worker.log").read_text()
    assert log.count('zygote_started runtime="python"') == 1


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


def test_no_call_waits_for_the_imports(stack, artifacts, name):
    """A host that comes back learns the models of all endpoints: its interpreter has imported everything before anybody calls."""
    stack.start()
    stack.serve(name, custom.archive(artifacts, "def model_fn(d):\n    return 1\ndef predict_fn(data, model):\n    return [2.0]\n"),
                model_fields=python_model())
    stack.kill("worker")
    stack.start("worker")
    suite.wait_until(lambda: stack.programs["worker"].said("zygote ready: python"), "the libraries are imported", suite.PATIENCE * 2)
    assert not stack.instances(name)
    suite.wait_until(lambda: stack.programs["worker"].said('role="trial"'), "and the model has been loaded once")
    assert json.loads(stack.invoke(name, b"[1]", content_type="application/json").body) == [2.0]


def test_several_pythons_side_by_side(stack, artifacts, name):
    """Each by its name; what is missing of the libraries to import is told, and hurts nobody."""
    stack.settings["worker"].update({"python.interpreters": ["python=/usr/bin/python3", "next=/usr/bin/python3"],
                                     "python.preload": ["numpy", "no_such_library"]})
    stack.start()
    code = "import sys\ndef model_fn(d):\n    return 1\ndef predict_fn(data, model):\n    return [float('numpy' in sys.modules)]\n"
    uri = custom.archive(artifacts, code)
    for runtime in ("python", "next"):
        stack.serve(f"{name}-{runtime}", uri, model_fields={"runtime": runtime})
        assert json.loads(stack.invoke(f"{name}-{runtime}", b"[1]", content_type="application/json").body) == [1.0]
    told = [line for line in stack.programs["worker"].tail(2000).splitlines() if "zygote ready" in line]
    assert len(told) == 2 and all("missing: no_such_library (" in line for line in told), told
