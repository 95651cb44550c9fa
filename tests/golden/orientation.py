"""Orientation filters as imufusion and ahrs compute them, on sensors given by formulas.

    pip install imufusion==1.3.3 ahrs==0.4.0 numpy==2.4.6
    python tests/golden/orientation.py > tests/golden/orientation.json

The readings are those of `readings` in `operators/src/math/orientation/tests.rs`: sums of sines that no
body would show together, which a filter must follow all the same. The first is that of a body at rest,
so that all begin with the same orientation. ahrs has its magnetic field in the plane of y and z, east and
north; here north is x, which is a quarter turn about z.
"""

import json
import math

import ahrs
import imufusion
import numpy as np

RATE_HZ = 100.0
SAMPLES = 1500
EVERY = 50


def wave(n, axis, hz, phase):
    return math.sin(2 * math.pi * hz * n / RATE_HZ + phase + 0.7 * axis)


def gyroscope_dps(n):
    return [60.0 * (wave(n, axis, 0.31, 0.2) - wave(0, axis, 0.31, 0.2)) + 5.0 * (axis + 1) for axis in range(3)]


def accelerometer_g(n):
    if n == 0:
        return [0.0, 0.0, 1.0]
    up = [0.6 * wave(n, 0, 0.13, 0.1), 0.5 * wave(n, 1, 0.17, 0.4), 1.0 + 0.3 * wave(n, 2, 0.07, 0.9)]
    # A blow after ten seconds that lasts for half a second.
    return [part + (2.0 if 1000 <= n < 1050 and axis == 0 else 0.0) for axis, part in enumerate(up)]


def magnetometer_ut(n):
    if n == 0:
        return [20.0, 0.0, -40.0]
    field = [20.0 + 8.0 * wave(n, 0, 0.11, 0.3), 15.0 * wave(n, 1, 0.05, 0.0), -40.0 + 6.0 * wave(n, 2, 0.19, 0.5)]
    return [part + (90.0 if 1200 <= n < 1260 and axis == 1 else 0.0) for axis, part in enumerate(field)]


def fusion(magnetic, **settings):
    convention = settings.pop("convention", "nwu")
    filter = imufusion.Ahrs()
    words = {"nwu": imufusion.CONVENTION_NWU, "enu": imufusion.CONVENTION_ENU, "ned": imufusion.CONVENTION_NED}
    chosen = imufusion.AhrsSettings(sample_rate=RATE_HZ, **settings)
    # The constructor of 1.3.3 takes a convention and forgets it.
    chosen.convention = words[convention]
    assert chosen.convention == words[convention]
    filter.set_settings(chosen)
    found = []
    for n in range(SAMPLES):
        g, a, m = (np.array(read(n), np.float32) for read in (gyroscope_dps, accelerometer_g, magnetometer_ut))
        if magnetic:
            filter.update(g, a, m)
        else:
            filter.update_no_magnetometer(g, a)
        q = np.asarray(filter.get_quaternion(), float)
        found.append((q / np.linalg.norm(q)).tolist())
    return found


def turned(a, b):
    return np.asarray(ahrs.Quaternion(a).product(np.asarray(b, float)))


def peer(make, magnetic, quarter):
    filter = make()
    start = [math.sqrt(0.5), 0.0, 0.0, math.sqrt(0.5)] if quarter else [1.0, 0.0, 0.0, 0.0]
    back = [start[0], 0.0, 0.0, -start[3]]
    q = np.array(start)
    found = [[1.0, 0.0, 0.0, 0.0]]
    for n in range(1, SAMPLES):
        g = np.radians(gyroscope_dps(n))
        a, m = np.array(accelerometer_g(n)), np.array(magnetometer_ut(n))
        q = filter.updateMARG(q, g, a, m, 1 / RATE_HZ) if magnetic else filter.updateIMU(q, g, a, 1 / RATE_HZ)
        q = np.asarray(q, float)
        found.append(turned(back, q).tolist() if quarter else q.tolist())
    return found


def row(method, magnetic, found, **parameters):
    kept = found[EVERY - 1 :: EVERY]
    return {"method": method, "magnetic": int(magnetic), **parameters, "every": EVERY, "quaternions": kept}


def madgwick():
    return ahrs.filters.Madgwick(frequency=RATE_HZ, gain=0.1)


def mahony():
    return ahrs.filters.Mahony(frequency=RATE_HZ, k_P=1.0, k_I=0.3)


ROWS = [
    row("fusion", False, fusion(False, gain=0.5), convention="nwu", gain=0.5, reject=0, range_dps=0),
    row("fusion", True, fusion(True, gain=0.5), convention="nwu", gain=0.5, reject=0, range_dps=0),
    *(
        row(
            "fusion",
            True,
            fusion(
                True,
                convention=convention,
                gain=1.5,
                gyroscope_range=range_dps,
                acceleration_rejection=20.0,
                magnetic_rejection=20.0,
                rejection_timeout=2.0,
            ),
            convention=convention,
            gain=1.5,
            reject=20,
            range_dps=range_dps,
        )
        for convention, range_dps in [("nwu", 0.0), ("enu", 0.0), ("ned", 120.0)]
    ),
    row("madgwick", False, peer(madgwick, False, False)),
    row("madgwick", True, peer(madgwick, True, False)),
    row("mahony", False, peer(mahony, False, False)),
    row("mahony", True, peer(mahony, True, True)),
]

print("[" + ",\n".join(json.dumps(entry) for entry in ROWS) + "]")
