"""liblsl's clock offset between two processes of one machine: an error in microseconds a line.

    python -m venv VENV && VENV/bin/pip install pylsl==1.18.6
    PYLSL=VENV/bin/python cargo bench --bench offset

Both processes have the same clock (`lsl_local_clock` is the system's monotonic clock), so that what
`time_correction` differs from zero is its error. The outlet's process is this script with `there`; the first
estimate takes half a second (eight probes 64 ms apart, the one with the least round trip), later ones come
every few seconds; it is looked at every 50 ms, as ours is.
"""

import subprocess
import sys
import time


def there():
    from pylsl import StreamInfo, StreamOutlet

    outlet = StreamOutlet(StreamInfo("offset", "ECG", 1, 250, "float32", "afferent-offset"))
    print("ready", flush=True)
    while True:
        outlet.push_sample([0.0])
        time.sleep(0.004)


def here(seconds):
    from pylsl import StreamInlet, resolve_byprop

    other = subprocess.Popen([sys.executable, __file__, "there"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        other.stdout.readline()
        streams = resolve_byprop("source_id", "afferent-offset", timeout=10)
        if not streams:
            sys.exit("the outlet was not found")
        inlet = StreamInlet(streams[0])
        begun = time.monotonic()
        errors = []
        while time.monotonic() - begun < seconds:
            errors.append(abs(inlet.time_correction(timeout=10)) * 1e6)
            inlet.pull_chunk(timeout=0.0)
            time.sleep(0.05)
        print("\n".join(f"{error:.3f}" for error in errors))
    finally:
        other.kill()
        other.wait()


if __name__ == "__main__":
    there() if sys.argv[1] == "there" else here(float(sys.argv[1]))
