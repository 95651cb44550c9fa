"""Peaks as SciPy's find_peaks finds them.

    pip install numpy==2.4.6 scipy==1.17.1
    python tests/golden/peaks.py > tests/golden/peaks.json
"""

import json

import numpy
from scipy import signal

N = numpy.arange(600)

# step, levels, height, prominence, wlen
CASES = [
    (13, 29, -100.0, 0.0, 41),
    (13, 29, -100.0, 5.0, 41),
    (13, 29, 5.0, 12.0, 41),
    (13, 29, -100.0, 20.0, 15),
    (7, 5, -100.0, 2.0, 9),
    (7, 5, -100.0, 4.0, 200),
    (3, 101, 40.0, 60.0, 31),
    (1, 11, -100.0, 9.0, 61),
]

LINES = []
for step, levels, height, prominence, wlen in CASES:
    x = (N * 7919 + N * N * step) % levels - (N % 90) // 9
    peaks, _ = signal.find_peaks(x.astype(float), height=height, prominence=prominence, wlen=wlen)
    case = {"step": step, "levels": levels, "height": height, "prominence": prominence, "wlen": wlen}
    LINES.append(json.dumps(case | {"peaks": peaks.tolist()}))

print("[")
print(",\n".join(LINES))
print("]")
