"""Causal complex filters by SciPy's Toeplitz solver.

    pip install scipy==1.17.1 numpy==2.4.6
    python tests/golden/cfir.py > tests/golden/cfir.json

Correlations are sums over the frequencies of a grid of 16 times as many lines as taps, rounded up to
a power of two, with cosines written out instead of a transform. `delay` is the target in samples; lag
and likeness belong to it.
"""

import json

import numpy as np
from scipy.linalg import solve_toeplitz

# rate, edges, taps, slope, alpha, target in samples
DESIGNS = [
    (250.0, 8.0, 13.0, 125, 1.0, 5.0, 12.5),
    (250.0, 4.0, 8.0, 125, 1.0, 5.0, 20.0),
    (128.0, 13.0, 30.0, 40, 1.5, 2.0, 6.0),
    (512.0, 8.0, 12.0, 64, 0.0, 0.0, 0.0),
]


def case(rate, low, high, taps, slope, alpha, delay):
    lines = 1 << int(np.ceil(np.log2(16 * taps)))
    f = np.fft.fftfreq(lines, 1 / rate)
    noise = np.maximum(np.abs(f), min(0.5, low / 4)) ** -slope
    noise = noise * (1 + alpha * np.exp(-0.5 * (np.abs(f) - 10.0) ** 2))
    step = rate / lines
    share = np.clip(np.minimum(f + step / 2, high) - np.maximum(f - step / 2, low), 0, None) / step
    ideal = 2 * noise * share
    k = np.arange(taps)
    signal = np.array([np.sum(noise * np.cos(2 * np.pi * f * n / rate)) for n in k])
    power = signal[0]
    signal = signal + 1e4 * power
    for hum in (50.0, 60.0):
        if hum < rate / 2 and not low <= hum <= high:
            signal = signal + 10 * power * np.cos(2 * np.pi * hum * k / rate)
    signal[0] += 1e-4 * power
    wanted = np.array([np.sum(ideal * np.exp(2j * np.pi * f * (n - delay) / rate)) for n in k])
    b = solve_toeplitz(signal, wanted.real) + 1j * solve_toeplitz(signal, wanted.imag)
    response = np.array([np.sum(b * np.exp(-2j * np.pi * at * k / rate)) for at in f])
    common = np.array([abs(np.sum(ideal * response * np.exp(2j * np.pi * f * n / rate))) for n in k])
    at = int(np.argmax(common))
    off, peak = 0.0, common[at]
    if 0 < at < taps - 1:
        before, behind = common[at - 1], common[at + 1]
        off = 0.5 * (before - behind) / (before - 2 * peak + behind)
        peak = peak - 0.25 * (before - behind) * off
    centre = np.sqrt(low * high)
    b = b * 2 / abs(np.sum(b * np.exp(-2j * np.pi * centre * k / rate)))
    full = np.array([np.sum(signal[np.abs(n - k)] * b) for n in k])
    scale = abs(np.sum(solve_toeplitz(signal, wanted.real) * np.exp(-2j * np.pi * centre * k / rate)
                       + 1j * solve_toeplitz(signal, wanted.imag) * np.exp(-2j * np.pi * centre * k / rate))) / 2
    likeness = peak**2 / (np.sum(np.conj(b) * full).real * scale**2 * 2 * np.sum(ideal))
    return {
        "rate_hz": rate,
        "low_hz": low,
        "high_hz": high,
        "slope": slope,
        "alpha": alpha,
        "delay": delay,
        "taps": taps,
        "lag_s": (at + off) / rate,
        "likeness": likeness,
        "re": b.real.tolist(),
        "im": b.imag.tolist(),
    }


print("[" + ",\n".join(json.dumps(case(*design)) for design in DESIGNS) + "]")
