"""Features of sliding windows as NumPy, SciPy and neurokit2 compute them.

    pip install numpy==2.4.6 scipy==1.17.1 neurokit2==0.2.13
    python tests/golden/features.py > tests/golden/features.json
"""

import json

import neurokit2
import numpy
from scipy import stats

RATE_HZ = 1000.0
N = numpy.arange(200)
X = ((N * 7919 + N * N * 13) % 1009 - 400) / 64.0
# The first window that is full, others about where blocks of windows end, and the last.
AT = {25: [24, 25, 48, 49, 50, 51, 74, 75, 76, 123, 199], 32: [31, 32, 62, 63, 64, 65, 95, 96, 150, 199]}


def windows(size):
    return [X[n - size + 1 : n + 1] for n in AT[size]]


def case(name, size, value, params="", port=0):
    want = [float(value(window)) for window in windows(size)]
    params = f"window_s = {size / RATE_HZ!r}" + params
    return {"name": name, "params": params, "port": port, "at": AT[size], "want": want}


def hjorth(window):
    complexity, info = neurokit2.complexity_hjorth(window)
    return info["Activity"], info["Mobility"], complexity


def robust(window):
    return (window[-1] - numpy.median(window)) / stats.median_abs_deviation(window, scale="normal")


def crossings(window):
    return RATE_HZ * numpy.count_nonzero(numpy.diff(numpy.sign(window))) / (len(window) - 1)


def slope(window):
    return numpy.polyfit(numpy.arange(len(window)) / RATE_HZ, window, 1)[0]


CASES = []
for size in AT:
    CASES.append(case("rms", size, lambda x: numpy.sqrt(numpy.mean(x * x))))
    CASES.append(case("line_length", size, lambda x: numpy.sum(numpy.abs(numpy.diff(x)))))
    CASES.append(case("zero_crossings", size, crossings))
    CASES.append(case("slope", size, slope))
    for port in range(3):
        CASES.append(case("hjorth", size, lambda x, port=port: hjorth(x)[port], port=port))
    for percent in [0.0, 10.0, 50.0, 97.5, 100.0]:
        want = lambda x, percent=percent: numpy.percentile(x, percent)
        CASES.append(case("percentile", size, want, f"; percentile_pct = {percent!r}"))
    CASES.append(case("zscore", size, robust, "; method = 'robust'"))
    CASES.append(case("zscore", size, lambda x: stats.zscore(x)[-1], "; method = 'standard'"))

print("[")
print(",\n".join(json.dumps(case) for case in CASES))
print("]")
