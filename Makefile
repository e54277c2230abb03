# Two commands do everything on a fresh machine with Python 3.11+ and make: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test test-browser lint bench calibrate clean
.DEFAULT_GOAL := help

help:
	@echo "make demo          write a photo-app project with the logs of three tests, run them, say where the pages are"
	@echo "make test          all tests that need no browser"
	@echo "make test-browser  the report in a headless Chromium (needs chromium on the PATH)"
	@echo "make lint          ruff and the strict type checker"
	@echo "make bench         speed and memory as ratios; see docs/performance.md"
	@echo "make calibrate     false alarms and coverage by simulation, a quarter of an hour; writes docs/calibration.md"

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "abtest needs Python 3.11 or newer; call make with PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $(READY)

demo: $(READY)
	$(BIN)/abtest demo demo

test: $(READY)
	$(BIN)/python -m pytest -m "not browser" --numprocesses auto --dist loadfile
	@echo "left out: the tests marked 'browser' (make test-browser runs them)"

test-browser: $(READY)
	$(BIN)/python -m pytest -m browser tests/browser

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(READY)
	$(BIN)/python -m benchmarks

calibrate: $(READY)
	$(BIN)/python -m tests.simulation

clean:
	rm -rf $(VENV) demo out build dist .mypy_cache .ruff_cache .hypothesis
