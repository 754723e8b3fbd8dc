#!/bin/sh
# Mutate the pure arithmetic of the court by mutmut, in a copy, and list what survives.
#
#     tools/mutants/mutmut.sh .venv .venv-mutmut
#
# .venv has whp's dependencies; .venv-mutmut gets mutmut and sees them. Only modules whose tests take seconds
# fit: mutmut runs them once for each of several hundred mutants, most of them of a single token. Error
# messages are not mutated: the tests look at a few words of each.
set -eu
whp_venv=$(cd "$1" && pwd)
venv=$2
root=$(pwd)
if ! test -x "$venv/bin/mutmut"; then
  "$whp_venv/bin/python" -m venv "$venv"
  "$venv/bin/python" -m pip install -qq mutmut==3.8.1
  "$whp_venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))' \
    > "$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/whp-dependencies.pth"
fi
venv=$(cd "$venv" && pwd)
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
cp -r "$root/src" "$root/tests" "$root/pyproject.toml" "$copy"
cd "$copy"
cat > setup.cfg <<'END'
[mutmut]
source_paths=
    src
only_mutate=
    src/whp/stats/bounded.py
    src/whp/claims/budget.py
do_not_mutate_patterns=
    require\(
pytest_add_cli_args_test_selection=
    tests/stats/test_bounded_sequences.py
    tests/stats/test_bounded_design.py
    tests/claims/test_budget_and_referee.py
pytest_add_cli_args=
    -p
    no:cacheprovider
    -p
    no:xdist
    -p
    no:benchmark
also_copy=
    tests
timeout_multiplier=5
timeout_constant=5
END
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1
"$venv/bin/mutmut" run --max-children "${JOBS:-2}" > log 2>&1 || { tail -n 20 log; exit 1; }
tr '\r' '\n' < log | grep '/' | tail -n 1
for name in $("$venv/bin/mutmut" results | sed -n 's/^ *\(.*\): \(survived\|no tests\)$/\1/p'); do
  echo "== $name"
  "$venv/bin/mutmut" show "$name" | grep -E '^[-+] ' || true
done
