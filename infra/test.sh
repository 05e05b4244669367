#!/usr/bin/env bash
# Every test: unit and property tests, the pages' own tests, then end to end with the real binary, broker, engine and browser.
# One profile (dev: dependencies optimised, ours lightly), no release build. The whole workspace is named each time, so that
# cargo resolves one set of features and builds every dependency once.
set -euo pipefail
cd "$(dirname "$0")/.."
CARGO="${CARGO:-cargo}"

step() { printf '\n== %s (%s s)\n' "$*" "$SECONDS"; }

step "build"
$CARGO build --locked --workspace --bins --tests

step "unit and property tests"
$CARGO test --locked --workspace --lib --bins --test contract --test clickhouse

step "tests of the pages"
(cd dashboards/web && ../../infra/with-node.sh npm run --silent test)

step "end to end: real binary, broker, engine, browser"
$CARGO test --locked --workspace --test it -- --test-threads=2
step "done"
