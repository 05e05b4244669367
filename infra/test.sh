#!/usr/bin/env bash
# Every test: unit and property tests, the pages' own tests, then end to end with the real binary, broker, engine and browser.
# One profile (dev: dependencies optimised, ours lightly), no release build.
set -euo pipefail
cd "$(dirname "$0")/.."
CARGO="${CARGO:-cargo}"

step() { printf '\n== %s\n' "$*"; }

step "unit and property tests"
$CARGO test --locked --workspace --exclude gridwarden-tests

step "tests of the pages"
(cd dashboards/web && ../../infra/with-node.sh npm run --silent test)

step "the binary, as the end-to-end tests drive it"
$CARGO build --locked -p gridwarden -p gridwarden-embedded --bins

step "end to end: real binary, broker, engine, browser"
$CARGO test --locked -p gridwarden-tests -- --test-threads=2
