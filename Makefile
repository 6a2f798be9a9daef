# `make demo` and `make test` need Python >= 3.10 and a C++20 compiler, nothing else. They make .venv, install
# the package there in editable mode, compile the extension into aimass_core/ and run. Later runs start at once
# and compile only what depends on a changed file. Another Python: make test PYTHON=python3.13 VENV=.venv-3.13
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
NATIVE := $(VENV)/native
CCACHE := $(shell command -v ccache)
CXX_FILES = $(shell find cpp -name '*.hpp' -o -name '*.cpp' -o -name '*.cu')
TEST_FLAGS ?=
# A part of the tests is done before further processes would have started.
TEST_JOBS ?= $(if $(filter -k% tests/%,$(TEST_FLAGS)),0,auto)
BENCH_FLAGS ?=
export PATH := $(abspath $(BIN)):$(PATH)

.PHONY: help demo test slow bench native lint format types docs site notebooks tidy sanitize weak-symbols portable cuda stubs check-stubs clean

help:
	@echo "make demo      set up and run the main job on generated data"
	@echo "make test      set up and run the tests (TEST_FLAGS='-k gram' for a part, '-m slow' for the long ones)"
	@echo "make bench     set up and run the benchmarks, print the table (AIMASS_BENCH_SCALE=small|medium|full)"
	@echo "make native    compile the extension into aimass_core/, only what changed"
	@echo "make site      build the documentation into build/site; 'make site SITE=serve' shows it at http://127.0.0.1:8000"
	@echo "make slow      run the examples and tests on Dask, Ray and Spark"
	@echo "make lint format types docs tidy sanitize weak-symbols portable cuda stubs check-stubs clean"

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Python 3.10 or newer is needed: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

# One stamp for each group of tools in pyproject.toml (build, lint, dev): these need no package.
$(VENV)/.group-%: pyproject.toml | $(BIN)/python
	@echo "Installing the tools of the group $* in $(VENV)"
	@$(BIN)/python -m pip install --quiet --group $*
	@touch $@

# One stamp for each extra (all, test, bench). Editable and without CMake: `make native` compiles.
$(VENV)/.installed-%: pyproject.toml $(VENV)/.group-build
	@echo "Installing aimass_core[$*] in $(VENV), editable"
	@$(BIN)/python -m pip install --quiet --no-build-isolation --config-settings=editable.mode=inplace \
	  --config-settings=wheel.cmake=false --editable ".[$*]"
	@touch $@

$(NATIVE)/build.ninja: | $(VENV)/.group-build
	@cmake -S . -B $(NATIVE) -G Ninja -DAIMASS_INPLACE=ON -DPython_EXECUTABLE=$(abspath $(BIN)/python) \
	  -Dpybind11_DIR="$$($(BIN)/python -m pybind11 --cmakedir)" -DCMAKE_CXX_COMPILER_LAUNCHER=$(CCACHE) >$(VENV)/cmake.log \
	  || { cat $(VENV)/cmake.log; exit 1; }

native: $(NATIVE)/build.ninja
	@ninja -C $(NATIVE) $(NINJA_FLAGS) _core

demo: $(VENV)/.installed-all native
	$(BIN)/aimass demo

test: $(VENV)/.installed-test native
	$(BIN)/python -m pytest -n $(TEST_JOBS) --maxprocesses 4 $(TEST_FLAGS)

bench: $(VENV)/.installed-bench native
	mkdir -p bench-results
	$(BIN)/python -m pytest benchmarks $(BENCH_FLAGS) --benchmark-json=bench-results/latest.json
	$(BIN)/python benchmarks/report.py bench-results/latest.json

lint: $(VENV)/.group-lint
	ruff format --check .
	ruff check .
	clang-format --dry-run -Werror $(CXX_FILES)

format: $(VENV)/.group-lint
	ruff check --fix-only --quiet .
	ruff format .
	clang-format -i $(CXX_FILES)

slow: $(VENV)/.installed-test native  # examples and tests on Dask, Ray and Spark; names what it skips
	tools/slow_lane.sh $(BIN)/python

types:  # Python 3.11 or newer, in an environment of its own with the version of NumPy that is pinned for it
	@$(MAKE) --silent VENV=build/venv-types build/venv-types/.group-types
	build/venv-types/bin/mypy

docs: $(VENV)/.installed-test $(VENV)/.group-dev native
	python tools/check_docstrings.py
	python -m pytest -q -p no:benchmark --doctest-modules aimass_core

# Without network. Notebooks are run where AIMASS_DATA names the data sets. A link or a cross-reference that leads nowhere is an error.
# SITE_OLDER='site-0.2.0 site-0.1.0': folders of sites that were built for earlier versions; the list of versions leads to them.
SITE ?= build --strict
site: export SITE_OLDER := $(SITE_OLDER)
site: export NO_MKDOCS_2_WARNING = 1
site: $(VENV)/.installed-test $(VENV)/.group-site native
	python tools/site/notebooks.py --into build/notebooks
	python -m mkdocs $(SITE)
	python tools/site/check_offline.py build/site

tidy: $(VENV)/.group-dev
	tools/tidy.sh

sanitize: $(VENV)/.group-build
	tools/sanitize.sh asan
	tools/sanitize.sh tsan

weak-symbols:
	tools/weak_symbols.sh

portable: $(VENV)/.group-build
	tools/portable.sh
	tools/aarch64.sh

cuda: $(VENV)/.installed-test $(VENV)/.group-build native
	tools/cuda.sh

# Write the outputs of the notebooks that are committed.
notebooks: $(VENV)/.installed-test $(VENV)/.group-site native
	python tools/site/notebooks.py

stubs: $(VENV)/.installed-test $(VENV)/.group-dev native
	python tools/stubs.py

check-stubs: $(VENV)/.installed-test $(VENV)/.group-dev native
	python tools/stubs.py --check

clean:
	rm -rf $(VENV) build dist bench-results .mypy_cache .pytest_cache .ruff_cache aimass_core/_core.*.so
