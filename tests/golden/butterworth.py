"""Butterworth designs, responses and group delays as SciPy computes them.

    pip install scipy==1.17.1 mpmath==1.3.0
    python tests/golden/butterworth.py > tests/golden/butterworth.json

Responses are computed with fifty digits from SciPy's sections: its own group delay multiplies both
polynomials first, which leaves five digits at 10 Hz of 48 kHz.

No case is centred on a quarter of the rate: there a pole is equally far from a zero at +1 and one at
-1, rounding decides which it is paired with, and the sections could differ while the filter does not.
"""

import json

import mpmath
from scipy import signal

mpmath.mp.dps = 50

# order, kind, edges in Hz, rate in Hz
DESIGNS = [
    (1, "lowpass", [10.0], 1000.0),
    (2, "lowpass", [0.5], 48000.0),
    (4, "lowpass", [40.0], 250.0),
    (5, "lowpass", [100.0], 250.0),
    (20, "lowpass", [1000.0], 48000.0),
    (1, "highpass", [0.5], 250.0),
    (3, "highpass", [20.0], 48000.0),
    (8, "highpass", [0.3], 100.0),
    (1, "bandpass", [5.0, 15.0], 250.0),
    (1, "bandpass", [0.05, 120.0], 250.0),
    (2, "bandpass", [5.0, 15.0], 200.0),
    (3, "bandpass", [0.5, 8.0], 64.0),
    (4, "bandpass", [1.0, 40.0], 250.0),
    (5, "bandpass", [300.0, 3400.0], 16000.0),
    (1, "bandstop", [49.0, 51.0], 250.0),
    (2, "bandstop", [48.0, 52.0], 1000.0),
    (3, "bandstop", [0.5, 110.0], 250.0),
    (4, "bandstop", [59.0, 61.0], 360.0),
]


def response(sections, radians):
    u = mpmath.exp(-1j * radians)
    return mpmath.fprod(
        mpmath.polyval(list(s[2::-1]), u) / mpmath.polyval(list(s[:2:-1]), u) for s in sections
    )


def delay_samples(sections, radians):
    derivative = mpmath.diff(lambda w: response(sections, w), radians)
    return -mpmath.im(derivative / response(sections, radians))


def case(order, kind, edges, rate):
    # SciPy wants one edge as a number, not as a list of one.
    wanted = edges if len(edges) > 1 else edges[0]
    sections = signal.butter(order, wanted, kind, fs=rate, output="sos")
    hz = [edges[0] * 0.5, edges[0], edges[-1] * 1.1]
    radians = [2 * mpmath.pi * mpmath.mpf(f) / mpmath.mpf(rate) for f in hz]
    return {
        "order": order,
        "kind": kind,
        "edges_hz": edges,
        "rate_hz": rate,
        "sections": sections.tolist(),
        "at_hz": hz,
        "magnitude": [float(abs(response(sections, w))) for w in radians],
        "delay_s": [float(delay_samples(sections, w) / rate) for w in radians],
    }


print("[" + ",\n".join(json.dumps(case(*design)) for design in DESIGNS) + "]")
