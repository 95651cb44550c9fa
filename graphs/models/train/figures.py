"""What the models are worth: the tables of `graphs/models/README.md`.

Recordings are found by `AFFERENT_DATA`, else in `../shared/data`; without them their tables stay as they are.
"""

import csv
import os
import re
import tempfile
from pathlib import Path

import numpy as np

import beats_data
import export
import quality_data
import stress_data
from net import zscore
from program import HERE, ROOT, lines

DATA = Path(os.environ.get("AFFERENT_DATA", ROOT.parent / "shared/data"))
MITDB = [
    ("100", "MIT-LCP+wfdb-python/sample-data/100.hea", "MLII"),
    ("100", "MIT-LCP+wfdb-python/sample-data/100.hea", "V5"),
    *[(record, f"derived-mitdb-wfdb/{record}.hea", "ECG") for record in ["104", "106", "114", "123"]],
]


def softmax(x):
    x = np.exp(x - x.max(1, keepdims=True))
    return x / x.sum(1, keepdims=True)


def table(head, rows):
    rule = ["---"] * len(head)
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in [head, rule, *rows])


def counted(y, p, classes):
    counts = np.zeros((classes, classes), int)
    np.add.at(counts, (y, p), 1)
    return counts


def percent(part, whole):
    return f"{100 * part / whole:.2f}" if whole else "–"


def recordings():
    """Each record through the delivered graph, as the tests run it again."""
    rows = []
    for record, file, lead in MITDB:
        kinds = lines(ROOT / "graphs/biofeedback.toml", {
            "ecg.op": "wfdb", "ecg.file": DATA / file, "clean.from": f"ecg[{lead}]",
            "level.from": f"ecg[{lead}]", "out.from": "kind"})
        marked = lines(HERE / "annotations.toml", {"ecg.file": DATA / file})
        truth = [line for line in marked if line["is_beat"]]
        times = np.array([line["t_s"] for line in truth])
        early = [line["class"] not in beats_data.NORMAL for line in truth]
        y = []
        for line in kinds:
            near = int(np.argmin(np.abs(times - line["t_s"])))
            y.append(int(early[near]) if abs(times[near] - line["t_s"]) <= beats_data.REACH_S else 2)
        p = [beats_data.CLASSES.index(line["label"]) for line in kinds]
        counts = counted(np.array(y), np.array(p), 3)
        rows.append([record, lead, *counts.ravel(), percent(np.trace(counts), counts.sum())])
    head = ["record", "lead", *[f"{true[0].upper()} as {told[0].upper()}" for true in beats_data.CLASSES
                                for told in beats_data.CLASSES], "right %"]
    return table(head, rows)


def people():
    """Pieces and classes of all records together, as long as those that `train.py` cuts."""
    xs, ys = [], []
    for _, file, lead in MITDB:
        pieces = lines(HERE / "beats.toml", {
            "ecg.op": "wfdb", "ecg.file": DATA / file, "clean.from": f"ecg[{lead}]",
            "level.from": f"ecg[{lead}]", "out.from": "pieces"})
        marked = lines(HERE / "annotations.toml", {"ecg.file": DATA / file})
        x, y, _ = beats_data.labelled(pieces + marked)
        xs.append(x), ys.append(y)
    return np.concatenate(xs), np.concatenate(ys)


def exits(out, x, y, costs):
    """Each exit alone, and early exits at some scores."""
    logits, feed = [], x
    for number in [1, 2, 3]:
        given = export.run(out / f"beats.{number}.onnx", "piece" if number == 1 else "hidden", feed)
        logits.append(given[0])
        feed = given[-1]
    scores = [softmax(exit) for exit in logits]
    rows, spent = [], np.cumsum(costs)
    for number, score in enumerate(scores):
        rows.append([f"exit {number + 1} alone", *recalls(y, score.argmax(1)), "–", f"{spent[number] / 1e3:.0f}", "–"])
    for least in [0.9, 0.95, 0.98]:
        leaves = [score.max(1) >= least for score in scores[:-1]]
        first = np.where(leaves[0], 0, np.where(leaves[1], 1, 2))
        p = np.choose(first, [score.argmax(1) for score in scores])
        cost = spent[first].mean()
        share = f"{100 * (1 - cost / spent[-1]):.0f} %"
        left = " / ".join(f"{100 * (first == exit).mean():.0f}" for exit in range(3))
        rows.append([f"first exit with {least}", *recalls(y, p), left, f"{cost / 1e3:.0f}", share])
    for file in ["beats.onnx", "beats.int8.onnx"]:
        p = export.run(out / file, "piece", x)[0].argmax(1)
        rows.append([f"`{file}`", *recalls(y, p), "–", f"{spent[-1] / 1e3:.0f}", "–"])
    head = ["", "right %", "of normal %", "of premature %", "of artefacts %", "left at 1 / 2 / 3 %", "thousand multiplications", "saved"]
    return table(head, rows)


def recalls(y, p):
    return [percent((p == y).sum(), len(y))] + [percent((p[y == c] == c).sum(), (y == c).sum()) for c in range(3)]


def stress(out, seed):
    x, y, _ = stress_data.synthetic(seed, 200)
    rows = []
    for file in ["stress.onnx", "stress.int8.onnx"]:
        p = export.run(out / file, "features", x)[0].argmax(1)
        rows.append([f"`{file}`", percent((p == y).sum(), len(y)),
                     *[percent((p[y == c] == c).sum(), (y == c).sum()) for c in range(2)]])
    return table(["", "right %", "of calm %", "of stressed %"], rows)


