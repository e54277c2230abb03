"""The demo: a photo app that tested its composer three times, with exported logs and effects that are planted and stated.

`seasons` says when, on whom, and what is true; `people` simulates; `exports` writes files with the flaws of real ones.
"""

from abtest.demo.people import Records as Records
from abtest.demo.seasons import SEASONS as SEASONS
from abtest.demo.seasons import TRUTH as TRUTH
from abtest.demo.write import Demo as Demo
from abtest.demo.write import write_demo as write_demo
