#!/usr/bin/python3
"""A cold start as Python users have it: a process that imports xgboost, loads a model, predicts one row, says it and ends.

    python_once.py MODEL CSV-ROW
"""
import sys

import numpy
import xgboost

booster = xgboost.Booster({"nthread": 1})
booster.load_model(sys.argv[1])
row = numpy.array([sys.argv[2].split(",")], dtype=numpy.float32)
print(booster.inplace_predict(row)[0], flush=True)
