#!/usr/bin/env bash
# run.sh BASE compares what the layers of a report cost in the commit BASE with what they cost in the working tree: the decision, the answer,
# the stored records, and a change of a customer in the embedded store and in a Redis. Where the working tree is BASE itself, the commit before it
# takes its place.
#
# The two take turns, so that whatever else the machine does meanwhile disturbs both alike. Times below some per cent say little on a machine
# that is shared; allocations are exact.
set -euo pipefail
cd "$(dirname "$0")/../.."
base=${1:?usage: tools/benchstat/run.sh BASE}
rounds=${ROUNDS:-6}
packages=(recovery ledger rpc)
benchmarks='^Benchmark(Decide|Report|Codec|Update|Answer|Rules)$'

commit=$(git rev-parse --verify --quiet "$base^{commit}") || {
  echo "benchstat: no commit $base here; fetch it, or name another: make benchstat BASE=origin/main" >&2
  exit 1
}
if [[ $commit == "$(git rev-parse HEAD)" && -z $(git status --porcelain) ]]; then
  base=HEAD~1
  commit=$(git rev-parse --verify --quiet "$base^{commit}") || {
    echo "benchstat: nothing has changed, and there is no commit before this one; name another: make benchstat BASE=COMMIT" >&2
    exit 1
  }
  echo "benchstat: nothing has changed since $1, so this compares with the commit before it, $base" >&2
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/base"
git archive "$commit" | tar -x -C "$work/base"
declare -A tree=([base]=$work/base [now]=$PWD)

for side in base now; do
  for package in "${packages[@]}"; do
    (cd "${tree[$side]}" && go test -c -o "$work/$side.$package" "./internal/$package")
  done
done
for ((round = 1; round <= rounds; round++)); do
  echo "benchstat: round $round of $rounds" >&2
  for package in "${packages[@]}"; do
    for side in base now; do
      (cd "${tree[$side]}/internal/$package" &&
        "$work/$side.$package" -test.run '^$' -test.bench "$benchmarks" -test.benchmem -test.benchtime 100ms) >>"$work/$side.txt"
    done
  done
done
go tool -modfile=tools/benchstat/go.mod benchstat "$base=$work/base.txt" "working tree=$work/now.txt"
