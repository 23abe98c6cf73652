#!/usr/bin/env bash
# Runs every fuzz target of the module for a time each (first argument). Each
# package is built once for all its targets.
set -euo pipefail
cd "$(dirname "$0")/.."
time=${1:-5s}
export CGO_ENABLED=0
cache=$(go env GOCACHE)/fuzz # where the go command keeps what is interesting
bin=$(mktemp -d)
trap 'rm -rf "$bin"' EXIT
for dir in $(grep -rlE '^func Fuzz' --include='*_test.go' . | xargs -n1 dirname | sort -u); do
  go test -c -fuzz=. -o "$bin/fuzz.test" "$dir"
  package=$(go list "$dir")
  for target in $(grep -hoE '^func Fuzz[A-Za-z0-9_]*' "$dir"/*_test.go | cut -c6- | sort -u); do
    printf '%s %s ' "$dir" "$target"
    # A fuzz run that is stopped by its time can report "context deadline
    # exceeded" as a failure (a known fault of package testing): only a written
    # crasher or another message is a failure.
    if out=$(cd "$dir" && "$bin/fuzz.test" -test.run '^$' -test.fuzz "^$target\$" -test.fuzztime "$time" -test.parallel 2 -test.fuzzcachedir "$cache/$package" 2>&1); then
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
