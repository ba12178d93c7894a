# make demo    the router with simulated models: a few hundred requests, a summary, the dashboard   (ARGS=--check: no staying open)
# make test    every test a fresh machine can run in ten minutes
# make check   formatting, lint, types, generated documents
# make bench   cost of the router beside nginx and LiteLLM, on this machine     (installs its peers; see benchmarks/README.md)
# make test-real  real servers and real clients, with the router between them (downloads several GB; ARGS="-k llama-cpp": much less)
# make train DATA=folder        the shipped predictor anew, from the data files that its card names
# make train-check DATA=folder  whether that gives the shipped file byte for byte; replaces nothing
# make bench-against OTHER=folder  this checkout beside another one
# make soak    load, faults, reloads, kill -9 and clients that leave, for half an hour   (ARGS="--minutes 5 --kills 20")
# make distil  whether the embedding table can be made anew from its public model   (ARGS=--write replaces it; downloads up to 3 GB)
# Needs Python 3.11 or newer with venv, and make. Nothing is installed outside this folder.

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python; do \
  command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
ARGS ?=

.PHONY: demo test test-real check format train train-check distil bench bench-decision bench-first bench-against bench-scenarios bench-tasks soak fuzz docs clean
.DEFAULT_GOAL := help

help:
	@sed -n 's/^# \{0,1\}//p;/^$$/q' Makefile

define NEEDS_PYTHON
@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed. Debian, Ubuntu: sudo apt install python3 python3-venv; macOS: brew install python"; exit 1; }
@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "Python's venv module is needed. Debian, Ubuntu: sudo apt install python3-venv"; exit 1; }
endef

$(BIN)/python:
	$(NEEDS_PYTHON)
	$(PYTHON) -m venv $(VENV)

# A stamp for each lock: the environment follows the lock file, and only then.
$(VENV)/demo.stamp: requirements/demo.txt pyproject.toml | $(BIN)/python
	$(PIP) --require-hashes -r requirements/demo.txt
	$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/dev.stamp: requirements/dev.txt pyproject.toml | $(BIN)/python
	$(PIP) --require-hashes -r requirements/dev.txt
	$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@ $(VENV)/demo.stamp

demo: $(VENV)/demo.stamp
	$(BIN)/llm-router demo $(ARGS)

# Three at a time where two can work, for a third of the time is waiting; in the order of tests/conftest.py. More than a
# hundred routers are started: without the compiled modules each would compile them all.
test: $(VENV)/dev.stamp
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder -m "not real" $(ARGS)

# Laws on new examples, many of them: what it finds is a bug that wants a test of its own.
fuzz: $(VENV)/dev.stamp
	LAWS=fuzz $(BIN)/python -m pytest -n 2 -m "not real" $(or $(ARGS),tests/dialects tests/backends tests/resilience tests/routing)

test-real: $(VENV)/dev.stamp
	$(BIN)/python -m pytest -m real tests/real $(ARGS)

check: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python scripts/reference.py --check
	$(BIN)/python scripts/compatibility.py --check

format: $(VENV)/dev.stamp
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

docs: $(VENV)/dev.stamp
	$(BIN)/python scripts/reference.py
	$(BIN)/python scripts/compatibility.py

# Figures are taken with what a user installs and the fastest Python of the machine, or with the one that is named.
BENCH := .venv-bench
NAMED := $(if $(filter file,$(origin PYTHON)),,$(PYTHON))

$(BENCH)/bin/python:
	$(NEEDS_PYTHON)
	python=$(or $(NAMED),$$($(PYTHON) benchmarks/interpreter.py)) && "$$python" -m venv --clear $(BENCH)

$(BENCH)/stamp: requirements/demo.txt pyproject.toml | $(BENCH)/bin/python
	$(BENCH)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/demo.txt
	$(BENCH)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

bench: $(BENCH)/stamp
	$(BENCH)/bin/python -m benchmarks.gateway $(ARGS)

bench-decision: $(BENCH)/stamp
	$(BENCH)/bin/python -m benchmarks.decision $(ARGS)

bench-first: $(BENCH)/stamp
	$(BENCH)/bin/python -m benchmarks.first $(ARGS)

OTHER ?=
bench-against: $(BENCH)/stamp
	@test -n "$(OTHER)" || { echo "bench-against needs the folder of another checkout: make bench-against OTHER=folder"; exit 2; }
	$(BENCH)/bin/python -m benchmarks.against "$(OTHER)" $(ARGS)

soak: $(VENV)/dev.stamp
	$(BIN)/python -m tests.support.soak $(ARGS)

# One thread of linear algebra: training then gives the same numbers everywhere.
bench-scenarios: $(VENV)/dev.stamp
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m benchmarks.scenarios $(ARGS)

bench-tasks: $(VENV)/dev.stamp
	$(BIN)/python -m benchmarks.tasks $(ARGS)

DATA ?=
NEEDS_DATA = @test -n "$(DATA)" || { echo "usage: make $@ DATA=folder, with the files that the predictor's card names (docs/guides/training.md)"; exit 2; }

train: $(VENV)/dev.stamp
	$(NEEDS_DATA)
	$(BIN)/python scripts/train.py "$(DATA)"

train-check: $(VENV)/dev.stamp
	$(NEEDS_DATA)
	$(BIN)/python scripts/train.py "$(DATA)" --check

# The second install adds what torch's build for graphics cards names, 4 GB of libraries. PIP_EXTRA_INDEX_URL can name an
# index that has the build for the processor alone: then there is nothing to add.
.venv-distil/stamp: requirements/distil.txt | $(BIN)/python
	$(BIN)/python -m venv --clear .venv-distil
	.venv-distil/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/distil.txt
	.venv-distil/bin/python -m pip install --quiet --disable-pip-version-check torch
	@touch $@

distil: .venv-distil/stamp
	PYTHONPATH=src .venv-distil/bin/python scripts/distil.py $(or $(ARGS),--check)

clean:
	rm -rf $(VENV) $(BENCH) .venv-distil .demo .pytest_cache .mypy_cache .ruff_cache .hypothesis
