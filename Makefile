# Each target makes its own .venv when it is missing. Nothing else is needed but
# git, make and Python >= 3.11.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: demo test test-all fuzz check fix docs clean

demo: $(VENV)/.train
	$(BIN)/git-lg demo loopgraph-demo -n 6

test: $(VENV)/.dev $(VENV)/.train
	$(BIN)/python -m pytest -n 3 --dist loadgroup -m "not torch and not long and not slow"
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m "long and not torch and not slow"
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m "torch and not slow"

test-all: test
	$(BIN)/python -m pytest -m slow

# ten thousand hostile inputs of every kind; meant for the night
fuzz: $(VENV)/.dev
	HYPOTHESIS_PROFILE=nightly $(BIN)/python -m pytest -n auto tests/fuzz

check: $(VENV)/.dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/cog --check docs/*.md docs/*.1

fix: $(VENV)/.dev
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

docs: $(VENV)/.dev
	$(BIN)/cog -r docs/*.md docs/*.1

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.base: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) install -c constraints.txt -e .
	touch $@

$(VENV)/.dev: $(VENV)/.base
	$(PIP) install -c constraints.txt -e ".[dev]"
	touch $@

# torch comes last and pinned: an open range would fetch gigabytes of CUDA
$(VENV)/.train: $(VENV)/.base
	$(PIP) install -c constraints.txt -e ".[train]"
	touch $@

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
