"""FIR filters by the window method as SciPy computes them.

    pip install scipy==1.17.1
    python tests/golden/fir_design.py > tests/golden/fir_design.json
"""

import json

from scipy import signal

# taps, kind, edges in Hz, window, beta of a Kaiser window, rate in Hz
DESIGNS = [
    (1, "lowpass", [10.0], "hamming", None, 250.0),
    (2, "lowpass", [10.0], "hamming", None, 250.0),
    (21, "lowpass", [10.0], "hamming", None, 250.0),
    (64, "lowpass", [4000.0], "kaiser", 8.6, 48000.0),
    (33, "highpass", [0.5], "blackman", None, 100.0),
    (31, "highpass", [40.0], "boxcar", None, 100.0),
    (40, "bandpass", [5.0, 15.0], "hann", None, 200.0),
    (101, "bandpass", [300.0, 3400.0], "kaiser", 2.5, 16000.0),
    (63, "bandstop", [49.0, 51.0], "hamming", None, 250.0),
]


def case(taps, kind, edges, window, beta, rate):
    # SciPy wants one edge as a number, not as a list of one.
    wanted = edges if len(edges) > 1 else edges[0]
    shape = window if beta is None else (window, beta)
    filter_ = signal.firwin(taps, wanted, pass_zero=kind, window=shape, fs=rate)
    return {
        "taps": taps,
        "kind": kind,
        "edges_hz": edges,
        "window": window,
        **({} if beta is None else {"beta": beta}),
        "rate_hz": rate,
        "filter": filter_.tolist(),
    }


print("[" + ",\n".join(json.dumps(case(*design)) for design in DESIGNS) + "]")
