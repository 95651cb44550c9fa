"""Heart-rate variability as neurokit2 (and astropy) compute it.

    pip install neurokit2==0.2.13 scipy==1.17.1 numpy==2.4.6 astropy==8.0.2 pandas==2.3.3
    python tests/golden/hrv.py > tests/golden/hrv.json

The intervals are made here: a mean that wanders, waves of 0.1 Hz (blood pressure) and of breathing,
and uniform noise of a linear congruential generator, rounded to whole milliseconds or microseconds.
All results are of intervals in milliseconds, without times: neurokit2 adds them up.
"""

import json
import math
import warnings

import neurokit2 as nk
import numpy as np
from astropy.timeseries import LombScargle
from neurokit2.hrv.hrv_nonlinear import _hrv_nonlinear_poincare

warnings.simplefilter("ignore")


def series(seed, seconds, mean_ms, low_ms, high_ms, breath_hz, noise_ms, digits):
    state, t, rr = seed, 0.0, []
    while True:
        state = (1664525 * state + 1013904223) % 2**32
        noise = state / 2**32 - 0.5
        next_ms = (
            mean_ms
            + 0.05 * mean_ms * math.sin(2 * math.pi * t / 700)
            + low_ms * math.sin(2 * math.pi * 0.1 * t)
            + high_ms * math.sin(2 * math.pi * breath_hz * t)
            + noise_ms * noise
        )
        next_ms = round(next_ms, digits)
        if t + next_ms / 1000 > seconds:
            return np.array(rr)
        t += next_ms / 1000
        rr.append(next_ms)


# name, then what `series` takes
CASES = [
    ("rest", 1, 300.0, 850.0, 40.0, 30.0, 0.25, 40.0, 3),
    ("exercise", 2, 300.0, 420.0, 6.0, 4.0, 0.45, 8.0, 3),
    ("slow_breathing", 3, 300.0, 950.0, 5.0, 120.0, 0.1, 60.0, 3),
    ("whole_ms", 4, 300.0, 1000.0, 50.0, 20.0, 0.22, 90.0, 0),
    ("half_hour", 5, 1800.0, 800.0, 30.0, 30.0, 0.28, 60.0, 0),
]


def segments(rr, minutes):
    """SDANN and SDNNI with every interval, where neurokit2 leaves out the last of each segment."""
    size, ends = minutes * 60000, np.cumsum(rr)
    count = int(np.round(ends[-1] / size))
    if count < 3:
        return [None, None]
    parts = [rr[(ends >= n * size) & (ends < (n + 1) * size)] for n in range(count)]
    sdann = np.std([np.mean(part) for part in parts], ddof=1)
    return [float(sdann), float(np.mean([np.std(part, ddof=1) for part in parts]))]


def tinn(rr, size=1000 / 128):
    """The triangle over every N and M, where neurokit2 tries the first N only."""
    edges = np.arange(0, np.max(rr) + size, size)
    heights, _ = np.histogram(rr, bins=edges)
    peak = int(np.argmax(heights))
    best = (np.inf, 0.0)
    for n in [n for n in range(peak) if edges[n] > np.min(rr)]:
        for m in [m for m in range(peak + 1, len(edges)) if edges[m] < np.max(rr)]:
            corners = [edges[n], edges[peak], edges[m]]
            line = np.interp(edges[n : m + 1], corners, [0, heights[peak], 0])
            error = np.sum((heights[n : m + 1] - line) ** 2)
            best = min(best, (error, float(edges[m] - edges[n])))
    return best[1]


def number(value):
    value = float(value)
    return value if math.isfinite(value) else None


def frequency(rr, window_s):
    t = np.cumsum(rr) / 1000
    step = 1 / (5 * window_s)
    hz = np.arange(20, round(0.5 / step) + 1) * step
    psd = LombScargle(t, rr, normalization="psd").power(hz, method="slow")
    density = psd * 2 / len(rr) * (t[-1] - t[0])
    edges = [0.0, 0.0033, 0.04, 0.15, 0.4, 0.5]
    inside = [(hz >= low - 1e-12) & (hz < high - 1e-12) for low, high in zip(edges, edges[1:])]
    bands = [float(np.trapezoid(density[band], hz[band])) for band in inside]
    rri = {"RRI": rr}
    lomb = nk.hrv_frequency(rri, psd_method="lomb", interpolation_rate=None, silent=True)
    welch = nk.hrv_frequency(
        rri, psd_method="welch", interpolation_rate=4, normalize=False, silent=True
    )
    return {
        "window_s": window_s,
        "lomb_density": density[:: len(density) // 20].tolist(),
        "lomb_bands": bands,
        "lomb_lfhf": number(lomb["HRV_LFHF"].iloc[0]),
        "welch_lf": number(welch["HRV_LF"].iloc[0]),
        "welch_hf": number(welch["HRV_HF"].iloc[0]),
        "welch_lfhf": number(welch["HRV_LFHF"].iloc[0]),
    }


def case(name, *parameters):
    rr = series(*parameters)
    time = nk.hrv_time({"RRI": rr}).iloc[0].to_dict()
    out = {key[4:]: number(value) for key, value in time.items()}
    out["TINN_any"] = tinn(rr)
    out |= {f"segments{minutes}": segments(rr, minutes) for minutes in (1, 2, 5)}
    out |= {k: float(v) for k, v in _hrv_nonlinear_poincare(rr, out={}).items()}
    out["DFA_alpha1"] = float(nk.fractal_dfa(rr, scale=np.arange(4, 12))[0])
    tolerance = 0.2 * np.std(rr, ddof=1)
    out["SampEn"] = float(nk.entropy_sample(rr, delay=1, dimension=2, tolerance=tolerance)[0])
    out |= frequency(rr, parameters[1])
    return {"name": name, **out, "rr_us": [round(1000 * ms) for ms in rr]}


print("[" + ",\n".join(json.dumps(case(*each)) for each in CASES) + "]")
