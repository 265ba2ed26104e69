# Everything runs in .venv, which the first target that needs it creates. Nothing else is touched.
#
#   make demo    install, run the main job on a phantom, leave its results in demo-output/
#   make test    install the development extras, then format, lint, types and tests
#   make help    the rest

VENV ?= .venv
OUTPUT ?= demo-output
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

# The default install has no PyTorch; the tests need it. Pinned, and installed before the extras
# that ask for it: where a registry offers this version without CUDA (2.13.0+cpu), pip takes that
# one, while the plain newest torch brings gigabytes of CUDA libraries.
TORCH ?= torch==2.13.0

# Its source is read by the tests: which operators it converts. What it asks for is CUDA, gigabytes.
TORCH_TENSORRT ?= torch-tensorrt==2.13.0

# The first of these that starts, is 3.11 or 3.12 and can create environments: a name on the path
# proves nothing, e.g. a pyenv shim of a version that is not active.
PYTHON ?= $(shell for python in python3.11 python3.12 python3 python; do \
	$$python -c 'import sys, ensurepip; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' \
	2>/dev/null && { echo $$python; break; }; done)

.PHONY: demo test lint types format pytest clean distclean help

help:
	@echo 'demo      install and run the main job on a phantom; results in $(OUTPUT)/'
	@echo 'test      format check, lint, types and tests, as continuous integration runs them'
	@echo 'lint      ruff: style and format; import-linter: which room may import from which'
	@echo 'types     mypy on the library'
	@echo 'pytest    the tests alone; ARGS="-k name" selects'
	@echo 'format    let ruff rewrite what it can'
	@echo 'clean     remove caches and $(OUTPUT)/'
	@echo 'distclean remove $(VENV) too'

demo: $(VENV)/.installed
	$(BIN)/brainsegaccel demo --output $(OUTPUT)

# pytest comes last, so that its summary line is the last thing to read.
test: lint types pytest

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache

types: $(VENV)/.installed-dev
	$(BIN)/mypy

pytest: $(VENV)/.installed-dev
	$(BIN)/python -m pytest $(ARGS)

format: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(BIN)/python:
	@test -n '$(PYTHON)' || { echo 'make: no Python 3.11 or 3.12 with ensurepip (on Debian and' \
		'Ubuntu: the package python3-venv); name one with make PYTHON=...' >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml | $(BIN)/python
	$(PIP) install --quiet --editable .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml | $(BIN)/python
	$(BIN)/python -c 'import torch' 2>/dev/null || $(PIP) install --quiet '$(TORCH)'
	$(PIP) install --quiet --editable '.[dev]'
	$(PIP) install --quiet --no-deps '$(TORCH_TENSORRT)' || \
		echo 'make: $(TORCH_TENSORRT) is not to be had here; tests of its source are skipped' >&2
	@touch $@ $(VENV)/.installed

clean:
	rm -rf $(OUTPUT) .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist
	find BrainSegAccel Testing -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean
	rm -rf $(VENV)
