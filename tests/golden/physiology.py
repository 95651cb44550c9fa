"""What SciPy makes of a signal where `eda` splits it and `emg` rectifies it, and how lopsided numbers are.

    pip install scipy==1.17.1 numpy==2.4.6
    python tests/golden/physiology.py > tests/golden/physiology.json

The signal is made of whole numbers, so that both sides have the same: sample n is
3 + ((7919 n + 13 n²) mod 1009) / 1024 for `eda`, and 2048 + ((7919 n + 13 n²) mod 1009) - 504 for `emg`.
"""

import json

import numpy as np
from scipy import signal, stats


def whole(count):
    n = np.arange(count)
    return (7919 * n + 13 * n * n) % 1009


def split(rate_hz, cutoff_hz):
    x = 3 + whole(4000) / 1024
    sos = signal.butter(2, cutoff_hz, "highpass", fs=rate_hz, output="sos")
    phasic, _ = signal.sosfilt(sos, x, zi=signal.sosfilt_zi(sos) * x[0])
    at = [0, 1, 2, 5, 10, 50, 200, 999, 2000, 3999]
    return {"case": "split", "rate_hz": rate_hz, "cutoff_hz": cutoff_hz, "at": at,
            "tonic": [float((x - phasic)[n]) for n in at], "phasic": [float(phasic[n]) for n in at]}


def envelope(rate_hz, low_hz, envelope_hz):
    x = 2048.0 + whole(4000) - 504
    high = signal.butter(4, low_hz, "highpass", fs=rate_hz, output="sos")
    y, _ = signal.sosfilt(high, x, zi=signal.sosfilt_zi(high) * x[0])
    low = signal.butter(2, envelope_hz, "lowpass", fs=rate_hz, output="sos")
    out = np.maximum(signal.sosfilt(low, np.abs(y)), 0)
    at = [0, 1, 2, 5, 10, 50, 200, 999, 2000, 3999]
    return {"case": "envelope", "rate_hz": rate_hz, "low_hz": low_hz, "envelope_hz": envelope_hz, "at": at,
            "envelope": [float(out[n]) for n in at]}


def skewness(count):
    x = (whole(count) / 1024) ** 3
    return {"case": "skewness", "count": count, "skewness": float(stats.skew(x))}


CASES = [split(4.0, 0.05), split(20.0, 0.05), split(100.0, 0.05), split(1000.0, 0.05), split(20.0, 0.2),
         envelope(1000.0, 20.0, 8.0), envelope(1000.0, 100.0, 8.0), envelope(250.0, 20.0, 3.0),
         skewness(10), skewness(300)]
print("[" + ",\n".join(json.dumps(case) for case in CASES) + "]")
