"""Kalman filters by matrices with fifty digits, at irregular times.

    pip install mpmath==1.3.0
    python tests/golden/kalman.py > tests/golden/kalman.json

The textbook's equations (Bar-Shalom, Li, Kirubarajan 2001, sections 5.2 and 6.2) with the Joseph form
of the covariance. A measurement of -1e10 stands for none.
"""

import json
import random

import mpmath as mp

mp.mp.dps = 50
VAGUE = 10_000


def run(motion, q, seed):
    draw = random.Random(seed)
    rows = []
    x = P = None
    for n in range(60):
        dt = 0.0 if n == 0 else round(draw.choice([0.004, 0.04, 0.3, 1.7]) * (0.5 + draw.random()), 6)
        z = -1e10 if 20 <= n < 25 else round(70 + 3 * n / 60 + draw.gauss(0, 1), 6)
        r = round(0.25 + 4 * draw.random(), 6)
        if x is not None:
            step = mp.mpf(dt)
            if motion == "velocity":
                F = mp.matrix([[1, step], [0, 1]])
                Q = mp.mpf(q) ** 2 * mp.matrix([[step**3 / 3, step**2 / 2], [step**2 / 2, step]])
            else:
                F = mp.eye(2)
                Q = mp.matrix([[mp.mpf(q) ** 2 * step, 0], [0, 0]])
            x, P = F * x, F * P * F.T + Q
        if z > -1e9:
            R = mp.mpf(r)
            if x is None:
                vague = R * VAGUE**2 if motion == "velocity" else mp.mpf(0)
                x, P = mp.matrix([z, 0]), mp.matrix([[R, 0], [0, vague]])
            else:
                H = mp.matrix([[1, 0]])
                S = (H * P * H.T)[0] + R
                K = P * H.T / S
                x = x + K * (mp.mpf(z) - (H * x)[0])
                A = mp.eye(2) - K * H
                P = A * P * A.T + K * K.T * R
        rows.append((dt, z, r, float(x[0]), float(x[1]), float(mp.sqrt(P[0, 0]))))
    columns = zip(*rows)
    names = ["dt_s", "z", "r", "x", "v", "deviation"]
    return {"motion": motion, "q": q, **{name: list(column) for name, column in zip(names, columns)}}


CASES = [("level", 0.0, 1), ("level", 0.5, 2), ("velocity", 0.1, 3), ("velocity", 5.0, 4)]
print("[")
print(",\n".join(json.dumps(run(*case)) for case in CASES))
print("]")
