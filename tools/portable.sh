#!/usr/bin/env bash
# The kernels must compile where there are no vector instructions of x86 (arm64, ...): everything is
# parsed and instantiated as if this processor had none.
set -euo pipefail
cd "$(dirname "$0")/.."
for source in cpp/kernels/*.cpp cpp/tests/stress*.cpp cpp/simd/*.cpp; do
  "${CXX:-g++}" -std=c++20 -fsyntax-only -Wall -Wextra -Werror -U__SSE2__ -DAIMASS_LEVEL=baseline \
    "$source"
done
echo "portable: compiles without SSE2"
