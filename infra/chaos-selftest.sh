#!/usr/bin/env bash
# The suite of faults against services with bugs built in on purpose. The binary that holds them gets a name of its own, and the ordinary
# one is put back: the feature is on in no build that is left.
set -euo pipefail
cd "$(dirname "$0")/.."
CARGO="${CARGO:-cargo}"
seeded=target/debug/gridwarden-seeded

build() { $CARGO build --locked --workspace --bins --test it "$@"; }

build --features gridwarden/seeded-bugs
cp target/debug/gridwarden "$seeded"
build
status=0
target/debug/chaos --self-test --program "$seeded" "$@" || status=$?
rm -f "$seeded"
exit "$status"
