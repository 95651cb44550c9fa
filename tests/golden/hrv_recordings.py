"""What neurokit2 finds in recorded heart beats; the recordings stay where they are.

    pip install neurokit2==0.2.13 scipy==1.17.1 numpy==2.4.6 astropy==8.0.2 pandas==2.3.3
    AFFERENT_DATA=../shared/data python tests/golden/hrv_recordings.py > tests/golden/hrv_recordings.json

Intervals in milliseconds: all of a recording, and those that end in its last five minutes. Artefacts are
of the annotated beats of MIT-BIH records, in one pass.
"""

import json
import os
import warnings

import neurokit2 as nk
import numpy as np
from neurokit2.hrv.hrv_nonlinear import _hrv_nonlinear_poincare

warnings.simplefilter("ignore")

DATA = os.environ["AFFERENT_DATA"]
RR = {
    "rest_rri": "rhenanbartels+hrv/hrv/sampledata/rest_rri.txt",
    "nni_long": "PGomes92+pyhrv/pyhrv/files/SampleNNISeriesLong.npy",
}
BEATS = {
    "100": "MIT-LCP+wfdb-python/sample-data/100",
    "104": "derived-mitdb-wfdb/104",
    "106": "derived-mitdb-wfdb/106",
    "114": "derived-mitdb-wfdb/114",
    "123": "derived-mitdb-wfdb/123",
}


def measures(rr):
    time = nk.hrv_time({"RRI": rr}).iloc[0].to_dict()
    names = "MeanNN SDNN RMSSD SDSD MedianNN MadNN IQRNN Prc20NN Prc80NN pNN50 pNN20 HTI"
    out = {name: float(time[f"HRV_{name}"]) for name in names.split()}
    out |= {k: float(v) for k, v in _hrv_nonlinear_poincare(rr, out={}).items()}
    out["DFA_alpha1"] = float(nk.fractal_dfa(rr, scale=np.arange(4, 12))[0])
    tolerance = 0.2 * np.std(rr, ddof=1)
    out["SampEn"] = float(nk.entropy_sample(rr, delay=1, dimension=2, tolerance=tolerance)[0])
    lomb = nk.hrv_frequency({"RRI": rr}, psd_method="lomb", interpolation_rate=None, silent=True)
    return out | {"LFHF": float(lomb["HRV_LFHF"].iloc[0])}


def intervals(name, path):
    path = os.path.join(DATA, path)
    rr = np.load(path) if path.endswith(".npy") else np.loadtxt(path)
    rr = rr.astype(float)
    ends = np.cumsum(rr) / 1000
    last = rr[ends > ends[-1] - 300]
    cases = [("all", rr), ("last", last)]
    return [{"name": name, "part": part, "n": len(some), **measures(some)} for part, some in cases]


def annotated(path):
    """Times of beats in samples, from annotations in WFDB's format."""
    words = np.fromfile(os.path.join(DATA, path + ".atr"), "<u2")
    beats, at, n = [], 0, 0
    while n < len(words) and words[n]:
        code, step = words[n] >> 10, int(words[n] & 0x3FF)
        if code == 59:
            at += (int(words[n + 1]) << 16) + int(words[n + 2])
            n += 2
        elif code == 63:
            n += (step + 1) // 2
        elif code < 59:
            at += step
            if code in {*range(1, 14), 25, 30, 34, 35, 38, 41}:
                beats.append(at)
        n += 1
    return np.array(beats)


def artefacts(name, path):
    beats = annotated(path)
    info, _ = nk.signal_fixpeaks(beats, sampling_rate=360, iterative=False, method="kubios")
    classes = ("ectopic", "longshort", "missed", "extra")
    return {"name": name, "beats": len(beats), **{key: len(info[key]) for key in classes}}


cases = [case for each in RR.items() for case in intervals(*each)]
cases += [artefacts(*each) for each in BEATS.items()]
print("[" + ",\n".join(json.dumps(case) for case in cases) + "]")
