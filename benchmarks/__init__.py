"""Speed and memory as ratios to the engine's bare scan, taken pair by pair in one run. `python -m benchmarks --help`."""
