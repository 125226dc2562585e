"""A scikit-learn pipeline as its owner would deploy it: text/csv or JSON in, class and probability out."""
import json
import os

import joblib
import numpy


def model_fn(model_dir):
    return joblib.load(os.path.join(model_dir, "model.joblib"))


def predict_fn(data, model):
    rows = numpy.atleast_2d(data)
    return [{"label": str(label), "probability": float(most)}
            for label, most in zip(model.predict(rows), model.predict_proba(rows).max(axis=1))]


def output_fn(prediction, accept):
    if accept == "text/csv":
        return "".join("%s,%.6f\n" % (p["label"], p["probability"]) for p in prediction), "text/csv"
    return json.dumps({"predictions": prediction}), "application/json"
