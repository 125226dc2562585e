#!/usr/bin/python3
"""A scikit-learn model as its users have it: a process that imports scikit-learn, loads the model and predicts a row.

    estimator_once.py MODEL CSV-ROW              says the prediction and ends
    estimator_once.py MODEL CSV-ROW --time N     how long N predictions take, one by one: the median, in microseconds
    estimator_once.py MODEL CSV-ROW --stay       stays until its input ends
"""
import statistics
import sys
import time

import joblib
import numpy
import sklearn  # noqa: F401 (what the model needs of it comes with the model)

model = joblib.load(sys.argv[1])
row = numpy.array([sys.argv[2].split(",")], dtype=numpy.float32)
prediction = model.predict(row)
if "--time" in sys.argv:
    took = []
    for _ in range(int(sys.argv[4])):
        start = time.perf_counter_ns()
        model.predict(row)
        took.append(time.perf_counter_ns() - start)
    print(statistics.median(took) / 1000, flush=True)
else:
    print(prediction[0], flush=True)
if "--stay" in sys.argv:
    sys.stdin.read()
