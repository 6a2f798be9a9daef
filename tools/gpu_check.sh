#!/usr/bin/env bash
# All checks of the kernels for GPUs on a machine that has one: builds the extension where it is missing, runs the
# parity tests on GPU 0, then compares results and speed with the processor. It takes less than eight minutes where
# the extension is built already, and up to ten with the build.
#
#   tools/gpu_check.sh [--dry-run] [folder of the report]
#
# The extension is aimass_core/_cuda*.so (from a wheel, or copied); else nvcc, CMake, Ninja and pybind11 build it for
# the GPU that is there. --dry-run does the same on the processor: the emulated kernels of build/cuda (tools/cuda.sh)
# and --device numpy. PYTHON names the interpreter. Exit code 1 where any step failed; the report says which.
set -uo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
dry=0 patience=1
if [ "${1:-}" = --dry-run ]; then dry=1 patience=10; shift; fi  # a processor may be busy
report=${1:-gpu-report}
mkdir -p "$report"
export PYTHONPATH=$PWD PYTHONDONTWRITEBYTECODE=1
failed=0

step() {  # name, seconds at most, command...
  local name=$1 limit=$(($2 * patience)) begin=$SECONDS
  shift 2
  if timeout "$limit" "$@" >"$report/$name.txt" 2>&1; then
    echo "passed  $name ($((SECONDS - begin)) s)" | tee -a "$report/summary.txt"
  else
    echo "FAILED  $name ($((SECONDS - begin)) s): $report/$name.txt" | tee -a "$report/summary.txt"
    tail -15 "$report/$name.txt"
    failed=1
  fi
}

build() {
  command -v nvcc >/dev/null || { echo "there is neither aimass_core/_cuda*.so nor nvcc"; return 1; }
  cmake -S . -B build/gpu -G Ninja -DPython_EXECUTABLE="$(command -v "$python")" \
    -Dpybind11_DIR="$("$python" -m pybind11 --cmakedir)" -DAIMASS_CUDA=ON -DAIMASS_INPLACE=ON \
    -DCMAKE_CUDA_ARCHITECTURES=native && ninja -C build/gpu _cuda
}
export -f build
export python

: >"$report/summary.txt"
if [ "$dry" = 1 ]; then
  device=numpy scale=0.02
else
  device=cuda scale=1
  export AIMASS_TEST_GPU=1
  nvidia-smi >"$report/nvidia-smi.txt" 2>&1
  ls aimass_core/_cuda*.so >/dev/null 2>&1 || step build 240 bash -c build
  step device 30 "$python" -c "from aimass_core.kernels import cuda; print(cuda.device_info(0))"
fi
step parity 150 "$python" -m pytest -q -n 0 -p no:benchmark -p no:cacheprovider tests/kernels/test_cuda_similarity.py \
  tests/kernels/test_cuda_als.py tests/kernels/test_cuda_score.py tests/kernels/test_cuda_bpr.py
speed() {
  "$python" - "$device" "$scale" <<'PYTHON'
import json
import sys
from dataclasses import asdict

from aimass_core import cuda

device, scale = sys.argv[1], float(sys.argv[2])
print(json.dumps(cuda.device_info(device), default=str))
are_equal = True
for result in cuda.check(device, scale=scale):  # printed one by one: a timeout keeps what is complete
    print(json.dumps(asdict(result) | {"ratio": result.ratio}), flush=True)
    are_equal &= result.is_equal
sys.exit(not are_equal)
PYTHON
}
export -f speed
export device scale
step speed 180 bash -c speed
exit "$failed"
