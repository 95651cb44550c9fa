"""Entropies as neurokit2 and NumPy compute them.

    pip install numpy==2.4.6 neurokit2==0.2.13
    python tests/golden/entropies.py > tests/golden/entropies.json
"""

import json

import neurokit2
import numpy

N = numpy.arange(200)
X = ((N * 7919 + N * N * 13) % 1009 - 400) / 64.0
SIZE = 60

# Without equal samples within four in a row, whose order neurokit2's sort leaves to chance.
AT = [59, 60, 75, 143, 180, 199]


for end in AT:
    assert all(len(set(X[n : n + 4])) == 4 for n in range(end - SIZE + 1, end - 2))


def case(params, value):
    want = [float(value(X[n - SIZE + 1 : n + 1])) for n in AT]
    return {"params": f"window_s = {SIZE / 1000!r}; {params}", "at": AT, "want": want}


def permutation(x, order):
    return neurokit2.entropy_permutation(x, dimension=order, delay=1)[0]


def paired(function, x, order, ratio):
    tolerance = ratio * numpy.std(x, ddof=1)
    return function(x, dimension=order, delay=1, tolerance=tolerance)[0]


def shannon(x, bins):
    counts, _ = numpy.histogram(x, bins)
    shares = counts[counts > 0] / len(x)
    return -numpy.sum(shares * numpy.log2(shares))


CASES = [
    case("method = 'permutation'", lambda x: permutation(x, 3)),
    case("method = 'permutation'; order = 4", lambda x: permutation(x, 4)),
    case("method = 'sample'; tolerance_ratio = 0.5", lambda x: paired(neurokit2.entropy_sample, x, 2, 0.5)),
    case("method = 'approximate'", lambda x: paired(neurokit2.entropy_approximate, x, 2, 0.2)),
    case("method = 'approximate'; order = 3; tolerance_ratio = 0.5", lambda x: paired(neurokit2.entropy_approximate, x, 3, 0.5)),
    case("method = 'shannon'; bins = 8", lambda x: shannon(x, 8)),
]

print("[")
print(",\n".join(json.dumps(case) for case in CASES))
print("]")
