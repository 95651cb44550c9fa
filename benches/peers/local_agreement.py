"""What the authors' program of LocalAgreement-2 commits on the scripts of model/src/transcription/agreement.rs.

    git clone https://github.com/ufal/whisper_streaming
    python local_agreement.py whisper_streaming/whisper_online.py

prints the number of lines and their XXH3 (needs the package `xxhash`; without it the lines go to stdout, to be
compared with what the test writes to the file AFFERENT_AGREEMENT_SCRIPTS names).
"""

import ast
import logging
import sys

MASK = (1 << 64) - 1
VOCABULARY = ["a", "b", "c", "a b", " d", "b c"]


class Dice:
    """splitmix64."""

    def __init__(self, seed):
        self.state = seed

    def roll(self, below):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return (z ^ (z >> 31)) % below


def published(path):
    """The class alone: its file wants packages that it does not need."""
    tree = ast.parse(open(path).read())
    tree.body = [node for node in tree.body if getattr(node, "name", "") == "HypothesisBuffer"]
    names = {"sys": sys, "logger": logging.getLogger("published")}
    exec(compile(tree, path, "exec"), names)
    return names["HypothesisBuffer"]


def script(number, buffer):
    dice = Dice(number)
    told = []
    truth = []
    offset = at = 0
    for _ in range(3 + dice.roll(10)):
        for _ in range(dice.roll(5)):
            at += dice.roll(60)
            end = at + 5 + dice.roll(60)
            truth.append((at, end, dice.roll(6)))
            at = end
        heard = []
        for start, end, word in truth:
            if start < offset:
                continue
            what = dice.roll(12)
            if what == 0:
                word = dice.roll(6)
            elif what == 1:
                by = dice.roll(80)
                start, end = start + by, end + by
            elif what == 2:
                continue
            heard.append(((start - offset) / 100, (end - offset) / 100, VOCABULARY[word]))
        buffer.insert(heard, offset / 100)
        committed = buffer.flush()
        line = lambda words: "".join(f"{a:.6f} {b:.6f} {t}|" for a, b, t in words)
        told.append(line(committed) + "/" + line(buffer.complete()) + "\n")
        if dice.roll(4) == 0:
            # Half goes up, as in Rust; there are no halves of these anyway.
            until = int(buffer.last_commited_time * 100 + 0.5)
            offset = max(until, offset)
            buffer.pop_commited(offset / 100)
    return "".join(told)


def main():
    HypothesisBuffer = published(sys.argv[1])
    told = "".join(script(number, HypothesisBuffer()) for number in range(10_000))
    try:
        import xxhash
    except ImportError:
        sys.stdout.write(told)
        return
    print(told.count("\n"), f"{xxhash.xxh3_128(told.encode()).intdigest():032x}")


if __name__ == "__main__":
    main()
