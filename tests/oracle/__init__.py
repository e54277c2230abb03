"""The meaning of a metric in plain Python, random projects, and hand-worked timelines."""
