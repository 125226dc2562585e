"""Models that newer XGBoost wrote: the installed library refuses some of them and would misread others; their compiled forest serves all."""
import json
import re
import subprocess
import tarfile
import urllib.request

import numpy
import pytest
import xgboost

import models
import newer_xgboost
import suite

ROUNDS, COLUMNS, CATEGORIES = 20, 6, 8


def data(objective, **parameters):
    """Rows, labels and the types of columns: of categorical models the first two are categories."""
    rng = numpy.random.default_rng(5)
    rows = rng.normal(size=(600, COLUMNS)).astype(numpy.float32)
    types = ["float"] * COLUMNS
    if "max_cat_to_onehot" in parameters:
        rows[:, :2] = rng.integers(0, CATEGORIES, size=(len(rows), 2))
        types[:2] = ["c", "c"]
    labels = rows[:, 0] * 2 + rows[:, 1] * rows[:, 2] + 3 * (rows[:, 1] % 3 == 1)
    rows[::7, 3] = numpy.nan
    if objective.startswith("binary:"):
        labels = labels > 0
    elif objective.startswith("multi:"):
        labels = numpy.digitize(labels, [-1, 1])
    elif objective.startswith("count:"):
        labels = numpy.clip(labels, 0, 9)
    return rows, labels, types


