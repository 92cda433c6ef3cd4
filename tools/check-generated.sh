#!/usr/bin/env bash
# check-generated.sh generates the Go code into a folder of its own and fails if it differs from the one in the tree: by content, by a file
# that is missing, or by one that no .proto file stands behind any more.
set -euo pipefail
cd "$(dirname "$0")/.."

fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
mkdir "$fresh/here" "$fresh/made"
go tool -modfile=tools/go.mod buf generate -o "$fresh/made"
find proto -name '*.pb.go' -exec cp --parents {} "$fresh/here" \;
diff -r "$fresh/here/proto" "$fresh/made/proto" || {
  echo "check-generated: the generated code is not what the .proto files say; run: make generate" >&2
  exit 1
}
