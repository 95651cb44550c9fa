"""Where neurokit2 finds breaths and muscle work in recordings, for comparison.

    pip install neurokit2==0.2.13 numpy==2.4.6 scipy==1.17.1
    python tests/golden/recordings.py FOLDER_OF_TEST_DATA > tests/golden/recordings.json

Breaths: rsp_process (khodadad2018); troughs, in seconds. Work: emg_clean, emg_amplitude, and emg_activation
with the method "mixture"; onsets and offsets, in seconds.
"""

import json
import sys

import neurokit2 as nk
import numpy as np
import pandas as pd

data = sys.argv[1]
events = pd.read_csv(f"{data}/mixue-t+NeuroKit/data/bio_eventrelated_100hz.csv")
belt = np.loadtxt(f"{data}/PIA-Group+BioSPPy/examples/resp.txt")[::10]
emg = np.loadtxt(f"{data}/PIA-Group+BioSPPy/examples/emg.txt")


def troughs(signal):
    return [round(float(n) / 100, 2) for n in nk.rsp_process(signal, sampling_rate=100)[1]["RSP_Troughs"]]


cleaned = nk.emg_clean(emg, sampling_rate=1000)
amplitude = nk.emg_amplitude(cleaned)
work = nk.emg_activation(emg_amplitude=amplitude, emg_cleaned=cleaned, sampling_rate=1000, method="mixture")[1]
print("[" + ",\n".join(json.dumps(case) for case in [
    {"case": "nk-eventrelated", "troughs": troughs(events["RSP"].values)},
    {"case": "biosppy-resp", "troughs": troughs(belt)},
    {"case": "biosppy-emg", "onsets": [round(float(n) / 1000, 3) for n in work["EMG_Onsets"]],
     "offsets": [round(float(n) / 1000, 3) for n in work["EMG_Offsets"]]},
]) + "]")
