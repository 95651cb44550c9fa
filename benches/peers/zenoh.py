#!/usr/bin/env python3
"""Frames a second over a link, ours and zenoh's over QUIC by turns.

Usage: zenoh.py PEER BENCH [ROUNDS]

PEER   the peers' zenoh harness, built for release (`peer-zenoh`)
BENCH  our bench, built for release: target/release/deps/link-…
ROUNDS nine unless said

A round is one run of each, so that both meet the machine as it is then; told are the medians of the rounds
and of the ratios within a round.
"""

import json
import os
import re
import statistics
import subprocess
import sys

# Content of a frame in bytes, and the case of our bench.
SIZES = {256: "small, ours", 1100: "rate, ours"}
SCALES = {"": 1.0, "k": 1e3, "M": 1e6}


def theirs(peer):
    """Messages a second by size; 1.5 s each, as ours. All links are run, and the one over QUIC streams kept."""
    budget = dict(os.environ, BUDGET_S="0.75", PACED_S="0.1")
    out = subprocess.run([peer], env=budget, capture_output=True, text=True, check=True).stdout
    lines = [json.loads(line) for line in out.splitlines()]
    rates = [line for line in lines if line["bench"] == "pubsub_rate"]
    over_quic = [line for line in rates if line["params"]["link"] == "quic"]
    assert all(line["metrics"]["lost_pct"] == 0 for line in over_quic), over_quic
    return {line["params"]["msg_bytes"]: line["metrics"]["msgs_per_s"] for line in over_quic}


def ours(bench, case):
    words = [bench, "--bench", "--case", case, "--pairs", "1"]
    out = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    number, scale = re.search(r"of ours:\s+per_s ([\d.]+) ?([kM]?)", out).groups()
    return float(number) * SCALES[scale]


def main():
    peer, bench = sys.argv[1:3]
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 9
    seen = {size: [] for size in SIZES}
    for n in range(rounds):
        their = theirs(peer)
        for size, case in SIZES.items():
            seen[size].append((ours(bench, case), their[size]))
        print(f"round {n + 1} of {rounds}", file=sys.stderr)
    for size, pairs in seen.items():
        our, their = (statistics.median(side) for side in zip(*pairs))
        ratios = sorted(our / their for our, their in pairs)
        spread = f"[{ratios[0]:.2f} .. {ratios[-1]:.2f}]"
        median = f"{statistics.median(ratios):.2f} × {spread}"
        print(f"{size} bytes: ours {our / 1e3:.0f} k/s, zenoh over QUIC {their / 1e3:.0f} k/s: {median}")


if __name__ == "__main__":
    main()
