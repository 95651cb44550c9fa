"""Peaks and features of real recordings as SciPy, NumPy and neurokit2 compute them.

    pip install numpy==2.4.6 scipy==1.17.1 neurokit2==0.2.13
    python tests/golden/feature_recordings.py FOLDER_OF_DATA > tests/golden/feature_recordings.json

The recordings stay outside the repository: `FOLDER_OF_DATA` is what the tests find as AFFERENT_DATA.
Peaks are sample numbers; a feature is that of the window which ends with the sample of its number.
"""

import json
import sys

import neurokit2
import numpy
from scipy import signal, stats

# name, file, column, lines before the first sample, samples per second, prominence, window in samples
RECORDINGS = [
    ("heartpy-ppg", "paulvangentcom+heartrate_analysis_python/heartpy/data/data.csv", 0, 0, 100, 100.0, 201),
    ("biosppy-ppg", "PIA-Group+BioSPPy/examples/ppg.txt", 0, 5, 1000, 8.0, 1001),
    ("biosppy-respiration", "PIA-Group+BioSPPy/examples/resp.txt", 0, 5, 1000, 500.0, 3001),
    ("biosppy-eeg", "PIA-Group+BioSPPy/examples/eeg_ec.txt", 0, 5, 125, 20.0, 251),
    ("neurokit-ecg", "mixue-t+NeuroKit/data/bio_eventrelated_100hz.csv", 0, 1, 100, 0.5, 201),
]


def column(path, number, skip):
    with open(path) as lines:
        cells = [line.split(",")[number].strip() for line in lines.readlines()[skip:]]
    return numpy.float32([float(cell) for cell in cells]).astype(float)


def slope(x, rate_hz):
    return numpy.polyfit(numpy.arange(len(x)) / rate_hz, x, 1)[0]


def features(x, rate_hz):
    complexity, info = neurokit2.complexity_hjorth(x)
    tolerance = 0.2 * numpy.std(x, ddof=1)
    return {
        "rms": numpy.sqrt(numpy.mean(x * x)),
        "line_length": numpy.sum(numpy.abs(numpy.diff(x))),
        "slope": slope(x, rate_hz),
        "percentile": numpy.percentile(x, 90),
        "zscore": (x[-1] - numpy.median(x)) / stats.median_abs_deviation(x, scale="normal"),
        "activity": info["Activity"],
        "mobility": info["Mobility"],
        "complexity": complexity,
        "sample": neurokit2.entropy_sample(x, delay=1, dimension=2, tolerance=tolerance)[0],
        "approximate": neurokit2.entropy_approximate(x, delay=1, dimension=2, tolerance=tolerance)[0],
    }


LINES = []
for name, path, number, skip, rate_hz, prominence, window in RECORDINGS:
    x = column(f"{sys.argv[1]}/{path}", number, skip)
    peaks, _ = signal.find_peaks(x, prominence=prominence, wlen=window)
    case = {"name": name, "file": path, "column": number, "skip": skip, "rate_hz": rate_hz}
    case |= {"prominence": prominence, "window": window, "samples": len(x), "peaks": len(peaks)}
    # All of them in two numbers: which, and in what order.
    case |= {"sum": int(peaks.sum()), "weighted": int((peaks * numpy.arange(1, len(peaks) + 1)).sum())}
    at = [int(n) for n in numpy.linspace(window, len(x) - 1, 7)]
    found = [features(x[n - window + 1 : n + 1], rate_hz) for n in at]
    case |= {"at": at} | {key: [float(f[key]) for f in found] for key in found[0]}
    LINES.append(json.dumps(case))

print("[")
print(",\n".join(LINES))
print("]")
