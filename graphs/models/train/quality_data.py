"""Pieces of ECG and pulse whose share of noise is known: the same body with and without it."""

import csv
import io
import subprocess

import numpy as np

from program import HERE, program

RATE_HZ, WINDOW_S, HOP_S = 125, 4.0, 2.0
LEN = round(WINDOW_S * RATE_HZ)
CLASSES = ["good", "doubtful", "bad"]
# Power of the signal over that of the noise, within a piece and behind the high-pass.
GOOD_DB, BAD_DB = 10.0, 0.0


def slow(sets):
    """The signal as it reaches the net."""
    command = [program(), "run", str(HERE / "quality.toml"), "--speed", "max"]
    for key, value in sets.items():
        command += ["--set", f"{key}={value}"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)}\n{done.stderr}")
    rows = list(csv.reader(io.StringIO(done.stdout)))[1:]
    return np.array([float(row[1] or "nan") for row in rows])


def ecg(random):
    """An ECG: what stays, and what disturbs it."""
    u = random.uniform
    sets = {
        "body.seconds": 60.0,
        "body.seed": int(random.integers(1 << 40)),
        "body.heart_rate_bpm": u(45, 140),
        "body.variety_share": 1.0,
        "body.ectopic_per_min": u(0, 10) if u() < 0.3 else 0.0,
    }
    size = 10 ** u(-1.7, 0.3)
    noise = {}
    for key, most in [("noise_mv", 0.3), ("electrode_mv", 0.5), ("muscle_mv", 0.4), ("mains_mv", 0.4),
                      ("jump_mv", 1.0), ("wander_mv", 1.0)]:
        if u() < 0.45:
            noise[f"body.{key}"] = min(10.0, most * size * u(0.3, 1))
    return sets, noise


def pulse(random):
    """A pulse: what stays, and what disturbs it."""
    u = random.uniform
    sets = {
        "body.op": "ppg",
        "body.seconds": 60.0,
        "body.seed": int(random.integers(1 << 40)),
        "body.heart_rate_bpm": u(45, 140),
        "body.perfusion_pct": u(0.5, 5),
        "level.from": "body[infrared]",
    }
    size = 10 ** u(-1.7, 0.4)
    noise = {"body.wander_share": 0.0}
    for key, most in [("motion_share", 1.0), ("noise_share", 0.5)]:
        if u() < 0.7:
            noise[f"body.{key}"] = most * size * u(0.3, 1)
    return sets, noise


def pieces(signal):
    """Pieces as `classify` cuts them."""
    hop = round(HOP_S * RATE_HZ)
    return np.array([signal[at : at + LEN] for at in range(0, len(signal) - LEN + 1, hop)])


def share_db(clean, noise):
    """Signal over noise of each piece."""
    power = lambda x: np.maximum(((x - x.mean(1, keepdims=True)) ** 2).mean(1), 1e-12)
    return 10 * np.log10(power(clean) / power(noise))


def classes(db):
    return np.where(db >= GOOD_DB, 0, np.where(db >= BAD_DB, 1, 2))


def synthetic(seed, bodies):
    """Pieces and classes, two thirds of them ECG."""
    random = np.random.default_rng(seed)
    xs, ys = [], []
    for number in range(bodies):
        sets, noise = (pulse if number % 3 == 2 else ecg)(random)
        if sets.get("body.op") == "ppg":
            sets, calm = {"body.op": "ppg"} | sets, {"body.wander_share": 0.0, "body.motion_share": 0.0,
                                                     "body.noise_share": 0.0}
        else:
            calm = {}
        clean = slow(sets | calm)
        disturbed = slow(sets | calm | noise)
        # The first second holds the high-pass settling.
        clean, disturbed = clean[RATE_HZ:], disturbed[RATE_HZ:]
        x = pieces(disturbed)
        xs.append(x.astype(np.float32))
        ys.append(classes(share_db(pieces(clean), pieces(disturbed - clean))))
        if number % 20 == 0:
            # A sensor that says nothing, and one that says nothing but itself.
            xs.append(np.zeros((2, LEN), np.float32)), ys.append(np.full(2, 2))
    return np.concatenate(xs), np.concatenate(ys)
