#!/usr/bin/env bash
# Fills the cache (default ~/.cache/gridwarden) with what runs beside us: Kafka's jars and the ClickHouse library.
# Idempotent and atomic: a part that is there is left alone; an interrupted download leaves nothing half done.
set -euo pipefail
cd "$(dirname "$0")"
embedded/fetch-kafka.sh
./with-node.sh embedded/fetch-clickhouse.sh
