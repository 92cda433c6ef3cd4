#!/bin/sh
# Builds Jaeger as tools/jaeger/go.mod names it into bin/, unless it is there
# already, and prints where it is. The first build takes some minutes on two cores
# and needs the Go module proxy.
set -eu
cd "$(dirname "$0")"
version=$(sed -n 's/.*github.com\/jaegertracing\/jaeger v\([0-9.]*\).*/\1/p' go.mod)
binary=$(cd ../.. && pwd)/bin/jaeger-$version
if [ ! -x "$binary" ]; then
  echo "building Jaeger $version, which takes some minutes the first time" >&2
  mkdir -p "$(dirname "$binary")"
  new=$binary.$$
  trap 'rm -f "$new"' EXIT
  CGO_ENABLED=0 GOFLAGS=-mod=readonly go build -trimpath -ldflags '-s -w' -o "$new" github.com/jaegertracing/jaeger/cmd/all-in-one >&2
  mv "$new" "$binary" # in one step, so that nobody runs half of it
fi
echo "$binary"
