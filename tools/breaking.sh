#!/usr/bin/env bash
# breaking.sh BASE compares the .proto files of the working tree with those of the commit BASE, and fails if a caller of BASE would break.
#
# buf can read a commit itself (--against .git#...), but the folder third_party is not in any commit, so the imports would be missing there.
# Hence the old tree is unpacked and third_party put beside it. Today's buf.yaml is used for both sides: the rules in force are today's.
set -euo pipefail
cd "$(dirname "$0")/.."
base=${1:?usage: tools/breaking.sh BASE}

commit=$(git rev-parse --verify --quiet "$base^{commit}") || {
  echo "breaking: no commit $base here; fetch it, or name another: make breaking BASE=origin/main" >&2
  exit 1
}
if [[ -z $(git ls-tree -r --name-only "$commit" -- proto | grep '\.proto$' || true) ]]; then
  echo "breaking: $base has no .proto files, so there is nothing to break"
  exit 0
fi

old=$(mktemp -d)
trap 'rm -rf "$old"' EXIT
git archive "$commit" proto | tar -x -C "$old"
mkdir "$old/third_party"
cp -r third_party/proto "$old/third_party/proto"
cp buf.yaml "$old/"
go tool -modfile=tools/go.mod buf breaking --against "$old"
