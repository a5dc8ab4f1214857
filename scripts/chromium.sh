#!/usr/bin/env bash
# Prints the path of a Chromium, installing Debian's where that is possible.
set -euo pipefail

find_browser() {
  local name
  for name in chromium chromium-browser google-chrome; do
    command -v "$name" && return 0
  done
  return 1
}

find_browser && exit 0

if command -v apt-get >/dev/null; then
  as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    as_root=(sudo -n)
    sudo -n true 2>/dev/null || as_root=(false)
  fi
  if [ "${as_root[*]}" != false ]; then
    echo "installing Debian's chromium for the browser tests" >&2
    export DEBIAN_FRONTEND=noninteractive
    "${as_root[@]}" apt-get update -qq >&2
    "${as_root[@]}" apt-get install -y -qq --no-install-recommends \
      chromium fonts-dejavu-core >&2 </dev/null
    find_browser && exit 0
  fi
fi

echo "No Chromium found: install chromium or google-chrome (Debian: apt-get install chromium)," \
  "or run 'make test-fast', which needs no browser." >&2
exit 1
