"""Makes the models in `graphs/models` anew: data from the generators, training, export, figures.

    cargo build --release
    python3 -m venv .venv && .venv/bin/pip install -r graphs/models/train/requirements.txt
    .venv/bin/python graphs/models/train/train.py              # all of it, some 20 minutes on one core
    .venv/bin/python graphs/models/train/train.py figures      # the tables of README.md alone

Everything follows from the seeds written here. Recordings of people are for the figures alone: no weight was
fitted to them.
"""

import sys

import numpy as np

import beats_data
import export
import figures
import net
import quality_data
import stress_data
from program import HERE

OUT = HERE.parent
TRAIN, JUDGE = 1, 2

BEATS = {
    "name": "beats",
    "before_s": beats_data.NET_BEFORE_S,
    "after_s": beats_data.NET_AFTER_S,
    "segments": [
        [("conv", 8, 11, 4), ("conv", 16, 5, 2)],
        [("conv", 32, 5, 1), ("conv", 32, 5, 2)],
        [("conv", 64, 5, 1), ("conv", 64, 5, 1), ("dense", 64)],
    ],
    "hearts": 1_000,
    "epochs": 9,
}
QUALITY = {
    "name": "quality",
    "segments": [[("conv", 8, 11, 4), ("conv", 16, 7, 4), ("conv", 24, 5, 2), ("dense", 24)]],
    "bodies": 600,
    "epochs": 20,
}
STRESS = {"name": "stress", "segments": [[("dense", 16), ("dense", 16)]], "bodies": 1_600, "epochs": 40}


beat_pieces = beats_data.for_net


def beats():
    x, y, _ = beats_data.synthetic(TRAIN, BEATS["hearts"])
    x = beat_pieces(x)
    print("beats:", x.shape, np.bincount(y), net.multiplications(BEATS["segments"], x.shape[1:], 3))
    weights = net.train(TRAIN, BEATS["segments"], (x, y), 3, BEATS["epochs"], class_weight=[0.8, 1.3, 1.2])
    doc = "normal, premature, artefact: of the last of some beats at 125 Hz, 1.6 s before R to 0.44 s after"
    files = export.chain(OUT, "beats", weights, BEATS["segments"], x.shape[1:], 3, doc)
    some = x[:: max(1, len(x) // 2_000)]
    feed = some
    for file in files[:-1]:
        name = "piece" if feed is some else "hidden"
        export.int8(file, name, feed)
        feed = export.run(file, name, feed)[-1]
    export.int8(files[-1], "piece", some)


def quality():
    x, y = quality_data.synthetic(TRAIN, QUALITY["bodies"])
    x = net.zscore(x)[:, None, :]
    print("quality:", x.shape, np.bincount(y), net.multiplications(QUALITY["segments"], x.shape[1:], 3))
    weights = net.train(TRAIN, QUALITY["segments"], (x, y), 3, QUALITY["epochs"])
    doc = "good, doubtful, bad: of 4 s of ECG or pulse at 125 Hz"
    for file in export.chain(OUT, "quality", weights, QUALITY["segments"], x.shape[1:], 3, doc):
        export.int8(file, "piece", x[:: max(1, len(x) // 2_000)])


def stress():
    x, y, _ = stress_data.synthetic(TRAIN, STRESS["bodies"])
    print("stress:", x.shape, np.bincount(y), x.mean(0), x.std(0))
    mean, std = x.mean(0), x.std(0)
    weights = net.train(TRAIN, STRESS["segments"], ((x - mean) / std, y), 2, STRESS["epochs"])
    # The features come as they are: their scale becomes a part of the first layer.
    first, bias = weights[0][0]
    weights[0][0] = (first / std[:, None], bias - (mean / std) @ first)
    doc = "calm, stressed: of heart rate, RMSSD, SDNN, strength of skin responses, pace of breath"
    for file in export.chain(OUT, "stress", weights, STRESS["segments"], x.shape[1:], 2, doc, "features"):
        export.int8(file, "features", x[:: max(1, len(x) // 2_000)], but_first=True)


def main(wanted):
    for make in [beats, quality, stress]:
        if not wanted or make.__name__ in wanted:
            make()
    length = round(BEATS["before_s"] * beats_data.RATE_HZ) + round(BEATS["after_s"] * beats_data.RATE_HZ) + 1
    costs = net.multiplications(BEATS["segments"], (1, length), 3)
    for file in OUT.glob("*.onnx"):
        export.guard(file)
    figures.write(OUT, JUDGE, beat_pieces, costs)


if __name__ == "__main__":
    main(sys.argv[1:])
