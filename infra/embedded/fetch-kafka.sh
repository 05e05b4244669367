#!/usr/bin/env bash
# Brings Apache Kafka's jars into the cache by Maven: $GRIDWARDEN_CACHE/kafka/4.4.0/lib (default ~/.cache/gridwarden).
# Idempotent and atomic: the folder appears complete or not at all.
set -euo pipefail
cd "$(dirname "$0")"
VERSION=4.4.0
CACHE="${GRIDWARDEN_CACHE:-$HOME/.cache/gridwarden}"
HOME_OF_VERSION="$CACHE/kafka/$VERSION"
LIB="$HOME_OF_VERSION/lib"

say() { printf 'fetch-kafka: %s\n' "$*" >&2; }

if [ -f "$LIB/kafka_2.13-$VERSION.jar" ] && compgen -G "$LIB/slf4j-simple-*.jar" >/dev/null; then
  exit 0
fi
command -v mvn >/dev/null 2>&1 || { say "Maven is missing: apt-get install maven"; exit 1; }
mkdir -p "$HOME_OF_VERSION" || { say "cannot write $HOME_OF_VERSION"; exit 1; }
NEW="$(mktemp -d "$HOME_OF_VERSION/.new-XXXXXX")"
trap 'rm -rf "$NEW"' EXIT
say "fetching Kafka $VERSION into $LIB"
mvn -B -ntp -q -f kafka/pom.xml dependency:copy-dependencies -DoutputDirectory="$NEW" -DincludeScope=runtime >&2 \
  || { say "Maven could not fetch Kafka $VERSION: see its words above"; exit 1; }
[ -f "$NEW/kafka_2.13-$VERSION.jar" ] || { say "Maven ended well, but kafka_2.13-$VERSION.jar is not there"; exit 1; }
chmod 755 "$NEW"
rm -rf "$LIB"
mv -T "$NEW" "$LIB"
trap - EXIT
say "$(ls "$LIB" | wc -l) jars"
