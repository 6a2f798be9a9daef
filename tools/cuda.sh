#!/usr/bin/env bash
# Builds the kernels for GPUs and what tests them without one: the bodies compiled for the processor are held
# against the references, with several numbers and orders of threads. Where nvcc is, the extension _cuda is built as
# well; without a driver it must import, and its first call must say what is missing.
set -euo pipefail
cd "$(dirname "$0")/.."
build=build/cuda
cuda=OFF
if command -v nvcc >/dev/null; then cuda=ON; else echo "skipped: the extension _cuda is not built, there is no nvcc"; fi
cmake -S . -B "$build" -G Ninja -DPython_EXECUTABLE="$(command -v python)" \
  -Dpybind11_DIR="$(python -m pybind11 --cmakedir)" -DAIMASS_WERROR=ON -DAIMASS_CUDA="$cuda" \
  -DAIMASS_CUDA_EMULATED=ON >"$build.log" || { cat "$build.log"; exit 1; }
ninja -C "$build" _cuda_emulated
[ "$cuda" = OFF ] || ninja -C "$build" _cuda
python -m pytest -q -n 0 -p no:benchmark tests/kernels/test_cuda_*.py
if [ "$cuda" = ON ]; then
  python - "$build" <<'PYTHON'
import sys

sys.path.insert(0, sys.argv[1])
import _cuda

try:
    print("a GPU:", _cuda.device_info(0))
except RuntimeError as error:
    print("no GPU, as expected here:", error)
PYTHON
fi
