"""sleepecg (C) on the five annotated records: one JSON line in the peers' form.

    python -m venv VENV && VENV/bin/pip install sleepecg==0.6.0 numpy==2.4.6 scipy==1.17.1
    AFFERENT_DATA=../shared/data VENV/bin/python benches/peers/qrs_sleepecg.py
    SLEEPECG=VENV/bin/python cargo bench --bench qrs

`detect_heartbeats` at its best: backend C, 64-bit samples that lie in memory, its filter designed before.
It works on a whole recording at once, forwards and backwards. One thread, as NumPy does nothing here
that would take more.
"""

import json
import os
import struct
import sys
import time
from pathlib import Path

import numpy as np
import sleepecg

DATA = Path(os.environ.get("AFFERENT_DATA", "../shared/data"))
RECORDS = [
    "MIT-LCP+wfdb-python/sample-data/100",
    "derived-mitdb-wfdb/104",
    "derived-mitdb-wfdb/106",
    "derived-mitdb-wfdb/114",
    "derived-mitdb-wfdb/123",
]
RATE_HZ = 360
TOLERANCE = 54  # 150 ms
BEATS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 25, 30, 34, 35, 38, 41]  # codes of beats


def read_record(name):
    lines = (DATA / f"{name}.hea").read_text().splitlines()
    header = next(line for line in lines if not line.startswith("#")).split()
    channels = int(header[1])
    three = np.fromfile(DATA / f"{name}.dat", np.uint8)[: int(header[3]) * channels * 3 // 2]
    low, middle, high = three.reshape(-1, 3).astype(int).T
    pairs = np.stack([low | (middle & 15) << 8, high | (middle >> 4) << 8], axis=1).ravel()
    adc = np.where(pairs > 2047, pairs - 4096, pairs)[::channels]
    return np.ascontiguousarray((adc - 1024) / 200), read_beats((DATA / f"{name}.atr").read_bytes())


def read_beats(content):
    beats, at, sample = [], 0, 0
    while True:
        (word,) = struct.unpack_from("<H", content, at)
        at += 2
        code, number = word >> 10, word & 1023
        if word == 0:
            return beats
        if code == 59:
            high, low = struct.unpack_from("<hH", content, at)
            sample += (high << 16) + low
            at += 4
        elif code == 63:
            at += number + number % 2
        elif code < 60:
            sample += number
            if code in BEATS:
                beats.append(sample)


def hits(annotated, detected):
    a = d = hit = 0
    while a < len(annotated) and d < len(detected):
        distance = detected[d] - annotated[a]
        if abs(distance) <= TOLERANCE:
            hit += 1
            a += 1
            d += 1
        elif distance < 0:
            d += 1
        else:
            a += 1
    return hit


def main():
    records = [read_record(name) for name in RECORDS]
    sleepecg.detect_heartbeats(records[0][0], RATE_HZ, backend="c")
    began = time.perf_counter()
    found = [sleepecg.detect_heartbeats(ecg, RATE_HZ, backend="c") for ecg, _ in records]
    seconds = time.perf_counter() - began
    hit = sum(hits(beats, at) for (_, beats), at in zip(records, found))
    marked, detected = sum(len(beats) for _, beats in records), sum(map(len, found))
    if hit < 0.97 * marked or hit < 0.97 * detected:
        sys.exit(f"{hit} of {marked} beats found by {detected}: not what it can")
    metrics = {
        "samples_per_s": sum(len(ecg) for ecg, _ in records) / seconds,
        "sensitivity": hit / marked,
        "predictivity": hit / detected,
    }
    said = {"peer": "sleepecg", "version": sleepecg.__version__, "bench": "qrs"}
    print(json.dumps({**said, "params": {"backend": "c", "records": 5}, "metrics": metrics}))


if __name__ == "__main__":
    main()
