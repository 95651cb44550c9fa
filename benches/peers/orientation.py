"""imufusion on the samples of `benches/orientation.rs`: the rival of that bench.

    pip install imufusion==1.3.3 numpy
    RIVALS="python3 benches/peers/orientation.py" cargo bench --bench orientation

Reads rows of nine f32 (deg/s, g, uT), runs the filter over them so many times, writes the quaternions of
the last pass as f32, and prints the seconds that a sample took: the loop alone, with the arrays made before.
"""

import sys
import time

import imufusion
import numpy as np

source, target, passes = sys.argv[1], sys.argv[2], int(sys.argv[3])
rows = np.fromfile(source, np.float32).reshape(-1, 9)
# Python calls take about a microsecond: a tenth of the passes tells as much.
passes = max(1, passes // 10)
gyroscope, accelerometer, magnetometer = (list(np.ascontiguousarray(rows[:, n : n + 3])) for n in (0, 3, 6))
settings = imufusion.AhrsSettings(
    sample_rate=100.0,
    gain=0.5,
    gyroscope_range=2000.0,
    acceleration_rejection=10.0,
    magnetic_rejection=10.0,
    rejection_timeout=5.0,
)

taken = 0.0
for _ in range(passes):
    ahrs = imufusion.Ahrs()
    ahrs.set_settings(settings)
    update = ahrs.update
    began = time.perf_counter()
    for g, a, m in zip(gyroscope, accelerometer, magnetometer):
        update(g, a, m)
    taken += time.perf_counter() - began

ahrs = imufusion.Ahrs()
ahrs.set_settings(settings)
found = np.empty((len(rows), 4), np.float32)
for n, (g, a, m) in enumerate(zip(gyroscope, accelerometer, magnetometer)):
    found[n] = ahrs.update(g, a, m).get_quaternion()
found.tofile(target)
print(taken / (passes * len(rows)))
