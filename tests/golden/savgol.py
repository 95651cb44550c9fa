"""Savitzky-Golay filters as SciPy designs them.

    pip install scipy==1.17.1 mpmath==1.3.0
    python tests/golden/savgol.py > tests/golden/savgol.json

SciPy solves with the powers of the place, which leaves nine digits of a long window; `taps` are solved
with fifty digits here, and must agree with SciPy to the nine. savgol_nearest.json is what SciPy's
`savgol_filter(..., mode="nearest")` makes of a signal.
"""

import json

import mpmath
import numpy
from scipy import signal

mpmath.mp.dps = 50

# window length, order, derivative, time between samples, place told (None: the middle)
DESIGNS = [
    (5, 2, 0, 1.0, None),
    (11, 3, 0, 1.0, None),
    (11, 3, 1, 0.004, None),
    (11, 3, 2, 0.004, None),
    (10, 2, 0, 1.0, None),
    (11, 3, 0, 1.0, 10),
    (15, 2, 1, 0.01, 14),
    (25, 4, 0, 1.0, 20),
    (101, 5, 0, 1.0, None),
    (301, 5, 1, 0.001, None),
    (7, 6, 0, 1.0, None),
    (5, 2, 3, 1.0, None),
]
SIGNAL = [((n * 37) % 101) / 16 for n in range(40)]


def exact(length, order, deriv, delta, pos):
    places = [mpmath.mpf(n) - pos for n in range(length - 1, -1, -1)]
    if deriv > order:
        return [0.0] * length
    powers = mpmath.matrix([[x**k for x in places] for k in range(order + 1)])
    wanted = mpmath.zeros(order + 1, 1)
    wanted[deriv] = mpmath.factorial(deriv) / mpmath.mpf(delta) ** deriv
    return list(powers.T * mpmath.lu_solve(powers * powers.T, wanted))


def case(length, order, deriv, delta, pos):
    scipys = signal.savgol_coeffs(length, order, deriv=deriv, delta=delta, pos=pos)
    told = (length - 1) / 2 if pos is None else pos
    taps = [float(tap) for tap in exact(length, order, deriv, delta, mpmath.mpf(told))]
    lost = 1e-9
    assert numpy.allclose(taps, scipys, rtol=0, atol=lost * max(map(abs, taps)) + 1e-300), (length, order)
    return {"window_length": length, "polyorder": order, "deriv": deriv, "delta": delta, "pos": told, "taps": taps}


cases = [case(*design) for design in DESIGNS]
nearest = signal.savgol_filter(SIGNAL, 11, 3, deriv=1, delta=0.004, mode="nearest")
print("[" + ",\n".join(json.dumps(case) for case in cases) + "]")
with open(__file__.replace("savgol.py", "savgol_nearest.json"), "w") as file:
    print(json.dumps({"signal": SIGNAL, "nearest": nearest.tolist()}), file=file)
