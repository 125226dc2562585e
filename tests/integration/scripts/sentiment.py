"""TF-IDF and logistic regression over raw text, one text a line."""
import os

import joblib


def model_fn(model_dir):
    return joblib.load(os.path.join(model_dir, "model.joblib"))


def input_fn(body, content_type):
    if content_type.partition(";")[0] != "text/plain":
        raise ValueError("send text/plain, not " + content_type)
    text = body.decode() if isinstance(body, bytes) else body
    return text.splitlines()


def output_fn(prediction, accept):
    return "\n".join(prediction) + "\n", "text/plain; charset=utf-8"
