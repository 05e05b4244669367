#!/usr/bin/env bash
# `cargo deny check bans licenses sources`, with a cargo-deny of a known version built once into the cache.
set -euo pipefail
cd "$(dirname "$0")/.."
VERSION=0.20.2
CACHE="${GRIDWARDEN_CACHE:-$HOME/.cache/gridwarden}"
BIN="$CACHE/cargo-deny/$VERSION/bin/cargo-deny"
if [ ! -x "$BIN" ]; then
  echo "deny: building cargo-deny $VERSION into the cache, once" >&2
  cargo install --locked --quiet --debug --root "$CACHE/cargo-deny/$VERSION" cargo-deny --version "$VERSION"
fi
"$BIN" --offline check --hide-inclusion-graph --allow license-not-encountered bans licenses sources
