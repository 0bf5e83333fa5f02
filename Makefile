# `make parity` and `make test` are all that a new clone needs; both make the virtual environment first.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
CONSTRAINTS ?= constraints.txt

# Tests run on so many processes at a time, each on one thread. Compiled modules are kept, since tests start many interpreters.
WORKERS ?= 2
PYTEST := env -u PYTHONDONTWRITEBYTECODE OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal --durations=15

.PHONY: parity test test-slow test-all test-lowest lint format reference fuzz benchmark clean help

help:  ## Say what there is to make.
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile

parity: $(INSTALLED) reference  ## Run the supervisor case with both programs and say where the report is.
	$(BIN)/trace-diff run supervisor

test: $(INSTALLED) reference  ## Run the fast tests: all but those of tests/slow.txt.
	$(PYTEST) -m "not slow"

test-slow: $(INSTALLED) reference  ## Run the tests of tests/slow.txt.
	$(PYTEST) -m slow

test-all: $(INSTALLED) reference  ## Run all tests.
	$(PYTEST)

test-lowest:  ## Run the fast tests with the lowest versions of all dependencies, in a virtual environment of their own.
	$(MAKE) test VENV=.venv-lowest CONSTRAINTS=constraints-lowest.txt

lint: $(INSTALLED)  ## Run the linters.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(INSTALLED)  ## Format the Python code.
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

reference:  ## Build the C reference program.
	$(MAKE) -C reference_c

fuzz:  ## Fuzz the readers of the C reference for a fixed number of iterations (needs clang).
	$(MAKE) -C reference_c fuzz

benchmark: $(INSTALLED) reference  ## Time both programs on the same command lines.
	$(BIN)/python -m benchmarks.render

clean:  ## Remove what was built; reports stay.
	$(MAKE) -C reference_c clean
	rm -rf $(VENV)

$(INSTALLED): pyproject.toml $(CONSTRAINTS)
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or later is needed, this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check --quiet -c $(CONSTRAINTS) -e '.[dev]'
	touch $@
