"""Bodies at rest and under a task, as features of heart, skin and breath.

What differs, and by how much, is from the literature on adults at rest and under mental load: heart rate up,
short-term variability down (Castaldo et al. 2015, a review), skin responses more and larger (Boucsein 2012),
breath faster (Grassmann et al. 2016, a review). People overlap: a person's rest is drawn first, then the task
is put on top of it.
"""

import csv
import io
import subprocess

import numpy as np

from program import HERE, program

CLASSES = ["calm", "stressed"]
FEATURES = 5


def body(random, stressed):
    """The settings of one body for three minutes."""
    n, u = random.normal, random.uniform
    heart_rate, sdnn, breath = n(69, 9), np.exp(n(np.log(48), 0.4)), n(14, 2.5)
    responses, height, level = np.exp(n(np.log(3), 0.5)), np.exp(n(np.log(0.3), 0.5)), np.exp(n(np.log(5), 0.5))
    if stressed:
        load = u(0.5, 1.5)
        heart_rate += load * n(13, 5)
        sdnn *= np.exp(-load * abs(n(0.45, 0.2)))
        breath += load * n(4, 1.5)
        responses *= np.exp(load * abs(n(0.9, 0.3)))
        height *= np.exp(load * abs(n(0.4, 0.2)))
    heart_rate = float(np.clip(heart_rate, 45, 140))
    breath = float(np.clip(breath, 6, 40))
    seed = int(random.integers(1 << 40))
    return {
        "ecg.heart_rate_bpm": heart_rate,
        "ecg.hrv_sdnn_ms": float(np.clip(sdnn, 5, 0.3 * 60_000 / heart_rate)),
        "ecg.respiration_hz": breath / 60,
        "ecg.lf_hf_ratio": float(np.exp(n(np.log(1.5 if stressed else 0.8), 0.5))),
        "ecg.variety_share": 1.0,
        "ecg.noise_mv": u(0, 0.03),
        "ecg.seconds": 180.0,
        "ecg.seed": seed,
        "skin.level_microsiemens": float(np.clip(level, 1, 20)),
        "skin.responses_per_min": float(np.clip(responses, 0.3, 19)),
        "skin.amplitude_microsiemens": float(np.clip(height, 0.03, 3)),
        "skin.seconds": 180.0,
        "skin.seed": seed,
        "chest.rate_bpm": breath,
        "chest.variation_share": u(0.05, 0.2),
        "chest.seconds": 180.0,
        "chest.seed": seed,
    }


def features(sets):
    """The features of a body every five seconds, without rows that lack one."""
    command = [program(), "run", str(HERE / "stress.toml"), "--speed", "max"]
    for key, value in sets.items():
        command += ["--set", f"{key}={value}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    rows = list(csv.reader(io.StringIO(done.stdout)))[1:]
    rows = np.array([[float(cell or "nan") for cell in row] for row in rows], np.float32)
    # Before half a minute the heart has not told much.
    rows = rows[rows[:, 0] >= 30][:, 1:]
    return rows[np.isfinite(rows).all(1)]


def synthetic(seed, bodies):
    """Features, classes, and the number of its body of each."""
    random = np.random.default_rng(seed)
    xs, ys, bs = [], [], []
    for number in range(bodies):
        x = features(body(random, number % 2 == 1))
        xs.append(x), ys.append(np.full(len(x), number % 2)), bs.append(np.full(len(x), number))
    return np.concatenate(xs), np.concatenate(ys), np.concatenate(bs)
