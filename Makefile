# Every target sets up what it needs: `make demo` works on a machine that has only Python.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test matrix check fuzz soak bench mutants clean

demo: $(VENV)/.run
	$(BIN)/supervise run specs.examples.tree

test: $(VENV)/.dev
	$(BIN)/python -m pytest -q -n 2 --dist loadfile

# What holds wherever processes live: in one Lua state or several, and in each version of Lua.
PLACEMENTS := one elsewhere spread private
VERSIONS := 5.4 5.5 jit
PLACED := tests/test_lua_*.py tests/test_node.py tests/test_supervisor.py \
  tests/test_supervisor_calls.py tests/test_supervisor_lua.py tests/test_supervisor_stop.py \
  tests/test_python_process.py tests/test_supervised_names.py tests/test_dynamic.py \
  tests/test_ignore.py tests/test_upgrade.py tests/test_reload.py tests/test_overload.py

matrix: $(VENV)/.dev
	failed=; for place in $(PLACEMENTS); do for lua in $(VERSIONS); do \
	  echo "--- $$place, Lua $$lua"; \
	  $(BIN)/python -m pytest -q -n 2 --dist loadfile --placement $$place --lua $$lua $(PLACED) \
	    || failed="$$failed $$place/$$lua"; done; done; \
	if [ "$$failed" ]; then echo "failed:$$failed"; exit 1; fi; \
	echo "all passed: $(words $(wildcard $(PLACED))) files, each in {$(PLACEMENTS)} x {$(VERSIONS)}"

check: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

# Looks for failures until it is stopped, or for FUZZ_SECONDS; fuzz-failures.txt says what it found.
fuzz: $(VENV)/.dev
	$(BIN)/python -m tests.fuzz

# Crashes, floods, upgrades and lost states for MINUTES, by default 3; SEED decides which.
soak: $(VENV)/.dev
	$(BIN)/python -m tests.soak

bench: $(VENV)/.bench
	$(BIN)/python -m benchmarks

# How much of what is broken on purpose the testing kit sees: first the kernel, then the planners.
mutants: $(VENV)/.mutation
	$(BIN)/python -m tests.mutation
	$(BIN)/mutmut run --max-children 1
	$(BIN)/mutmut results

clean:
	rm -rf $(VENV) mutants fuzz-failures.txt build dist .hypothesis .mypy_cache .ruff_cache

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

$(VENV)/.dev: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@ $(VENV)/.run

$(VENV)/.bench: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[bench]'
	touch $@ $(VENV)/.run

$(VENV)/.mutation: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[mutation]'
	touch $@ $(VENV)/.run
