#!/usr/bin/python3
"""A scikit-learn model as its users have it: a process that imports scikit-learn, loads the model and predicts a row.

    estimator_once.py MODEL CSV-ROW              says the prediction and ends
    estimator_once.py MODEL CSV-ROW --time       for each number N in its input: how long N predictions take, one by one; the median, in
                                                 microseconds
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


def median_us(calls):
    took = []
    for _ in range(calls):
        start = time.perf_counter_ns()
        model.predict(row)
        took.append(time.perf_counter_ns() - start)
    return statistics.median(took) / 1000


prediction = model.predict(row)
print(prediction[0], flush=True)
if "--time" in sys.argv:
    for line in sys.stdin:
        print(median_us(int(line)), flush=True)
if "--stay" in sys.argv:
    sys.stdin.read()
