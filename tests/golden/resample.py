"""Signals at other rates as SciPy computes them.

    pip install scipy==1.17.1 numpy==2.4.6
    python tests/golden/resample.py > tests/golden/resample.json

The signal is made of whole numbers and exact in 32 bits.
"""

import json

import numpy as np
from scipy import signal


def sound(count):
    numbers, state = [], 1
    for _ in range(count):
        state = (75 * state + 74) % 65537
        numbers.append(state / 32768 - 1)
    return np.array(numbers)


for up, down, count in [(1, 3, 100), (2, 1, 40), (5, 7, 61), (25, 36, 120)]:
    x = sound(count)
    y = signal.resample_poly(x, up, down)
    output = [float(f"{value:.12g}") for value in y]
    print(json.dumps({"up": up, "down": down, "input": x.tolist(), "output": output}))
