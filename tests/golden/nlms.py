"""An adaptive filter by normalised least mean squares, as padasip runs it.

    pip install padasip==1.2.2 numpy==2.4.6
    python tests/golden/nlms.py > tests/golden/nlms.json
"""

import json

import numpy
import padasip

random = numpy.random.default_rng(5)
reference = random.integers(-64, 64, 200) / 64
taps = numpy.lib.stride_tricks.sliding_window_view(numpy.concatenate([numpy.zeros(3), reference]), 4)[:, ::-1]
desired = numpy.round((taps @ [0.5, -1.0, 0.25, 0.75] + 0.1 * random.standard_normal(200)) * 64) / 64
filter = padasip.filters.FilterNLMS(n=4, mu=0.3, eps=0.0, w="zeros")
_, errors, _ = filter.run(desired, taps)
print(json.dumps({
    "reference": reference.tolist(),
    "desired": desired.tolist(),
    "errors": errors.tolist(),
    "weights": filter.w.tolist(),
}))
