# One command each; `make` alone lists them. PYTHON chooses the interpreter, VENV the environment.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# What is imported is compiled then, which is a small part of it, and kept, whatever the environment says.
PIP := $(BIN)/pip install --quiet --no-compile -c constraints.txt
export PYTHONDONTWRITEBYTECODE :=
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help demo test check wheel

help:  ## list the commands
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

demo: $(VENV)/.installed  ## set up, then talk, consolidate and answer from the weights (SmolLM2-135M)
	$(BIN)/engrain demo

test: check  ## set up, then every check: lint, types, unit tests, real model, wheel
	$(BIN)/engrain models fetch
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not real" tests/integration/test_kills.py $(filter-out %/test_kills.py,$(wildcard tests/integration/test_*.py)) tests/e2e
	$(BIN)/python -m pytest -m real tests/integration

check: $(VENV)/.dev  ## set up, then lint, types, structure and unit tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -n 2 --dist loadfile tests/unit

$(VENV)/.venv:
	$(PYTHON) -m venv $(VENV)
	touch $@

$(VENV)/.installed: $(VENV)/.venv pyproject.toml constraints.txt
	$(PIP) torch
	$(PIP) -e .
	touch $@

$(VENV)/.dev: $(VENV)/.installed pyproject.toml constraints.txt
	$(PIP) -e '.[dev]'
	touch $@
