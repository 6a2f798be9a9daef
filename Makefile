# make demo and make test need Python >= 3.10 and a C++20 compiler, nothing else: they make .venv, build
# and install the package there, and run. Repeated runs only redo what changed.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
SOURCES := pyproject.toml CMakeLists.txt README.md \
           $(shell find aimass_core cpp -type f \( -name '*.py' -o -name '*.pyi' -o -name '*.hpp' -o -name '*.cpp' \))
CXX_FILES = $(shell find cpp -name '*.hpp' -o -name '*.cpp')
BENCH_FLAGS ?=
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help demo test bench lint format types docs tidy sanitize weak-symbols stubs check-stubs clean

help:
	@echo "make demo      set up and run the main job on generated data"
	@echo "make test      set up and run the tests (TEST_FLAGS='-m slow' for the long ones)"
	@echo "make bench     set up and run the benchmarks, print the table (AIMASS_BENCH_SCALE=small|medium|full)"
	@echo "make lint format types docs tidy sanitize weak-symbols stubs check-stubs clean"

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Python 3.10 or newer is needed: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

# One stamp for each extra (all, test, bench, dev).
$(VENV)/.installed-%: $(SOURCES) | $(BIN)/python
	@echo "Building and installing aimass_core[$*] in $(VENV): a few minutes the first time"
	$(BIN)/python -m pip install --quiet ".[$*]"
	@touch $@

demo: $(VENV)/.installed-all
	$(BIN)/aimass demo

test: $(VENV)/.installed-test
	$(BIN)/pytest -n auto --maxprocesses 4 $(TEST_FLAGS)

bench: $(VENV)/.installed-bench
	mkdir -p bench-results
	$(BIN)/pytest benchmarks $(BENCH_FLAGS) --benchmark-json=bench-results/latest.json
	$(BIN)/python benchmarks/report.py bench-results/latest.json

lint: $(VENV)/.installed-dev
	ruff format --check .
	ruff check .
	clang-format --dry-run -Werror $(CXX_FILES)

format: $(VENV)/.installed-dev
	ruff check --fix-only --quiet .
	ruff format .
	clang-format -i $(CXX_FILES)

types: $(VENV)/.installed-dev
	mypy

docs: $(VENV)/.installed-dev
	python tools/check_docstrings.py
	pytest -q -p no:benchmark --doctest-modules --pyargs aimass_core

tidy: $(VENV)/.installed-dev
	tools/tidy.sh

sanitize: $(VENV)/.installed-dev
	tools/sanitize.sh asan
	tools/sanitize.sh tsan

weak-symbols:
	tools/weak_symbols.sh
	tools/portable.sh

stubs: $(VENV)/.installed-dev
	python tools/stubs.py

check-stubs: $(VENV)/.installed-dev
	python tools/stubs.py --check

clean:
	rm -rf $(VENV) build dist bench-results .mypy_cache .pytest_cache .ruff_cache
