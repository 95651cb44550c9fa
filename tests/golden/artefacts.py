"""Artefacts in heart beats as neurokit2 finds and corrects them (Lipponen and Tarvainen 2019).

    pip install neurokit2==0.2.13 scipy==1.17.1 numpy==2.4.6 pandas==2.3.3
    python tests/golden/artefacts.py > tests/golden/artefacts.json

Beats in whole milliseconds of a heart that breathes, with noise of a linear congruential generator;
then beats are taken out, put in or moved, far from each other and from the ends.
"""

import json
import math

import neurokit2 as nk
import numpy as np
from neurokit2.signal.signal_fixpeaks import _correct_extra, _correct_misaligned, _correct_missed


def heart(seed, count, mean_ms, breath_ms, noise_ms):
    state, t, peaks = seed, 1000, []
    for _ in range(count):
        peaks.append(t)
        state = (1664525 * state + 1013904223) % 2**32
        noise = state / 2**32 - 0.5
        breath = breath_ms * math.sin(2 * math.pi * 0.23 * t / 1000)
        t += round(mean_ms + breath + noise_ms * noise)
    return peaks


def spoiled(peaks, every):
    """One beat in `every`: missed, extra, early, or late in turn; where that is."""
    out, truth = [], []
    for n, peak in enumerate(peaks):
        before = peaks[n - 1] if n else peak
        rr = peak - before
        turn = (n // every) % 4 if n % every == 0 and 60 < n < len(peaks) - 60 else None
        if turn is not None:
            truth.append(peak)
        if turn == 0:
            continue
        if turn == 1:
            out.append(before + round(0.45 * rr))
        if turn == 2:
            peak = before + round(0.6 * rr)
        if turn == 3:
            peak = peak + round(0.35 * rr)
        out.append(peak)
    return out, truth


def corrected(peaks, extra, missed, ectopic, longshort):
    """neurokit2's steps. It renumbers beats one removed beat at a time, comparing new numbers with old
    ones, so that behind the second removed beat it moves a beat's neighbour; here they stay apart."""
    renumbered = lambda beats, by, step: [beat + step * sum(beat > one for one in by) for beat in beats]
    if extra:
        peaks = _correct_extra(extra, peaks)
        missed, ectopic, longshort = (renumbered(b, extra, -1) for b in (missed, ectopic, longshort))
    if missed:
        peaks = _correct_missed(missed, peaks)
        ectopic, longshort = (renumbered(b, missed, 1) for b in (ectopic, longshort))
    for beats in (ectopic, longshort):
        if beats:
            peaks = _correct_misaligned(beats, peaks)
    return [int(peak) for peak in peaks]


def case(name, every, *parameters):
    peaks, truth = spoiled(heart(*parameters), every)
    info, _ = nk.signal_fixpeaks(
        np.array(peaks), sampling_rate=1000, iterative=False, method="kubios"
    )
    classes = ("extra", "missed", "ectopic", "longshort")
    found = {key: [peaks[i] for i in info[key]] for key in classes}
    after = corrected(np.array(peaks), *([int(i) for i in info[key]] for key in classes))
    return {"name": name, "truth": truth, **found, "peaks": peaks, "corrected": after}


CASES = [
    ("rest", 23, 1, 700, 850.0, 25.0, 40.0),
    ("deep_breathing", 31, 2, 600, 950.0, 60.0, 50.0),
    ("exercise", 19, 3, 700, 430.0, 6.0, 12.0),
    ("clean", 10_000, 4, 400, 800.0, 30.0, 40.0),
]

print("[" + ",\n".join(json.dumps(case(*each)) for each in CASES) + "]")
