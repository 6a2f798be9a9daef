#!/usr/bin/env bash
# The slow lane: runs the examples on Dask, Ray and Spark and the tests of these engines, and names what it skipped.
# It is not part of the usual checks, because each engine takes up to minutes to start. Usage: tools/slow_lane.sh [PYTHON]
set -uo pipefail
cd "$(dirname "$0")/.."
python=${1:-python}
limit=${SLOW_LANE_SECONDS:-900}
export PYTHONPATH=$PWD${PYTHONPATH:+:$PYTHONPATH}
export PYSPARK_PYTHON PYSPARK_DRIVER_PYTHON
PYSPARK_PYTHON=$("$python" -c 'import sys; print(sys.executable)') || exit 2
PYSPARK_DRIVER_PYTHON=$PYSPARK_PYTHON
skipped=() failed=() passed=()

has() { "$python" -c "import importlib.util as u, sys; sys.exit(u.find_spec('$1') is None)"; }

lane() { # NAME MODULE EXTRA COMMAND...
  local name=$1 module=$2 extra=$3
  shift 3
  if ! has "$module"; then
    skipped+=("$name: $module is not installed (pip install 'aimass_core[$extra]')")
  elif [[ $extra == spark ]] && ! command -v java >/dev/null; then
    skipped+=("$name: there is no Java, which Spark needs")
  else
    echo "== $name"
    if timeout "$limit" "$@"; then passed+=("$name"); else failed+=("$name: exit code $?"); fi
  fi
}

lane examples/dask_als.py distributed dask "$python" examples/dask_als.py
lane examples/ray_gmm.py ray ray "$python" examples/ray_gmm.py
lane examples/spark_recommend.py pyspark spark "$python" examples/spark_recommend.py
lane tests/base/test_engines.py pytest test "$python" -m pytest -q -n 0 -rs -p no:cacheprovider tests/base/test_engines.py

echo "== slow lane"
((${#passed[@]})) && printf 'passed   %s\n' "${passed[@]}"
((${#skipped[@]})) && printf 'skipped  %s\n' "${skipped[@]}"
((${#failed[@]})) && printf 'failed   %s\n' "${failed[@]}"
[[ ${#failed[@]} -eq 0 ]]
