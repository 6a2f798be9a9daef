#!/usr/bin/env bash
# Parses and instantiates all sources for 64-bit ARM, with the cross compiler of Debian and Ubuntu
# (package g++-aarch64-linux-gnu). The headers of Python are those of this machine.
set -euo pipefail
cd "$(dirname "$0")/.."
cross=${CROSS_CXX:-aarch64-linux-gnu-g++}
if ! command -v "$cross" >/dev/null; then
  echo "aarch64: skipped, there is no $cross"
  exit 0
fi
python=$(command -v python || command -v python3)
flags=(-std=c++20 -fsyntax-only -Wall -Wextra -Wpedantic -Wshadow -Werror -Wno-psabi -DAIMASS_LEVEL=baseline
  -fvisibility=hidden -isystem "$("$python" -c 'import sysconfig; print(sysconfig.get_path("include"))')"
  -isystem "$("$python" -c 'import pybind11; print(pybind11.get_include())')")
for source in cpp/simd/*.cpp cpp/kernels/*.cpp cpp/tests/*.cpp; do
  "$cross" "${flags[@]}" "$source"
done
# The bindings in one go, as in a wheel: pybind11 is parsed once.
printf '#include "%s"\n' cpp/bindings/*.cpp | "$cross" "${flags[@]}" -I. -x c++ -
echo "aarch64: all sources parse with $("$cross" --version | head -n 1)"
