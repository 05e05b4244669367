#!/usr/bin/env bash
# Runs a command with the Node that setup.sh brought into the cache first on the path, if it brought one.
set -euo pipefail
CACHE="${GRIDWARDEN_CACHE:-$HOME/.cache/gridwarden}"
for own in "$CACHE"/node/*/bin; do
  [ -x "$own/node" ] && PATH="$own:$PATH"
done
exec "$@"
