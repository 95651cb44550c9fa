"""Runs graphs with the program and reads what they say."""

import json
import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
HERE = Path(__file__).resolve().parent


def program():
    """The program `afferent`: as `AFFERENT` says, else the one that `cargo build --release` makes."""
    return os.environ.get("AFFERENT", str(ROOT / "target/release/afferent"))


def lines(graph, sets):
    """What a graph says under these settings, line by line."""
    command = [program(), "run", str(graph), "--speed", "max", "--json"]
    for key, value in sets.items():
        command += ["--set", f"{key}={value}"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)}\n{done.stderr}")
    return [json.loads(line) for line in done.stdout.splitlines()]
