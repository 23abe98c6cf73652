#!/usr/bin/env bash
# Prints figures, each beside an anchor that is measured in the same run on the
# same machine. No test asserts a time; read the ratios.
set -euo pipefail
cd "$(dirname "$0")/.."
export CGO_ENABLED=0
echo "machine: $(nproc) cores, $(go version | cut -d' ' -f3-), $(uname -sr)"
packages=$(grep -rlE '^func Benchmark' --include='*_test.go' . | xargs -n1 dirname | sort -u)
# shellcheck disable=SC2086 # a list of folders
go test -run '^$' -bench "${BENCH:-.}" -benchtime "${BENCHTIME:-1s}" -benchmem $packages
