"""Half seconds of real recordings that MNE drops, and blinks it finds, for `tests/signals/eeg.rs`.

    pip install mne==1.13.2 scipy==1.17.1 numpy==2.4.6
    AFFERENT_DATA=... python tests/golden/eeg_artefacts.py > tests/golden/eeg_artefacts.json

Epochs of half a second, one after the other, dropped where a channel is more than 100 uV or less than 20 uV
from peak to peak. Of each record and channel: the numbers of the dropped epochs. No sample of a recording
stands here.
"""

import json
import os

import mne
import numpy as np
from scipy.io import loadmat

mne.set_log_level("ERROR")
DATA = os.environ["AFFERENT_DATA"] + "/"


def muse():
    rows = np.genfromtxt(DATA + "mad-lab-fau+BioPsyKit/example_data/eeg_muse_example.csv", delimiter=",", skip_header=1)
    return "muse", 256.0, ["TP9", "AF7", "AF8", "TP10"], rows[:, 1:5].T.astype(np.float32)


def eeglab():
    folder = DATA + "sccn+eeglab/sample_data/"
    header = loadmat(folder + "eeglab_data.set", struct_as_record=False, squeeze_me=True)["EEG"]
    samples = np.fromfile(folder + "eeglab_data.fdt", "<f4").reshape(header.pnts, header.nbchan).T
    return "eeglab", float(header.srate), [place.labels for place in header.chanlocs], samples


def case(record, rate, names, samples, limits):
    raw = mne.io.RawArray(samples.astype(float) * 1e-6, mne.create_info(list(names), rate, "eeg"))
    row = {"record": record, "rate_hz": rate}
    for word, criterion in limits.items():
        dropped = []
        for name in names:
            epochs = mne.make_fixed_length_epochs(raw.copy().pick([name]), duration=0.5, preload=True)
            epochs.drop_bad(**criterion)
            dropped.append([n for n, log in enumerate(epochs.drop_log) if log])
        row[word] = dropped
        row["epochs"] = len(epochs.drop_log)
    return row


LIMITS = {"swing": {"reject": {"eeg": 100e-6}}, "flat": {"flat": {"eeg": 20e-6}}}
print("[" + ",\n".join(json.dumps(case(*record(), LIMITS)) for record in (muse, eeglab)) + "]")
