"""Orientations that imufusion finds in a recording, for `tests/signals/motion.rs`.

    pip install imufusion==1.3.3 numpy==2.4.6
    AFFERENT_DATA=... python tests/golden/orientation_recording.py > tests/golden/orientation_recording.json

Every 500th quaternion, at 100 samples a second. No sample of the recording stands here.
"""

import json
import os

import imufusion
import numpy as np

PATH = "xioTechnologies+Fusion/Examples/Python/sensor_data.csv"
ROWS = np.genfromtxt(os.environ["AFFERENT_DATA"] + "/" + PATH, delimiter=",", skip_header=1).astype(np.float32)


def found(magnetic, **settings):
    ahrs = imufusion.Ahrs()
    ahrs.set_settings(imufusion.AhrsSettings(sample_rate=100.0, **settings))
    quaternions = []
    for row in ROWS:
        g, a, m = (np.ascontiguousarray(row[n : n + 3]) for n in (1, 4, 7))
        if magnetic:
            ahrs.update(g, a, m)
        else:
            ahrs.update_no_magnetometer(g, a)
        q = np.asarray(ahrs.get_quaternion(), float)
        quaternions.append((q / np.linalg.norm(q)).round(9).tolist())
    return quaternions[499::500]


REJECTING = {
    "gyroscope_range": 2000.0,
    "acceleration_rejection": 10.0,
    "magnetic_rejection": 10.0,
    "rejection_timeout": 5.0,
}
CASES = [
    {"name": "six axes", "quaternions": found(False, gain=0.5)},
    {"name": "nine axes", "quaternions": found(True, gain=0.5)},
    {"name": "nine axes, rejecting", "quaternions": found(True, gain=0.5, **REJECTING)},
]
print("[" + ",\n".join(json.dumps(case) for case in CASES) + "]")
