#!/usr/bin/env bash
# What a change of one line compiles, in the build folder of `make native`: nothing for Python, one file for a
# kernel, one file for each instruction level for a micro-kernel. Counted in ninja's log of dependencies, so
# nothing is compiled. Usage: tools/edit_loop.sh [BUILD_FOLDER]
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:-.venv/native}
if [ ! -f "$build/.ninja_deps" ]; then
  echo "there is no $build/.ninja_deps: run 'make native' first"
  exit 1
fi
dependencies=$(ninja -C "$build" -t deps)
levels=$(find "$build" -type d -name 'simd_*.dir' ! -name simd_dispatch.dir | wc -l)

check() {  # check FILE OBJECTS: at most this number of objects depend on the file, and at least one
  local objects
  objects=$(grep -c "[ /]$1\$" <<<"$dependencies" || true)
  if [ "$objects" -lt 1 ] || [ "$objects" -gt "$2" ]; then
    echo "$1: a change compiles $objects files, expected at least 1 and at most $2"
    exit 1
  fi
}

if grep -q '\.py$\|\.md$\|\.toml$' <<<"$dependencies"; then
  echo "an object depends on a file that is not compiled"
  exit 1
fi
for kernel in cpp/kernels/*.cpp; do
  check "$kernel" 1
done
for source in cpp/simd/*_kernels.cpp; do
  check "$source" "$levels"
done
echo "a change of one line compiles one file; of a micro-kernel at most $levels files"
