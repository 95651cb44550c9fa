"""Beats with their truth: from the generator, many hearts; from recordings, for judging only."""

import numpy as np

from program import HERE, lines
from scale import zscore

RATE_HZ = 125
BEFORE_S, AFTER_S = 2.4, 0.48
LEN = round(BEFORE_S * RATE_HZ) + round(AFTER_S * RATE_HZ) + 1
# What the net gets of a piece.
NET_BEFORE_S, NET_AFTER_S = 1.6, 0.44
CLASSES = ["normal", "premature", "artefact"]
# A beat and its truth may be told apart by so much: the detector may follow another wave of the same beat.
REACH_S = 0.1


def scenario(random):
    """The settings of one heart and its wires."""
    u = random.uniform
    heart_rate = float(np.exp(u(np.log(42), np.log(150))))
    sets = {
        "ecg.seed": int(random.integers(1 << 40)),
        "ecg.rate_hz": float(random.choice([250.0, 360.0, 500.0])),
        "ecg.seconds": 100.0,
        "ecg.heart_rate_bpm": heart_rate,
        "ecg.hrv_sdnn_ms": u(0, 1) ** 2 * 90 * 60 / heart_rate,
        "ecg.respiration_hz": u(0.12, 0.4),
        "ecg.variety_share": 1.0,
    }
    kind = u()
    if kind < 0.7:
        early = heart_rate * u(0.01, 0.3)
        atrial = u() * 0.8 if u() < 0.5 else 0.0
        sets["ecg.ectopic_per_min"] = early * (1 - atrial)
        sets["ecg.supraventricular_per_min"] = early * atrial
    if u() < 0.12:
        sets["ecg.irregular_share"] = u(0.05, 0.2)
    # Clean, as usual, or bad enough that the detector hears what is not there.
    bad = random.choice([0.3, 1.0, 4.0], p=[0.3, 0.4, 0.3])
    for key, most, chance in [
        ("wander_mv", 0.5, 0.7),
        ("mains_mv", 0.08, 0.3),
        ("noise_mv", 0.04, 0.7),
        ("electrode_mv", 0.15, 0.5),
        ("muscle_mv", 0.1, 0.5),
        ("jump_mv", 0.5, 0.3),
    ]:
        if u() < chance:
            sets[f"ecg.{key}"] = u(0, 1) * most * bad
    if u() < 0.12:
        # A lead that lies beside the body.
        sets["ecg.amplitude_mv"] = 0.01
        for key in ["noise_mv", "electrode_mv", "muscle_mv", "jump_mv", "wander_mv"]:
            if u() < 0.5:
                sets[f"ecg.{key}"] = u(0.1, 1.0)
    return sets


def labelled(said, heartless=False):
    """Pieces and classes of what a graph said."""
    times, early = [], []
    for line in said:
        if line["node"] != "pieces":
            if line.get("is_beat", True):
                times.append(line["t_s"])
                early.append(line["class"] not in NORMAL)
    pieces = [line for line in said if line["node"] == "pieces"]
    x = np.array([line["values"][0] for line in pieces], np.float32)
    x = x.reshape(-1, LEN)
    times, early = np.array(times), np.array(early, bool)
    y = np.full(len(pieces), 2)
    for n, line in enumerate(pieces):
        if heartless or len(times) == 0:
            continue
        near = np.argmin(np.abs(times - line["t_s"]))
        if abs(times[near] - line["t_s"]) <= REACH_S:
            y[n] = int(early[near])
    return x, y, np.array([line["t_s"] for line in pieces])


# What annotations call a beat that comes when it should, whatever it looks like.
NORMAL = set("NLRBejn/fFQ")


def synthetic(seed, hearts):
    """Pieces, classes and the number of its heart of each."""
    random = np.random.default_rng(seed)
    xs, ys, hs = [], [], []
    for heart in range(hearts):
        sets = scenario(random)
        said = lines(HERE / "beats.toml", sets)
        x, y, _ = labelled(said, heartless=sets.get("ecg.amplitude_mv") == 0.01)
        if len(y):
            xs.append(x), ys.append(y), hs.append(np.full(len(y), heart))
    return np.concatenate(xs), np.concatenate(ys), np.concatenate(hs)


def for_net(x):
    """Of the long pieces what the net gets."""
    middle = round(BEFORE_S * RATE_HZ)
    before, after = round(NET_BEFORE_S * RATE_HZ), round(NET_AFTER_S * RATE_HZ)
    return zscore(x[:, middle - before : middle + after + 1])[:, None, :]
