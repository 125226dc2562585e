"""Models without a script: fitted estimators and pickled Boosters."""
import json
import os
import pathlib
import pickle

import joblib
import numpy
import pandas
import pytest
import rig
import xgboost
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

DATA, TARGET = load_breast_cancer(return_X_y=True)
ROWS = DATA[::20]


def csv(rows):
    return "".join(",".join(repr(float(v)) for v in row) + "\n" for row in rows)


@pytest.fixture(scope="module")
def forest():
    return make_pipeline(StandardScaler(), RandomForestClassifier(20, random_state=1)).fit(DATA, TARGET)


@pytest.fixture
def serve(tmp_path):
    running = []

    def start(model, name="model.joblib", dump=joblib.dump, **environment):
        dump(model, tmp_path / name)
        instance = rig.Instance(tmp_path, **environment)
        running.append(instance)
        return instance, instance.start()

    yield start
    for instance in running:
        instance.__exit__(None, None, None)


def to_pickle(model, path):
    pathlib.Path(path).write_bytes(pickle.dumps(model))


@pytest.mark.parametrize("name, dump", [("model.joblib", joblib.dump), ("model.pkl", to_pickle), ("my.pickle", to_pickle),
                                        ("xgboost-model", to_pickle)])  # fmt: skip
def test_an_estimator_is_served_as_it_is(serve, forest, name, dump):
    instance, facts = serve(forest, name, dump)
    assert facts.features == 30 and facts.objective == "Pipeline(StandardScaler, RandomForestClassifier)"
    assert facts.runtime_version.startswith("python 3.") and "scikit-learn" in facts.runtime_version
    expected = forest.predict(ROWS.astype(numpy.float32)).tolist()
    assert json.loads(instance.ask(csv(ROWS), "text/csv").body) == expected
    assert json.loads(instance.ask(json.dumps(ROWS.tolist()), "application/json").body) == expected
    assert instance.ask(csv(ROWS), "text/csv", "text/csv").body.decode().split() == [str(v) for v in expected]


def test_another_method_can_be_asked_for(serve, forest):
    instance, _ = serve(forest, PILOTLIGHT_PREDICT_METHOD="predict_proba")
    got = numpy.array(json.loads(instance.ask(csv(ROWS), "text/csv").body))
    assert numpy.allclose(got, forest.predict_proba(ROWS.astype(numpy.float32)))


def test_a_method_that_is_not_there_is_named(serve, forest):
    with pytest.raises(rig.Failure) as e:
        serve(forest, PILOTLIGHT_PREDICT_METHOD="divine")
    assert "PILOTLIGHT_PREDICT_METHOD is 'divine', which a Pipeline does not have" in e.value.text


def test_a_wrong_count_of_columns_is_the_callers_mistake(serve, forest):
    instance, _ = serve(forest)
    with pytest.raises(rig.Failure) as e:
        instance.ask("1,2,3", "text/csv")
    assert (e.value.status, e.value.text) == (400, "the body has 3 columns, but the model was fitted on 30")


def test_text_models_take_plain_text_and_json_lists(serve):
    texts = ["good fine great", "bad awful poor", "great good", "poor bad"] * 5
    model = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(texts, [1, 0, 1, 0] * 5)
    instance, _ = serve(model)
    assert json.loads(instance.ask("what a great day", "text/plain").body) == [1]
    assert json.loads(instance.ask('["awful", "fine"]', "application/json").body) == [0, 1]


def test_models_of_named_columns_get_them(serve):
    frame = pandas.DataFrame({"age": [20, 30, 40, 50] * 5, "city": ["ulm", "bonn", "ulm", "kiel"] * 5})
    model = make_pipeline(
        make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["city"]), remainder="passthrough"), LogisticRegression()
    ).fit(frame, [0, 1, 0, 1] * 5)
    instance, _ = serve(model)
    expected = model.predict(frame[:4]).tolist()
    assert json.loads(instance.ask("20,ulm\n30,bonn\n40,ulm\n50,kiel", "text/csv").body) == expected
    assert json.loads(instance.ask("age,city\n20,ulm\n30,bonn", "text/csv").body) == expected[:2], "a line of names is no row"
    records = json.dumps({"instances": frame[:4].to_dict("records")})
    assert json.loads(instance.ask(records, "application/json").body) == expected
    assert "feature names" not in instance.log()
    with pytest.raises(rig.Failure) as e:
        instance.ask("20", "text/csv")
    assert (e.value.status, e.value.text) == (400, "the body has 1 columns, but the model was fitted on 2")


def test_a_pickled_booster_predicts_like_itself(serve):
    booster = xgboost.train({"objective": "binary:logistic", "max_depth": 3, "nthread": 1}, xgboost.DMatrix(DATA, TARGET), 5)
    instance, facts = serve(booster, "xgboost-model", to_pickle)
    assert facts.features == 30 and facts.objective == "Booster" and "xgboost" in facts.runtime_version
    expected = booster.predict(xgboost.DMatrix(ROWS.astype(numpy.float32))).tolist()
    assert json.loads(instance.ask(csv(ROWS), "text/csv").body) == expected
    libsvm = "".join("0 " + " ".join(f"{i}:{float(v)!r}" for i, v in enumerate(row)) + "\n" for row in ROWS)
    assert json.loads(instance.ask(libsvm, "text/libsvm").body) == expected


def test_what_cannot_be_served_says_why(serve, tmp_path):
    with pytest.raises(rig.Failure) as e:
        serve({"weights": [1, 2]})
    assert "model.joblib holds a dict, which has no predict()" in e.value.text


def test_an_empty_artifact_says_what_was_looked_for(tmp_path):
    (tmp_path / "notes.txt").write_text("x")
    with rig.Instance(tmp_path) as instance:
        with pytest.raises(rig.Failure) as e:
            instance.start()
    assert "neither code/inference.py nor one model.joblib or model.pkl: its top has notes.txt" in e.value.text


def test_two_models_are_one_too_many(tmp_path):
    for name in ("a.pkl", "b.pkl"):
        to_pickle(1, tmp_path / name)
    with rig.Instance(tmp_path) as instance:
        with pytest.raises(rig.Failure) as e:
            instance.start()
    assert "a.pkl, b.pkl" in e.value.text


def test_a_damaged_pickle_fails_to_load(tmp_path):
    (tmp_path / "model.pkl").write_bytes(b"\x80\x05broken")
    with rig.Instance(tmp_path) as instance:
        with pytest.raises(rig.Failure) as e:
            instance.start()
    assert e.value.status == 500 and e.value.text.startswith("loading model.pkl: ")


def test_a_pickle_of_a_class_that_is_not_here_names_it(tmp_path):
    (tmp_path / "model.pkl").write_bytes(b"cno_such_package\nModel\n.")
    with rig.Instance(tmp_path) as instance:
        with pytest.raises(rig.Failure) as e:
            instance.start()
    assert "No module named 'no_such_package'" in e.value.text


class Exits:
    def __reduce__(self):
        return os._exit, (9,)


def test_a_pickle_that_ends_the_process_is_a_death(tmp_path):
    to_pickle(Exits(), tmp_path / "model.pkl")
    with rig.Instance(tmp_path) as instance:
        with pytest.raises(rig.Died) as e:
            instance.start()
    assert str(e.value).startswith("exit 9")
