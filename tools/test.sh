#!/usr/bin/env bash
# The README's test command. Needs Go and nothing else, and no root.
# The race detector needs a C compiler; where there is none the tests run
# without it and say so.
set -euo pipefail
cd "$(dirname "$0")/.."

echo "== format and vet"
unformatted=$(gofmt -l $(git ls-files '*.go'))
if [ -n "$unformatted" ]; then
  printf 'gofmt would change:\n%s\n' "$unformatted" >&2
  exit 1
fi
CGO_ENABLED=0 go build ./...
go vet ./...

echo "== tests"
race=()
if [ "$(go env GOOS)" = linux ] && command -v "$(go env CC)" >/dev/null 2>&1; then
  race=(-race)
  export CGO_ENABLED=1
else
  echo "no C compiler ($(go env CC)): the race detector is off"
fi
go test "${race[@]}" -shuffle=on -timeout 12m ./...

echo "== fuzz smoke"
tools/fuzz.sh "${FUZZTIME:-1s}"
