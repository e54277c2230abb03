"""Laws are searched in the same order on every machine; ABTEST_LAWS=5000 searches longer, and elsewhere each time."""

import os

from hypothesis import settings

settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.register_profile("search", deadline=None, max_examples=int(os.environ.get("ABTEST_LAWS", "100")))
settings.load_profile("search" if "ABTEST_LAWS" in os.environ else "repeatable")
