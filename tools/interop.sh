#!/usr/bin/env bash
# Installs software that nobody here wrote and runs it against ours: gurux-dlms
# and dlms-cosem (PyPI), zigbee-herdsman, zigbee-on-host and zigbee2mqtt (npm), mosquitto, tshark,
# xmllint, xmlsec1, 7zip, openssl and LibreOffice (Debian).
# They are separate processes; nothing of theirs is part of the project. A tool
# that is missing after the installation is a failure, never a skipped test.
set -euo pipefail
cd "$(dirname "$0")/.."

cache=${SMETS1_INTEROP_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/smets1-interop}
mkdir -p "$cache"

echo "== Debian packages"
need=()
for pair in tshark:tshark mosquitto:mosquitto mosquitto_sub:mosquitto-clients xmllint:libxml2-utils xmlsec1:xmlsec1 7zz:7zip openssl:openssl node:nodejs npm:npm soffice:libreoffice-calc-nogui; do
  command -v "${pair%%:*}" >/dev/null 2>&1 || [ -x "/usr/sbin/${pair%%:*}" ] || need+=("${pair##*:}")
done
if [ ${#need[@]} -gt 0 ]; then
  sudo=()
  [ "$(id -u)" = 0 ] || sudo=(sudo)
  export DEBIAN_FRONTEND=noninteractive
  "${sudo[@]}" apt-get update -qq
  "${sudo[@]}" apt-get install -y -qq "${need[@]}" >"$cache/apt.log" 2>&1 || { tail -n 20 "$cache/apt.log" >&2; exit 1; }
fi
PATH=$PATH:/usr/sbin
for tool in tshark mosquitto mosquitto_sub xmllint xmlsec1 7zz openssl node npm soffice python3; do
  command -v "$tool" >/dev/null || { echo "$tool is missing after the installation" >&2; exit 1; }
done
tshark --version | sed -n 1p
mosquitto -h | sed -n 1p || true
xmlsec1 --version
xmllint --version 2>&1 | sed -n 1p

echo "== Python packages"
requirements=testdata/interop/dlms/requirements.txt
examples=examples/python/requirements.txt
venv=$cache/venv-$(cat "$requirements" "$examples" | sha256sum | cut -c1-12)
if [ ! -x "$venv/bin/python" ]; then
  if ! python3 -m venv "$venv.new" >"$cache/venv.log" 2>&1; then
    # Debian keeps venv in a package of its own.
    rm -rf "$venv.new"
    ${sudo[@]+"${sudo[@]}"} apt-get install -y -qq python3-venv >>"$cache/venv.log" 2>&1
    python3 -m venv "$venv.new" >>"$cache/venv.log" 2>&1 || { tail -n 20 "$cache/venv.log" >&2; exit 1; }
  fi
  "$venv.new/bin/pip" install -q --disable-pip-version-check -r "$requirements" -r "$examples"
  rm -rf "$venv"
  mv "$venv.new" "$venv"
fi
export SMETS1_INTEROP_PYTHON=$venv/bin/python
"$SMETS1_INTEROP_PYTHON" -m pip list --disable-pip-version-check 2>/dev/null | grep -iE 'gurux|dlms' || { echo "the Python packages are missing" >&2; exit 1; }

echo "== mqtt.js"
mqttjs=$cache/mqttjs-$(sha256sum examples/node/package.json | cut -c1-12)
if [ ! -d "$mqttjs/node_modules/mqtt" ]; then
  mkdir -p "$mqttjs"
  cp examples/node/package.json "$mqttjs/"
  npm install --prefix "$mqttjs" --silent --no-audit --no-fund >"$cache/mqttjs.log" 2>&1 || { tail -n 20 "$cache/mqttjs.log" >&2; exit 1; }
fi
export SMETS1_INTEROP_MQTTJS=$mqttjs/node_modules

echo "== npm packages"
for package in zigbee-herdsman@10.9.5 zigbee2mqtt@2.14.1; do
  name=${package%@*}
  dir=$cache/${package/@/-}
  [ "$name" = zigbee-herdsman ] && dir=$cache/herdsman-${package#*@}
  if [ ! -d "$dir/node_modules/$name" ]; then
    rm -rf "$dir" "$dir.new"
    mkdir -p "$dir.new"
    (cd "$dir.new" && npm install --no-audit --no-fund --omit=dev "$package" >npm.log 2>&1) || { tail -n 20 "$dir.new/npm.log" >&2; exit 1; }
    mv "$dir.new" "$dir"
  fi
  node -p "'$name ' + require('$dir/node_modules/$name/package.json').version"
done
export SMETS1_INTEROP_CACHE=$cache

echo "== against ours"
packages=$(grep -rlE '^//go:build .*\binterop\b' --include='*_test.go' . | xargs -n1 dirname | sort -u)
# shellcheck disable=SC2086 # a list of folders
CGO_ENABLED=0 go test -tags interop -count=1 -timeout 15m -run Interop $packages
# With the tag, the bridge's own tests have mosquitto for their broker.
CGO_ENABLED=0 go test -tags interop -count=1 -timeout 10m ./gateway/bridge
