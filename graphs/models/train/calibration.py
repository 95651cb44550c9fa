"""Labelled beats of hearts that nothing was trained on, for `afferent calibrate`. Wants numpy alone.

    cargo build --release
    python3 graphs/models/train/calibration.py 3 400 beats.npz     # seed, hearts, file
    afferent calibrate graphs/models/train/calibrate.toml --data beats.npz

Seeds 1 and 2 have trained and judged the nets (`train.py`): take others.
"""

import sys

import numpy as np

import beats_data

if __name__ == "__main__":
    seed, hearts, file = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    x, y, heart = beats_data.synthetic(seed, hearts)
    np.savez(file, x=beats_data.for_net(x), y=y)
    print(file, x.shape, np.bincount(y), f"{heart.max() + 1} hearts")
