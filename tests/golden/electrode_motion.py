"""What neurokit2 finds in ECGs with electrode motion: the five annotated records, and 118 of the NSTDB.

    pip install neurokit2==0.2.13 numpy==2.4.6 scipy==1.17.1 pandas==2.3.3
    AFFERENT_DATA=../shared/data python tests/golden/electrode_motion.py > tests/golden/electrode_motion.json

The noise is like `em` of the MIT-BIH Noise Stress Test Database (Moody, Muldrow and Mark 1984), whose
recording is not among the data: spells of movement, in them every second or so a sudden swing that falls
back in a fifth of a second and one of half the height after it; between them a slow wander and a little of
what is rough. Its power lies below 20 Hz and from 0.5 Hz up is like that of `em` to a factor of two. It is
made of additions, multiplications and divisions of 64-bit floats and a SplitMix64, one for each record
through all of it, so that `tests/support/motion.rs` has it bit for bit; `sum` proves that.

Signal and noise power are those of `nst` of the WFDB software package: an eighth of the square of the
QRS complexes' mean height from peak to peak within 50 ms of the annotation, and the square of the mean RMS
of seconds, in both cases without the least and the largest twentieth.

neurokit2 is asked with its defaults: `ecg_clean` and `ecg_peaks`, method `neurokit`. Beats count within
150 ms, one for one, as in `tests/support/score.rs`.
"""

import json
import math
import os
import struct
import warnings
from pathlib import Path

import neurokit2
import numpy as np

DATA = Path(os.environ.get("AFFERENT_DATA", "../shared/data"))
RECORDS = [
    "MIT-LCP+wfdb-python/sample-data/100",
    "derived-mitdb-wfdb/104",
    "derived-mitdb-wfdb/106",
    "derived-mitdb-wfdb/114",
    "derived-mitdb-wfdb/123",
]
NSTDB = "paulvangentcom+heartrate_analysis_python/examples/5_noisy_ECG/118e24"
RATE_HZ = 360
# Decibels and the ratio of powers, written out: powers are not to the bit the same everywhere.
SNRS = [(12, 15.848931924611133), (6, 3.9810717055349722), (0, 1.0)]
TOLERANCE = 54  # 150 ms
BEATS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 25, 30, 34, 35, 38, 41]  # codes of beats


class Draws:
    """SplitMix64 (Steele, Lea and Flood 2014)."""

    def __init__(self, seed):
        self.state = seed

    def unit(self):
        mask = (1 << 64) - 1
        self.state = (self.state + 0x9E3779B97F4A7C15) & mask
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        return ((z ^ (z >> 31)) >> 11) * 2.0**-53

    def within(self, low, high):
        return low + (high - low) * self.unit()

    def samples(self, low_s, high_s):
        return int(self.within(low_s, high_s) * 360.0)


class Swing:
    """Jumps, rises towards where it jumped and falls back to nothing."""

    def __init__(self):
        self.level = self.value = 0.0
        self.rise = self.fall = 0.1

    def jump(self, height, rise, fall):
        self.level += height
        self.rise = 1.0 / rise
        self.fall = 1.0 / fall

    def next(self):
        self.level -= self.fall * self.level
        self.value += self.rise * (self.level - self.value)
        return self.value


def electrode_motion(seed, samples):
    draws = Draws(seed)
    first, second = Swing(), Swing()
    slow = wander = rough = smooth = 0.0
    is_moving, spell_end, step, echo = False, 0, 0, -1
    pace_s = echo_height = 0.0
    motion = []
    for n in range(samples):
        if n == spell_end:
            is_moving = not is_moving
            spell_end += draws.samples(5.0, 25.0) if is_moving else draws.samples(2.0, 10.0)
            pace_s = draws.within(0.7, 1.3)
            step = n
        if n == step:
            step += int(pace_s * draws.within(0.85, 1.15) * 360.0)
            height = draws.within(0.4, 1.0) if is_moving else draws.within(0.0, 0.4)
            if draws.unit() < 0.2:
                height = -height
            rise = draws.within(5.0, 12.0)
            first.jump(height, rise, draws.within(30.0, 80.0))
            echo = n + draws.samples(0.25, 0.45)
            echo_height = 0.6 * height * draws.within(0.4, 1.0)
        if n == echo:
            rise = draws.within(3.0, 8.0)
            second.jump(echo_height, rise, draws.within(8.0, 25.0))
        white = draws.unit() - 0.5
        slow += (white - slow) * 0.004
        wander += (slow - wander) * 0.004
        rough += (white - rough) * 0.3
        smooth += (rough - smooth) * 0.06
        swing = first.next() + second.next()
        motion.append(math.floor((swing + 6.0 * wander + smooth + 0.03 * rough) * 4096.0 + 0.5))
    return motion


