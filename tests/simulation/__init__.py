"""How often does each method raise a false alarm, and how often does its interval cover the truth?

`case` says what one line of the table is, `data` draws arms, `means`, `proportions`, `ratios`, ... are the lines,
`runner` counts, `pipeline` does the same with whole projects from YAML, and `table` writes and reads
`docs/calibration.md`. `python -m tests.simulation` (`make calibrate`) runs all of it, `make test` a short version.
"""

import os

# Two processes draw and judge; products of matrices that each bring threads of their own would only wait for each other.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
