#!/usr/bin/env bash
# Builds the extension and the stress program with another compiler, warnings as errors, and runs the stress
# program and the tests of the kernels: tools/other_compiler.sh NAME..., the first that is installed.
set -euo pipefail
cd "$(dirname "$0")/.."
for compiler in "$@"; do
  if command -v "$compiler" >/dev/null; then break; fi
done
if ! command -v "$compiler" >/dev/null; then
  echo "skipped: none of these compilers is installed: $*"
  exit 0
fi
build=$PWD/build/with-$compiler
cmake -S . -B "$build" -G Ninja -DCMAKE_CXX_COMPILER="$compiler" -DAIMASS_WERROR=ON -DAIMASS_STRESS=ON \
  -DAIMASS_UNITY=ON -DPython_EXECUTABLE="$(command -v python)" \
  -Dpybind11_DIR="$(python -m pybind11 --cmakedir)" >/dev/null
ninja -C "$build"
"$build/stress"
# Away from the tree, whose extension is built with the default compiler.
rm -rf "$build/outside"
mkdir -p "$build/outside/package"
cp -r pyproject.toml tests "$build/outside/"
cp -r aimass_core "$build/outside/package/"
rm -f "$build"/outside/package/aimass_core/_core.*.so
cp "$build"/_core.*.so "$build/outside/package/aimass_core/"
# An environment with the packages of this one, but without its editable install.
packages=$(python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
python -m venv --without-pip "$build/venv"
printf '%s\n' "$build/outside/package" "$packages" >"$(echo "$build"/venv/lib/python*/site-packages)/build.pth"
cd "$build/outside"
"$build/venv/bin/python" -c "
import sys, aimass_core._core as c
print(c.__file__)
sys.exit(not c.__file__.startswith('$build'))"
"$build/venv/bin/python" -m pytest -q -p no:benchmark tests/kernels
echo "clean: $("$compiler" --version | head -n 1)"
