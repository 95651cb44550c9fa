"""Spectra and what is made of them, as SciPy and librosa compute them.

    pip install scipy==1.17.1 numpy==2.4.6 librosa==0.11.0
    python tests/golden/spectra.py > tests/golden/spectra.json

The signal is made of whole numbers and exact in 32 bits: a congruential generator and a sawtooth.
"""

import json

import librosa
import numpy as np
from scipy import signal

N = 64
HOP = 40
RATE = 250.0


def sound(count, seed):
    numbers, state = [], seed
    for n in range(count):
        state = (75 * state + 74) % 65537
        numbers.append(state / 32768 - 1 + (7 * n % 32) / 16 - 1)
    return np.array(numbers)


def say(kind, values, **params):
    flat = [float(f"{value:.12g}") for value in np.asarray(values).ravel()]
    print(json.dumps({"kind": kind, **params, "values": flat}))


x = sound(200, 1)
y = 0.5 * sound(200, 1) + sound(200, 2)
welch = dict(fs=RATE, window="hann", nperseg=N, noverlap=N - HOP)

_, _, spectra = signal.stft(x, **welch)
spectra = spectra.T[:5]
say("stft", np.stack([spectra.real, spectra.imag], axis=-1))

# Segments 1 to 4, the first of which begins at sample HOP - N / 2.
inside = slice(HOP - N // 2, HOP - N // 2 + 3 * HOP + N)
hz, density = signal.welch(x[inside], **welch)
say("power", density, scaling="density")
say("power", signal.welch(x[inside], scaling="spectrum", **welch)[1], scaling="spectrum")
# Segment 0: half of it lies before the signal.
window = signal.get_window("hann", N)
begin = signal.periodogram(x[: N // 2], fs=RATE, window=window[N // 2 :], nfft=N, detrend="constant")
say("power", begin[1], scaling="begin")

step = RATE / N
shares = [
    np.clip(np.minimum(hz + step / 2, high) - np.maximum(hz - step / 2, low), 0, None)
    for low, high in [(8.0, 13.0), (20.0, 21.5)]
]
say("band_power", [np.sum(density * share) for share in shares])

edges = np.concatenate([hz - step / 2, hz[-1:] + step / 2])
heard = (hz >= 10) & (hz <= 90)
cumulative = np.concatenate([[0], np.cumsum(density[heard])])
places = np.concatenate([hz[heard] - step / 2, hz[heard][-1:] + step / 2])
say("edge", [np.interp(0.9 * cumulative[-1], cumulative, places)])

_, coherence = signal.coherence(x[inside], y[inside], **welch)
say("coherence", coherence)

tones = [10.0, 17.3]
turns = np.exp(-2j * np.pi * np.outer(tones, np.arange(N)) / RATE)
segments = [x[m * HOP - N // 2 :][:N] for m in range(1, 4)]
amplitudes = [2 * np.abs(turns @ (window * segment)) / window.sum() for segment in segments]
say("goertzel", amplitudes)

# librosa's part: 16 kHz, the first segments of which lie half before the signal.
speech = sound(430, 3)
cut = dict(n_fft=256, hop_length=100, window="hann", center=True, pad_mode="constant")
for name, htk, norm in [("slaney", False, "slaney"), ("htk", True, None)]:
    mel = librosa.feature.melspectrogram(
        y=speech, sr=16000, power=2.0, n_mels=20, fmin=100.0, fmax=7000.0, htk=htk, norm=norm,
        dtype=np.float64, **cut,
    )[:, :4]
    say("mel", mel.T, scale=name)
    decibels = librosa.power_to_db(mel, top_db=None)
    say("log_mel", decibels.T, scale=name)
    say("mfcc", librosa.feature.mfcc(S=decibels, n_mfcc=13, lifter=22).T, scale=name)
say("centroid", librosa.feature.spectral_centroid(y=speech, sr=16000, **cut)[0, :4])
say("flatness", librosa.feature.spectral_flatness(y=speech, **cut)[0, :4])
