"""Models that newer XGBoost wrote: the installed library may refuse them, their compiled forest serves them all the same."""
import json

import numpy
import pytest
import xgboost

import models
import suite

ROUNDS, COLUMNS = 20, 6


def trained(objective, **parameters):
    rng = numpy.random.default_rng(5)
    rows = rng.normal(size=(600, COLUMNS)).astype(numpy.float32)
    labels = rows[:, 0] * 2 + rows[:, 1] * rows[:, 2]
    if objective.startswith("binary:"):
        labels = labels > 0
    elif objective.startswith("multi:"):
        labels = numpy.digitize(labels, [-1, 1])
    settings = {"objective": objective, "max_depth": 4, "nthread": 1, **parameters}
    return xgboost.train(settings, xgboost.DMatrix(rows, labels), ROUNDS), rows[:20]


def as_written_by(booster, version):
    """The same trees in the layout of XGBoost 3: base_score is a list, categories and weights have members of their own."""
    document = json.loads(booster.save_raw("json"))
    learner = document["learner"]
    parameters = learner["learner_model_param"]
    scores = [float(parameters["base_score"])] * max(1, int(parameters["num_class"]))
    parameters["base_score"] = "[" + ",".join(f"{score:.9E}" for score in scores) + "]"
    parameters["boost_from_average"] = "1"
    trees = learner["gradient_booster"].get("gbtree", learner["gradient_booster"])  # dart has them one deeper
    trees["model"]["cats"] = {"enc": [], "feature_segments": [], "sorted_idx": []}
    document["version"] = version
    return json.dumps(document).encode()


KINDS = {
    "regression": ("reg:squarederror", {}),
    "binary": ("binary:logistic", {}),
    "classes": ("multi:softprob", {"num_class": 3}),
    "parallel": ("reg:squarederror", {"num_parallel_tree": 2}),
    "dart": ("reg:squarederror", {"booster": "dart", "rate_drop": 0.2}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_layout_of_version_3(up, artifacts, kind):
    objective, parameters = KINDS[kind]
    booster, rows = trained(objective, **parameters)
    name = f"newer-{kind}"
    up.serve(name, artifacts.tar(models.entry("xgboost-model.json", as_written_by(booster, [3, 0, 0]))))
    body = "".join(",".join(repr(float(cell)) for cell in row) + "\n" for row in rows).encode()
    answer = up.invoke(name, body, content_type="text/csv").body.decode()
    got = numpy.array([[float(cell) for cell in line.replace("[", "").replace("]", "").split(",")] for line in answer.splitlines()])
    wanted = booster.inplace_predict(rows).reshape(len(rows), -1)
    assert numpy.allclose(got, wanted, rtol=1e-6, atol=0)


def test_describe_says_how_it_is_served(up, artifacts):
    booster, _ = trained("reg:squarederror")
    up.serve("newer-described", artifacts.tar(models.entry("xgboost-model.json", as_written_by(booster, [3, 1, 0]))))
    shown = suite.command("describe", "endpoint", "newer-described", server=up.base)
    assert shown.returncode == 0 and "compiled forest" in shown.stdout, shown.stdout


def test_what_no_forest_can_be_is_refused_with_the_reason(up, artifacts):
    booster, _ = trained("reg:squarederror", booster="gblinear", updater="coord_descent")
    up.create_model("newer-linear", artifacts.tar(models.entry("xgboost-model.json", as_written_by(booster, [3, 0, 0]))))
    up.create_config("newer-linear", suite.variant_of("newer-linear"))
    up.create_endpoint("newer-linear")
    endpoint, status = up.settled("newer-linear")
    assert status == "FAILED" and "gblinear" in endpoint.failure_reason, endpoint.failure_reason
