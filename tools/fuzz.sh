#!/usr/bin/env bash
# Runs every fuzz target of the module for a time each (first argument).
set -euo pipefail
cd "$(dirname "$0")/.."
time=${1:-5s}
export CGO_ENABLED=0
for dir in $(grep -rlE '^func Fuzz' --include='*_test.go' . | xargs -n1 dirname | sort -u); do
  for target in $(grep -hoE '^func Fuzz[A-Za-z0-9_]*' "$dir"/*_test.go | cut -c6- | sort -u); do
    printf '%s %s ' "$dir" "$target"
    # A fuzz run that is stopped by its time can report "context deadline
    # exceeded" as a failure (a known fault of the go command): only a written
    # crasher or another message is a failure.
    if out=$(go test "$dir" -run '^$' -fuzz "^$target\$" -fuzztime "$time" -parallel 2 2>&1); then
      echo ok
    elif grep -q 'context deadline exceeded' <<<"$out" && ! grep -q 'Failing input' <<<"$out"; then
      echo "ok (stopped by its time)"
    else
      echo FAILED
      printf '%s\n' "$out"
      exit 1
    fi
  done
done
