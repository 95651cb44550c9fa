"""whisper.cpp through pywhispercpp: seconds for each transcription and the tokens that it said, a line each.

    python -m venv VENV && VENV/bin/pip install pywhispercpp numpy
    AFFERENT_PYWHISPERCPP=VENV/bin/python cargo bench --features whisper --bench transcribe

Arguments: model, raw file of 32-bit floats at 16 kHz, positions of the encoder (0 for all), repetitions. One thread,
greedy, no temperature fall-back, no context, as the bench does.
"""

import sys
import time

import _pywhispercpp as whisper
import numpy
from pywhispercpp.model import Model


def main():
    path, audio, context, count = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    samples = numpy.fromfile(audio, dtype=numpy.float32)
    model = Model(path, n_threads=1, print_progress=False, print_realtime=False, redirect_whispercpp_logs_to=None)
    how = {
        "audio_ctx": context,
        "temperature_inc": 0.0,
        "no_context": True,
        "token_timestamps": True,
        "greedy": {"best_of": 1},
        "language": "en",
    }
    model.transcribe(samples, **how)
    for _ in range(count):
        began = time.perf_counter()
        model.transcribe(samples, **how)
        took = time.perf_counter() - began
        segments = range(whisper.whisper_full_n_segments(model._ctx))
        tokens = sum(whisper.whisper_full_n_tokens(model._ctx, segment) for segment in segments)
        print(f"{took:.6f} {tokens}", flush=True)


if __name__ == "__main__":
    main()
