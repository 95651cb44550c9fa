"""Notches as SciPy designs them.

    pip install scipy==1.17.1
    python tests/golden/notch.py > tests/golden/notch.json
"""

import json

from scipy import signal

# frequency in Hz, quality, rate in Hz
DESIGNS = [(50.0, 30.0, 250.0), (60.0, 35.0, 1000.0), (50.0, 1.0, 250.0), (0.3, 5.0, 100.0), (120.0, 30.0, 250.0)]


def case(hz, q, rate):
    b, a = signal.iirnotch(hz, q, fs=rate)
    return {"notch_hz": hz, "q": q, "rate_hz": rate, "section": [*b, *a]}


print("[" + ",\n".join(json.dumps(case(*design)) for design in DESIGNS) + "]")
