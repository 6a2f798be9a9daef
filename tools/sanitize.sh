#!/usr/bin/env bash
# Builds the stress program with a sanitizer and runs it: tools/sanitize.sh asan|tsan
set -euo pipefail
cd "$(dirname "$0")/.."
preset=${1:?asan or tsan}
cmake --preset "$preset" >/dev/null
cmake --build --preset "$preset"
run=()
# ThreadSanitizer needs its fixed address layout; where randomisation cannot be switched off, try as it is.
if [ "$preset" = tsan ] && setarch -R true 2>/dev/null; then run=(setarch -R); fi
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 TSAN_OPTIONS=halt_on_error=1
"${run[@]}" "./build/$preset/stress"
echo "$preset: clean"