def middle_mean(values):
    """The mean of what is left without the least and the largest twentieth."""
    values = sorted(values)
    cut = len(values) // 20
    kept = values[cut : len(values) - cut]
    total = 0.0
    for value in kept:
        total += value
    return total / float(len(kept))


def signal_power(adc, beats):
    heights = []
    for beat in beats:
        part = adc[max(0, beat - 18) : beat + 19]
        heights.append(float(max(part) - min(part)))
    height = middle_mean(heights)
    return height * height / 8.0


def noise_power(motion):
    levels = []
    for at in range(0, len(motion) - RATE_HZ + 1, RATE_HZ):
        part = motion[at : at + RATE_HZ]
        total = sum(part)
        squares = sum(value * value for value in part)
        levels.append(math.sqrt(float(RATE_HZ * squares - total * total)) / float(RATE_HZ))
    level = middle_mean(levels)
    return level * level


def mixed(adc, motion, beats, ratio):
    gain = math.sqrt(signal_power(adc, beats) / noise_power(motion) / ratio)
    steps = np.asarray(adc, float) + gain * np.asarray(motion, float)
    return (steps / 200.0).astype(np.float32)


def read_record(name):
    """Samples of the first channel as the converter gave them, less its zero; where beats are."""
    lines = (DATA / f"{name}.hea").read_text().splitlines()
    header = next(line for line in lines if not line.startswith("#")).split()
    channels = int(header[1])
    three = np.fromfile(DATA / f"{name}.dat", np.uint8)[: int(header[3]) * channels * 3 // 2]
    low, middle, high = three.reshape(-1, 3).astype(int).T
    pairs = np.stack([low | (middle & 15) << 8, high | (middle >> 4) << 8], axis=1).ravel()
    adc = np.where(pairs > 2047, pairs - 4096, pairs)[::channels] - 1024
    return adc.tolist(), read_beats((DATA / f"{name}.atr").read_bytes())


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


def neurokit(ecg):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        clean = neurokit2.ecg_clean(ecg.astype(float), sampling_rate=RATE_HZ)
        return neurokit2.ecg_peaks(clean, sampling_rate=RATE_HZ)[1]["ECG_R_Peaks"].tolist()


def score(annotated, detected):
    a = d = hit = 0
    while a < len(annotated) and d < len(detected):
        distance = detected[d] - annotated[a]
        if abs(distance) <= TOLERANCE:
            fits_better = d + 1 < len(detected) and abs(detected[d + 1] - annotated[a]) < abs(distance)
            if not fits_better:
                hit += 1
                a += 1
            d += 1
        elif distance < 0:
            d += 1
        else:
            a += 1
    return {"hit": hit, "missed": len(annotated) - hit, "invented": len(detected) - hit}


def checksum(ecg):
    """Of the bits of every sample times its number, modulo 2^64."""
    bits = ecg.view(np.uint32).astype(np.uint64)
    total = int((bits * np.arange(1, len(bits) + 1, dtype=np.uint64)).sum(dtype=np.uint64))
    return f"{total:016x}"


def case(name, snr_db, ecg, beats):
    head = {"record": name, "snr_db": snr_db, "sum": checksum(ecg)}
    return json.dumps({**head, **score(beats, neurokit(ecg))})


def cases():
    ecg = np.loadtxt(DATA / f"{NSTDB}.csv").astype(np.float32)
    beats = np.loadtxt(DATA / f"{NSTDB}_ann.csv", dtype=int).tolist()
    yield case(NSTDB, 24, ecg, beats)
    for seed, name in enumerate(RECORDS, start=1):
        adc, beats = read_record(name)
        motion = electrode_motion(seed, len(adc))
        for snr_db, ratio in SNRS:
            yield case(name, snr_db, mixed(adc, motion, beats, ratio), beats)


if __name__ == "__main__":
    print("[" + ",\n".join(cases()) + "]")
