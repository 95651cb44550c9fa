"""Chebyshev, elliptic and Bessel filters as SciPy designs them, with their responses.

    pip install scipy==1.17.1 mpmath==1.3.0
    python tests/golden/iir.py > tests/golden/iir.json

As in butterworth.py: responses are computed with fifty digits from SciPy's sections, and no case is
centred on a quarter of the rate. `poles` are those of the analog low-pass filter of 1 rad/s, one of
each pair, by fifty digits where SciPy loses some (Bessel).
"""

import json

import mpmath
import numpy
from scipy import signal

mpmath.mp.dps = 50

# family, order, ripple in dB, attenuation in dB, kind, edges in Hz, rate in Hz
DESIGNS = [
    ("cheby1", 1, 1.0, None, "lowpass", [10.0], 250.0),
    ("cheby1", 4, 0.5, None, "lowpass", [40.0], 250.0),
    ("cheby1", 5, 1.0, None, "highpass", [0.5], 250.0),
    ("cheby1", 3, 3.0, None, "bandpass", [5.0, 15.0], 200.0),
    ("cheby1", 2, 0.1, None, "bandstop", [48.0, 52.0], 1000.0),
    ("cheby1", 10, 0.05, None, "lowpass", [3000.0], 16000.0),
    ("cheby2", 1, None, 20.0, "lowpass", [10.0], 250.0),
    ("cheby2", 4, None, 40.0, "lowpass", [40.0], 250.0),
    ("cheby2", 5, None, 60.0, "highpass", [20.0], 1000.0),
    ("cheby2", 3, None, 30.0, "bandpass", [5.0, 15.0], 200.0),
    ("cheby2", 4, None, 50.0, "bandstop", [45.0, 55.0], 360.0),
    ("cheby2", 10, None, 80.0, "lowpass", [3000.0], 16000.0),
    ("ellip", 1, 1.0, 40.0, "lowpass", [10.0], 250.0),
    ("ellip", 2, 0.5, 30.0, "highpass", [1.0], 250.0),
    ("ellip", 4, 0.5, 50.0, "lowpass", [40.0], 250.0),
    ("ellip", 5, 1.0, 60.0, "highpass", [20.0], 1000.0),
    ("ellip", 3, 0.1, 40.0, "bandpass", [5.0, 15.0], 200.0),
    ("ellip", 4, 0.2, 40.0, "bandstop", [45.0, 55.0], 360.0),
    ("ellip", 8, 0.01, 90.0, "lowpass", [3000.0], 16000.0),
    ("bessel", 1, None, None, "lowpass", [10.0], 250.0),
    ("bessel", 2, None, None, "highpass", [0.5], 250.0),
    ("bessel", 4, None, None, "lowpass", [40.0], 250.0),
    ("bessel", 5, None, None, "highpass", [20.0], 1000.0),
    ("bessel", 3, None, None, "bandpass", [5.0, 15.0], 200.0),
    ("bessel", 4, None, None, "bandstop", [45.0, 55.0], 360.0),
    ("bessel", 10, None, None, "lowpass", [1000.0], 16000.0),
]


def response(sections, radians):
    u = mpmath.exp(-1j * radians)
    return mpmath.fprod(
        mpmath.polyval(list(s[2::-1]), u) / mpmath.polyval(list(s[:2:-1]), u) for s in sections
    )


def delay_samples(sections, radians):
    derivative = mpmath.diff(lambda w: response(sections, w), radians)
    return -mpmath.im(derivative / response(sections, radians))


def bessel_poles(order):
    """Zeros of the reverse Bessel polynomial, scaled as `norm="phase"` says."""
    factorial = mpmath.factorial
    # The coefficient of s^k, highest first.
    c = [
        factorial(2 * order - k) / (mpmath.mpf(2) ** (order - k) * factorial(k) * factorial(order - k))
        for k in range(order, -1, -1)
    ]
    roots = mpmath.polyroots(c, maxsteps=500, extraprec=400)
    scale = mpmath.power(c[-1], mpmath.mpf(1) / order)
    return [complex(root / scale) for root in roots]


def prototype(family, order, ripple, attenuation):
    if family == "bessel":
        return bessel_poles(order)
    given = {"cheby1": (ripple,), "cheby2": (attenuation,), "ellip": (ripple, attenuation)}[family]
    design = {"cheby1": signal.cheb1ap, "cheby2": signal.cheb2ap, "ellip": signal.ellipap}[family]
    return numpy.atleast_1d(design(order, *given)[1])


def case(family, order, ripple, attenuation, kind, edges, rate):
    wanted = edges if len(edges) > 1 else edges[0]
    sections = signal.iirfilter(
        order, wanted, rp=ripple, rs=attenuation, btype=kind, ftype=family, fs=rate, output="sos"
    )
    # None of them close to a zero, where a rounding of its radius is all there is.
    hz = [edges[0] * 0.47, edges[0] * 0.93, edges[-1] * 1.13]
    radians = [2 * mpmath.pi * mpmath.mpf(f) / mpmath.mpf(rate) for f in hz]
    poles = sorted((p.imag, p.real) for p in prototype(family, order, ripple, attenuation) if p.imag > -1e-9)
    return {
        "family": family,
        "order": order,
        "ripple_db": ripple or 0.0,
        "attenuation_db": attenuation or 0.0,
        "kind": kind,
        "edges_hz": edges,
        "rate_hz": rate,
        "poles": [[re, im if im > 1e-9 else 0.0] for im, re in poles],
        "sections": numpy.asarray(sections).tolist(),
        "settled": signal.sosfilt_zi(sections).tolist(),
        "at_hz": hz,
        "magnitude": [float(abs(response(sections, w))) for w in radians],
        "delay_s": [float(delay_samples(sections, w) / rate) for w in radians],
    }


print("[" + ",\n".join(json.dumps(case(*design)) for design in DESIGNS) + "]")
