"""FIR filters by least squares as SciPy designs them.

    pip install scipy==1.17.1
    python tests/golden/fir_least_squares.py > tests/golden/fir_least_squares.json

`condition` is that of the equations, by which roundings of 1e-16 may grow on their way to the taps.
"""

import json

import numpy
from scipy import linalg, signal

# taps, kind, edges in Hz, transition in Hz, weight of what is stopped, rate in Hz
DESIGNS = [
    (11, "lowpass", [40.0], 40.0, 1.0, 250.0),
    (65, "lowpass", [40.0], 8.0, 1.0, 250.0),
    (65, "lowpass", [40.0], 8.0, 100.0, 250.0),
    (101, "highpass", [5.0], 4.0, 10.0, 250.0),
    (73, "bandpass", [5.0, 15.0], 6.0, 1.0, 200.0),
    (129, "bandstop", [45.0, 55.0], 5.0, 1.0, 360.0),
]


def case(taps, kind, edges, transition, weight, rate):
    half = transition / 2
    corners = [0.0] + [edge + side for edge in edges for side in (-half, half)] + [rate / 2]
    passes = {"lowpass": [1, 0], "highpass": [0, 1], "bandpass": [0, 1, 0], "bandstop": [1, 0, 1]}[kind]
    desired = [level for level in passes for _ in range(2)]
    weights = [1.0 if level else weight for level in passes]
    filter = signal.firls(taps, corners, desired, weight=weights, fs=rate)

    bands = numpy.array(corners).reshape(-1, 2) * 2 / rate
    n = numpy.arange(taps)[:, None, None]
    q = numpy.diff(numpy.sinc(bands * n) * bands, axis=2)[:, :, 0] @ numpy.array(weights)
    middle = (taps - 1) // 2
    equations = linalg.toeplitz(q[: middle + 1]) + linalg.hankel(q[: middle + 1], q[middle:])
    return {
        "taps": taps,
        "kind": kind,
        "edges_hz": edges,
        "transition_hz": transition,
        "stop_weight": weight,
        "rate_hz": rate,
        "condition": numpy.linalg.cond(equations),
        "filter": filter.tolist(),
    }


print("[" + ",\n".join(json.dumps(case(*design)) for design in DESIGNS) + "]")