def trained(objective, **parameters):
    rows, labels, types = data(objective, **parameters)
    stop = parameters.pop("stop", False)
    if parameters.pop("two_targets", False):
        labels = numpy.stack([labels, -labels * labels], axis=1)
    settings = {"objective": objective, "max_depth": 4, "nthread": 1, "tree_method": "hist", "base_score": 0.25, **parameters}
    matrix = xgboost.DMatrix(rows, labels, feature_types=types, enable_categorical="c" in types)
    booster = xgboost.train(settings, matrix, ROUNDS)
    if stop:
        booster.set_attr(best_iteration=str(ROUNDS // 2))
    asked = xgboost.DMatrix(rows[:20], feature_types=types, enable_categorical="c" in types)
    end = ROUNDS // 2 + 1 if stop else 0
    return booster, rows[:20], booster.predict(asked, iteration_range=(0, end))


KINDS = {
    "regression": ("reg:squarederror", {}),
    "stopped-early": ("reg:squarederror", {"stop": True}),
    "binary": ("binary:logistic", {}),
    "classes": ("multi:softprob", {"num_class": 3}),
    "counts": ("count:poisson", {}),
    "parallel": ("reg:squarederror", {"num_parallel_tree": 2, "subsample": 0.5}),
    "dart": ("reg:squarederror", {"booster": "dart", "rate_drop": 0.3}),
    "targets": ("reg:squarederror", {"two_targets": True}),
    "one-hot": ("reg:squarederror", {"max_cat_to_onehot": CATEGORIES + 1}),
    "partition": ("reg:squarederror", {"max_cat_to_onehot": 1}),
}


def csv(rows):
    return "".join(",".join("" if numpy.isnan(cell) else repr(float(cell)) for cell in row) + "\n" for row in rows).encode()


def numbers(answer):
    return numpy.array([[float(cell) for cell in line.replace("[", "").replace("]", "").split(",")] for line in answer.splitlines()])


@pytest.mark.parametrize("kind", KINDS)
def test_every_layout_predicts_the_same(up, artifacts, kind):
    """One ensemble of the same model in every layout and format: its answers are the mean of all, and each of them has a forest."""
    objective, parameters = KINDS[kind]
    booster, rows, wanted = trained(objective, **parameters)
    files = newer_xgboost.every_layout(booster)
    name = f"newer-{kind}"
    endpoint = up.serve(name, artifacts.tar(*(models.entry(*file) for file in files.items())))
    facts = endpoint.variants[0].facts
    assert facts.forests == facts.model_files == len(files), facts
    got = numbers(up.invoke(name, csv(rows), content_type="text/csv").body.decode())
    assert numpy.allclose(got, wanted.reshape(len(rows), -1), rtol=2e-6, atol=1e-7)


# ---- as newer libraries have written them ----

def written(path):
    """{kind: its files by ending}"""
    with tarfile.open(path) as archive:
        files = {name: archive.extractfile(name).read() for name in archive.getnames()}
    kinds = sorted({name.rpartition(".")[0] for name in files})
    return {kind: {ending: files[f"{kind}.{ending}"] for ending in ("json", "ubj", "csv")} for kind in kinds}


WRITTEN = {path.name[len("xgboost-"):-len(".tar.xz")]: written(path) for path in (suite.ROOT / "tests" / "models").glob("xgboost-*.tar.xz")}


@pytest.fixture(scope="module")
def served_written(up, artifacts):
    """An endpoint for each kind of each version, all created before the first is waited for: an ensemble of the model in both formats."""
    for version, kinds in WRITTEN.items():
        for kind, files in kinds.items():
            name = f"written-{version.replace('.', '-')}-{kind}"
            up.create_model(name, artifacts.tar(*(models.entry(f"{kind}.{form}", files[form]) for form in ("json", "ubj"))))
            up.create_config(name, suite.variant_of(name))
            up.create_endpoint(name)


def library_version():
    """Of the XGBoost that instances have."""
    told = subprocess.run([suite.BIN / "pilotlight-runner", "version"], check=True, capture_output=True, text=True).stdout
    return [int(part) for part in re.fullmatch(r"pilotlight-runner \S+ \(xgboost (\d+)\.(\d+)\.(\d+)\)\n", told).groups()]


# What no forest can be, and why: served by a library that is not older than the one that wrote it.
NO_FOREST = {"vector-leaves": "several targets in a leaf", "linear": "gblinear"}


@pytest.mark.parametrize("version, kind", [(version, kind) for version, kinds in WRITTEN.items() for kind in kinds])
def test_what_a_newer_library_wrote_predicts_as_it_did(up, served_written, version, kind):
    """See tests/models/make_newer.py."""
    name = f"written-{version.replace('.', '-')}-{kind}"
    endpoint, status = up.settled(name)
    if kind in NO_FOREST and library_version() < [int(part) for part in version.split(".")]:
        assert status == "FAILED" and NO_FOREST[kind] in endpoint.failure_reason, endpoint.failure_reason
        return
    assert status == "IN_SERVICE", endpoint.failure_reason
    facts = endpoint.variants[0].facts
    assert facts.model_files == 2 and facts.forests == (0 if kind in NO_FOREST else 2), facts
    rows, wanted = zip(*(line.split(";") for line in WRITTEN[version][kind]["csv"].decode().splitlines()))
    got = numbers(up.invoke(name, "\n".join(rows).encode(), content_type="text/csv").body.decode())
    assert numpy.allclose(got, numbers("\n".join(wanted)), rtol=1e-6, atol=1e-7)


# ---- what is refused ----

def unheard_of(written):
    written["learner"]["objective"] = {"name": "reg:unheard_of"}


def loose_trees(written):
    newer_xgboost.trees_of(written["learner"])["tree_info"].pop()


REFUSED = {
    "objective": (unheard_of, "reg:unheard_of"),
    "loose": (loose_trees, "not every tree has a group"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_no_forest_can_be_is_refused_with_the_reason(up, artifacts, kind):
    booster, _, _ = trained("reg:squarederror")
    spoil, reason = REFUSED[kind]
    written = newer_xgboost.as_of(newer_xgboost.document(booster), "3.1")
    spoil(written)
    refused(up, f"newer-{kind}", artifacts.tar(models.entry("xgboost-model.json", newer_xgboost.to_json(written))), reason)


def refused(up, name, uri, reason):
    up.create_model(name, uri)
    up.create_config(name, suite.variant_of(name))
    up.create_endpoint(name)
    endpoint, status = up.settled(name)
    assert status == "FAILED" and reason in endpoint.failure_reason, endpoint.failure_reason


# ---- what is said ----

def counted(up):
    """Cold starts so far: with a forest for every file, and through the library."""
    with urllib.request.urlopen(f"http://{up.admin('worker')}/metrics") as answer:
        values = dict(line.rsplit(" ", 1) for line in answer.read().decode().splitlines() if not line.startswith("#"))
    return [float(values[f"pilotlight_worker_{kind}_starts_total"]) for kind in ("forest", "library")]


def described(up, model):
    shown = suite.command("describe", "model", model, server=up.base)
    as_json = suite.command("describe", "model", model, "-o", "json", server=up.base)
    assert shown.returncode == as_json.returncode == 0, shown.stderr + as_json.stderr
    return shown.stdout, json.loads(as_json.stdout)["served_by"]


def test_it_is_told_that_a_model_has_a_forest(up, artifacts):
    booster, rows, _ = trained("reg:squarederror", max_depth=3)
    before = counted(up)
    up.serve("told-forest", artifacts.tar(models.entry("xgboost-model.json", newer_xgboost.to_json(newer_xgboost.document(booster)))))
    text, (served,) = described(up, "told-forest")
    assert re.search(r"served by endpoint +told-forest", text) and re.search(r"compiled forest +yes", text), text
    assert served["endpoint"] == "told-forest" and int(served["facts"]["forests"]) == 1 and not served["facts"].get("forest_note")
    assert up.invoke("told-forest", csv(rows[:1]), content_type="text/csv").timings.cold
    forests, library = counted(up)
    assert forests > before[0] and library == before[1]
    assert re.search(r"model_compiled .*result=\"0.forest: 20 trees, [1-9]", (up.folder / "state" / "log" / "worker.log").read_text())


def test_it_is_told_why_a_model_falls_back_to_the_library(up, artifacts):
    booster, rows, wanted = trained("reg:squarederror", booster="gblinear", updater="coord_descent")
    before = counted(up)
    up.serve("told-library", artifacts.tar(models.entry("xgboost-model.json", newer_xgboost.to_json(newer_xgboost.document(booster)))))
    text, (served,) = described(up, "told-library")
    assert re.search(r"compiled forest +no, by the runtime's library", text) and re.search(r"note +booster gblinear has no trees", text), text
    assert not int(served["facts"].get("forests", 0)) and "gblinear" in served["facts"]["forest_note"]
    answer = up.invoke("told-library", csv(rows[:1]), content_type="text/csv")
    assert answer.timings.cold and numpy.allclose(numbers(answer.body.decode()), wanted[:1].reshape(1, -1), rtol=1e-6)
    forests, library = counted(up)
    assert forests == before[0] and library > before[1]
    assert re.search(r"model_compiled .*result=\"0.why: booster gblinear", (up.folder / "state" / "log" / "worker.log").read_text())


# ---- compiled forests that are damaged ----

def flipped(whole):
    at = len(whole) * 2 // 3
    return whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1:]


def test_a_damaged_forest_is_refused_and_made_again(up, artifacts):
    """Whoever meets it is served by the library, the next start has a new one. Not for ever: it is an instance that says what is damaged."""
    def served_by_forest():
        before = counted(up)
        answer = up.invoke("damaged", csv(rows), content_type="text/csv")
        assert answer.timings.cold and numpy.allclose(numbers(answer.body.decode()), wanted.reshape(-1, 1), rtol=1e-6)
        suite.wait_until(lambda: counted(up) != before, "the start is counted")
        return counted(up)[0] > before[0]

    def forests():
        return set(up.folder.rglob(".pilotlight-forest-*/0.forest"))

    booster, rows, wanted = trained("reg:squarederror", max_depth=5, seed=30)
    others = forests()
    up.serve("damaged", artifacts.tar(models.entry("xgboost-model", bytes(booster.save_raw("ubj")))), keep_alive_ms=0)
    (forest,) = forests() - others
    whole = forest.read_bytes()
    assert served_by_forest()
    for damaged in (flipped(whole), whole[:len(whole) // 2], b""):
        forest.write_bytes(damaged)
        assert not served_by_forest()
        assert served_by_forest() and forest.read_bytes() == whole
    forest.write_bytes(flipped(whole))
    assert not served_by_forest() and not served_by_forest() and forest.read_bytes() == flipped(whole)
    assert (up.folder / "state" / "log" / "worker.log").read_text().count("forest_damaged") >= 4