def area(bad, score):
    """How often a bad piece scores lower than a good one: 0.5 by chance, 1 at best."""
    order = np.argsort(np.argsort(score)) + 1.0
    for value in np.unique(score):
        order[score == value] = order[score == value].mean()
    n, m = (~bad).sum(), bad.sum()
    return (order[~bad].sum() - n * (n + 1) / 2) / (n * m)


def rules(signal, rate_hz):
    """What `quality` and `ecg_quality` say of each piece."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "signal.csv"
        with open(file, "w", newline="") as text:
            csv.writer(text).writerows([["mv"], *[[f"{value:.6f}"] for value in signal]])
        graph = Path(folder) / "rules.toml"
        ask = "window_s = 4.0\nevery_s = 2.0"
        graph.write_text(f'[graph]\nname = "rules"\n[node.in]\nop = "csv"\nfile = "signal.csv"\n'
                         f"rate_hz = {rate_hz}\n[node.plain]\nop = \"quality\"\nfrom = \"in\"\n{ask}\n"
                         f"mains_hz = 50.0\n[node.beats]\nop = \"ecg_quality\"\nfrom = \"in\"\n{ask}\n"
                         '[node.out]\nop = "jsonl"\nfrom = ["plain", "beats"]\n')
        said = lines(graph, {})
    by = lambda node: {round(line["t_s"] / 2): line["quality"] for line in said if line["node"] == node}
    return by("plain"), by("beats")


def quality(out, seed):
    """Of bodies that were not trained on, and of real ECG with known noise, beside the rules."""
    rows = []
    x, y = quality_data.synthetic(seed, 120)
    for file in ["quality.onnx", "quality.int8.onnx"]:
        p = export.run(out / file, "piece", zscore(x)[:, None, :])[0].argmax(1)
        rows.append([f"`{file}`", percent((p == y).sum(), len(y)),
                     *[percent((p[y == c] == c).sum(), (y == c).sum()) for c in range(3)]])
    return table(["", "right %", "of good %", "of doubtful %", "of bad %"], rows)


def quality_of_people(out, seed):
    random = np.random.default_rng(seed)
    rate_hz, scores, truths = quality_data.RATE_HZ, [[], [], []], []
    counts = np.zeros((3, 3), int)
    for record, file, lead in MITDB:
        heart = quality_data.slow({"body.op": "wfdb", "body.file": DATA / file, "level.from": f"body[{lead}]"})
        heart = heart[rate_hz : rate_hz * 301]
        for key in ["noise_mv", "electrode_mv", "muscle_mv", "jump_mv"]:
            noise = quality_data.slow({"body.seconds": 302.0, "body.seed": int(random.integers(1 << 40)),
                                       "body.amplitude_mv": 0.01, f"body.{key}": 1.0})[rate_hz:][: len(heart)]
            noise *= heart.std() / noise.std() * 10 ** (-random.uniform(-8, 18) / 20)
            truth = quality_data.classes(quality_data.share_db(quality_data.pieces(heart), quality_data.pieces(noise)))
            x = zscore(quality_data.pieces(heart + noise))[:, None, :]
            score = softmax(export.run(out / "quality.onnx", "piece", x)[0])
            counts += counted(truth, score.argmax(1), 3)
            plain, beats = rules(heart + noise, rate_hz)
            # A piece of four seconds ends where the value about it stands.
            ends = np.arange(len(x)) + 2
            scores[0] += list(score[:, 0] - score[:, 2])
            scores[1] += [plain.get(end, np.nan) for end in ends]
            scores[2] += [beats.get(end, np.nan) for end in ends]
            truths += list(truth)
    truths = np.array(truths)
    scores = np.array(scores)
    known = np.isfinite(scores).all(0) & (truths != 1)
    rows = [[name, f"{area(truths[known] == 2, score[known]):.3f}"]
            for name, score in zip(["`quality.onnx`", "kind `quality`", "kind `ecg_quality`"], scores)]
    right = percent(np.trace(counts), counts.sum())
    return table(["", "good before bad"], rows), right


def put(text, name, content):
    """Replaces what stands between the marks of that name."""
    marks = rf"(<!-- {name} -->\n).*?(<!-- end -->)"
    made, count = re.subn(marks, lambda found: f"{found[1]}{content}\n{found[2]}", text, flags=re.S)
    assert count == 1, f"the marks of {name}"
    return made


def write(out, seed, beat_pieces, costs):
    readme = out / "README.md"
    text = readme.read_text()
    x, y, _ = beats_data.synthetic(seed, 150)
    text = put(text, "exits", exits(out, beat_pieces(x), y, costs))
    text = put(text, "stress", stress(out, seed))
    text = put(text, "quality", quality(out, seed))
    sizes = [[f"`{file.name}`", file.stat().st_size] for file in sorted(out.glob("*.onnx"))]
    text = put(text, "files", table(["file", "bytes"], sizes + [["all", sum(size for _, size in sizes)]]))
    if DATA.is_dir():
        text = put(text, "recordings", recordings())
        x, y = people()
        text = put(text, "exits of people", exits(out, beat_pieces(x), y, costs))
        rows, right = quality_of_people(out, seed)
        text = put(text, "noisy", rows + f"\n\nOf its three classes {right} % are right there.")
    readme.write_text(text)
