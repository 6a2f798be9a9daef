#!/usr/bin/env bash
# The ISA-specific objects may define no weak symbol: the linker keeps one copy of each, and that copy
# may hold instructions an older processor lacks. Unoptimised, so that nothing is inlined away. DW.ref.* is
# the address of the routine that unwinds the stack: data without instructions.
set -euo pipefail
cd "$(dirname "$0")/.."
[ "$(uname -m)" = x86_64 ] || { echo "weak symbols: only x86-64 has several levels, skipped"; exit 0; }
object=$(mktemp --suffix=.o)
trap 'rm -f "$object"' EXIT
for source in cpp/simd/*.cpp; do
  grep -q AIMASS_LEVEL "$source" || continue  # compiled once, without ISA flags
  for level in v3 v4; do
    "${CXX:-g++}" -std=c++20 -O0 -fPIC -march=x86-64-$level -DAIMASS_LEVEL=$level \
      -c "$source" -o "$object"
    if nm --demangle --defined-only "$object" | grep -v ' V DW\.ref\.' | grep -E ' [VvWwu] '; then
      echo "weak symbols: $source at level $level defines the weak symbols above;" \
        "keep everything in an anonymous namespace and include only <cstddef> and <cstdint>" >&2
      exit 1
    fi
  done
done
echo "weak symbols: none"
