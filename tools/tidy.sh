#!/usr/bin/env bash
# clang-tidy over every translation unit, headers included through them.
set -euo pipefail
cd "$(dirname "$0")/.."
pybind11=$(python -m pybind11 --cmakedir)
cmake --preset dev -Dpybind11_DIR="$pybind11" -DAIMASS_CUDA_EMULATED=ON \
  -DPython_EXECUTABLE="$(command -v python)" >/dev/null
find cpp -name '*.cpp' -print0 | xargs -0 -P "${AIMASS_JOBS:-2}" -n 1 clang-tidy -p build/dev --quiet \
  --extra-arg=-Wno-deprecated-declarations  # of the C++ library, about itself
echo "clang-tidy: clean"
