#!/usr/bin/env bash
# What a change of one line compiles, in the build folder of `make native`: nothing for Python, one file for a
# kernel, one file for each instruction level for a micro-kernel; and one step that links. It compiles nothing:
# ninja only says what it would do. Usage: tools/edit_loop.sh [BUILD_FOLDER]
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:-.venv/native}
if [ ! -f "$build/build.ninja" ]; then
  echo "there is no $build/build.ninja: run 'make native' first"
  exit 1
fi
ninja -C "$build" _core >/dev/null
stamp=$(mktemp)
trap 'rm -f "$stamp"' EXIT

check() {  # check FILE STEPS: a change of the file takes at most this number of steps
  local steps
  touch -r "$1" "$stamp"
  touch "$1"
  steps=$(ninja -n -C "$build" _core | grep -c '^\[' || true)
  touch -r "$stamp" "$1"  # nothing has changed
  echo "$1: $steps steps"
  [ "$steps" -le "$2" ] || { echo "expected at most $2"; exit 1; }
}

check aimass_core/neighbors/item_knn.py 0
check README.md 0
for kernel in cpp/kernels/*.cpp; do
  check "$kernel" 2
done
levels=$(find "$build" -type d -name 'simd_*.dir' ! -name simd_dispatch.dir | wc -l)
for source in cpp/simd/*_kernels.cpp; do
  check "$source" $((levels + 1))
done
