#!/usr/bin/env bash
# Builds and runs the program that compares the dense micro-kernels with the multiply-add peak of a
# core, on one thread; it ends with 1 where a result is wrong. AIMASS_ISA forces the level.
set -euo pipefail
cd "$(dirname "$0")/.."
cmake -S . -B build/roofline -DAIMASS_PYTHON=OFF -DAIMASS_ROOFLINE=ON >/dev/null
cmake --build build/roofline --parallel >/dev/null
./build/roofline/roofline
