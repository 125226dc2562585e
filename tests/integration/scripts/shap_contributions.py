"""An XGBoost model that explains itself: the prediction of each row, and what each column added to it (SHAP values)."""
import json
import os

import xgboost


def model_fn(model_dir):
    booster = xgboost.Booster()
    booster.load_model(os.path.join(model_dir, "xgboost-model.json"))
    booster.set_param({"nthread": 1})
    return booster


def predict_fn(data, model):
    return model.predict(data), model.predict(data, pred_contribs=True)


def output_fn(prediction, accept):
    values, contributions = prediction
    rows = [{"prediction": float(value), "bias": float(row[-1]), "contributions": [float(c) for c in row[:-1]]}
            for value, row in zip(values, contributions)]
    return json.dumps(rows), "application/json"
